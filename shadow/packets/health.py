"""Whether a service still lives: asked as its clients would, on connections of its own."""

import asyncio
import contextlib
import socket
from enum import Enum

from mutators._packet import Seed
from mutators.packet_dns import base_of
from shadow.replay import Target
from shadow.replay.guard import RUN_FIELD, Address

_QUESTION = b"GET / HTTP/1.1\r\nHost: %s\r\n%s: packets\r\nConnection: close\r\n\r\n"


class Health(Enum):
    """What a look at a service shows."""

    WELL = "well"
    GONE = "gone"
    """It takes no connection, or ICMP says that nobody listens."""
    HUNG = "hung"
    """It says nothing."""


class Look:
    """Looks at one target. The first look of a UDP service shows whether it answers at all."""

    def __init__(self, target: Target, seed: Seed, *, timeout_seconds: float = 1.0) -> None:
        self._target = target
        self._seed = seed
        self._timeout_seconds = timeout_seconds
        self._answers: bool | None = None

    async def health(self, address: Address) -> Health:
        if self._target.scheme in ("dns", "udp"):
            return await self._by_datagram(address)
        return await self._by_connection(address)

    async def _by_connection(self, address: Address) -> Health:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                reader, writer = await asyncio.open_connection(address.ip, address.port)
        except TimeoutError:
            return Health.HUNG
        except OSError:
            return Health.GONE
        try:
            if self._target.scheme != "http":
                return Health.WELL
            async with asyncio.timeout(self._timeout_seconds):
                host = self._target.authority.encode()
                writer.write(_QUESTION % (host, RUN_FIELD))
                start = await reader.read(5)
        except TimeoutError:
            return Health.HUNG
        except OSError:
            return Health.GONE
        finally:
            writer.transport.abort()
        return Health.WELL if start else Health.GONE

    async def _by_datagram(self, address: Address) -> Health:
        loop = asyncio.get_running_loop()
        with socket.socket(address.family, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.connect((address.ip, address.port))
            try:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._timeout_seconds):
                        await loop.sock_sendall(sock, self._question)
                        await loop.sock_recv(sock, 65_535)
                        self._answers = True
                        return Health.WELL
            except OSError:
                return Health.GONE
        if self._target.scheme == "udp" and not self._answers:
            self._answers = False
            return Health.WELL  # it was not refused, and never says more
        return Health.HUNG

    @property
    def _question(self) -> bytes:
        return base_of(self._seed.payload).text if self._target.scheme == "dns" else self._seed.payload
