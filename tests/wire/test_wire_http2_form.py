"""Requests of HTTP/1.1 as HTTP/2 says them, and what it cannot say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.model import Headers, Request
from shadow.wire.http1_form import in_http1
from shadow.wire.http2_form import in_http2, is_same_in_http2, trailers_in_http2, unsayable

HOST = (b"Host", b"api.test")
CHUNKED = (b"Transfer-Encoding", b"chunked")


def said(*headers: tuple[bytes, bytes], body: bytes = b"", **more: bytes) -> Request:
    method, target = more.get("method", b"GET"), more.get("target", b"/x?y=1")
    version = more.get("version", b"HTTP/1.1")
    return Request(method, target, version, (HOST, *headers), body)


def test_pseudo_fields_come_first_and_names_are_small() -> None:
    request = said((b"X-Thing", b"A b"), (b"Content-Length", b"2"), body=b"hi", method=b"POST")
    assert in_http2(request, "https") == (
        (b":method", b"POST"),
        (b":scheme", b"https"),
        (b":authority", b"api.test"),
        (b":path", b"/x?y=1"),
        (b"x-thing", b"A b"),
        (b"content-length", b"2"),
    )


def test_fields_of_the_connection_are_left_out_and_cookies_are_crumbs() -> None:
    request = said(
        (b"Connection", b"keep-alive"), (b"Keep-Alive", b"5"), (b"Cookie", b"a=1; b=2"), CHUNKED, body=b"x"
    )
    assert in_http2(request, "http")[4:] == ((b"cookie", b"a=1"), (b"cookie", b"b=2"))
    assert not unsayable(request)


def test_grpc_call_states_no_length_and_takes_trailers() -> None:
    call = said(
        (b"Content-Type", b"application/grpc"), (b"content-length", b"5"), body=bytes(5), method=b"POST"
    )
    assert in_http2(call, "http")[4:] == ((b"content-type", b"application/grpc"), (b"te", b"trailers"))


def test_empty_host_is_no_authority() -> None:
    request = Request(b"GET", b"/", headers=((b"host", b""),))
    assert [name for name, _ in in_http2(request, "http")] == [b":method", b":scheme", b":path"]
    assert not unsayable(request)


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        pytest.param(said(version=b"HTTP/1.0"), "states no version", id="version"),
        pytest.param(said(method=b"CONNECT"), "method", id="connect"),
        pytest.param(said(method=b"GE T"), "method", id="method"),
        pytest.param(said(target=b"http://x/"), "target", id="absolute target"),
        pytest.param(said(target=b"/a b"), "target", id="space in target"),
        pytest.param(said(target=b"*"), "target", id="star"),
        pytest.param(Request(b"GET", b"/"), "host", id="no host"),
        pytest.param(said(HOST), "twice", id="two hosts"),
        pytest.param(said((b"Cookie", b"a"), (b"cookie", b"b")), "twice", id="two cookies"),
        pytest.param(said((b"Cookie", b"a=1;b=2")), "cookie", id="cookie without spaces"),
        pytest.param(said((b"X", b"a\r\nb")), "as it is written", id="line end"),
        pytest.param(said((b"X", b" a")), "as it is written", id="white space around"),
        pytest.param(said((b"X Y", b"a")), "as it is written", id="name"),
        pytest.param(said((b"Upgrade", b"websocket")), "upgrade", id="upgrade"),
        pytest.param(said((b"TE", b"gzip")), "TE", id="te"),
        pytest.param(said((b"Connection", b"close, X-Foo")), "connection alone", id="hop-by-hop"),
        pytest.param(said((b"Content-Length", b"3"), body=b"hi"), "framed", id="wrong length"),
        pytest.param(said((b"Content-Length", b"2"), CHUNKED, body=b"hi"), "framed", id="two framings"),
        pytest.param(said(body=b"hi"), "announces", id="body without framing"),
        pytest.param(said((b"Transfer-Encoding", b"gzip, chunked"), body=b"hi"), "framed", id="coding"),
    ],
)
def test_what_http2_cannot_say_has_a_reason(request_: Request, why: str) -> None:
    assert why in unsayable(request_)


def test_trailers_follow_a_chunked_body_alone() -> None:
    request = Request(b"POST", b"/", headers=(HOST, CHUNKED), body=b"x", trailers=((b"X-Sum", b"1"),))
    assert not unsayable(request)
    assert trailers_in_http2(request) == ((b"x-sum", b"1"),)
    assert unsayable(Request(b"POST", b"/", headers=(HOST,), trailers=((b"X-Sum", b"1"),)))


@pytest.mark.parametrize(
    ("other", "is_same"),
    [
        pytest.param(said((b"x-a", b"1")), True, id="case of a name"),
        pytest.param(said((b"X-A", b"1"), (b"Connection", b"close")), True, id="connection"),
        pytest.param(said((b"X-A", b"2")), False, id="value"),
        pytest.param(said((b"X-A", b"1"), CHUNKED, body=b"x"), False, id="body"),
    ],
)
def test_requests_are_the_same_once_http2_says_them(other: Request, is_same: bool) -> None:
    assert is_same_in_http2(said((b"X-A", b"1")), other) is is_same


_NAMES = st.sampled_from((b"x-a", b"accept", b"cookie", b"x-b", b"user-agent"))
_VALUES = st.from_regex(rb"[!-:<-~]{1,8}", fullmatch=True)


@given(
    st.lists(st.tuples(_NAMES, _VALUES), max_size=6, unique_by=lambda each: each[0]), st.binary(max_size=8)
)
def test_what_was_seen_over_http2_is_said_again_as_it_was(
    lines: list[tuple[bytes, bytes]], body: bytes
) -> None:
    headers: Headers = ((b"host", b"api.test"), *lines, (b"content-length", b"%d" % len(body)))
    seen = Request(b"POST", b"/p", b"HTTP/2", headers, body)
    again = in_http1(seen)
    assert not unsayable(again)
    fields = dict(in_http2(again, "http"))
    assert fields[b":authority"] == b"api.test"
    assert {name: value for name, value in fields.items() if name[:1] != b":"} == dict(headers[1:])


@given(
    st.builds(
        Request,
        st.binary(max_size=6),
        st.binary(max_size=9),
        st.sampled_from((b"HTTP/1.1", b"x")),
        st.lists(st.tuples(st.binary(max_size=9), st.binary(max_size=9)), max_size=4).map(tuple),
        st.binary(max_size=9),
    )
)
def test_no_request_makes_it_stumble(request_: Request) -> None:
    assert isinstance(unsayable(request_), str)
    assert in_http2(request_, "http")
