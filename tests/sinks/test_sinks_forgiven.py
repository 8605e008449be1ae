"""`noise.jsonl`: what was forgiven, redacted."""

import json
from pathlib import Path
from typing import Any

from shadow.content.redaction import RedactionSettings, Redactor
from shadow.model import Forgave, Forgiven
from shadow.sinks.folder import claim
from shadow.sinks.forgiven import ForgivenPlaces

EP = "GET /v1/x/{id}"


def written(path: Path, *told: Forgave) -> list[dict[str, Any]]:
    folder = claim(path, "")
    sink = ForgivenPlaces(folder, Redactor(RedactionSettings(), b"k" * 16))
    for each in told:
        sink.hear(each)
    sink.close()
    return [json.loads(line) for line in (path / "noise.jsonl").read_bytes().splitlines()]


def test_places_are_listed_with_evidence_and_an_example(tmp_path: Path) -> None:
    place = Forgiven(EP, "body:$.load", "drifts at the live release", 3, 1.5, 2.5, {"live release": (2, 9)})
    (line,) = written(tmp_path, Forgave((place,)))
    assert line == {
        "endpoint": EP,
        "where": "body:$.load",
        "why": "drifts at the live release",
        "count": 3,
        "evidence": {"live release": {"differed": 2, "compared": 9}},
        "example": [1.5, 2.5],
    }


def test_what_several_processes_forgave_is_added(tmp_path: Path) -> None:
    one, more = (Forgiven(EP, "body:$.a", "why", count, 1, 2) for count in (3, 4))
    other = Forgiven(EP, "body:$.b", "why", 5, 1, 2)
    lines = written(tmp_path, Forgave((one,)), Forgave((other, more)))
    assert [(each["where"], each["count"]) for each in lines] == [("body:$.a", 7), ("body:$.b", 5)]


def test_examples_are_redacted_and_short(tmp_path: Path) -> None:
    places = (
        Forgiven(EP, "body:$.access_token", "why", 4, "s3cr3tvalue-one", "s3cr3tvalue-two"),
        Forgiven(EP, "header:set-cookie[session]", "why", 3, "s3cr3tcookie-one", "s3cr3tcookie-two"),
        Forgiven(EP, "header:authorization", "why", 2, "Bearer s3cr3t-abcdef", "Bearer s3cr3t-ghijkl"),
        Forgiven(EP, "body:$.text", "why", 1, "x" * 5000, None),
    )
    lines = written(tmp_path, Forgave(places))
    assert "s3cr3t" not in json.dumps(lines)
    assert len(lines[3]["example"][0]) == 200


def test_nothing_forgiven_is_an_empty_file(tmp_path: Path) -> None:
    assert written(tmp_path) == []
