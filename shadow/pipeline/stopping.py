"""What is not waited for once a run is to be stopped."""

import asyncio
from collections.abc import Coroutine
from typing import Any


async def unless_stopped[T](stopping: asyncio.Event, job: Coroutine[Any, Any, T]) -> T | None:
    """What `job` gives; it is broken off, and gives None, once `stopping` is set."""
    async with asyncio.TaskGroup() as group:
        work = group.create_task(job, name="until the stop")
        stop = group.create_task(stopping.wait(), name="stop")
        await asyncio.wait((work, stop), return_when=asyncio.FIRST_COMPLETED)
        work.cancel()
        stop.cancel()
    return None if work.cancelled() else work.result()
