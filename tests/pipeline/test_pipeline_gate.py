"""Whoever holds the gate has the state to itself."""

import asyncio

from shadow.pipeline.gate import Gate


async def test_the_holder_waits_for_writes_under_way_and_others_wait_for_it() -> None:
    gate, told = Gate(), list[str]()
    may_end, is_in, may_leave, is_holding = (asyncio.Event() for _ in range(4))

    async def early() -> None:
        async with gate.passes():
            is_in.set()
            await may_end.wait()
            told.append("early")

    async def holder() -> None:
        await is_in.wait()
        async with gate.holds():
            told.append("held")
            is_holding.set()
            async with gate.passes(), asyncio.TaskGroup() as group:
                group.create_task(own(), name="own")
            await may_leave.wait()
            told.append("left")

    async def own() -> None:
        async with gate.passes():
            told.append("own")

    async def late() -> None:
        await is_holding.wait()
        may_leave.set()
        async with gate.passes():
            told.append("late")

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        for job in (early(), holder(), late()):
            group.create_task(job, name="job")
        await is_in.wait()
        for _ in range(5):
            await asyncio.sleep(0)
        assert told == []
        may_end.set()
    assert told == ["early", "held", "own", "left", "late"]


async def test_a_holder_that_is_cancelled_lets_the_others_go_on() -> None:
    gate = Gate()
    is_holding = asyncio.Event()

    async def hold() -> None:
        async with gate.holds():
            is_holding.set()
            await asyncio.Event().wait()

    async with asyncio.timeout(5):
        async with asyncio.TaskGroup() as group:
            task = group.create_task(hold(), name="holder")
            await is_holding.wait()
            task.cancel()
        async with gate.passes(), gate.passes():
            pass
        async with gate.holds():
            pass


async def test_two_holders_take_turns() -> None:
    gate, told = Gate(), list[str]()

    async def hold(name: str) -> None:
        async with gate.holds():
            told.append(f"{name} in")
            await asyncio.sleep(0)
            told.append(f"{name} out")

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        for name in "ab":
            group.create_task(hold(name), name=name)
    assert told == ["a in", "a out", "b in", "b out"]
