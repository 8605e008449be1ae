"""Both ends of a WebSocket, for live services and their clients in tests."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import wsproto
from wsproto.events import AcceptConnection, CloseConnection, Event, Ping, Pong, RejectConnection, Request
from wsproto.extensions import Extension, PerMessageDeflate

from tests.taps.proxies import PATIENCE_SECONDS, Respond


class Peer:
    """One end of a WebSocket; pings are answered."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        is_client: bool,
        compresses: bool = False,
    ) -> None:
        kind = wsproto.ConnectionType.CLIENT if is_client else wsproto.ConnectionType.SERVER
        self._connection = wsproto.WSConnection(kind)
        self._extensions: list[Extension] = [PerMessageDeflate()] if compresses else []
        self._reader, self.writer = reader, writer
        self._events = self._read()

    async def open(self, fields: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        """The handshake, as a client does it."""
        more = list(fields)
        self.send(Request("live.example", "/chat?room=1", extensions=self._extensions, extra_headers=more))
        assert isinstance(await self.next(), AcceptConnection)

    async def accept(self) -> None:
        """The handshake, as a server does it."""
        assert isinstance(await self.next(), Request)
        self.send(AcceptConnection(extensions=self._extensions))

    def send(self, event: Event) -> None:
        self.writer.write(self._connection.send(event))

    async def next(self) -> Event:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await anext(self._events)

    async def _read(self) -> AsyncIterator[Event]:
        while True:
            received = await self._reader.read(1 << 16)
            self._connection.receive_data(received or None)
            for event in self._connection.events():
                if isinstance(event, Ping):
                    self.send(event.response())
                yield event
                if isinstance(event, CloseConnection | RejectConnection):
                    return


def talking(talk: Callable[[Peer], Awaitable[None]], *, compresses: bool = False) -> Respond:
    """A live service that accepts each WebSocket and lets `talk` have it."""

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(reader, writer, is_client=False, compresses=compresses)
        await peer.accept()
        await talk(peer)

    return respond


async def echo(peer: Peer) -> None:
    """Says everything back, and closes when it is asked to."""
    while True:
        event = await peer.next()
        if isinstance(event, CloseConnection):
            peer.send(event.response())
            return
        if not isinstance(event, Ping | Pong):
            peer.send(event)
