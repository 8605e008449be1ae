"""Frames of one side: whole, in pieces, and with bytes missing."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.wire.websocket_frames import BINARY, CLOSE, CONTINUATION, TEXT, Frame, FrameReader, unmasked


def frame(
    opcode: int, payload: bytes, *, mask: bytes = b"", is_final: bool = True, is_compressed: bool = False
) -> bytes:
    """One frame as RFC 6455 §5.2 has it."""
    first = opcode | is_final << 7 | is_compressed << 6
    size = len(payload)
    if size < 126:
        length = bytes([size | bool(mask) << 7])
    elif size < 65536:
        length = bytes([126 | bool(mask) << 7]) + size.to_bytes(2)
    else:
        length = bytes([127 | bool(mask) << 7]) + size.to_bytes(8)
    return bytes([first]) + length + mask + unmasked(payload, mask)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"\x81\x05Hello", Frame(TEXT, True, False, b"Hello")),
        (b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", Frame(TEXT, True, False, b"Hello")),
        (b"\x01\x03Hel", Frame(TEXT, False, False, b"Hel")),
        (b"\x80\x02lo", Frame(CONTINUATION, True, False, b"lo")),
        (b"\x82\x7e\x01\x00" + b"x" * 256, Frame(BINARY, True, False, b"x" * 256)),
        (b"\x82\x7f" + (65536).to_bytes(8) + b"y" * 65536, Frame(BINARY, True, False, b"y" * 65536)),
        (b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00", Frame(TEXT, True, True, b"\xf2\x48\xcd\xc9\xc9\x07\x00")),
        (b"\x88\x7e\x01\x02" + b"z" * 258, Frame(CLOSE, True, False, b"z" * 258)),
    ],
    ids=["text", "masked", "first fragment", "last fragment", "256", "64K", "compressed", "endless close"],
)
def test_examples_of_the_standard_and_beyond_are_read(text: bytes, expected: Frame) -> None:
    reader = FrameReader()
    assert reader.feed(text) == [expected]
    assert reader.error is None
    assert not reader.is_within


@given(
    frames=st.lists(
        st.tuples(
            st.sampled_from([TEXT, BINARY, CONTINUATION, CLOSE]),
            st.integers(0, 300).map(bytes),
            st.sampled_from([b"", b"\0\0\0\0", b"\x01\x82\x33\xff"]),
            st.booleans(),
        ),
        max_size=8,
    ),
    cuts=st.lists(st.integers(0, 2500), max_size=20),
)
def test_any_segmentation_gives_the_same_frames(
    frames: list[tuple[int, bytes, bytes, bool]], cuts: list[int]
) -> None:
    text = b"".join(frame(op, body, mask=mask, is_final=final) for op, body, mask, final in frames)
    reader = FrameReader()
    edges = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    found = [each for a, b in itertools.pairwise(edges) for each in reader.feed(text[a:b])]
    assert found == [Frame(op, final, False, body) for op, body, _, final in frames]
    assert reader.error is None


@given(payload=st.binary(max_size=300), mask=st.binary(min_size=4, max_size=4))
def test_unmasking_is_what_the_standard_says_byte_for_byte(payload: bytes, mask: bytes) -> None:
    assert unmasked(payload, mask) == bytes(each ^ mask[at % 4] for at, each in enumerate(payload))


def test_large_payload_is_unmasked_to_its_end() -> None:
    payload = bytes(range(256)) * 12_289
    assert unmasked(unmasked(payload, b"\x01\x02\x03\x04"), b"\x01\x02\x03\x04") == payload
    assert unmasked(payload, b"\x01\x02\x03\x04")[-1] == payload[-1] ^ 4


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"\x83\x00", "no frame"),
        (b"\xa1\x00", "no frame"),
        (b"\x91\x00", "no frame"),
        (b"\x82\x7f\x80" + bytes(7), "63 bits"),
    ],
    ids=["opcode", "second bit", "third bit", "length"],
)
def test_what_is_no_frame_ends_the_reading_and_is_counted(text: bytes, why: str) -> None:
    reader = FrameReader()
    assert reader.feed(b"\x81\x01a" + text + b"rest") == [Frame(TEXT, True, False, b"a")]
    assert reader.error is not None
    assert why in reader.error
    assert reader.unread_bytes == len(text) + 4
    assert reader.feed(b"\x81\x01b") == []


def test_gap_inside_a_payload_costs_that_frame_alone() -> None:
    reader = FrameReader()
    assert reader.feed(b"\x81\x0aHel") == []
    assert reader.skip(4) is None
    assert reader.feed(b"abc\x81\x02ok") == [Frame(TEXT, True, False, None), Frame(TEXT, True, False, b"ok")]


def test_gap_up_to_the_end_of_a_payload_completes_the_frame() -> None:
    reader = FrameReader()
    reader.feed(b"\x81\x0aHel")
    assert reader.skip(7) == Frame(TEXT, True, False, None)
    assert reader.feed(b"\x81\x02ok") == [Frame(TEXT, True, False, b"ok")]


@pytest.mark.parametrize(
    ("before", "count"), [(b"", 1), (b"\x81", 1), (b"\x81\x7e\x01", 5), (b"\x81\x0aHel", 8)]
)
def test_gap_over_the_beginning_of_a_frame_loses_the_side(before: bytes, count: int) -> None:
    reader = FrameReader()
    reader.feed(before)
    assert reader.skip(count) is None
    assert reader.error is not None
    assert reader.feed(b"\x81\x02ok") == []


@given(pieces=st.lists(st.one_of(st.binary(max_size=200), st.integers(1, 100)), max_size=20))
def test_random_bytes_and_gaps_never_raise(pieces: list[bytes | int]) -> None:
    reader = FrameReader()
    given_bytes = 0
    for piece in pieces:
        if isinstance(piece, int):
            reader.skip(piece)
        else:
            given_bytes += len(piece)
            assert all(len(each.payload or b"") <= given_bytes for each in reader.feed(piece))
    assert reader.held_bytes <= given_bytes
