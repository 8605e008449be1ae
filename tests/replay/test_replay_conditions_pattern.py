import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.replay.conditions import Condition, Direction
from shadow.replay.conditions_pattern import drawn, drawn_for_datagram

UP, DOWN = Direction.UP, Direction.DOWN


@pytest.mark.parametrize(
    ("byte", "expected"),
    [
        (0x00, None),
        (0xF1, None),
        (0x02, Condition(UP, latency_seconds=0.02)),
        (0xFA, Condition(DOWN, latency_seconds=0.32)),
        (0x23, Condition(UP, slice_bytes=3)),
        (0x1C, Condition(DOWN, half_close_after_bytes=32)),
        (0x25, Condition(UP, limit_bytes=64)),
        (0x06, Condition(UP, reset_after_bytes=0)),
        (0x0F, Condition(DOWN, black_hole_seconds=0.0)),
    ],
)
def test_a_byte_says_what_happens_where_and_how_strongly(byte: int, expected: Condition | None) -> None:
    assert drawn(bytes([byte]), "any", 0) == expected


@given(st.binary(min_size=1, max_size=40), st.text(max_size=10), st.integers(0, 200))
def test_a_lane_goes_round_the_pattern_byte_by_byte(pattern: bytes, lane: str, start: int) -> None:
    size = len(pattern)
    once = [drawn(pattern, lane, start + at) for at in range(size)]
    assert once == [drawn(pattern, lane, start + size + at) for at in range(size)]
    alone = [repr(drawn(bytes([byte]), "", 0)) for byte in pattern]
    assert sorted(map(repr, once)) == sorted(alone)


@given(st.integers(0, 255))
def test_what_is_drawn_for_datagrams_leaves_streams_alone(byte: int) -> None:
    found = drawn_for_datagram(bytes([byte]), "", 0)
    if found is not None:
        cuts = (found.limit_bytes, found.reset_after_bytes, found.half_close_after_bytes)
        assert cuts == (None, None, None)
