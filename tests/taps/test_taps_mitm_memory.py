"""What streams through the inline tap is not held: memory stays flat, however much passes."""

import asyncio
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest
from wsproto.events import BytesMessage

from tests.taps.http2 import GRPC, TRAILERS, Peer, Stream, serving_http2
from tests.taps.proxies import GET, MIB, OK, Proxy, Respond, Taken, proxied, serving
from tests.taps.websockets import Peer as WebSocket
from tests.taps.websockets import echo, talking

_PIECE = bytes(64 * 1024)
_PIECES = 512
_PASSED_BYTES = _PIECES * len(_PIECE)
_CALL_BYTES = 16000

type Use = Callable[[Proxy], Awaitable[None]]


@contextmanager
def _flat(passed_bytes: int = _PASSED_BYTES) -> Iterator[None]:
    """Fails where memory grew within by more than buffers of both sides and the proxy need."""
    tracemalloc.start(1)
    try:
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - before < passed_bytes // 4, f"{(peak - before) / MIB:.1f} MiB"


async def _send_much(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % _PASSED_BYTES)
    for _ in range(_PIECES):
        writer.write(_PIECE)
        await writer.drain()


async def _stream_much(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Events, in chunks, without an announced end."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(_PIECES):
        writer.write(b"%x\r\n%s\r\n" % (len(_PIECE), _PIECE))
        await writer.drain()
    writer.write(b"0\r\n\r\n")


async def _take_much(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    left = _PASSED_BYTES
    while left:
        left -= len(await reader.read(1 << 16))
    writer.write(OK)
    await writer.drain()


async def _download(proxy: Proxy) -> None:
    reader, writer = await proxy.connect()
    writer.write(GET)
    while await reader.read(1 << 16):
        pass
    writer.close()


async def _upload(proxy: Proxy) -> None:
    reader, writer = await proxy.connect()
    length = b"Content-Length: %d" % _PASSED_BYTES
    writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + length + b"\r\n\r\n")
    for _ in range(_PIECES):
        writer.write(_PIECE)
        await writer.drain()
    assert await reader.read(-1) == OK
    writer.close()


async def _websocket(proxy: Proxy) -> None:
    peer = WebSocket(*await proxy.connect(), is_client=True)
    await peer.open()
    for _ in range(_PIECES):
        peer.send(BytesMessage(_PIECE))
        while not (isinstance(event := await peer.next(), BytesMessage) and event.message_finished):
            pass
    peer.writer.close()


@pytest.mark.parametrize(
    ("respond", "use"),
    [
        pytest.param(_send_much, _download, id="download"),
        pytest.param(_stream_much, _download, id="event stream"),
        pytest.param(_take_much, _upload, id="upload"),
        pytest.param(talking(echo), _websocket, id="WebSocket", marks=pytest.mark.slow),
    ],
)
async def test_memory_stays_flat_however_much_passes(respond: Respond, use: Use) -> None:
    async with serving(respond) as port, proxied(Taken(), port, max_body_bytes=MIB) as proxy:
        with _flat():
            await use(proxy)


async def test_memory_stays_flat_however_much_a_raw_connection_carries() -> None:
    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(_PIECES):
            writer.write(_PIECE)
            await writer.drain()

    async with serving(respond) as port, proxied(Taken(), port, scheme="tcp", max_body_bytes=MIB) as proxy:
        with _flat():
            reader, writer = await proxy.connect()
            while await reader.read(1 << 16):
                pass
            writer.close()


async def test_memory_stays_flat_however_much_a_call_of_grpc_carries() -> None:
    async def serve(stream: Stream) -> None:
        await stream.begun()
        stream.head((b":status", b"200"), GRPC)
        while (said := await stream.heard()) is not None:
            stream.message(said)
        stream.head(*TRAILERS, ends=True)

    taken = Taken()
    async with (
        serving_http2(serve) as port,
        proxied(taken, port, max_body_bytes=100_000) as proxy,
        asyncio.TaskGroup() as tasks,
    ):
        client = Peer(*await proxy.connect())
        tasks.create_task(client.run())
        client.begin()
        with _flat(_PIECES * _CALL_BYTES):
            call = client.call(b"/")
            for _ in range(_PIECES):
                call.message(_PIECE[:_CALL_BYTES])
                assert await call.heard() == _PIECE[:_CALL_BYTES]
            call.say(b"", ends=True)
            await call.rest()
        client.writer.close()
        exchange = await taken.exchange()
    assert not exchange.is_complete
    assert sum(len(each.body) for each in exchange.messages) <= 200_000
