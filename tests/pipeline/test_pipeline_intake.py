import asyncio

import pytest

from shadow.model import Exchange, Request
from shadow.pipeline.intake import Intake


def exchange(index: int) -> Exchange:
    return Exchange(index, "test", "s", 0.0, Request(b"GET", b"/"))


async def test_full_intake_refuses_at_once() -> None:
    intake = Intake(2)
    assert [intake.offer(exchange(n)) for n in range(3)] == [True, True, False]
    assert len(intake) == 2


async def test_exchanges_leave_in_the_order_in_which_they_came() -> None:
    intake = Intake(3)
    for n in range(3):
        intake.offer(exchange(n))
    assert [(await intake.take()).index for _ in range(3)] == [0, 1, 2]  # type: ignore[union-attr]


async def test_file_waits_for_room_and_loses_nothing() -> None:
    intake = Intake(1)
    taken = []
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:

        async def put() -> None:
            for n in range(50):
                assert await intake.put(exchange(n))
            await intake.close()

        group.create_task(put())
        while (each := await intake.take()) is not None:
            assert isinstance(each, Exchange)
            taken.append(each.index)
    assert taken == list(range(50))


async def test_closed_intake_gives_what_it_holds_then_none_and_refuses_more() -> None:
    intake = Intake(2)
    intake.offer(exchange(0))
    await intake.close()
    assert not intake.offer(exchange(1))
    assert await intake.take() is not None
    assert await intake.take() is None


async def test_closing_wakes_a_waiting_taker_and_a_waiting_putter() -> None:
    intake = Intake(1)
    intake.offer(exchange(0))
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        putting = group.create_task(intake.put(exchange(1)))
        await asyncio.sleep(0)
        await intake.close()
    assert putting.result() is False
    other = Intake(1)
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        taking = group.create_task(other.take())
        await asyncio.sleep(0)
        await other.close()
    assert taking.result() is None


async def test_cancelled_taker_loses_nothing() -> None:
    intake = Intake(1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await intake.take()
    assert intake.offer(exchange(7))
    taken = await intake.take()
    assert isinstance(taken, Exchange)
    assert taken.index == 7
