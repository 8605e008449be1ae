"""What correlation learned is written for a person and for programs, with secrets masked."""

import io
import json
from pathlib import Path

from shadow.content.redaction import RedactionSettings, Redactor
from shadow.model import Correlated, Learned, Missed
from shadow.sinks.explanation import Explanation
from shadow.sinks.folder import claim

ORDER = Learned("7", "3", "order", "s", 4, "POST /orders", "body:$.id", 2, "GET /orders/7 path:2")
TOKEN = Learned(
    "live-1234", "here-9876", "", "s", 0, "POST /login", "body:$.access_token", 1, "GET /x cookie:sid"
)
COOKIE = Learned("live-abcd", "here-wxyz", "cookie:sid", "s", 0, "POST /login?password=pw12345", "cookie:sid")
WORD = Missed("opensesame", 1, "POST /login", "body:$.word", "no such place", "PUT /x header:x-word", 3)


def told(tmp_path: Path, *heard: Correlated, out: io.StringIO | None = None) -> list[dict[str, object]]:
    folder = claim(tmp_path / "out")
    explanation = Explanation(folder, Redactor(RedactionSettings(), b"key"), out)
    for each in heard:
        explanation.hear(each)
    explanation.close()
    folder.close()
    return [json.loads(line) for line in (tmp_path / "out" / "correlation.jsonl").read_text().splitlines()]


def test_one_line_for_each_value_with_what_it_is_for_each_target(tmp_path: Path) -> None:
    theirs = Learned("7", "12", "order", "s", 4, "POST /orders", "body:$.id")
    lines = told(tmp_path, Correlated("candidate", (ORDER,), ()), Correlated("baseline", (theirs,), ()))
    assert lines == [
        {
            "live": "7",
            "kind": "order",
            "session": "s",
            "learned": {"exchange": 4, "asked": "POST /orders", "place": "body:$.id"},
            "targets": {
                "candidate": {"value": "3", "applied": 2, "last_place": "GET /orders/7 path:2"},
                "baseline": {"value": "12", "applied": 0, "last_place": ""},
            },
        }
    ]


def test_what_another_worker_used_counts_for_the_value_that_one_learned(tmp_path: Path) -> None:
    used = Learned("7", "3", "order", "", -1, "", "", 5, "GET /orders/7 query:order")
    other = Learned("8", "2", "order", "", -1, "", "", 1, "GET /orders/8 path:2")
    (line,) = told(
        tmp_path, Correlated("candidate", (used, other), ()), Correlated("candidate", (ORDER,), ())
    )
    assert line["session"] == "s"
    assert line["targets"] == {
        "candidate": {"value": "3", "applied": 7, "last_place": "GET /orders/7 query:order"}
    }


def test_secrets_are_masked_and_their_places_are_not(tmp_path: Path) -> None:
    out = io.StringIO()
    told(tmp_path, Correlated("candidate", (TOKEN, COOKIE), ()), out=out)
    text = (tmp_path / "out" / "correlation.jsonl").read_text() + out.getvalue()
    for secret in ("live-1234", "here-9876", "live-abcd", "here-wxyz", "pw12345"):
        assert secret not in text
    assert "GET /x cookie:sid" in text
    assert "body:$.access_token" in text


def test_what_could_not_be_mapped_is_told_first(tmp_path: Path) -> None:
    out = io.StringIO()
    lines = told(tmp_path, Correlated("candidate", (ORDER,), (WORD,)), out=out)
    assert lines[1] == {
        "missed": "opensesame",
        "target": "candidate",
        "told": {"exchange": 1, "asked": "POST /login", "place": "body:$.word"},
        "why": "no such place",
        "carried": "PUT /x header:x-word",
        "times": 3,
    }
    first, second, third = out.getvalue().splitlines()
    assert first.startswith("correlation: 1 live values learned, 1 could not be mapped; all of it is in ")
    assert second == (
        "  missed opensesame for the candidate: no such place; told by POST /login body:$.word (exchange 1),"
        " carried by PUT /x header:x-word (3 times)"
    )
    assert third == (
        "  7 (order) → candidate 3; told by POST /orders body:$.id (exchange 4);"
        " put in 2 times, last GET /orders/7 path:2"
    )


def test_many_values_are_counted_not_listed(tmp_path: Path) -> None:
    out = io.StringIO()
    many = tuple(Learned(f"live{at}", "x", "", "s", 0, "GET /", "body:$.a") for at in range(100))
    assert len(told(tmp_path, Correlated("candidate", many, ()), out=out)) == 100
    assert out.getvalue().splitlines()[-1] == "  and 60 more"
