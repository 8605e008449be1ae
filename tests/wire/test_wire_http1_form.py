"""Requests of HTTP/2 in the form of HTTP/1.1."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shadow.model import Headers, Request
from shadow.wire.http1 import RequestReader, serialise_request
from shadow.wire.http1_form import in_http1, is_multiplexed

HOST = (b"host", b"h")


def asked(*headers: tuple[bytes, bytes], method: bytes = b"GET", body: bytes = b"") -> Request:
    return Request(method, b"/x", b"HTTP/2", headers, body)


FIELDS: dict[str, tuple[Request, Headers]] = {
    "plain": (asked(HOST, (b"accept", b"*/*")), (HOST, (b"accept", b"*/*"))),
    "host later": (asked((b"a", b"b"), HOST), (HOST, (b"a", b"b"))),
    "white space around": (asked(HOST, (b"a", b"\t b ")), (HOST, (b"a", b"b"))),
    "no host": (asked((b"a", b"b")), ((b"host", b""), (b"a", b"b"))),
    "cookies": (
        asked(HOST, (b"cookie", b"a=1"), (b"x", b"y"), (b"cookie", b"b=2"), (b"cookie", b"c=3")),
        (HOST, (b"cookie", b"a=1; b=2; c=3"), (b"x", b"y")),
    ),
    "one cookie": (asked(HOST, (b"cookie", b"a=1")), (HOST, (b"cookie", b"a=1"))),
    "length": (asked(HOST, body=b"abc"), (HOST, (b"content-length", b"3"))),
    "length that was stated": (
        asked(HOST, (b"content-length", b"3"), (b"a", b"b"), body=b"abc"),
        (HOST, (b"content-length", b"3"), (b"a", b"b")),
    ),
    "length that was wrong": (asked(HOST, (b"content-length", b"7")), (HOST, (b"content-length", b"0"))),
    "empty upload": (asked(HOST, method=b"POST"), (HOST, (b"content-length", b"0"))),
    "empty deletion": (asked(HOST, method=b"DELETE"), (HOST,)),
    "fields of the connection": (
        asked(HOST, (b"te", b"trailers"), (b"connection", b"x"), (b"Upgrade", b"h2c"), (b"keep-alive", b"1")),
        (HOST,),
    ),
}


@pytest.mark.parametrize(("request_", "expected"), FIELDS.values(), ids=FIELDS)
@pytest.mark.parametrize("version", [b"HTTP/2", b"HTTP/2.0", b"HTTP/3"])
def test_fields_are_as_http1_wants_them(request_: Request, expected: Headers, version: bytes) -> None:
    seen = Request(request_.method, request_.target, version, request_.headers, request_.body)
    assert in_http1(seen) == Request(request_.method, request_.target, b"HTTP/1.1", expected, request_.body)


def test_request_with_trailers_is_chunked() -> None:
    seen = Request(b"PUT", b"/", b"HTTP/2", (HOST, (b"content-length", b"1")), b"x", ((b"t", b"1"),))
    said = in_http1(seen)
    assert said.headers == (HOST, (b"transfer-encoding", b"chunked"))
    assert serialise_request(said).endswith(b"\r\n1\r\nx\r\n0\r\nt: 1\r\n\r\n")


@pytest.mark.parametrize("version", [b"HTTP/1.1", b"HTTP/1.0", b"HTTP/1.7", b""])
def test_request_of_http1_stays_as_it_is(version: bytes) -> None:
    seen = Request(b"POST", b"/", version, ((b"Cookie", b"a"), (b"Cookie", b"b"), HOST), b"body")
    assert in_http1(seen) is seen


UNSAYABLE = {
    "line end in a value": asked((b"x", b"a\r\nInjected: y")),
    "bare line feed": asked((b"x", b"a\ny: z")),
    "zero in a value": asked((b"x", b"a\0")),
    "line end in a name": asked((b"x\r\ny", b"a")),
    "colon in a name": asked((b"x: y", b"a")),
    "empty name": asked((b"", b"a")),
    "request line in the method": asked(method=b"GET / HTTP/1.1\r\n"),
    "space in the target": Request(b"GET", b"/x HTTP/1.1\r\nA: b\r\n\r\n", b"HTTP/2"),
    "no target": Request(b"GET", b"", b"HTTP/2"),
    "line end in a trailer": Request(b"PUT", b"/", b"HTTP/2", trailers=((b"a", b"\r\n"),)),
    "extended CONNECT": Request(b"CONNECT", b"/chat", b"HTTP/2"),
}


@pytest.mark.parametrize("seen", UNSAYABLE.values(), ids=UNSAYABLE)
def test_request_that_http1_cannot_say_is_left_alone(seen: Request) -> None:
    assert in_http1(seen) is seen
    assert is_multiplexed(seen)


TEXT = st.binary(max_size=12)
LINES = st.lists(
    st.tuples(st.sampled_from([b"host", b"cookie", b"x-a", b"content-length"]) | TEXT, TEXT), max_size=5
)


@settings(deadline=None)
@given(
    method=st.sampled_from([b"GET", b"POST"]) | TEXT, target=TEXT, headers=LINES, body=TEXT, trailers=LINES
)
def test_what_is_said_is_one_request_whatever_stands_in_it(
    method: bytes,
    target: bytes,
    headers: list[tuple[bytes, bytes]],
    body: bytes,
    trailers: list[tuple[bytes, bytes]],
) -> None:
    said = in_http1(Request(method, target, b"HTTP/2", tuple(headers), body, tuple(trailers)))
    if is_multiplexed(said):
        return
    reader = RequestReader()
    read = reader.feed(serialise_request(said))
    assert read is not None
    assert reader.surplus == b""
    assert (read.method, read.target, read.body) == (method, target, body)
    assert [name for name, _ in read.headers] == [name for name, _ in said.headers]
    assert len(read.trailers) == len(trailers)
