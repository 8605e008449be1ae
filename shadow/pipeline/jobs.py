"""Jobs that may be begun, and the workers that wait for one."""

import asyncio
from collections import deque


class Jobs[Job]:
    """Gives out jobs first come, first served. To be used from one event loop; whoever fills it bounds it."""

    def __init__(self) -> None:
        self._jobs: deque[Job] = deque()
        self._takers: deque[asyncio.Future[None]] = deque()
        self._is_closed = False

    def put(self, job: Job) -> None:
        """`job` may be begun."""
        self._jobs.append(job)
        self._wake(1)

    async def take(self) -> Job | None:
        """The job that has been ready for longest, waiting for one; None once closed and empty."""
        while not self._jobs:
            if self._is_closed:
                return None
            taker: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._takers.append(taker)
            try:
                await taker
            except asyncio.CancelledError:
                if taker.done() and not taker.cancelled():
                    self._wake(1)  # it was this taker's to begin; another one shall
                raise
        return self._jobs.popleft()

    def close(self) -> None:
        """No job comes any more; what is there can still be taken."""
        self._is_closed = True
        self._wake(len(self._takers))

    def _wake(self, count: int) -> None:
        while self._takers and count:
            taker = self._takers.popleft()
            if not taker.done():
                taker.set_result(None)
                count -= 1
