"""GoReplay's files, as it writes them and as they are written here."""

from pathlib import Path

import pytest

from shadow.model import Exchange, Fate, Request, Response, Settled
from shadow.taps import gor
from shadow.taps.source import Source
from shadow.wire.http1 import serialise_request

ASKED = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


def record(kind: int, name: str, time: int, text: bytes) -> bytes:
    return f"{kind} {name} {time} 0\n".encode() + text + "\n🐵🙈🙉\n".encode()


def read(
    folder: Path, text: bytes, bounds: gor.Bounds | None = None
) -> tuple[list[Exchange], list[Settled], list[str]]:
    path = folder / "file"
    path.write_bytes(text)
    notices: list[str] = []
    items = list(gor.read(Source(str(path), notices), bounds))
    exchanges = [each for each in items if isinstance(each, Exchange)]
    told = [notice.removeprefix(f"{path}: ") for notice in notices]
    return exchanges, [each for each in items if isinstance(each, Settled)], told


def test_requests_are_paired_with_the_live_answers_by_id(tmp_path: Path) -> None:
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"
    text = (
        record(1, "a1", 1_000_000_000, ASKED)
        + record(1, "b2", 2_000_000_000, b"GET /b HTTP/1.1\r\n\r\n")
        + record(2, "a1", 1_500_000_000, answer)
        + record(1, "c3", 3_000_000_000, b"nonsense")
    )
    found, settled, notices = read(tmp_path, text)
    assert [(each.index, each.request.target, each.response and each.response.body) for each in found] == [
        (0, b"/a", b"hi"),
        (1, b"/b", None),
    ]
    assert (found[0].seen_at, found[0].latency_seconds, found[0].live) == (1.0, 0.5, "h")
    assert [each.why for each in settled] == ["the request is cut"]
    assert notices == []


@pytest.mark.parametrize(
    ("more", "notice"),
    [
        pytest.param(record(2, "zz", 2, OK), "responses without their requests skipped: 1", id="unmatched"),
        pytest.param(record(2, "a1", 2, OK) * 2, "responses without their requests skipped: 1", id="twice"),
        pytest.param(record(2, "a1", 2, b"junk"), "responses that could not be read: 1", id="unreadable"),
        pytest.param(record(3, "a1", 2, OK) * 2, "answers to replays skipped: 2", id="replayed"),
    ],
)
def test_responses_that_answer_no_request_are_told(tmp_path: Path, more: bytes, notice: str) -> None:
    found, settled, notices = read(tmp_path, record(1, "a1", 1, ASKED) + more)
    assert [each.request.target for each in found] == [b"/a"]
    assert settled == []
    assert notices == [notice]


def test_record_too_long_to_be_held_is_told_and_the_next_one_read(tmp_path: Path) -> None:
    text = record(1, "a1", 1, b"x" * 3_000_000) + record(1, "b1", 1, ASKED)
    found, settled, notices = read(tmp_path, text, gor.Bounds(record_bytes=100))
    assert [each.request.target for each in found] == [b"/a"]
    assert [(each.fate, each.why) for each in settled] == [(Fate.UNPARSED, "a record longer than 100 bytes")]
    assert notices == []


def test_requests_wait_for_their_answers_within_bounds(tmp_path: Path) -> None:
    post = b"POST /%d HTTP/1.1\r\nContent-Length: 400\r\n\r\n" + b"x" * 400
    text = b"".join(record(1, f"a{at}", at, post % at) for at in range(5)) + record(2, "a0", 9, OK)
    found, _, notices = read(tmp_path, text, gor.Bounds(waiting_bytes=1000))
    assert [each.request.target for each in found] == [b"/%d" % at for at in range(5)]
    assert notices == ["responses without their requests skipped: 1"]


def test_cut_file_gives_its_whole_records(tmp_path: Path) -> None:
    found, _, notices = read(tmp_path, record(1, "a1", 1, ASKED) + record(1, "b1", 1, ASKED)[:-9])
    assert len(found) == 1
    assert notices == ["ends inside a record; the records before it were read"]


def test_records_written_are_read_back(tmp_path: Path) -> None:
    request = Request(b"POST", b"/g", headers=((b"Content-Length", b"3"),), body="🐵".encode()[:3])
    response = Response(200, b"OK", headers=((b"Content-Length", b"2"),), body=b"ok")
    exchange = Exchange(0, "pcap", "s", 12.0, request, response, 0.25)
    (found,), _, _ = read(tmp_path, gor.encode(exchange) or b"")
    assert (found.request, found.response) == (request, response)
    assert (found.seen_at, found.latency_seconds) == (12.0, 0.25)


def test_sessions_follow_credentials_without_showing_them(tmp_path: Path) -> None:
    texts = [
        serialise_request(Request(b"GET", b"/", headers=((b"Authorization", secret),)))
        for secret in (b"Bearer one", b"Bearer two", b"Bearer one")
    ]
    found, _, _ = read(tmp_path, b"".join(record(1, f"a{at}", at, each) for at, each in enumerate(texts)))
    assert found[0].session == found[2].session != found[1].session
    assert "one" not in found[0].session
