"""Requests that a candidate which is a proxy would pass on are not sent."""

import pytest
from hpack import Encoder
from hypothesis import given
from hypothesis import strategies as st

from shadow.model import NoReply, Request, Silence, Wire
from shadow.replay._contract import Sending, Target
from shadow.replay.elsewhere import elsewhere
from shadow.replay.guard import Guard, GuardSettings
from shadow.wire.http2_shape import HEADERS
from shadow.wire.http2_writing import continuation, frame, opening
from tests.replay.conftest import BOTH, Open, Serve, request, sending, why

TARGET = Target("candidate", "http", "Candidate.test", 8001)


def asking(line: bytes) -> list[Sending]:
    """The same as a request and as bytes."""
    method, target = line.split(b" ")[:2]
    head = line + b"\r\nHost: candidate.test:8001\r\n\r\n"
    return [
        Sending(Request(method, target)),
        Sending(Request(b"GET", b"/"), Wire((head[:7], head[7:]))),
        Sending(
            Request(b"GET", b"/"), Wire((b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n123456789\n", head))
        ),
    ]


@pytest.mark.parametrize(
    ("line", "place"),
    [
        (b"GET http://live.test/x HTTP/1.1", "live.test"),
        (b"GET HTTP://LIVE.test./x HTTP/1.1", "LIVE.test."),
        (b"POST https://live.test:443 HTTP/1.1", "live.test:443"),
        (b"GET http://user@live.test/ HTTP/1.1", "user@live.test"),
        (b"GET http://candidate.test:8001@live.test/ HTTP/1.1", "candidate.test:8001@live.test"),
        (b"GET http://2130706433:8000/ HTTP/1.1", "2130706433:8000"),
        (b"GET http://0x7f.1/ HTTP/1.1", "0x7f.1"),
        (b"GET http://[::ffff:127.0.0.1]:8000/ HTTP/1.1", "[::ffff:127.0.0.1]:8000"),
        (b"GET ws://live.test/ HTTP/1.1", "live.test"),
        (b"GET http://candidate.test:8000/ HTTP/1.1", "candidate.test:8000"),
        (b"GET http://live.test#.invalid/ HTTP/1.1", "live.test"),
        (b"CONNECT live.test:443 HTTP/1.1", "live.test:443"),
        (b"connect 127.0.0.1:8000 HTTP/1.1", "127.0.0.1:8000"),
    ],
)
def test_what_asks_to_be_passed_on_is_known(line: bytes, place: str) -> None:
    assert [elsewhere(each, TARGET) for each in asking(line)] == [place] * 3


@pytest.mark.parametrize(
    "line",
    [
        b"GET / HTTP/1.1",
        b"GET //live.test/x HTTP/1.1",
        b"GET /http://live.test/x HTTP/1.1",
        b"GET /?next=http://live.test/x HTTP/1.1",
        b"GET * HTTP/1.1",
        b"GET http://candidate.test:8001/x HTTP/1.1",
        b"GET http://CANDIDATE.test/x HTTP/1.1",
        b"GET http://shadow.invalid/x HTTP/1.1",
        b"CONNECT candidate.test:8001 HTTP/1.1",
        b"CONNECT /x HTTP/1.1",
    ],
)
def test_what_stays_at_its_target_is_let_through(line: bytes) -> None:
    assert [elsewhere(each, TARGET) for each in asking(line)] == [""] * 3


def test_an_address_of_ipv6_is_named_in_brackets() -> None:
    target = Target("candidate", "http", "::1", 8001)
    assert elsewhere(Sending(request(target=b"http://[::1]:8001/x")), target) == ""
    assert elsewhere(Sending(request(target=b"http://[::2]:8001/x")), target) == "[::2]:8001"


@pytest.mark.parametrize(
    "what",
    [
        sending(request(target=b"http://live.test/x")),
        sending(wire=Wire((b"GET http://live.test/x HTTP/1.1\r\nHost: live.test\r\n\r\n",))),
        sending(request(b"CONNECT", b"live.test:443")),
    ],
    ids=["absolute form", "absolute form in bytes", "CONNECT"],
)
@pytest.mark.parametrize("kind", BOTH)
async def test_a_candidate_that_is_a_proxy_is_asked_to_pass_nothing_on(
    serve: Serve, transports: Open, kind: str, what: Sending
) -> None:
    proxy = await serve()
    guard = Guard(GuardSettings(live=("203.0.113.9:80",)), [proxy.target])
    outcome = await transports(kind, proxy.target, guard=guard).send(what)
    assert why(outcome) is Silence.UNSENT
    assert isinstance(outcome, NoReply)
    assert proxy.peers == []
    assert guard.halted == "", "only this one was wrong"
    assert guard.admitted == 0


def framed(*fields: tuple[bytes, bytes], huffman: bool = False) -> Sending:
    """A request to the target, and frames that say `fields`."""
    said = ((b":method", b"GET"), (b":scheme", b"http"), *fields)
    block = Encoder().encode(said, huffman=huffman)
    start = frame(HEADERS, 1, 1, block[:9]) + continuation(1, block[9:])
    own = Request(b"GET", b"/", headers=((b"Host", b"candidate.test:8001"),))
    return Sending(own, Wire((opening()[:30], opening()[30:] + start), protocol="http2"))


@pytest.mark.parametrize("huffman", [False, True], ids=["plain", "huffman"])
@pytest.mark.parametrize(
    ("fields", "place"),
    [
        (((b":authority", b"candidate.test:8001"), (b":path", b"/")), ""),
        (((b":authority", b"shadow.invalid"), (b":path", b"/?to=http://live.test/")), ""),
        (((b":authority", b"live.test"), (b":path", b"/")), "live.test"),
        (((b":authority", b"candidate.test"), (b":path", b"http://live.test/x")), "live.test"),
        (((b":authority", b"candidate.test"), (b":authority", b"live.test")), "live.test"),
    ],
)
def test_authority_in_frames_is_looked_at(
    fields: tuple[tuple[bytes, bytes], ...], place: str, *, huffman: bool
) -> None:
    assert elsewhere(framed(*fields, huffman=huffman), TARGET) == place


@given(st.lists(st.binary(max_size=200), max_size=4))
def test_no_bytes_that_pass_for_frames_raise(segments: list[bytes]) -> None:
    elsewhere(Sending(Request(b"GET", b"/"), Wire(tuple(segments), protocol="http2")), TARGET)
