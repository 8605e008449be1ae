"""Both ends of UDP, for live services and their clients in tests."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from tests.taps.proxies import PATIENCE_SECONDS, Proxy


class Datagrams(asyncio.DatagramProtocol):
    """One end of UDP; `answer` is what it says to each datagram."""

    def __init__(self, answer: Callable[[bytes], bytes] | None = None) -> None:
        self.heard: asyncio.Queue[bytes] = asyncio.Queue()
        self._answer = answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.DatagramTransport)
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        self.heard.put_nowait(data)
        if self._answer is not None:
            self.transport.sendto(self._answer(data), addr)

    async def ask(self, said: bytes) -> bytes:
        self.transport.sendto(said)
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.heard.get()


@asynccontextmanager
async def udp_service(answer: Callable[[bytes], bytes]) -> AsyncIterator[int]:
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Datagrams(answer), ("127.0.0.1", 0)
    )
    try:
        yield transport.get_extra_info("sockname")[1]
    finally:
        transport.close()


@asynccontextmanager
async def udp_client(proxy: Proxy) -> AsyncIterator[Datagrams]:
    transport, client = await asyncio.get_running_loop().create_datagram_endpoint(
        Datagrams, remote_addr=(proxy.host, proxy.port)
    )
    try:
        yield client
    finally:
        transport.close()
