"""Exchanges made from nothing, for properties of every format."""

import msgspec
from hypothesis import strategies as st

from shadow.model import Exchange, Headers, Message, Request, Response

type Of[T] = st.SearchStrategy[T]

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=12)
BYTES = st.binary(max_size=12) | TEXT.map(str.encode)
"""Bytes, of which some are UTF-8."""
TIMES = st.integers(1_500_000_000_000, 1_900_000_000_000).map(lambda ms: ms / 1000)
LATENCIES = st.none() | st.integers(0, 100_000).map(lambda ms: ms / 1000)
VERSIONS = st.sampled_from([b"HTTP/1.0", b"HTTP/1.1", b"HTTP/2", b"HTTP/3"])
NAMES = st.text("abcXYZ-09_", min_size=1, max_size=10).map(str.encode) | st.sampled_from(
    [b"Host", b"Content-Encoding", b"Content-Type", b"Cookie", b"Set-Cookie", b"Location", b"host"]
)
VALUES = st.binary(max_size=12).map(lambda value: value.translate(None, b"\r\n\0").strip()) | st.sampled_from(
    [
        b"h.example",
        b"h:81",
        b"[::1]:8080",
        b"gzip",
        b"a=1; b",
        b"text/plain",
        b"a=1; Expires=x; Path=/; Secure",
    ]
)
TARGETS = st.text("/ab?=&%25#;é ", max_size=12).map(lambda text: f"/{text}".encode()) | st.sampled_from(
    [b"*", b"http://h.example/x?y", b"h.example:443", b"//x", b"/%", b"/a?", b"/\xff", b"http://[/"]
)
METHODS = st.sampled_from([b"GET", b"HEAD", b"POST", b"M-SEARCH", b"get"])

_SILENCE: Of[tuple[Message, ...]] = st.just(())


def headers(names: Of[bytes], values: Of[bytes]) -> Of[Headers]:
    return st.lists(st.tuples(names, values), max_size=4).map(tuple)


def anything() -> Of[Exchange]:
    """Whatever the types allow, of every protocol."""
    loose = headers(BYTES, BYTES)
    request = st.builds(Request, BYTES, BYTES, BYTES, loose, BYTES, loose)
    response = st.builds(Response, st.integers(0, 999), BYTES, BYTES, loose, BYTES, loose, st.booleans())
    return (
        exchanges(request, st.none() | response, st.just("http"))
        | exchanges(request.filter(lambda each: each.method != b""), response, WITH_REQUEST, messages())
        | conversations()
    )


WITH_REQUEST = st.sampled_from(["websocket", "grpc"])


def http() -> Of[Exchange]:
    """Exchanges as they are seen on the wire, or nearly so."""
    return exchanges(requests(), st.none() | responses(), st.just("http"))


def websockets() -> Of[Exchange]:
    return exchanges(
        requests(),
        responses(),
        st.just("websocket"),
        messages(["text", "binary", "ping", "pong", "close", ""]),
    )


def conversations(*protocols: str) -> Of[Exchange]:
    return exchanges(
        st.just(Request(b"", b"", b"")),
        st.none(),
        st.sampled_from(protocols or ("dns", "tcp", "udp")),
        messages(),
    )


def requests() -> Of[Request]:
    fields = headers(NAMES, VALUES)
    return st.builds(Request, METHODS, TARGETS, VERSIONS, fields, BYTES, fields)


def responses() -> Of[Response]:
    fields = headers(NAMES, VALUES)
    return st.builds(Response, st.integers(100, 999), VALUES, VERSIONS, fields, BYTES, fields, st.booleans())


def messages(kinds: list[str] | None = None) -> Of[tuple[Message, ...]]:
    kind = st.sampled_from(kinds or [""])
    return st.lists(st.builds(Message, st.booleans(), BYTES, TIMES, kind), max_size=4).map(tuple)


def exchanges(
    request: Of[Request],
    response: Of[Response | None],
    protocol: Of[str],
    said: Of[tuple[Message, ...]] = _SILENCE,
) -> Of[Exchange]:
    """Exchanges of such parts."""
    made = st.builds(
        Exchange, st.integers(0, 2**40), TEXT, TEXT, TIMES, request, response, LATENCIES, TEXT, protocol, said
    )
    return st.builds(_whole, made, st.booleans())


def _whole(exchange: Exchange, is_complete: bool) -> Exchange:
    latency = exchange.latency_seconds if exchange.response is not None else None
    if exchange.protocol in ("http", "grpc"):
        is_complete = True
    return msgspec.structs.replace(exchange, latency_seconds=latency, is_complete=is_complete)
