"""Stacks and smaller findings over the loopback: real servers, the catalogue's own mutators, whole runs."""

import asyncio
import json
from base64 import b64decode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from shadow.model import Exchange, Request, Response
from shadow.run.execution import RunSettings, execute
from shadow.sinks.console import ConsoleSettings
from tests.run.conftest import Named, reading, settings_for

type Service = Callable[[bytes, bytes], int]
"""The status for the head and the body of a request."""

HOW = RunSettings(is_live=False, view=ConsoleSettings(is_quiet=True))
DOCUMENT = {f"field{at}": {"at": at, "text": f"text {at}", "tags": [at, "x"]} for at in range(40)}
BODY = json.dumps(DOCUMENT).encode()
HEADERS = ((b"Host", b"h"), (b"Content-Type", b"application/json"), (b"Accept", b"*/*"), (b"X-Client", b"c1"))


@asynccontextmanager
async def served(service: Service) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A service's URL, and the heads of all that it was asked."""
    heads: list[bytes] = []

    def answering(head: bytes, body: bytes) -> tuple[int, bytes]:
        heads.append(head)
        status = service(head, body)
        return status, b'{"ok": true}' if status < 400 else b'{"error": "broken"}'

    async with reading(answering) as url:
        yield url, heads


def exchanges(number: int, method: bytes = b"SEARCH", body: bytes = BODY) -> list[Exchange]:
    answer = Response(200, headers=((b"Content-Type", b"application/json"),), body=b'{"ok": true}')
    headers = (*HEADERS, (b"Content-Length", b"%d" % len(body)))
    asked = Request(method, b"/items?a=1&b=two&c=3", headers=headers, body=body)
    return [Exchange(at, "test", f"s{at}", 1.6e9 + at, asked, answer) for at in range(number)]


async def findings(
    out: Path, candidate: str, asked: list[Exchange], *mutators: str, **options: Any
) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """What a run found, and how much it sent for what."""
    given = {"mutants": 2, "mutators": mutators, "confirmations": 2, "concurrency": 1} | options
    async with asyncio.timeout(30):
        await execute(settings_for(out, candidate, **given), Named(asked), HOW)
    lines = (out / "findings.jsonl").read_bytes().splitlines()
    return [json.loads(line) for line in lines], json.loads((out / "summary.json").read_bytes())["sent"]


def is_respelled(head: bytes) -> bool:
    """Whether a field's name is not spelled as it was."""
    lines = head.split(b"\r\n")[1:-2]
    names = {line.partition(b":")[0] for line in lines}
    return not names <= {name for name, _ in HEADERS} | {b"Content-Length", b"Shadow-Run", b"Shadow-Trial"}


def is_respaced(body: bytes) -> bool:
    return body != json.dumps(json.loads(body)).encode()


def breaks_on_both(head: bytes, body: bytes) -> int:
    return 500 if is_respelled(head) and is_respaced(body) else 200


async def test_service_that_breaks_when_two_edits_come_together(tmp_path: Path) -> None:
    async with served(breaks_on_both) as (url, _), served(lambda *_: 200) as (baseline, _):
        found, sent = await findings(
            tmp_path / "out",
            url,
            exchanges(60),
            *("flip_name_case", "space_json", "reorder_query"),
            baseline=baseline,
        )
    (one,) = found
    assert one["fault"] == "F100"
    assert set(one["mutator"].split("+")) == {"flip_name_case", "space_json"}
    assert len(one["edits"]) == 2
    assert (one["answer"]["status"], one["baseline"]["status"], one["control"]["status"]) == (500, 200, 200)
    assert one["minimised"]["to"]["bytes"] < one["minimised"]["from"]["bytes"]
    assert sent["minimisations"] > 0
    head, _, body = b64decode(one["reproduce"]["raw_base64"]).partition(b"\r\n\r\n")
    assert breaks_on_both(head + b"\r\n\r\n", body) == 500


async def test_one_field_of_a_large_document_is_what_is_left(tmp_path: Path) -> None:
    def breaks(_: bytes, body: bytes) -> int:
        return 500 if b"\\ud" in body else 200

    async with served(breaks) as (url, _):
        found, sent = await findings(tmp_path / "out", url, exchanges(2), "surrogate_in_json")
    (one,) = found
    head, _, body = b64decode(one["reproduce"]["raw_base64"]).partition(b"\r\n\r\n")
    assert b"X-Client" not in head
    assert b"a=1" not in head
    assert b"\\ud" in body
    assert len(body) < 80
    assert sent["minimisations"] <= 200


async def test_service_that_breaks_now_and_then_ends_the_run_in_order(tmp_path: Path) -> None:
    calls = count()

    def flaky(_: bytes, body: bytes) -> int:
        return 500 if b"\\ud" in body and (next(calls) < 3 or next(calls) % 5 == 0) else 200

    async with served(flaky) as (url, _):
        found, sent = await findings(tmp_path / "out", url, exchanges(1), "surrogate_in_json")
    (one,) = found
    assert one["minimised"] is None
    assert sent["minimisations"] <= 200


@pytest.mark.parametrize("may_write", [False, True])
async def test_writes_are_sent_to_make_them_smaller_only_where_that_is_allowed(
    tmp_path: Path, *, may_write: bool
) -> None:
    def breaks(_: bytes, body: bytes) -> int:
        return 500 if b"\\ud" in body else 200

    async with served(breaks) as (url, heads):
        found, sent = await findings(
            tmp_path / "out", url, exchanges(2, b"POST"), "surrogate_in_json", allow_writes=may_write
        )
    assert (sent["minimisations"] > 0) == may_write
    assert len(found) == may_write
    assert may_write or len(heads) == 2


@pytest.mark.parametrize("workers", [1, 2])
async def test_every_worker_tells_what_it_made_smaller(tmp_path: Path, workers: int) -> None:
    def breaks(_: bytes, body: bytes) -> int:
        return 500 if b"\\ud" in body else 200

    async with served(breaks) as (url, _):
        found, _ = await findings(tmp_path / "out", url, exchanges(6), "surrogate_in_json", workers=workers)
    (one,) = found
    assert one["minimised"]["to"]["bytes"] < 400
    assert one["count"] == 6
