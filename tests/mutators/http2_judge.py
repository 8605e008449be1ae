"""A server's end of HTTP/2 by the h2 library, which knows nothing of how mutants are made."""

from dataclasses import dataclass, field
from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded, StreamReset, TrailersReceived
from h2.exceptions import ProtocolError
from hypothesis import strategies as st

from shadow.model import Edit, Headers, Request

MARKS = ((b"Shadow-Run", b"r1"), (b"Shadow-Trial", b"t1"))
GRPC = (b"Content-Type", b"application/grpc")


@dataclass
class Heard:
    """What came on one stream."""

    fields: Headers = ()
    body: bytes = b""
    trailers: Headers = ()
    is_ended: bool = False
    is_reset: bool = False

    @property
    def meaning(self) -> object:
        """What does not hang on the order of fields of different names, nor on a length being stated."""
        kept = [each for each in self.fields if each[0] != b"content-length"]
        ordered = sorted(kept, key=lambda each: each[0])
        return ordered, self.body, sorted(self.trailers), self.is_ended, self.is_reset

    @property
    def stated_length(self) -> bytes:
        return dict(self.fields).get(b"content-length", b"%d" % len(self.body))


@dataclass
class Hearing:
    """What a server made of the bytes of one connection."""

    streams: dict[int, Heard] = field(default_factory=dict)
    error: str = ""
    """Why it ended the connection, or refused a stream; empty where it did neither."""


def hear(edit: Edit) -> Hearing:
    """What h2 makes of a mutant, segment by segment."""
    assert edit.wire is not None
    connection = H2Connection(H2Configuration(client_side=False, header_encoding=None))
    connection.initiate_connection()
    found = Hearing()
    for segment in edit.wire.segments:
        try:
            events = connection.receive_data(segment)
        except ProtocolError as error:
            found.error = f"{type(error).__name__}: {error}"
            return found
        for event in events:
            match event:
                case RequestReceived():
                    found.streams[event.stream_id] = Heard(tuple(map(_pair, event.headers)))
                case DataReceived():
                    found.streams[event.stream_id].body += event.data
                case TrailersReceived():
                    found.streams[event.stream_id].trailers = tuple(map(_pair, event.headers))
                case StreamEnded():
                    found.streams[event.stream_id].is_ended = True
                case StreamReset():
                    if event.remote_reset and event.stream_id in found.streams:
                        found.streams[event.stream_id].is_reset = True
                    elif not event.remote_reset:
                        found.error = f"stream {event.stream_id} was refused"
    return found


def _pair(line: Any) -> tuple[bytes, bytes]:
    """A field of h2's, whose types say that it may be text, which it is not without an encoding."""
    return bytes(line[0]), bytes(line[1])


_names = st.sampled_from((b"x-a", b"X-B", b"accept", b"user-agent", b"x-shadowy"))
_values = st.text("abc XYZ;=/,0123456789é", max_size=30).map(lambda text: text.strip().encode())


@st.composite
def http2_requests(draw: st.DrawFn) -> Request:
    """A request that was seen over HTTP/2, in the form of HTTP/1.1, bearing the marks."""
    method = draw(st.sampled_from((b"GET", b"GET", b"POST", b"PUT", b"DELETE", b"HEAD")))
    target = draw(st.sampled_from((b"/", b"/v1/items/42?limit=10&q=a+b", b"/a%2fb/;x?")))
    lines = draw(st.lists(st.tuples(_names, _values), max_size=4))
    if draw(st.booleans()):
        lines.append((b"Cookie", b"; ".join(draw(st.lists(st.sampled_from((b"a=1", b"b=2")), min_size=1)))))
    sizes = st.one_of(st.integers(0, 40), st.sampled_from((16_384, 20_000, 32_768, 40_000)))
    body = draw(st.binary(min_size=1, max_size=8)) * draw(sizes)
    trailers: Headers = ()
    if body and draw(st.booleans()):
        lines.append((b"Transfer-Encoding", b"chunked"))
        trailers = draw(st.sampled_from(((), ((b"X-Sum", b"1"),))))
    elif body:
        lines.append((b"Content-Length", b"%d" % len(body)))
    return Request(method, target, b"HTTP/1.1", ((b"Host", b"h.example:81"), *lines, *MARKS), body, trailers)


@st.composite
def grpc_requests(draw: st.DrawFn) -> Request:
    """A gRPC call in the form of HTTP/1.1, of some messages."""
    messages = draw(st.lists(st.binary(max_size=40), max_size=4))
    body = b"".join(b"\0" + len(each).to_bytes(4) + each for each in messages)
    lines = draw(
        st.lists(st.sampled_from(((b"x-user", b"u"), (b"x-id-bin", b"AQID"), (b"grpc-timeout", b"5S"))))
    )
    target = draw(st.sampled_from((b"/shop.Shop/Get", b"/Shop/List")))
    headers = (
        (b"Host", b"h:1"),
        GRPC,
        (b"te", b"trailers"),
        *lines,
        (b"Transfer-Encoding", b"chunked"),
        *MARKS,
    )
    return Request(b"POST", target, b"HTTP/1.1", headers, body)
