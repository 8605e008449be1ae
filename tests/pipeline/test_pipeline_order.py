from functools import partial

import pytest

from shadow.model import Exchange, Request
from shadow.pipeline.order import Order, Turn, is_write


def exchange(method: bytes, seen_at: float, latency_seconds: float = 0.1) -> Exchange:
    return Exchange(0, "test", "s", seen_at, Request(method, b"/"), None, latency_seconds or None)


def is_free(turn: Turn) -> bool:
    return turn.is_free


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"OPTIONS", b"PROPFIND"])
def test_reading_methods_do_not_write(method: bytes) -> None:
    assert not is_write(method)


@pytest.mark.parametrize("method", [b"POST", b"DELETE", b"PATCH", b"PUT", b"get", b"FROBNICATE"])
def test_unknown_methods_are_taken_to_write(method: bytes) -> None:
    assert is_write(method)


async def test_session_keeps_its_order() -> None:
    order = Order()
    first = order.enter(exchange(b"GET", 0.0), "a")
    second = order.enter(exchange(b"GET", 0.0), "a")
    assert is_free(first)
    assert not is_free(second)
    first.original_sent()
    assert not is_free(second), "the session's mutants come before its next original"
    first.leave()
    assert is_free(second)


async def test_sessions_of_reads_run_side_by_side() -> None:
    order = Order()
    order.enter(exchange(b"GET", 0.0), "a")
    assert is_free(order.enter(exchange(b"GET", 5.0), "b"))


async def test_request_waits_for_a_write_that_was_answered_before_it_began() -> None:
    order = Order()
    grant = order.enter(exchange(b"PUT", 0.0), "owner")
    use = order.enter(exchange(b"POST", 1.0), "operator")
    assert not is_free(use)
    grant.original_sent()
    assert is_free(use)


async def test_write_does_not_overtake_a_read_that_was_answered_before_it_began() -> None:
    order = Order()
    read = order.enter(exchange(b"GET", 0.0), "a")
    write = order.enter(exchange(b"DELETE", 1.0), "b")
    assert not is_free(write)
    read.original_sent()
    assert is_free(write)


async def test_writes_that_overlapped_live_run_side_by_side() -> None:
    order = Order()
    order.enter(exchange(b"POST", 0.0, 2.0), "a")
    assert is_free(order.enter(exchange(b"POST", 1.0), "b"))


def test_who_waits_is_told_once_the_predecessor_leaves() -> None:
    order = Order()
    told: list[int] = []
    turns = [order.enter(exchange(b"POST", 0.0), "a") for _ in range(3)]
    for number, turn in enumerate(turns):
        turn.when_free(partial(told.append, number))
    assert told == [0]
    for turn in (turns[0], turns[0], turns[1]):
        turn.leave()
    assert told == [0, 1, 2]


async def test_forgotten_session_begins_anew() -> None:
    order = Order()
    turn = order.enter(exchange(b"GET", 0.0), "a")
    order.forget("a", turn)
    assert is_free(order.enter(exchange(b"GET", 0.0), "a"))
