"""What a worker keeps waiting for others, and what it is given."""

import asyncio

from shadow.model import Event, Exchange, Fate, Request, Settled
from shadow.pipeline.intake import Intake
from shadow.run.worker import Gates, Given


def exchange(index: int, session: str = "s") -> Exchange:
    return Exchange(index, "test", session, float(index), Request(b"GET", b"/"))


def test_a_held_exchange_waits_for_its_release_and_no_other_does() -> None:
    gates = Gates()
    gates.hold(exchange(0, "a"), 7)
    held, other = gates.enter(exchange(0, "a"), "a"), gates.enter(exchange(1, "b"), "b")
    assert (held.is_free, other.is_free) == (False, True)
    gates.release([6, 7])
    assert held.is_free


def test_one_that_is_released_before_it_comes_waits_for_nobody() -> None:
    gates = Gates()
    gates.hold(exchange(0), 7)
    gates.release([7])
    assert gates.enter(exchange(0), "s").is_free


def test_a_release_counts_for_the_exchange_of_its_number_alone() -> None:
    gates = Gates()
    twins = [exchange(0), exchange(0)]
    for number, each in enumerate(twins):
        gates.hold(each, number)
    first, second = gates.enter(twins[0], "a"), gates.enter(twins[1], "b")
    gates.release([1])
    assert (first.is_free, second.is_free) == (False, True)


def test_a_session_keeps_its_order_behind_a_gate() -> None:
    gates = Gates()
    gates.hold(exchange(0), 0)
    first, second = gates.enter(exchange(0), "s"), gates.enter(exchange(1), "s")
    assert not second.is_free
    gates.release([0])
    assert not second.is_free
    first.leave()
    assert second.is_free


async def test_what_comes_before_the_feed_begins_is_taken_first_and_what_finds_no_room_is_told() -> None:
    given, intake, heard = Given(), Intake(2), list[Event]()
    given.give(exchange(0), 12.5)
    given.give(exchange(1))
    given.end.set()
    async with asyncio.timeout(10):
        await given.feed(intake, heard.append)
    given.give(exchange(2))
    taken = [await intake.take(), await intake.take()]
    assert taken == [exchange(0), exchange(1)]
    assert [given.take_due(exchange(0)), given.take_due(exchange(0))] == [12.5, None]
    assert heard == [Settled("test", Fate.DROPPED, 1, "the run was stopped", exchange(2))]
