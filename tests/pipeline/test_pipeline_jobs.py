import asyncio

from shadow.pipeline.jobs import Jobs


async def test_jobs_are_taken_in_the_order_in_which_they_became_ready() -> None:
    ready: Jobs[int] = Jobs()
    for job in range(3):
        ready.put(job)
    ready.close()
    assert [await ready.take() for _ in range(4)] == [0, 1, 2, None]


async def test_waiting_takers_get_a_job_each_and_then_the_end() -> None:
    ready: Jobs[int] = Jobs()
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        takers = [group.create_task(ready.take()) for _ in range(3)]
        await asyncio.sleep(0)
        ready.put(1)
        ready.put(2)
        ready.close()
    assert sorted(str(each.result()) for each in takers) == ["1", "2", "None"]


async def test_job_of_a_cancelled_taker_goes_to_another() -> None:
    ready: Jobs[int] = Jobs()
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        first, second = (group.create_task(ready.take()) for _ in range(2))
        await asyncio.sleep(0)
        ready.put(1)
        first.cancel()
    assert first.cancelled()
    assert second.result() == 1
