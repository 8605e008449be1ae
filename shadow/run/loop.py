"""The event loop of a process that replays. Home of uvloop."""

import asyncio
import gc
from collections.abc import Callable, Coroutine
from typing import Any

LOOP: Callable[[], asyncio.AbstractEventLoop]
try:
    import uvloop

    LOOP = uvloop.new_event_loop
except ImportError:  # it is not made for every platform
    LOOP = asyncio.new_event_loop
"""Makes the loop; asyncio's own where there is no other."""
_YOUNG_OBJECTS = 20_000
"""Nearly all that an exchange makes goes by its reference count: looking for cycles so seldom, in what is
left, is cheap."""


def run_replay[T](main: Coroutine[Any, Any, T]) -> T:
    """What `main` gives, run on the loop for replay; not for a process that carries live traffic."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, 20, 20)
    with asyncio.Runner(loop_factory=LOOP) as runner:
        return runner.run(main)
