"""Whatever becomes of a connection while it is made, nothing is left of it but the reason."""

import asyncio

import pytest

from shadow.replay.dialling import dial_any
from shadow.replay.guard import Address
from shadow.replay.http2_connection import Http2Connection
from shadow.replay.line import Line
from tests.replay.conftest import Serve


class _Http2(Http2Connection):
    task: asyncio.Task[None]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.task.cancel()


class _Line(Line):
    task: asyncio.Task[None]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.task.cancel()


@pytest.mark.parametrize("kind", ["http2", "line"])
async def test_connection_that_is_cancelled_as_it_stands_is_gone(serve: Serve, kind: str) -> None:
    """The cancelling is not lost on the way, and nobody waits for ever for the socket to be gone."""
    server = await serve()
    held: set[Http2Connection] = set()
    lines: set[Line] = set()
    made: list[_Http2 | _Line] = []

    def speak(_: object) -> _Http2 | _Line:
        each: _Http2 | _Line
        if kind == "http2":
            each = _Http2(asyncio.get_running_loop(), held)
        else:
            each = _Line(lambda _: None, lambda *_: None, lines)
        each.task = task
        made.append(each)
        return each

    async def connect() -> None:
        await dial_any([Address("127.0.0.1", server.target.port)], speak)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(connect(), name="connect")
    assert task.cancelled()
    assert not held
    assert not lines
    await made[0].closed()
