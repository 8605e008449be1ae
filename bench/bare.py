"""Bare client loops: what is left of a transport when nothing is looked at but where an answer ends."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import aiohttp
from httptools import HttpResponseParser
from yarl import URL

type Asked = tuple[bytes, tuple[tuple[bytes, bytes], ...]]
"""Target and fields of a GET."""


async def aiohttp_loop(port: int, asked: Sequence[Asked], lanes: int) -> int:
    """How many answers aiohttp's client got, with so many requests under way at a time."""
    todo = iter(asked)
    connector = aiohttp.TCPConnector(limit=lanes)
    async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:

        async def lane() -> int:
            count = 0
            for target, headers in todo:
                url = URL(f"http://127.0.0.1:{port}{target.decode()}", encoded=True)
                fields = [(name.decode(), value.decode()) for name, value in headers]
                async with session.get(url, headers=fields, allow_redirects=False) as answer:
                    await answer.read()
                    count += answer.status == 200
            return count

        return await _all(lane, lanes)


async def httptools_loop(port: int, asked: Sequence[Asked], lanes: int) -> int:
    """The same with a protocol of our own and the parser of httptools."""
    todo = iter(asked)
    loop = asyncio.get_running_loop()

    async def lane() -> int:
        transport, client = await loop.create_connection(_Client, "127.0.0.1", port)
        count = 0
        for target, headers in todo:
            lines = b"".join([b"%b: %b\r\n" % field for field in headers])
            client.over = loop.create_future()
            transport.write(b"GET %b HTTP/1.1\r\n%b\r\n" % (target, lines))
            count += await client.over == 200
        transport.close()
        return count

    return await _all(lane, lanes)


class _Client(asyncio.Protocol):
    """One connection; `over` is set to the status once an answer is whole."""

    over: asyncio.Future[int]

    def __init__(self) -> None:
        self._parser = HttpResponseParser(self)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self.body = body

    def on_header(self, name: bytes, value: bytes) -> None:
        """Read, and dropped."""

    def on_message_complete(self) -> None:
        self.over.set_result(self._parser.get_status_code())
        self._parser = HttpResponseParser(self)


async def _all(lane: Callable[[], Coroutine[Any, Any, int]], lanes: int) -> int:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(lane(), name=f"lane {number}") for number in range(lanes)]
    return sum(task.result() for task in tasks)
