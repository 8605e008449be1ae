"""Frames come out of any slicing of a stream as they went in, and hostile streams only ever break."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.feed.frames import (
    TAP_SECONDS_BOUNDS,
    Ack,
    Bye,
    Frame,
    FrameReader,
    Hello,
    Ledger,
    TapSeconds,
    encode,
)
from shadow.model import Exchange, Message, Request, Response

_headers = st.lists(st.tuples(st.binary(max_size=9), st.binary(max_size=9)), max_size=4).map(tuple)
_requests = st.builds(
    Request,
    method=st.binary(max_size=9),
    target=st.binary(max_size=30),
    headers=_headers,
    body=st.binary(max_size=60),
    trailers=_headers,
)
_responses = st.builds(
    Response,
    status=st.integers(0, 999),
    headers=_headers,
    body=st.binary(max_size=60),
    is_complete=st.booleans(),
)
_messages = st.builds(
    Message,
    is_from_client=st.booleans(),
    body=st.binary(max_size=60),
    seen_at=st.floats(allow_nan=False),
    kind=st.sampled_from(["", "text", "close"]),
)
_exchanges = st.builds(
    Exchange,
    index=st.integers(0, 1 << 60),
    tap=st.text(max_size=9),
    session=st.text(max_size=9),
    seen_at=st.floats(allow_nan=False),
    request=_requests,
    response=st.none() | _responses,
    latency_seconds=st.none() | st.floats(0, 1e9),
    protocol=st.sampled_from(["http", "websocket", "dns", "tcp", "udp"]),
    messages=st.lists(_messages, max_size=4).map(tuple),
    is_complete=st.booleans(),
)
_frames = st.one_of(
    _exchanges,
    st.builds(Hello, tap=st.text(max_size=9)),
    st.builds(Ack, received=st.integers(0, 1 << 60)),
    st.builds(
        Ledger, captured=st.integers(0, 1 << 60), dropped=st.dictionaries(st.text(), st.integers(0, 9))
    ),
    st.builds(Bye, why=st.text(max_size=9)),
)


@given(st.lists(_frames, max_size=6), st.integers(1, 40))
def test_frames_survive_any_slicing_of_the_stream(frames: list[Frame], slice_bytes: int) -> None:
    stream = b"".join(map(encode, frames))
    reader = FrameReader()
    seen: list[Frame] = []
    for start in range(0, len(stream), slice_bytes):
        seen += reader.feed(stream[start : start + slice_bytes])
    assert seen == frames
    assert reader.broken is None
    assert reader.feed(encode(Bye("done"))) == [Bye("done")]


@given(st.lists(st.binary(max_size=80), max_size=5))
def test_hostile_bytes_never_raise(pieces: list[bytes]) -> None:
    reader = FrameReader(max_frame_bytes=64)
    for piece in pieces:
        reader.feed(piece)
    assert reader.broken is None or reader.feed(encode(Bye())) == []


@given(st.sampled_from(b"HXLAB"), st.binary(max_size=60))
def test_a_hostile_body_of_any_kind_is_a_frame_or_breaks_the_stream(kind: int, body: bytes) -> None:
    reader = FrameReader()
    frames = reader.feed(struct.pack(">I", len(body) + 1) + bytes([kind]) + body)
    assert len(frames) == (reader.broken is None)


@pytest.mark.parametrize(
    ("stream", "why"),
    [
        pytest.param(b"\0\0\0\0", "frame of 0 bytes", id="empty frame"),
        pytest.param(b"\xff\xff\xff\xff", "frame of 4294967295 bytes", id="longer than allowed"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", "frame of 1195725856 bytes", id="a web client"),
        pytest.param(b"\0\0\0\x02Z\xc0", "unknown kind of frame 0x5a", id="unknown kind"),
        pytest.param(b"\0\0\0\x02X\xc0", "no msgpack of its kind", id="wrong type"),
        pytest.param(b"\0\0\0\x05H\x81\xa3\xff\xff", "no msgpack of its kind", id="cut msgpack"),
        pytest.param(
            b"\0\1\0\0A\x82\xa1x" + b"\x91" * 65525 + b"\xc0" * 8,
            "no msgpack of its kind",
            id="nested too deep",
        ),
    ],
)
def test_a_stream_that_makes_no_sense_breaks_with_a_reason(stream: bytes, why: str) -> None:
    reader = FrameReader()
    assert reader.feed(encode(Bye()) + stream) == [Bye()]
    assert why in (reader.broken or "")
    assert reader.feed(encode(Bye())) == []


def test_a_frame_over_the_limit_breaks_the_stream_before_it_is_buffered() -> None:
    reader = FrameReader(max_frame_bytes=10)
    reader.feed(struct.pack(">I", 11) + b"B")
    assert reader.broken == "frame of 11 bytes, allowed are 1 to 10"


def test_quantiles_are_upper_bounds_of_buckets() -> None:
    counts = [0] * (len(TAP_SECONDS_BOUNDS) + 1)
    counts[0], counts[3], counts[-1] = 50, 49, 1
    seconds = TapSeconds(tuple(counts), 1.0)
    assert seconds.count == 100
    assert seconds.quantile(0.5) == TAP_SECONDS_BOUNDS[0]
    assert seconds.quantile(0.99) == TAP_SECONDS_BOUNDS[3]
    assert seconds.quantile(1) == float("inf")
