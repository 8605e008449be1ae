"""What a tap sees: a request, its response, and where and when they were seen. Bytes as on the wire."""

from collections.abc import Iterator

import msgspec

type Headers = tuple[tuple[bytes, bytes], ...]
"""Field lines in wire order, duplicates and letter case kept; values without surrounding white space."""

CONVERSATIONS = frozenset({"websocket", "dns", "tcp", "udp"})
"""Protocols of exchanges that are more than a request and its answer."""


class Request(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One request message. `body` has its transfer coding undone and its content coding kept."""

    method: bytes
    target: bytes
    """The request target as sent, for example ``b"/v1/x?y=1"``."""
    version: bytes = b"HTTP/1.1"
    headers: Headers = ()
    body: bytes = b""
    trailers: Headers = ()


class Response(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One final response message (never 1xx, save 101). `body` as in `Request`."""

    status: int
    reason: bytes = b""
    version: bytes = b"HTTP/1.1"
    headers: Headers = ()
    body: bytes = b""
    trailers: Headers = ()
    is_complete: bool = True
    """False where the message was cut: by a reset, a gap in the capture, or a size limit."""


class Message(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One message of a conversation that is more than a request and its answer."""

    is_from_client: bool
    body: bytes
    """Without the protocol's own framing, masking and compression."""
    seen_at: float
    """Unix time in seconds at which it was complete."""
    kind: str = ""
    """WebSocket: ``"text"``, ``"binary"``, ``"ping"``, ``"pong"``, ``"close"``; empty for other protocols."""


class Exchange(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A request seen by a tap, with the live service's answer where there was one; or a conversation."""

    index: int
    """Counts from 0 in the order in which the requests began, over the whole run."""
    tap: str
    """The name of the tap, for example ``"pcap"``."""
    session: str
    """Exchanges that must keep their order share this: one client, or one connection."""
    seen_at: float
    """Unix time in seconds at which the request began."""
    request: Request
    response: Response | None = None
    latency_seconds: float | None = None
    """From the first byte of the request to the first byte of the response; None without a response."""
    live: str = ""
    """``host:port`` of the live service, as far as the tap knows it."""
    protocol: str = "http"
    """``"http"`` for versions 1 and 2 alike, ``"grpc"``, or a conversation: ``"websocket"``, ``"dns"``,
    ``"tcp"``, ``"udp"``. A WebSocket's `request` and `response` are its handshake, the others' are empty."""
    messages: tuple[Message, ...] = ()
    """What both sides of a conversation said, in order; of gRPC, the messages inside the bodies."""
    is_complete: bool = True
    """False where messages are missing: cut by a gap in the capture, or a size limit."""
    seen_over: bytes = b""
    """``b"HTTP/2"`` or ``b"HTTP/3"`` where the request was seen so, and was put in the form of HTTP/1.1."""


def field(headers: Headers, name: bytes) -> bytes | None:
    """The first value of the field called `name` (lower case), or None."""
    length = len(name)
    for key, value in headers:
        if len(key) == length and key.lower() == name:  # asked for all the time: lengths tell most apart
            return value
    return None


def fields(headers: Headers, name: bytes) -> Iterator[bytes]:
    """Every value of the field called `name` (lower case), in wire order."""
    return (value for key, value in headers if key.lower() == name)


def with_field(headers: Headers, name: bytes, value: bytes) -> Headers:
    """`headers` with the first `name` (any case) set to `value` in its place, or appended where absent."""
    wanted = name.lower()
    for at, (key, _) in enumerate(headers):
        if key.lower() == wanted:
            return (*headers[:at], (key, value), *headers[at + 1 :])
    return (*headers, (name, value))


def without_field(headers: Headers, name: bytes) -> Headers:
    """`headers` without any field called `name` (any case)."""
    wanted = name.lower()
    return tuple((key, value) for key, value in headers if key.lower() != wanted)
