"""Exchanges made from nothing, for properties of every format."""

from hypothesis import strategies as st

from shadow.model import Exchange, Headers, Message, Request, Response

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=12)
BYTES = st.binary(max_size=12) | TEXT.map(str.encode)
"""Bytes, of which some are UTF-8."""
TIMES = st.integers(1_500_000_000_000, 1_900_000_000_000).map(lambda ms: ms / 1000)


def headers(
    name: st.SearchStrategy[bytes] = BYTES, value: st.SearchStrategy[bytes] = BYTES
) -> st.SearchStrategy[Headers]:
    return st.lists(st.tuples(name, value), max_size=4).map(tuple)


def exchanges() -> st.SearchStrategy[Exchange]:
    """Anything that the types allow, of every protocol."""
    request = st.builds(Request, BYTES, BYTES, BYTES, headers(), BYTES, headers())
    response = st.builds(
        Response, st.integers(0, 999), BYTES, BYTES, headers(), BYTES, headers(), st.booleans()
    )
    message = st.builds(
        Message, st.booleans(), BYTES, TIMES, st.sampled_from(["", "text", "binary", "ping", "pong", "close"])
    )
    latency = st.none() | st.floats(0, 100)
    http = st.builds(
        Exchange, st.integers(0, 2**40), TEXT, TEXT, TIMES, request, st.none() | response, latency, TEXT
    )
    conversation = st.builds(
        Exchange,
        st.integers(0, 2**40),
        TEXT,
        TEXT,
        TIMES,
        st.just(Request(b"", b"", b"")),
        st.none(),
        latency,
        TEXT,
        st.sampled_from(["dns", "tcp", "udp"]),
        st.lists(message, max_size=4).map(tuple),
        st.booleans(),
    )
    upgraded = st.builds(
        Exchange,
        st.integers(0, 2**40),
        TEXT,
        TEXT,
        TIMES,
        request.filter(lambda each: each.method != b""),
        response,
        latency,
        TEXT,
        st.sampled_from(["websocket", "grpc"]),
        st.lists(message, max_size=4).map(tuple),
        st.booleans(),
    )
    return http | conversation | upgraded
