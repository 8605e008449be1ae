"""Exchanges as JSON lines: what is written is read back byte for byte."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given

from shadow.model import Exchange, Message, Request, Response, Settled
from shadow.taps import jsonl
from shadow.taps.source import Source
from tests.taps.exchanges import anything

TWO = Exchange(
    0,
    "pcap",
    "s",
    1.5,
    Request(
        b"GET",
        b"/",
        headers=(("é".encode(), b"\xe9"), (b"\xe9", "é".encode())),
        trailers=(("é".encode(), b"\xff"), (b"B", "é".encode())),
    ),
    Response(200, trailers=((b"A", "é".encode()), (b"B", b"\x80"))),
    0.5,
)


@given(anything())
@example(TWO)
def test_line_gives_back_the_same_exchange_byte_for_byte(exchange: Exchange) -> None:
    line = jsonl.encode(exchange)
    assert line.endswith(b"}\n")
    assert line.count(b"\n") == 1
    assert jsonl.is_jsonl(line[:256])
    assert jsonl.decode(line) == exchange


def test_request_that_was_put_in_another_form_is_said_to_be_what_it_was() -> None:
    seen = Exchange(0, "pcap", "s", 1.5, Request(b"GET", b"/"), seen_over=b"HTTP/2")
    again = jsonl.decode(jsonl.encode(seen))
    assert isinstance(again, Exchange)
    assert again.request == Request(b"GET", b"/", b"HTTP/2")


def test_places_that_are_no_utf8_are_named_one_by_one() -> None:
    line = json.loads(jsonl.encode(TWO))
    assert line["request"]["latin1"] == ["headers[0][1]", "headers[1][0]", "trailers[0][1]"]
    assert line["response"]["latin1"] == ["trailers[1][1]"]


@dataclass(frozen=True)
class Old:
    """A message as older files have it, and the fields that it means."""

    message: dict[str, Any]
    headers: tuple[tuple[bytes, bytes], ...] = ()
    trailers: tuple[tuple[bytes, bytes], ...] = ()


OLD = {
    "header": Old(
        {"headers": [["A", "é"], ["B", "é"]], "latin1": [0]}, ((b"A", b"\xe9"), (b"B", b"\xc3\xa9"))
    ),
    "trailers": Old({"trailers": [["A", "é"]], "latin1": ["trailers"]}, (), ((b"A", b"\xe9"),)),
    "UTF-8 after all": Old({"headers": [["A", "ш"]], "latin1": [0]}, ((b"A", "ш".encode()),)),
}


@pytest.mark.parametrize("old", OLD.values(), ids=OLD)
def test_names_of_older_files_are_understood(old: Old) -> None:
    found = jsonl.decode(json.dumps({"request": {"method": "GET", "target": "/", **old.message}}).encode())
    assert isinstance(found, Exchange)
    assert (found.request.headers, found.request.trailers) == (old.headers, old.trailers)


@pytest.mark.parametrize(
    "change",
    [{"index": -1}, {"index": 2**63}, {"response": {"status": 1000}}, {"seen_at": None}, {"seen_at": 1e999}],
    ids=str,
)
def test_numbers_that_nothing_could_keep_are_no_exchange(change: dict[str, Any]) -> None:
    line = {"request": {"method": "GET", "target": "/"}, **change}
    assert isinstance(jsonl.decode(json.dumps(line).encode()), str)


HANDSHAKE = (Request(b"GET", b"/chat"), Response(101, b"Switching Protocols"))
NOTHING = (Request(b"", b"", b""), None)
SAID = (Message(True, b"\x00\xff", 1.5, "binary"), Message(False, b"", 2.5, "close"))


@pytest.mark.parametrize(
    ("protocol", "opening"),
    [("websocket", HANDSHAKE), ("tcp", NOTHING), ("udp", NOTHING), ("dns", NOTHING)],
    ids=["websocket", "tcp", "udp", "dns that is none"],
)
@pytest.mark.parametrize("is_complete", [True, False])
def test_conversation_comes_back_as_it_was(
    protocol: str, opening: tuple[Request, Response | None], is_complete: bool
) -> None:
    exchange = Exchange(3, "pcap", "s", 1.0, *opening, 0.5, "h:1", protocol, SAID, is_complete)
    line = jsonl.encode(exchange)
    assert jsonl.is_jsonl(line)
    assert jsonl.decode(line) == exchange
    assert ("request" in json.loads(line)) is (protocol == "websocket")


def test_bad_lines_are_counted_by_reason_and_the_first_is_named(tmp_path: Path) -> None:
    path, notices = tmp_path / "lines", list[str]()
    path.write_bytes(b"{bad\n" * 500 + jsonl.encode(TWO) + b"{bad\n" * 500)
    items = list(jsonl.read(Source(str(path), notices)))
    assert sum(isinstance(each, Exchange) for each in items) == 1
    assert len({each.why for each in items if isinstance(each, Settled)}) == 1
    assert notices == [f"{path}: line 1 is the first that is no exchange"]


def test_line_too_long_to_be_held_costs_itself_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonl, "_MAX_LINE_BYTES", 5000)
    path = tmp_path / "lines"
    path.write_bytes(jsonl.encode(TWO) + b"x" * 300_000 + b"\n" + jsonl.encode(TWO))
    first, long, last = jsonl.read(Source(str(path), []))
    assert (first, last) == (TWO, TWO)
    assert isinstance(long, Settled)
    assert long.why.startswith("a line longer than")


def test_what_was_recorded_is_not_quoted_in_reasons() -> None:
    line = json.dumps({"protocol": "tcp", "messages": [{"from": "hunter2", "body": ""}]}).encode()
    assert jsonl.decode(line) == "not an exchange: a message is from neither client nor server"
