"""Whether what frames of HTTP/2 say may write."""

import pytest

from shadow.model import Headers, Request, Wire
from shadow.pipeline.order import may_write
from shadow.wire import http2_writing as w

READ: Headers = ((b":method", b"GET"), (b":path", b"/a"))


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        pytest.param(w.headers(1, READ), False, id="read"),
        pytest.param(w.headers(1, ((b":method", b"POST"), (b":path", b"/a"))), True, id="write"),
        pytest.param(w.headers(1, READ) + w.headers(3, ((b":method", b"PUT"),)), True, id="write beside it"),
        pytest.param(w.headers(1, ((b":method", b"GET\r\n"),)), True, id="unknown method"),
        pytest.param(w.headers(1, (*READ, (b"X-HTTP-Method", b"PUT"))), True, id="overridden"),
        pytest.param(
            w.headers(1, ((b":method", b"GET"), (b":path", b"/?_method=PUT"))), True, id="parameter"
        ),
        pytest.param(w.split_headers(1, ((b":method", b"DELETE"),), 2), True, id="in pieces"),
        pytest.param(w.headers(1, READ) + w.data(1, b"\r\nPOST /b HTTP/1.1\r\n"), True, id="smuggled"),
        pytest.param(w.headers(1, READ) + w.data(1, b"\r\nGET /b HTTP/1.1\r\n"), False, id="smuggled read"),
        pytest.param(w.ping() * 3, False, id="nothing asked for"),
    ],
)
def test_frames_tell_whether_they_may_write(frames: bytes, *, expected: bool) -> None:
    wire = Wire((w.opening(), frames), protocol="http2")
    assert may_write(Request(b"GET", b"/a"), wire) is expected
