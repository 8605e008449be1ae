"""Who is handed what, and what waits for whom."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.model import Exchange, Request, Response
from shadow.run.assignment import Assignment, Board


def exchange(method: str, seen_at: float, latency_seconds: float = 0.1, session: str = "s") -> Exchange:
    request, response = Request(method.encode(), b"/"), Response(200)
    return Exchange(0, "test", session, seen_at, request, response, latency_seconds)


def test_sessions_stay_and_new_ones_go_where_least_was_handed() -> None:
    assignment = Assignment(2)
    assert [assignment.worker_of(each) for each in "aaabcbd"] == [0, 0, 0, 1, 1, 1, 0]
    assert [assignment.worker_of(each) for each in "ef"] == [1, 0]
    assert assignment.worker_of("a") == 0


def test_many_sessions_of_one_length_are_shared_out_evenly() -> None:
    assignment = Assignment(4)
    counts = Counter(assignment.worker_of(f"s{number}") for _ in range(5) for number in range(64))
    assert set(counts.values()) == {80}


def test_sessions_of_a_lost_worker_go_on_elsewhere() -> None:
    assignment = Assignment(2)
    assert assignment.worker_of("a") == 0
    assignment.lose(0)
    assert assignment.worker_of("a") == 1
    assignment.lose(1)
    with pytest.raises(ValueError, match="empty"):
        assignment.worker_of("a")


@pytest.mark.parametrize(
    ("first", "second", "waits"),
    [
        (("POST", 1.0), ("GET", 2.0), True),
        (("GET", 1.0), ("POST", 2.0), True),
        (("POST", 1.0), ("POST", 2.0), True),
        (("GET", 1.0), ("GET", 2.0), False),
        (("POST", 1.0, 5.0), ("GET", 2.0), False),
        (("GET", 1.0, 5.0), ("POST", 2.0), False),
    ],
    ids=["read-after-write", "write-after-read", "writes", "reads", "overlapping-read", "overlapping-write"],
)
def test_what_waits_for_another_workers_exchange(
    first: tuple[str, float], second: tuple[str, float], waits: bool
) -> None:
    board = Board()
    one, _ = board.hand(exchange(*first), 0)
    other, ahead = board.hand(exchange(*second), 1)
    assert ahead == ([one] if waits else [])
    assert board.settle([one.number]) == ([other] if waits else [])


def test_nobody_waits_for_their_own_worker_which_keeps_order_itself() -> None:
    board = Board()
    board.hand(exchange("POST", 1.0), 0)
    _, ahead = board.hand(exchange("GET", 2.0), 0)
    assert ahead == []


def test_one_that_waits_for_several_goes_on_after_the_last() -> None:
    board = Board()
    reads = [board.hand(exchange("GET", at), at % 2)[0] for at in range(4)]
    write, ahead = board.hand(exchange("POST", 9.0), 2)
    assert ahead == reads
    assert board.settle([each.number for each in reads[:3]]) == []
    assert board.settle([reads[3].number]) == [write]
    assert board.settle([reads[3].number, 77]) == [], "what is not on the board frees nobody"


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["GET", "POST"]),
            st.integers(0, 2),
            st.floats(0, 3),
            st.floats(0, 2),
            st.booleans(),
        ),
        max_size=30,
    )
)
def test_no_exchange_goes_before_what_it_must_not_overtake(
    steps: list[tuple[str, int, float, float, bool]],
) -> None:
    """Against the rule as it is written down: no read before an earlier write, no write before all that is
    earlier, whichever worker has it."""
    board, at = Board(), 0.0
    seen: list[tuple[Exchange, int]] = []
    held, settled = set[int](), set[int]()
    for method, worker, pause, latency, settles_first in steps:
        at += pause
        item = exchange(method, at, latency)
        handed, ahead = board.hand(item, worker)
        must = {
            number
            for number, (other, home) in enumerate(seen)
            if home != worker
            and number not in settled
            and b"POST" in (other.request.method, item.request.method)
            and other.seen_at + (other.latency_seconds or 0.0) <= item.seen_at
        }
        assert {each.number for each in ahead} == must
        seen.append((item, worker))
        if must:
            held.add(handed.number)
        free = [number for number in range(len(seen)) if number not in settled | held]
        if settles_first and free:
            settled.add(free[0])
            held -= {each.number for each in board.settle([free[0]])}
    while remaining := [number for number in range(len(seen)) if number not in settled]:
        free = [number for number in remaining if number not in held]
        assert free, "nothing waits in a circle"
        settled.add(free[0])
        held -= {each.number for each in board.settle([free[0]])}
    assert len(board) == 0
