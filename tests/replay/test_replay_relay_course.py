from random import Random
from statistics import mean, pstdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.replay.conditions import Condition, Met, Trouble
from shadow.replay.relay_course import Course, Halt


def course(*conditions: Condition, seed: int = 1, now: float = 0.0) -> Course:
    return Course([Met(each, Random(seed)) for each in conditions], now)


def test_latency_and_its_jitter_are_as_asked_for() -> None:
    shaped = course(Condition(latency_seconds=0.2, jitter_seconds=0.05))
    delays = []
    for number in range(4000):
        now = number * 10.0
        pieces, _ = shaped.carry(b"x", now)
        delays.append(pieces[0].at - now)
    assert mean(delays) == pytest.approx(0.2, rel=0.01)
    assert 0.15 <= min(delays) < 0.152
    assert 0.248 < max(delays) <= 0.25
    assert pstdev(delays) == pytest.approx(0.1 / 12**0.5, rel=0.03)  # evenly spread


def test_what_is_on_its_way_together_stays_together() -> None:
    shaped = course(Condition(latency_seconds=0.2, jitter_seconds=0.1))
    first, _ = shaped.carry(b"a", 0.0)
    second, _ = shaped.carry(b"b", 0.01)
    assert second[0].at - first[0].at == pytest.approx(0.01)


@pytest.mark.parametrize("chunk", [1, 100, 1460, 65_536])
@pytest.mark.parametrize("rate", [500.0, 10_000.0, 1e6, 1e8])
def test_bandwidth_is_kept_to_within_a_percent(rate: float, chunk: int) -> None:
    shaped = course(Condition(bandwidth_bytes_per_second=rate))
    total, last = 0, 0.0
    while total < 200_000 and total < rate * 60:
        pieces, _ = shaped.carry(b"x" * chunk, 0.0)
        total += chunk
        last = pieces[-1].at
    assert total / last == pytest.approx(rate, rel=0.01)


def test_a_bandwidth_that_is_not_used_is_not_saved_up() -> None:
    shaped = course(Condition(bandwidth_bytes_per_second=1000.0))
    shaped.carry(b"x" * 1000, 0.0)
    pieces, _ = shaped.carry(b"x" * 1000, 100.0)
    assert pieces[-1].at == pytest.approx(101.0)


def test_slices_vary_about_their_size_and_wait_for_each_other() -> None:
    condition = Condition(slice_bytes=10, slice_variation_bytes=4, slice_delay_seconds=0.5)
    pieces, _ = course(condition).carry(b"x" * 1000, 0.0)
    sizes = [len(piece.data) for piece in pieces[:-1]]
    assert (min(sizes), max(sizes)) == (6, 14)
    assert [piece.at for piece in pieces] == [0.5 * at for at in range(len(pieces))]


def test_an_mtu_cuts_and_does_not_wait() -> None:
    pieces, _ = course(Condition(mtu_bytes=4)).carry(b"0123456789", 3.0)
    assert [(piece.at, piece.data) for piece in pieces] == [(3.0, b"0123"), (3.0, b"4567"), (3.0, b"89")]


@pytest.mark.parametrize(
    ("condition", "halt", "trouble"),
    [
        (Condition(limit_bytes=5), Halt.CLOSE, Trouble.LIMIT),
        (Condition(reset_after_bytes=5), Halt.RESET, Trouble.RESET),
        (Condition(half_close_after_bytes=5), Halt.HALF_CLOSE, Trouble.HALF_CLOSE),
        (Condition(rebind_after_bytes=5), Halt.LOST, Trouble.REBIND),
    ],
)
def test_a_cut_comes_after_so_many_bytes_and_nothing_after_it(
    condition: Condition, halt: Halt, trouble: Trouble
) -> None:
    cut = course(condition, Condition(latency_seconds=1.0))
    assert cut.carry(b"abc", 0.0)[1] is None
    pieces, stop = cut.carry(b"defg", 2.0)
    assert [piece.data for piece in pieces] == [b"de"]
    assert stop == (3.0, halt, trouble)
    assert cut.carry(b"hij", 4.0) == ([], None)
    assert cut.tally[trouble] == 5


def test_a_black_hole_takes_all_from_the_first_byte() -> None:
    hole = course(Condition(black_hole_seconds=0.0))
    assert hole.carry(b"abc", 1.0) == ([], (1.0, Halt.DEAD, Trouble.BLACK_HOLE))
    assert list(hole.timed()) == []
    closing = course(Condition(black_hole_seconds=2.0), now=5.0)
    assert list(closing.timed()) == [(7.0, Halt.CLOSE, Trouble.BLACK_HOLE)]


def test_a_slow_close_comes_after_what_is_on_its_way() -> None:
    slow = course(Condition(latency_seconds=1.0, slow_close_seconds=0.5))
    slow.carry(b"abc", 0.0)
    assert slow.end(0.1) == 1.5
    assert course().end(0.1) == 0.1


CONDITIONS = st.builds(
    Condition,
    latency_seconds=st.floats(0, 2),
    jitter_seconds=st.floats(0, 2),
    bandwidth_bytes_per_second=st.sampled_from([0.0, 10.0, 1e6]),
    slice_bytes=st.sampled_from([0, 1, 7]),
    slice_delay_seconds=st.floats(0, 1),
    mtu_bytes=st.sampled_from([0, 3]),
)


@given(
    st.lists(CONDITIONS, max_size=3),
    st.lists(st.tuples(st.binary(max_size=50), st.floats(0, 5)), max_size=10),
    st.integers(0, 100),
)
def test_shaped_bytes_are_the_same_bytes_in_order_and_never_early(
    conditions: list[Condition], said: list[tuple[bytes, float]], seed: int
) -> None:
    shaped = course(*conditions, seed=seed)
    now, last, out = 0.0, 0.0, b""
    for data, pause in said:
        now += pause
        pieces, stop = shaped.carry(data, now)
        assert stop is None
        for piece in pieces:
            assert piece.at >= max(now, last)
            last = piece.at
            out += piece.data
    assert out == b"".join(data for data, _ in said)
