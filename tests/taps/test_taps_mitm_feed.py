"""Live traffic through the inline tap does not feel what becomes of the pipeline."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from shadow.feed.frames import Hello
from shadow.feed.receiver import Listener, receiving
from shadow.feed.sender import PIPELINE_GONE, QUEUE_FULL, Sender, SenderSettings
from shadow.model import Exchange
from tests.taps.proxies import GET, MIB, OK, PATIENCE_SECONDS, answering, proxied, serving

_RECEIVER = """
import asyncio, sys
from pathlib import Path
from shadow.feed.receiver import Listener, receive
def tell(exchange):
    print(exchange.request.target.decode(), flush=True)
def ready():
    print("ready", flush=True)
asyncio.run(receive(Path(sys.argv[1]), Listener(tell), stop=asyncio.Event(), ready=ready))
"""


@asynccontextmanager
async def _receiver_process(path: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _RECEIVER, str(path), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert await _line(process) == b"ready\n"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def _line(process: asyncio.subprocess.Process) -> bytes:
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE_SECONDS):
        return await process.stdout.readline()


async def test_live_traffic_does_not_feel_a_killed_pipeline_and_the_next_one_is_found(tmp_path: Path) -> None:
    path = tmp_path / "feed.sock"
    sender = Sender(path, Hello("mitm"), SenderSettings(max_queue_items=2, max_backoff_seconds=0.05))

    def at(target: bytes) -> bytes:
        return GET.replace(b"/ ", target + b" ", 1)

    async with serving(answering(OK)) as port, proxied(sender, port) as proxy:
        async with _receiver_process(path) as first:
            assert await proxy.ask(at(b"/first")) == OK
            assert await _line(first) == b"/first\n"
            first.kill()
            await first.wait()
        for _ in range(5):
            assert await proxy.ask(at(b"/lost")) == OK
        async with _receiver_process(path) as second:
            while await _line(second) != b"/second\n":
                assert await proxy.ask(at(b"/second")) == OK
    ledger = await asyncio.to_thread(sender.close)
    assert ledger.captured == ledger.acknowledged + sum(ledger.dropped.values())
    assert ledger.dropped[PIPELINE_GONE] >= 3
    assert ledger.acknowledged >= 1


async def test_live_traffic_does_not_feel_a_stalled_pipeline(tmp_path: Path) -> None:
    body = os.urandom(MIB - 100)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    path = tmp_path / "feed.sock"
    settings = SenderSettings(max_queue_bytes=3 * MIB, close_seconds=0.1)

    async with serving(answering(answer)) as port, _stalled(path) as connected:
        sender = Sender(path, Hello("mitm"), settings)
        await connected.wait()
        async with proxied(sender, port) as proxy:
            for _ in range(10):
                assert await proxy.ask(GET) == answer
        ledger = await asyncio.to_thread(sender.close)
    assert ledger.captured == 10
    assert ledger.acknowledged == 0
    assert ledger.dropped.get(QUEUE_FULL, 0) >= 4


@asynccontextmanager
async def _stalled(path: Path) -> AsyncIterator[asyncio.Event]:
    """A pipeline that takes a tap's first bytes and then nothing more; the event tells when it has them."""
    connected, over = asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        connected.set()
        await over.wait()
        writer.close()

    server = await asyncio.start_unix_server(serve, path, limit=1024)
    try:
        yield connected
    finally:
        over.set()
        server.close()


async def test_exchanges_reach_the_pipeline_through_the_socket(tmp_path: Path) -> None:
    path = tmp_path / "private" / "feed.sock"
    sender = Sender(path, Hello("mitm"))
    heard: asyncio.Queue[Exchange] = asyncio.Queue()
    async with serving(answering(OK)) as port, receiving(path, Listener(heard.put_nowait)):
        async with proxied(sender, port) as proxy:
            for _ in range(20):
                await proxy.ask(GET)
        ledger = await asyncio.to_thread(sender.close)
    indexes = [heard.get_nowait().index for _ in range(20)]
    assert sorted(indexes) == list(range(20))
    assert (ledger.captured, ledger.acknowledged, ledger.dropped) == (20, 20, {})
    assert ledger.tap_seconds.count == 20
