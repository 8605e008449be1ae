"""Recorded UDP conversations said again."""

import asyncio
import socket
from collections.abc import Callable
from time import monotonic
from typing import cast

from shadow.model import Message, Silence
from shadow.replay._contract import Sending, Target
from shadow.replay.conversing import Progress, TalkSettings, TalkTransport, UnsayableError, converse
from shadow.replay.cues import cues
from shadow.replay.guard import Address, Guard
from shadow.replay.hearing import Hearing

_MAX_DATAGRAM_BYTES = 65_507
"""IPv4's; the recorded ones were no longer."""


class Port(asyncio.DatagramProtocol):
    """A socket of our own that only one peer can reach; its user closes it."""

    def __init__(
        self,
        sock: socket.socket,
        on_bytes: Callable[[bytes], None],
        on_end: Callable[[Silence, str], None],
    ) -> None:
        self._sock = sock
        self._on_bytes = on_bytes
        self._on_end = on_end
        self._transport: asyncio.DatagramTransport | None = None
        self._lost = asyncio.Event()

    def say(self, datagram: bytes) -> None:
        """Raises UnsayableError for one that is too long."""
        if len(datagram) > _MAX_DATAGRAM_BYTES:
            raise UnsayableError(f"{len(datagram)} bytes do not fit into a datagram")
        if self._transport is None or self._transport.is_closing():
            return
        if datagram:
            self._transport.sendto(datagram)
        else:  # which asyncio takes for nothing to send
            self._sock.send(datagram)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    async def closed(self) -> None:
        """Return when the socket is gone."""
        await self._lost.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)  # uvloop's is none by name

    def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002  # the socket has one peer
        self._on_bytes(data)

    def error_received(self, exc: Exception) -> None:
        """ICMP told that nobody listens there, or that it cannot be reached."""
        self._on_end(Silence.REFUSED, str(exc) or type(exc).__name__)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # nobody but we close it
        self._lost.set()


class DatagramTransport(TalkTransport):
    """Each conversation from a port of its own."""

    name = "udp"

    def __init__(self, target: Target, guard: Guard, settings: TalkSettings | None = None) -> None:
        super().__init__(target, guard, settings)
        self._ports: set[Port] = set()

    @property
    def open_connections(self) -> int:
        return len(self._ports)

    async def close(self) -> None:
        """Close every port, and return when their sockets are gone."""
        for port in tuple(self._ports):
            port.abort()
            await port.closed()

    async def _talk(self, sending: Sending, progress: Progress) -> None:
        hearing = Hearing(joins=False, bytes_max=self.settings.bytes_max)
        address = (await self._guard.addresses(self.target))[0]
        port = await open_port(address, lambda sock: Port(sock, hearing.hear, hearing.end))
        progress.connected_at = monotonic()
        progress.hearing = hearing
        self._ports.add(port)

        async def say(message: Message) -> None:
            port.say(message.body)

        script = cues(sending.messages, by_bytes=False, patience_seconds_max=sending.timeout_seconds)
        try:
            await converse(say, script, sending, progress, settings=self.settings)
        finally:
            self._ports.discard(port)
            port.abort()


async def open_port(address: Address, port: Callable[[socket.socket], Port]) -> Port:
    """A port that speaks to `address` alone. Raises OSError."""
    loop = asyncio.get_running_loop()
    sock = socket.socket(address.family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.connect((address.ip, address.port))
        _, found = await loop.create_datagram_endpoint(lambda: port(sock), sock=sock)
    except BaseException:
        sock.close()
        raise
    return found
