"""Both ends of HTTP/2 and of gRPC over it, for live services and their clients in tests."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import h2.config
import h2.connection
import h2.events
import h2.exceptions

from shadow.model import Headers
from tests.taps.proxies import PATIENCE_SECONDS

GRPC = (b"content-type", b"application/grpc")
TRAILERS: Headers = ((b"grpc-status", b"0"), (b"grpc-message", b"fine"))


class Stream:
    """One stream as this side has it."""

    def __init__(self, peer: "Peer", number: int) -> None:
        self.number = number
        self.fields: Headers = ()
        self.trailers: Headers = ()
        self._peer = peer
        self._events: asyncio.Queue[h2.events.Event | None] = asyncio.Queue()
        self._buffer = b""

    def head(self, *fields: tuple[bytes, bytes], ends: bool = False) -> None:
        self._peer.connection.send_headers(self.number, list(fields), end_stream=ends)
        self._peer.flush()

    def say(self, body: bytes, *, ends: bool = False) -> None:
        self._peer.connection.send_data(self.number, body, end_stream=ends)
        self._peer.flush()

    def message(self, body: bytes, *, flag: int = 0, ends: bool = False) -> None:
        """One message of gRPC."""
        self.say(bytes([flag]) + len(body).to_bytes(4) + body, ends=ends)

    async def begun(self) -> Headers:
        """The other side's header fields."""
        while not self.fields:
            await self._step()
        return self.fields

    async def heard(self) -> bytes | None:
        """The other side's next message of gRPC; None where it has ended."""
        while len(self._buffer) < 5 or len(self._buffer) < 5 + int.from_bytes(self._buffer[1:5]):
            if not await self._step():
                return None
        end = 5 + int.from_bytes(self._buffer[1:5])
        found, self._buffer = self._buffer[5:end], self._buffer[end:]
        return found

    async def rest(self) -> bytes:
        """All that the other side still says, until it ends."""
        while await self._step():
            pass
        found, self._buffer = self._buffer, b""
        return found

    def take(self, event: h2.events.Event | None) -> None:
        self._events.put_nowait(event)

    async def _step(self) -> bool:
        """Whether the other side goes on."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            event = await self._events.get()
        match event:
            case h2.events.RequestReceived() | h2.events.ResponseReceived():
                self.fields = _fields(event.headers)
            case h2.events.TrailersReceived():
                self.trailers = _fields(event.headers)
            case h2.events.DataReceived():
                self._buffer += event.data or b""
            case h2.events.StreamEnded():
                return False
            case _:
                raise AssertionError(f"stream {self.number} was cut: {event}")
        return True


class Peer:
    """One end of a connection. `run` must be running for anything to be heard."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        serve: Callable[[Stream], Awaitable[None]] | None = None,
    ) -> None:
        """A server where `serve` gets each stream of it, else a client."""
        configuration = h2.config.H2Configuration(client_side=serve is None, header_encoding=None)
        self.connection = h2.connection.H2Connection(configuration)
        self.writer = writer
        self._reader = reader
        self._serve = serve
        self._streams: dict[int, Stream] = {}

    def begin(self) -> None:
        self.connection.initiate_connection()
        self.flush()

    def flush(self) -> None:
        self.writer.write(self.connection.data_to_send())

    def stream(self) -> Stream:
        """A new one of a client."""
        number = self.connection.get_next_available_stream_id()
        return self._streams.setdefault(number, Stream(self, number))

    def call(self, path: bytes, *fields: tuple[bytes, bytes]) -> Stream:
        """A call of gRPC, of which nothing is said yet but its head."""
        stream = self.stream()
        head = [
            (b":method", b"POST"),
            (b":scheme", b"http"),
            (b":authority", b"live.example"),
            (b":path", path),
        ]
        stream.head(*head, (b"te", b"trailers"), GRPC, *fields)
        return stream

    async def run(self) -> None:
        """Read until the connection ends."""
        async with asyncio.TaskGroup() as tasks:
            while received := await self._reader.read(1 << 16):
                for event in self.connection.receive_data(received):
                    self._hear(event, tasks)
                self.flush()
            for stream in self._streams.values():
                stream.take(None)

    def _hear(self, event: h2.events.Event, tasks: asyncio.TaskGroup) -> None:
        number = getattr(event, "stream_id", None)
        if number is None:
            return
        if isinstance(event, h2.events.RequestReceived) and self._serve is not None:
            self._streams[number] = Stream(self, number)
            tasks.create_task(self._answer(self._streams[number]))
        if isinstance(event, h2.events.DataReceived):
            self.connection.acknowledge_received_data(event.flow_controlled_length or 0, number)
        if number in self._streams and isinstance(event, _OF_STREAM):
            self._streams[number].take(event)

    async def _answer(self, stream: Stream) -> None:
        assert self._serve is not None
        with suppress(OSError, h2.exceptions.ProtocolError):  # the client has gone, as some tests want it to
            await self._serve(stream)


_OF_STREAM = (
    h2.events.RequestReceived,
    h2.events.ResponseReceived,
    h2.events.DataReceived,
    h2.events.TrailersReceived,
    h2.events.StreamEnded,
    h2.events.StreamReset,
)


@asynccontextmanager
async def serving_http2(
    serve: Callable[[Stream], Awaitable[None]],
    *,
    speaks_first: bool = True,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[int]:
    """The port of a live service of HTTP/2; its settings go out at once, or once the client has spoken."""

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(reader, writer, serve=serve)
        try:
            if not speaks_first:
                peer.connection.initiate_connection()
                await _spoken(reader)
            else:
                peer.begin()
            await peer.run()
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client has gone, as some tests want it to
        finally:
            writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@asynccontextmanager
async def calling(host: str, port: int, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Peer]:
    """A client on a connection of its own, closed in the end."""
    peer = Peer(*await asyncio.open_connection(host, port, ssl=tls))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(peer.run())
        peer.begin()
        try:
            yield peer
        finally:
            peer.writer.close()


async def echo(stream: Stream) -> None:
    """A service of gRPC: /echo/unary, /echo/count, /echo/talk, /echo/leave."""
    path = dict(await stream.begun())[b":path"]
    stream.head((b":status", b"200"), GRPC)
    if path == b"/echo/unary":
        stream.message(b"re:" + (await stream.rest())[5:])
    elif path == b"/echo/count":
        for number in range(int(await stream.heard() or b"")):
            stream.message(str(number).encode())
    elif path == b"/echo/talk":
        while (said := await stream.heard()) is not None:
            stream.message(b"re:" + said)
    elif path == b"/echo/leave":
        stream.message(b"enough of " + (await stream.heard() or b""))
    stream.head(*TRAILERS, ends=True)


async def _spoken(reader: asyncio.StreamReader) -> None:
    """Wait for a first byte and leave it where it is."""
    while not reader._buffer and not reader.at_eof():  # type: ignore[attr-defined]
        await reader._wait_for_data("_spoken")  # type: ignore[attr-defined]


def _fields(fields: object) -> Headers:
    assert isinstance(fields, list)
    return tuple((bytes(name), bytes(value)) for name, value in fields)
