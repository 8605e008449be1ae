"""HTTP/1 is written byte for byte and read from any slicing of the stream."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.model import Request, Response
from shadow.wire.http1 import Limits, RequestReader, ResponseReader, serialise_request, serialise_response
from shadow.wire.http1_begin import begin_request, begin_response

REQUESTS = {
    "get": (b"GET /a?b=1 HTTP/1.1\r\nHost: h\r\n\r\n", b"GET", b"/a?b=1", b""),
    "own method": (b"FROB * HTTP/1.1\r\nHost: h\r\n\r\n", b"FROB", b"*", b""),
    "post": (b"POST /p HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", b"POST", b"/p", b"hello"),
    "chunked": (
        b"PUT /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n02\r\nde\r\n0\r\nT: v\r\n\r\n",
        b"PUT",
        b"/c",
        b"abcde",
    ),
    "both framings": (
        b"PUT /c HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
        b"PUT",
        b"/c",
        b"a",
    ),
    "bare LF": (b"POST /l HTTP/1.0\nContent-Length: 2\n\nhi", b"POST", b"/l", b"hi"),
    "bare LF in chunks": (
        b"POST /l HTTP/1.1\nTransfer-Encoding: chunked\n\n2\nhi\n0\n\n",
        b"POST",
        b"/l",
        b"hi",
    ),
    "space in target": (b"GET /a b HTTP/1.1\r\n\r\n", b"GET", b"/a b", b""),
    "blank lines first": (b"\r\n\r\nGET / HTTP/1.1\r\n\r\n", b"GET", b"/", b""),
    "same length twice": (
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\ncontent-length: 1\r\n\r\nx",
        b"POST",
        b"/",
        b"x",
    ),
}

RESPONSES = {
    "length": (b"GET", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 200, b"hi"),
    "head": (b"HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", 200, b""),
    "no content": (b"GET", b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n", 204, b""),
    "not modified": (b"GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n", 304, b""),
    "continue first": (
        b"POST",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 \r\nContent-Length: 0\r\n\r\n",
        201,
        b"",
    ),
    "two interim": (
        b"GET",
        b"HTTP/1.1 103 E\r\nL: a\r\n\r\nHTTP/1.1 102 x\r\n\r\nHTTP/1.1 404 N\r\nContent-Length: 0\r\n\r\n",
        404,
        b"",
    ),
    "no reason": (b"GET", b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 200, b""),
    "chunked 1.0": (
        b"GET",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
        200,
        b"x",
    ),
    "switching": (b"GET", b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n", 101, b""),
    "connect": (b"CONNECT", b"HTTP/1.1 200 Established\r\nContent-Length: 9\r\n\r\n", 200, b""),
}


@pytest.mark.parametrize(("text", "method", "target", "body"), REQUESTS.values(), ids=REQUESTS)
@pytest.mark.parametrize("step", [1, 2, 7, 1000])
def test_request_is_read_in_any_slicing_and_ends_at_its_last_byte(
    text: bytes, method: bytes, target: bytes, body: bytes, step: int
) -> None:
    reader = RequestReader()
    request, used = _drip(reader.feed, text + b"NEXT", step)
    assert request is not None
    assert (request.method, request.target, request.body) == (method, target, body)
    assert (text + b"NEXT")[used - len(reader.surplus) :] == b"NEXT"
    assert not reader.is_cut


@pytest.mark.parametrize(("method", "text", "status", "body"), RESPONSES.values(), ids=RESPONSES)
@pytest.mark.parametrize("step", [1, 2, 7, 1000])
def test_response_is_read_in_any_slicing_and_ends_at_its_last_byte(
    method: bytes, text: bytes, status: int, body: bytes, step: int
) -> None:
    reader = ResponseReader(method)
    response, used = _drip(reader.feed, text + b"NEXT", step)
    assert response is not None
    assert (response.status, response.body, response.is_complete) == (status, body, True)
    assert (text + b"NEXT")[used - len(reader.surplus) :] == b"NEXT"


def test_response_without_length_ends_with_the_stream() -> None:
    reader = ResponseReader(b"GET")
    assert reader.feed(b"HTTP/1.1 200 OK\r\nDate: x\r\n\r\nab") is None
    assert reader.feed(b"cd") is None
    response = reader.finish()
    assert response is not None
    assert (response.body, response.is_complete, reader.keeps_open) == (b"abcd", True, False)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", id="inside a length"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", id="inside a chunk"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", id="no last chunk"),
    ],
)
def test_response_cut_by_the_end_of_the_stream_is_incomplete(text: bytes) -> None:
    reader = ResponseReader(b"GET")
    assert reader.feed(text) is None
    response = reader.finish()
    assert response is not None
    assert (response.body, response.is_complete) == (b"ab", False)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param(b"SSH-2.0-x\r\n", "status line", id="other protocol"),
        pytest.param(b"HTTP/1.1 abc\r\n\r\n", "status line", id="status no number"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\na", "Content-Length", id="signed length"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\na", "Content-Length", id="two lengths"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\n", "chunk size", id="0x1"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1_0\r\n", "chunk size", id="1_0"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n", "chunk size", id="empty"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n", "chunk", id="long chunk"
        ),
    ],
)
@pytest.mark.parametrize("step", [1, 1000])
def test_malformed_response_is_an_error_and_never_an_exception(text: bytes, why: str, step: int) -> None:
    reader = ResponseReader(b"GET")
    assert _drip(reader.feed, text, step)[0] is None
    assert reader.error is not None
    assert why in reader.error
    assert reader.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") is None


def test_head_over_its_limit_is_an_error() -> None:
    reader = ResponseReader(b"GET", max_head_bytes=100)
    for _ in range(30):
        reader.feed(b"HTTP/1.1 200 OK\r\nA: " if not reader.has_begun else b"aaaa")
    assert reader.error == "head longer than 100 bytes"


def test_body_over_its_limit_is_kept_up_to_it_and_framing_goes_on() -> None:
    reader = ResponseReader(b"GET", max_body_bytes=3)
    response = reader.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcdeNEXT")
    assert response is not None
    assert (response.body, response.is_complete, reader.surplus) == (b"abc", False, b"NEXT")


@pytest.mark.parametrize("length", [b"Transfer-Encoding: chunked", b"Content-Length: 13"])
@pytest.mark.parametrize("at", range(14))
def test_body_that_is_no_longer_kept_is_read_to_its_end_all_the_same(length: bytes, at: int) -> None:
    reader, body = RequestReader(), b"3\r\nabc\r\n0\r\n\r\n"
    assert reader.feed(b"POST / HTTP/1.1\r\n%b\r\n\r\n%b" % (length, body[:at])) is None or at == len(body)
    assert reader.skip(0)
    assert at == len(body) or reader.feed(body[at:]) is not None
    assert reader.error is None
    assert reader.is_cut is (at < len(body))


def test_trailers_and_folded_fields_are_kept() -> None:
    reader = RequestReader()
    head = b"PUT / HTTP/1.1\r\nX: a\r\n  b\r\nNoColon\r\nTransfer-Encoding: chunked\r\n\r\n"
    request = reader.feed(head + b"0\r\nT: 1\r\nT: 2\r\n\r\n")
    assert request is not None
    assert request.headers == ((b"X", b"a b"), (b"NoColon", b""), (b"Transfer-Encoding", b"chunked"))
    assert request.trailers == ((b"T", b"1"), (b"T", b"2"))


@pytest.mark.parametrize(
    ("fields", "keeps"),
    [
        pytest.param(b"", True, id="1.1"),
        pytest.param(b"Connection: foo, Close\r\n", False, id="close"),
    ],
)
def test_connection_is_kept_open_as_the_fields_say(fields: bytes, keeps: bool) -> None:
    reader = ResponseReader(b"GET")
    assert reader.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + fields + b"\r\n") is not None
    assert reader.keeps_open is keeps


def test_serialised_request_has_exactly_the_given_fields() -> None:
    request = Request(
        b"get", b"/x y", b"HTTP/1.1", ((b"Host", b"h"), (b"hOST", b"\xff"), (b"", b"")), b"body"
    )
    assert serialise_request(request) == b"get /x y HTTP/1.1\r\nHost: h\r\nhOST: \xff\r\n: \r\n\r\nbody"


def test_serialised_chunked_request_has_one_chunk_and_its_trailers() -> None:
    headers = ((b"Transfer-Encoding", b"gzip, Chunked"),)
    request = Request(b"PUT", b"/", headers=headers, body=b"x" * 17, trailers=((b"T", b"1"),))
    expected = b"PUT / HTTP/1.1\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n11\r\n" + b"x" * 17
    assert serialise_request(request) == expected + b"\r\n0\r\nT: 1\r\n\r\n"


@pytest.mark.parametrize(
    ("method", "status"), [(b"HEAD", 200), (b"GET", 204), (b"GET", 304), (b"CONNECT", 200), (b"GET", 101)]
)
def test_serialised_response_without_a_body_has_no_last_chunk_either(method: bytes, status: int) -> None:
    response = Response(status, b"R", headers=((b"Transfer-Encoding", b"chunked"),))
    expected = b"HTTP/1.1 %d R\r\nTransfer-Encoding: chunked\r\n\r\n" % status
    assert serialise_response(response, method) == expected


NAMES = st.from_regex(rb"[A-Za-z][A-Za-z0-9-]{0,12}", fullmatch=True).filter(
    lambda n: n.lower() not in (b"content-length", b"transfer-encoding")
)
VALUES = st.binary(max_size=20).map(lambda v: bytes(b for b in v if b not in b"\r\n").strip(b" \t"))
FIELDS = st.lists(st.tuples(NAMES, VALUES), max_size=5).map(tuple)


@given(headers=FIELDS, body=st.binary(max_size=300), chunked=st.booleans(), step=st.integers(1, 50))
def test_what_is_serialised_is_read_back(
    headers: tuple[tuple[bytes, bytes], ...], body: bytes, chunked: bool, step: int
) -> None:
    framing = (b"Transfer-Encoding", b"chunked") if chunked else (b"Content-Length", b"%d" % len(body))
    request = Request(b"POST", b"/x", headers=(*headers, framing), body=body)
    assert _drip(RequestReader().feed, serialise_request(request), step)[0] == request
    response = Response(200, b"OK", headers=(*headers, framing), body=body)
    assert _drip(ResponseReader(b"GET").feed, serialise_response(response), step)[0] == response


GRAMMAR = st.lists(
    st.sampled_from(
        [
            b"HTTP/1.1 200 OK\r\n", b"GET / HTTP/1.1\r\n", b"\r\n", b"\n", b"\r", b"0", b"5", b"a", b" ",
            b"Transfer-Encoding: chunked\r\n", b"Content-Length: 3\r\n", b"HTTP/1.1 100 C\r\n\r\n", b"\x00",
            b"Content-Length: 99999999999999999999\r\n", b"ffffffffffffff\r\n", b"HTTP/1.1 204 \r\n", b":",
        ]
    )
    | st.binary(max_size=8),
    max_size=30,
)  # fmt: skip


@given(pieces=GRAMMAR, method=st.sampled_from([b"GET", b"HEAD", b"CONNECT"]))
def test_no_bytes_make_a_reader_raise(pieces: list[bytes], method: bytes) -> None:
    responses, requests = ResponseReader(method, max_head_bytes=60, max_body_bytes=9), RequestReader()
    for piece in pieces:
        if responses.feed(piece) is not None:
            responses = ResponseReader(method)
        if requests.feed(piece) is not None:
            requests = RequestReader()
    assert responses.finish() is None or responses.head is not None


def _drip[M](feed: Callable[[bytes], M | None], text: bytes, step: int) -> tuple[M | None, int]:
    """The message read from `text` fed by `step` bytes, and how many bytes that took."""
    for at in range(0, len(text), step):
        message = feed(text[at : at + step])
        if message is not None:
            return message, min(at + step, len(text))
    return None, len(text)


@pytest.mark.parametrize(
    "text",
    [
        b"GET /a\nX HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /a\nX HTTP/1.1\nHost: h\r\n\r\n",
        b"GET \n HTTP/1.1\r\n\r\n",
    ],
)
def test_bare_line_end_ends_the_request_line(text: bytes) -> None:
    assert begin_request(text, Limits()) is None
    reader = RequestReader()
    assert reader.feed(text) is None
    assert reader.error is not None
    assert reader.error.startswith("not a request line")


@pytest.mark.parametrize("text", [each[0] for each in REQUESTS.values()], ids=REQUESTS)
@pytest.mark.parametrize("more", [b"", b"GET /next HTTP/1.1\r\n\r\n"], ids=["alone", "followed"])
def test_short_way_of_requests_ends_where_the_long_one_does(text: bytes, more: bytes) -> None:
    reader = RequestReader()
    expected = reader.feed(text + more)
    begun = begin_request(text + more, Limits())
    if begun is None:  # then the long way is taken
        return
    head, found, rest = begun
    if isinstance(found, RequestReader):
        request = found.feed(rest)
        assert (request, found.surplus) == (expected, reader.surplus)
    else:
        assert (found, rest) == (expected, reader.surplus)
    assert expected is not None
    assert (head.method, head.target) == (expected.method, expected.target)


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"CONNECT"])
@pytest.mark.parametrize("status", [100, 101, 200, 204, 304, 404])
@pytest.mark.parametrize(
    "framing",
    [b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b""],
    ids=["length", "chunked", "none"],
)
def test_short_way_of_responses_ends_where_the_long_one_does(
    method: bytes, status: int, framing: bytes
) -> None:
    body = b"3\r\nabc\r\n0\r\n\r\n" if b"chunked" in framing else b"abc"
    text = b"HTTP/1.1 %d Reason\r\n%b\r\n%b" % (status, framing, body)
    reader = ResponseReader(method)
    expected = reader.feed(text)
    begun = begin_response(text, method, Limits())
    if begun is None:
        assert status < 200 or (method == b"CONNECT" and status < 300)
        return
    found, rest = begun
    if isinstance(found, ResponseReader):
        assert (found.feed(rest), found.surplus) == (expected, reader.surplus)
    else:
        assert (found, rest) == (expected, reader.surplus)


@pytest.mark.parametrize("step", [1, 7, 100_000])
@pytest.mark.parametrize(("count", "is_fine"), [(256, True), (257, False)])
def test_interim_responses_are_bounded(count: int, step: int, *, is_fine: bool) -> None:
    text = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * count + b"HTTP/1.1 204 No Content\r\n\r\n"
    reader = ResponseReader(b"GET")
    found = [reader.feed(text[at : at + step]) for at in range(0, len(text), step)]
    assert (found[-1] is not None) == is_fine
    assert reader.error == (None if is_fine else "more than 256 interim responses")
