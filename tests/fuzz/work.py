"""How much work an input makes: counted in steps of the interpreter and in bytes held, never in seconds."""

import sys
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CodeType

_TOOL = 4
"""One of the numbers that are left for tools without a name."""
_STEPS = sys.monitoring.events.PY_START | sys.monitoring.events.JUMP


class TooMuchError(AssertionError):
    """More work, or more memory, than the input may make."""


@contextmanager
def steps_within(most: int) -> Iterator[Callable[[], int]]:
    """Raises TooMuchError inside the block after `most` calls and rounds of loops; gives their number."""
    monitoring = sys.monitoring
    count = 0

    def step(*_: object) -> None:
        nonlocal count
        count += 1
        if count > most:
            count = 0  # whoever handles it may go on
            raise TooMuchError(f"more than {most} steps")

    def call(_: CodeType, __: int) -> None:
        step()

    monitoring.use_tool_id(_TOOL, "work")
    monitoring.register_callback(_TOOL, monitoring.events.PY_START, call)
    monitoring.register_callback(_TOOL, monitoring.events.JUMP, step)
    monitoring.set_events(_TOOL, _STEPS)
    try:
        yield lambda: count
    finally:
        monitoring.set_events(_TOOL, 0)
        monitoring.register_callback(_TOOL, monitoring.events.PY_START, None)
        monitoring.register_callback(_TOOL, monitoring.events.JUMP, None)
        monitoring.free_tool_id(_TOOL)


@contextmanager
def bytes_within(most: int) -> Iterator[None]:
    """Raises TooMuchError at the end where more than `most` bytes were held at once."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        yield
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    if peak > most:
        raise TooMuchError(f"{peak} bytes held, where {most} are allowed")
