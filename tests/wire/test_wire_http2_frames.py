"""Frames of one side, from bytes in any slicing, with gaps, and where they are malformed."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shadow.wire.http2_frames import BEGUN, CUT, LOST, NOT_CAPTURED, Frame, FrameReader
from shadow.wire.http2_shape import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HAS_PRIORITY,
    HEADERS,
    PADDED,
    PING,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
)


def frame(kind: int, flags: int, number: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3) + bytes((kind, flags)) + number.to_bytes(4) + payload


def reader(
    *,
    max_block_bytes: int = 1000,
    is_lost: bool = False,
    may_be: Callable[[int, int], bool] = lambda *_: True,
) -> FrameReader:
    return FrameReader(max_block_bytes, may_be, is_lost=is_lost)


def read(text: bytes, step: int | None = None) -> list[Frame]:
    """What `text` holds, in segments of `step` bytes that come a second apart, the first at time 0."""
    one = reader()
    step = step or max(len(text), 1)
    return [each for at in range(0, len(text), step) for each in one.take(text[at : at + step], at / step)]


def merged(frames: list[Frame]) -> list[tuple[int, int, int, bytes | str]]:
    """The frames without their times and beginnings, with pieces of DATA put together."""
    found: list[tuple[int, int, int, bytes | str]] = []
    for kind, flags, number, payload, _ in frames:
        if kind == BEGUN:
            continue
        last = found[-1] if found else None
        if kind == DATA and last and last[0] == DATA and last[2] == number and not last[1] & END_STREAM:
            assert isinstance(payload, bytes)
            assert isinstance(last[3], bytes)
            found[-1] = (kind, flags, number, last[3] + payload)
        elif kind != DATA or payload or flags:
            found.append((kind, flags, number, payload))
    return found


IGNORED = (
    frame(PRIORITY, 0, 3, b"\0\0\0\0\x10")
    + frame(PING, 0, 0, b"12345678")
    + frame(WINDOW_UPDATE, 0, 0, b"\0\0\1\0")
    + frame(GOAWAY, 0, 0, b"\0" * 12)
    + frame(0xBE, 0xFF, 7, b"grease")
)

WIRES = {
    "data": (frame(DATA, END_STREAM, 1, b"hello"), [(DATA, 1, 1, b"hello")]),
    "padded data": (
        frame(DATA, END_STREAM | PADDED, 1, b"\3hello\0\0\0"),
        [(DATA, END_STREAM, 1, b"hello")],
    ),
    "nothing but padding": (frame(DATA, END_STREAM | PADDED, 1, b"\2\0\0"), [(DATA, END_STREAM, 1, b"")]),
    "empty last data": (frame(DATA, END_STREAM, 1), [(DATA, END_STREAM, 1, b"")]),
    "headers": (frame(HEADERS, END_HEADERS, 1, b"block"), [(HEADERS, END_HEADERS, 1, b"block")]),
    "padded headers with a priority": (
        frame(HEADERS, END_HEADERS | PADDED | HAS_PRIORITY, 1, b"\2pprioblock\0\0"),
        [(HEADERS, END_HEADERS | PADDED | HAS_PRIORITY, 1, b"block")],
    ),
    "continued headers": (
        frame(HEADERS, END_STREAM, 1, b"blo")
        + frame(CONTINUATION, 0, 1, b"c")
        + frame(CONTINUATION, 4, 1, b"k"),
        [(HEADERS, END_STREAM, 1, b"block")],
    ),
    "promise": (frame(PUSH_PROMISE, 4, 1, b"\0\0\0\2block"), [(PUSH_PROMISE, 4, 2, b"block")]),
    "padded and continued promise": (
        frame(PUSH_PROMISE, PADDED, 1, b"\1\0\0\0\2blo\0") + frame(CONTINUATION, 4, 1, b"ck"),
        [(PUSH_PROMISE, PADDED, 2, b"block")],
    ),
    "settings": (frame(SETTINGS, 0, 0, b"\0\1\0\0\0\0"), [(SETTINGS, 0, 0, b"\0\1\0\0\0\0")]),
    "reset": (frame(RST_STREAM, 0, 5, b"\0\0\0\x08"), [(RST_STREAM, 0, 5, b"\0\0\0\x08")]),
    "reserved bit": (frame(DATA, 1, 0x8000_0001, b"x"), [(DATA, 1, 1, b"x")]),
}


@pytest.mark.parametrize(("text", "expected"), WIRES.values(), ids=WIRES)
@pytest.mark.parametrize("step", [1, 2, 7, 1000])
def test_frames_are_read_in_any_slicing(
    text: bytes, expected: list[tuple[int, int, int, bytes]], step: int
) -> None:
    after = frame(DATA, 0, 9, b"after")
    assert merged(read(text + IGNORED + after, step)) == [*expected, (DATA, 0, 9, b"after")]


def test_frame_has_the_time_of_its_first_byte_and_data_that_of_each_piece() -> None:
    headers = frame(HEADERS, END_HEADERS, 1, b"0123456789")
    assert [(kind, time) for kind, _, _, _, time in read(headers, 10)] == [(BEGUN, 0.0), (HEADERS, 0.0)]
    data = frame(DATA, END_STREAM, 1, b"0123456789")
    assert [(text, time) for _, _, _, text, time in read(data, 12)] == [(b"012", 0.0), (b"3456789", 1.0)]


def test_next_frame_does_not_inherit_the_time_of_the_one_before_it() -> None:
    text = frame(HEADERS, END_HEADERS, 1, b"0123456789") + frame(HEADERS, END_HEADERS, 3, b"x")
    times = {number: time for kind, _, number, _, time in read(text, 15) if kind == HEADERS}
    assert times == {1: 0.0, 3: 1.0}


def test_field_block_over_the_limit_is_passed_over_and_what_follows_is_read() -> None:
    after = frame(DATA, END_STREAM, 1, b"x")
    for text in (
        frame(HEADERS, END_HEADERS, 1, b"b" * 2000),
        frame(HEADERS, 0, 1, b"b" * 900) + frame(CONTINUATION, END_HEADERS, 1, b"b" * 900),
    ):
        (kind, _, number, why), rest = merged(read(text + after, 100))
        assert (kind, number, why) == (HEADERS, 1, "a field block longer than may be kept")
        assert rest == (DATA, END_STREAM, 1, b"x")


def test_frame_within_a_field_block_ends_it() -> None:
    text = frame(HEADERS, 0, 1, b"blo") + frame(HEADERS, END_HEADERS, 3, b"block")
    first, second = merged(read(text))
    assert first == (HEADERS, 0, 1, "a field block with another frame inside")
    assert second == (HEADERS, END_HEADERS, 3, b"block")


def test_gap_inside_data_costs_that_body_alone() -> None:
    one = reader()
    one.take(frame(DATA, END_STREAM, 1, b"0123456789")[:-8], 0.0)
    assert one.skip(5, 1.0) == [(DATA, 0, 1, NOT_CAPTURED, 1.0)]
    rest = one.take(b"789" + frame(HEADERS, END_HEADERS, 3, b"block"), 2.0)
    assert merged(rest) == [(DATA, END_STREAM, 1, b"789"), (HEADERS, END_HEADERS, 3, b"block")]


def test_gap_up_to_the_end_of_data_ends_its_stream() -> None:
    one = reader()
    one.take(frame(DATA, END_STREAM, 1, b"0123456789")[:-8], 0.0)
    assert one.skip(8, 1.0) == [(DATA, END_STREAM, 1, NOT_CAPTURED, 1.0)]
    assert not one.is_lost


def test_gap_inside_padding_costs_nothing() -> None:
    one = reader()
    one.take(frame(DATA, END_STREAM | PADDED, 1, b"\4hello\0\0\0\0")[:-4], 0.0)
    assert one.skip(4, 1.0) == [(DATA, END_STREAM, 1, b"", 1.0)]


def test_gap_inside_a_field_block_loses_it_and_keeps_the_frames() -> None:
    one = reader()
    one.take(frame(HEADERS, END_STREAM | END_HEADERS, 1, b"0123456789")[:-8], 0.0)
    assert merged(one.skip(5, 1.0)) == [(HEADERS, END_STREAM | END_HEADERS, 1, NOT_CAPTURED)]
    assert merged(one.take(b"789" + frame(DATA, 1, 3, b"x"), 2.0)) == [(DATA, 1, 3, b"x")]


def test_gap_over_the_end_of_a_frame_loses_the_frames_until_one_begins_a_segment() -> None:
    one = reader()
    one.take(frame(DATA, 0, 1, b"0123456789")[:-8], 0.0)
    assert merged(one.skip(9, 1.0)) == [(LOST, 0, 0, NOT_CAPTURED)]
    assert one.take(b"no frame begins here" + frame(DATA, 1, 1, b"x"), 2.0) == []
    assert one.passed_bytes == 30
    assert merged(one.take(frame(DATA, 1, 1, b"x"), 3.0)) == [(DATA, 1, 1, b"x")]


DOUBTFUL = {
    "unknown type": frame(0x0B, 0, 1, b"x"),
    "unknown flag": frame(DATA, 0x40, 1, b"x"),
    "reserved bit": frame(DATA, 0, 0x8000_0001, b"x"),
    "longer than allowed": frame(DATA, 0, 1, b"x" * 16_385),
    "data on no stream": frame(DATA, 0, 0, b"x"),
    "settings on a stream": frame(SETTINGS, 0, 1, b"\0\1\0\0\0\0"),
    "settings of a wrong size": frame(SETTINGS, 0, 0, b"\0\1\0\0\0"),
    "acknowledged settings": frame(SETTINGS, 1, 0, b"\0\1\0\0\0\0"),
    "ping of a wrong size": frame(PING, 0, 0, b"1234567"),
    "reset of a wrong size": frame(RST_STREAM, 0, 1, b"\0"),
    "reset with an odd code": frame(RST_STREAM, 0, 1, b"abcd"),
    "window that does not grow": frame(WINDOW_UPDATE, 0, 1, b"\0\0\0\0"),
    "empty data that ends nothing": frame(DATA, 0, 1),
    "zeros": b"\0" * 40,
    "fewer bytes than a head": b"\0\0\1\0\0",
    "second frame is none": frame(DATA, 0, 1, b"x") + b"HTTP/1.1 200 OK\r\n",
}


@pytest.mark.parametrize("text", DOUBTFUL.values(), ids=DOUBTFUL)
def test_segment_that_may_be_something_else_is_not_taken_for_frames(text: bytes) -> None:
    one = reader(is_lost=True)
    assert one.take(text, 0.0) == []
    assert one.is_lost
    assert one.passed_bytes == len(text)


def test_frames_on_streams_that_cannot_be_are_not_taken() -> None:
    one = reader(is_lost=True, may_be=lambda _, number: number == 3)
    assert one.take(frame(DATA, 0, 1, b"x"), 0.0) == []
    assert merged(one.take(frame(DATA, 0, 3, b"x"), 0.0)) == [(DATA, 0, 3, b"x")]


def test_frames_after_a_guess_are_doubted_and_looked_for_again() -> None:
    one = reader(is_lost=True)
    one.take(frame(DATA, 0, 1, b"0123456789")[:-2], 0.0)
    assert merged(one.take(b"89" + b"no frame, 16 bytes", 1.0)) == [
        (DATA, 0, 1, b"89"),
        (LOST, 0, 0, NOT_CAPTURED),
    ]
    assert one.is_lost
    assert one.passed_bytes == 18


def test_larger_frames_that_the_other_side_allows_are_found() -> None:
    one = reader(is_lost=True)
    one.max_frame_bytes = 20_000
    assert merged(one.take(frame(DATA, 1, 1, b"x" * 16_385), 0.0)) == [(DATA, 1, 1, b"x" * 16_385)]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(frame(HEADERS, END_HEADERS, 1, b"block")[:-1], id="inside a frame"),
        pytest.param(frame(HEADERS, 0, 1, b"block"), id="between frames"),
    ],
)
def test_field_block_at_the_end_of_the_stream_is_told(text: bytes) -> None:
    one = reader()
    one.take(text, 0.0)
    assert [(kind, number, why) for kind, _, number, why, _ in one.cut() if kind != BEGUN] == [
        (HEADERS, 1, CUT)
    ]


FRAMES = st.builds(
    frame,
    st.integers(0, 12),
    st.integers(0, 255),
    st.integers(0, 5),
    st.binary(max_size=30),
)


@settings(deadline=None)
@given(
    pieces=st.lists(FRAMES | st.binary(max_size=20) | st.integers(0, 40), max_size=20), is_lost=st.booleans()
)
def test_no_bytes_and_no_gaps_make_it_raise(pieces: list[bytes | int], is_lost: bool) -> None:
    one = reader(max_block_bytes=40, is_lost=is_lost)
    for piece in pieces:
        for _, _, _, payload, _ in one.take(piece, 0.0) if isinstance(piece, bytes) else one.skip(piece, 0.0):
            assert len(payload) <= 40 or isinstance(payload, str)
    one.cut()


@settings(deadline=None)
@given(frames=st.lists(FRAMES, max_size=12), step=st.integers(1, 40))
def test_any_slicing_gives_the_same_frames(frames: list[bytes], step: int) -> None:
    text = b"".join(frames)
    assert merged(read(text, step)) == merged(read(text))
