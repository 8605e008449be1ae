"""The short way to a response: where it gives one, it is what the reader gives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.wire.http1 import ResponseReader
from shadow.wire.http1_whole import whole_response

_PIECES = st.sampled_from(
    (
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.0 200 OK\r\n",
        b"HTTP/1.1 204 No Content\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\n",
        b"HTTP/1.1 404\r\n",
        b"Content-Length: 2\r\n",
        b"content-length:2\r\n",
        b"Content-Length : 2\r\n",
        b"Content-Length: 0\r\n",
        b"Content-Length: 2, 2\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Connection: close\r\n",
        b"Connection: keep-alive\r\n",
        b" folded\r\n",
        b"X: y\n",
        b"\r\n",
        b"\n",
        b"hi",
        b"2\r\nhi\r\n0\r\n\r\n",
    )
)


@given(st.lists(_PIECES, max_size=7).map(b"".join), st.sampled_from((1, 100)))
def test_what_the_short_way_gives_is_what_the_reader_gives(text: bytes, max_body_bytes: int) -> None:
    found = whole_response(text, max_body_bytes)
    reader = ResponseReader(b"GET", max_body_bytes=max_body_bytes)
    response = reader.feed(text)
    if found is not None:
        assert found == (response, reader.keeps_open)
        assert reader.surplus == b""


@pytest.mark.parametrize(
    ("text", "stays_open"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", True, id="keeps open"),
        pytest.param(b"HTTP/1.1 500 No\r\ncontent-length:0\r\nConnection: Close\r\n\r\n", False, id="closes"),
        pytest.param(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", False, id="of version 1.0"),
    ],
)
def test_plain_responses_take_the_short_way(text: bytes, stays_open: bool) -> None:
    found = whole_response(text, 100)
    assert found is not None
    assert found[1] is stays_open


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh", id="not all there"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi!", id="more than there should be"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n", id="without a length"),
        pytest.param(b"HTTP/1.1 204 No\r\nContent-Length: 0\r\n\r\n", id="without a body by its status"),
        pytest.param(b"HTTP/1.1 200 OK\nX: y\n\nContent-Length: 0\r\n\r\n", id="a bare end before"),
    ],
)
def test_other_responses_take_a_closer_look(text: bytes) -> None:
    assert whole_response(text, 100) is None
