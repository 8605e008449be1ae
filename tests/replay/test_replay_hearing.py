"""What the peer of a conversation has said, and waiting for more of it."""

import asyncio

import pytest

from shadow.model import Silence
from shadow.replay.hearing import Hearing


@pytest.mark.parametrize(("joins", "amount", "messages"), [(True, 3, [b"abc"]), (False, 2, [b"a", b"bc"])])
async def test_pieces_are_joined_in_streams_alone(joins: bool, amount: int, messages: list[bytes]) -> None:
    hearing = Hearing(joins=joins, bytes_max=1000)
    hearing.hear(b"a")
    hearing.hear(b"bc")
    hearing.turn()
    assert hearing.amount == amount
    assert [each.body for each in hearing.messages] == messages


async def test_waiting_ends_with_what_was_waited_for() -> None:
    hearing = Hearing(joins=False, bytes_max=1000)
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(hearing.until(2, 60.0), name="waiting")
        for text in (b"a", b"b"):
            await asyncio.sleep(0)
            hearing.hear(text)
    assert waiting.result()


@pytest.mark.parametrize("why", [Silence.CLOSED, Silence.RESET, Silence.MALFORMED])
async def test_waiting_ends_when_nothing_can_come(why: Silence) -> None:
    hearing = Hearing(joins=False, bytes_max=1000)
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(hearing.until(1, 60.0), name="waiting")
        await asyncio.sleep(0)
        hearing.end(why, "gone")
        hearing.end(Silence.REFUSED, "later")
    assert not waiting.result()
    assert (hearing.ending, hearing.detail) == (why, "gone")


async def test_waiting_ends_when_the_time_is_over() -> None:
    assert not await Hearing(joins=False, bytes_max=1000).until(1, 0.01)


async def test_shorter_answer_counts_as_whole_after_some_quiet() -> None:
    hearing = Hearing(joins=True, bytes_max=1000)
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(hearing.until(100, 60.0, quiet_seconds=0.01), name="waiting")
        await asyncio.sleep(0)
        hearing.hear(b"short")
    assert not waiting.result()


async def test_more_than_is_kept_ends_the_hearing() -> None:
    hearing = Hearing(joins=True, bytes_max=10)
    hearing.hear(b"12345678")
    hearing.hear(b"9012")
    hearing.hear(b"3")
    assert (hearing.is_full, hearing.ending, hearing.amount) == (True, Silence.CLOSED, 10)
