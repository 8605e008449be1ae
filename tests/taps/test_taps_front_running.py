"""How the light front starts, fails and stops, and what it does where the live service is down."""

import asyncio
import socket
import ssl
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from shadow.errors import TapError
from shadow.feed.frames import Hello
from shadow.feed.sender import PIPELINE_GONE, QUEUE_FULL, Sender, SenderSettings
from shadow.model import Exchange
from shadow.taps.front import FrontSettings, run_front
from shadow.taps.front_reading import Open
from shadow.wire.direction import Conversation
from shadow.wire.listener import Link, Listener
from tests.certificates import server_tls, write_certificate
from tests.taps.fronts import fronted
from tests.taps.proxies import GET, MIB, OK, PATIENCE_SECONDS, Broken, Proxy, Taken, answering, serving

DOWN = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@pytest.fixture
def nobody() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
    return port


@pytest.mark.parametrize(
    "said",
    [GET, b"\r\n" + GET, GET.replace(b"GET", b"HEAD"), GET + GET],
    ids=["GET", "after an empty line", "HEAD", "pipelined"],
)
async def test_who_asks_a_service_that_is_down_is_told_and_the_request_is_taken(
    nobody: int, said: bytes
) -> None:
    taken = Taken()
    async with fronted(taken, nobody) as front:
        assert await front.ask(said) == DOWN
        exchange = await taken.exchange()
    assert exchange.request.target == b"/"
    assert exchange.response is None


async def test_the_rest_of_a_request_is_read_after_it_was_answered(nobody: int) -> None:
    taken = Taken()
    async with fronted(taken, nobody) as front:
        reader, writer = await front.connect()
        writer.write(b"POST / HTTP/1.1\r\nContent-")
        writer.write(b"Length: 8\r\n\r\n")
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await reader.read() == DOWN
            writer.write(b"all of it"[:8])
            writer.close()
            exchange = await taken.exchange()
    assert exchange.request.body == b"all of i"


@pytest.mark.parametrize("said", [b"\x16\x03\x01\x00\x00", b"SSH-2.0-x\r\n", b"GET " + b"x" * 200_000])
async def test_who_says_no_request_to_a_service_that_is_down_is_cut_off(nobody: int, said: bytes) -> None:
    async with fronted(Taken(), nobody) as front:
        reader, writer = await front.connect()
        writer.write(said)
        async with asyncio.timeout(PATIENCE_SECONDS):
            with suppress(ConnectionResetError):  # what was not read any more is answered so
                assert await reader.read() == b""
        writer.close()


async def test_who_ends_without_a_word_to_a_service_that_is_down_is_let_go(nobody: int) -> None:
    async with fronted(Taken(), nobody) as front:
        reader, writer = await front.connect()
        writer.write_eof()
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await reader.read() == b""
        writer.close()


async def test_a_tap_that_fails_at_every_step_leaves_live_traffic_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving(answering(OK)) as port, fronted(Broken(), port) as front:
        assert [await front.ask(GET) for _ in range(3)] == [OK] * 3
    told = [record for record in caplog.records if record.name.startswith("shadow.")]
    assert len(told) == 1


class Raises:
    """A conversation with a bug, from its `good` next calls on."""

    def __init__(self, listener: Listener, good: int) -> None:
        self._listener = listener
        self._good = good

    def take(self, side: int, payload: bytes, time: float, seq: int, ack: int) -> bool:
        self._good -= 1
        if self._good < 0:
            raise IndexError
        self._listener.begin(time)
        self._listener.keep(10)
        return True

    def skip(self, side: int, count: int, time: float) -> bool:
        raise IndexError

    def end(self, side: int, how: object) -> None:
        raise IndexError


def _cannot_open(_listener: Listener, _link: Link) -> Conversation:
    raise IndexError


@pytest.mark.parametrize(
    "open_with",
    [
        pytest.param(_cannot_open, id="when it opens"),
        pytest.param(lambda listener, _: Raises(listener, 0), id="at the first bytes"),
        pytest.param(lambda listener, _: Raises(listener, 1), id="later"),
        pytest.param(lambda listener, _: Raises(listener, 2), id="at the end"),
    ],
)
async def test_a_reader_that_raises_is_left_and_its_connection_relayed_on(
    open_with: Open, caplog: pytest.LogCaptureFixture
) -> None:
    taken = Taken()
    async with serving(answering(OK)) as port, fronted(taken, port, open_with=open_with) as front:
        assert [await front.ask(GET) for _ in range(2)] == [OK, OK]
        assert [await taken.next() for _ in range(2)] == ["tap_failed"] * 2
    assert taken.all.empty()
    assert front.readings.room_bytes == 64 * MIB
    assert len([record for record in caplog.records if record.name.startswith("shadow.")]) == 1


async def test_live_traffic_does_not_feel_a_stalled_or_a_dead_pipeline(tmp_path: Path) -> None:
    path, over, reached = tmp_path / "feed.sock", asyncio.Event(), asyncio.Event()
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % MIB + bytes(MIB)

    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        reached.set()
        await over.wait()
        writer.close()

    settings = SenderSettings(max_queue_bytes=3 * MIB, close_seconds=0.1)
    stalled = await asyncio.start_unix_server(stall, path, limit=1024)
    sender = Sender(path, Hello("front"), settings)
    await reached.wait()
    async with serving(answering(answer)) as port, fronted(sender, port) as front:
        for _ in range(10):
            assert await front.ask(GET) == answer
        over.set()
        stalled.close()
        path.unlink(missing_ok=True)
        for _ in range(10):
            assert await front.ask(GET) == answer
    ledger = await asyncio.to_thread(sender.close)
    assert (ledger.captured, ledger.acknowledged) == (20, 0)
    assert ledger.dropped[QUEUE_FULL] >= 4
    assert ledger.dropped[PIPELINE_GONE] >= 10
    assert sum(ledger.dropped.values()) == 20


@pytest.mark.parametrize(
    "open_with", [None, lambda listener, _: Raises(listener, 0)], ids=["read", "whose reader has raised"]
)
async def test_requests_under_way_end_when_the_front_stops_and_idle_clients_are_let_go(
    open_with: Open | None,
) -> None:
    asked, may_answer = asyncio.Event(), asyncio.Event()

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await may_answer.wait()
        writer.write(OK)
        if open_with is None:  # else nothing tells the front that it was all
            await reader.read()

    taken = Taken()
    async with serving(respond) as port, fronted(taken, port, open_with=open_with) as front:
        idle, idle_writer = await front.connect()
        reader, writer = await front.connect()
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await asked.wait()
        front.stop.set()
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await idle.read() == b""
            await _until_refused(front)
            may_answer.set()
            assert await reader.read() == OK
        writer.close()
        idle_writer.close()
        assert isinstance(await taken.next(), Exchange if open_with is None else str)


async def test_a_websocket_is_no_request_that_is_waited_for_when_the_front_stops() -> None:
    switch = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    ask = b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: eA==\r\n\r\n"

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(switch)
        writer.write(await reader.readexactly(7))
        await reader.read()

    async with serving(respond) as port, fronted(Taken(), port, grace_seconds=99.0) as front:
        reader, writer = await front.connect()
        writer.write(ask)
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await reader.readexactly(len(switch)) == switch
            writer.write(b"\x81\x81mask\x15")
            assert len(await reader.readexactly(7)) == 7
            front.stop.set()
            assert await reader.read() == b""
        writer.close()


async def _until_refused(proxy: Proxy) -> None:
    while True:
        try:
            _, writer = await proxy.connect()
        except ConnectionError:
            return
        writer.close()
        await writer.wait_closed()


async def test_a_request_that_never_ends_is_cut_when_grace_is_over() -> None:
    asked, gone = asyncio.Event(), asyncio.Event()

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        try:
            await reader.read()
        finally:
            gone.set()

    taken = Taken()
    async with serving(respond) as port:
        async with fronted(taken, port, grace_seconds=0.05) as front:
            reader, writer = await front.connect()
            writer.write(GET)
            await asked.wait()
        with pytest.raises(ConnectionResetError):
            await reader.read()
        await gone.wait()
        writer.close()
    assert (await taken.exchange()).response is None


async def test_a_cancelled_front_frees_its_port() -> None:
    address: list[tuple[str, int]] = []
    settings = FrontSettings("127.0.0.1", 1, listen_port=0)

    async def run_until_cancelled() -> None:
        async with asyncio.timeout(None) as soon:

            def ready(host: str, port: int) -> None:
                address.append((host, port))
                soon.reschedule(asyncio.get_running_loop().time())

            await run_front(settings, Taken(), ready=ready, stop=asyncio.Event())

    with pytest.raises(TimeoutError):
        await run_until_cancelled()
    with socket.create_server(address[0]):
        pass


async def test_a_port_in_use_is_told_with_a_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken_port:
        port = taken_port.getsockname()[1]
        settings = FrontSettings("127.0.0.1", 1, listen_port=port)
        with pytest.raises(TapError, match=rf"cannot listen on '127.0.0.1:{port}': .*--listen"):
            await run_front(settings, Taken(), ready=print, stop=asyncio.Event())


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_certificate(tmp_path_factory.mktemp("tls") / "live.pem")


@pytest.mark.parametrize(
    ("settings", "passes"),
    [
        pytest.param({}, False, id="unknown authority"),
        pytest.param({"verifies_live": False}, True, id="unknown authority, not verified"),
        pytest.param({"live_ca_path": None}, True, id="known authority"),
    ],
)
async def test_a_live_service_on_https_is_verified_unless_told_otherwise(
    certificate: Path, settings: dict[str, bool | None], *, passes: bool
) -> None:
    chosen: dict[str, Any] = {
        name: str(certificate) if value is None else value for name, value in settings.items()
    }
    taken = Taken()
    async with (
        serving(answering(OK), tls=server_tls(certificate)) as port,
        fronted(taken, port, live_is_tls=True, **chosen) as front,
    ):
        assert await front.ask(GET) == (OK if passes else DOWN)
        exchange = await taken.exchange()
    assert (exchange.response is not None) is passes


@pytest.mark.parametrize("ends", [True, False], ids=["that ends its side", "that waits"])
async def test_a_client_of_a_service_on_https_gets_its_whole_answer(certificate: Path, *, ends: bool) -> None:
    answer = b"HTTP/1.1 200 OK\r\n\r\n" + bytes(MIB)
    async with (
        serving(answering(answer), tls=server_tls(certificate)) as port,
        fronted(Taken(), port, live_is_tls=True, live_ca_path=str(certificate)) as front,
    ):
        reader, writer = await front.connect()
        writer.write(GET)
        if ends:
            writer.write_eof()
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await reader.read() == answer
        writer.close()


async def test_clients_on_https_are_served_with_the_given_certificate_in_http_1(certificate: Path) -> None:
    taken, tls = Taken(), ssl.create_default_context(cafile=str(certificate))
    tls.set_alpn_protocols(["h2", "http/1.1"])
    async with (
        serving(answering(OK)) as port,
        fronted(taken, port, certificate_path=str(certificate)) as front,
    ):
        reader, writer = await asyncio.open_connection(front.host, front.port, ssl=tls)
        assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"
        writer.write(GET)
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await reader.read() == OK
        writer.close()
        assert (await taken.exchange()).response is not None


async def test_a_client_on_https_is_told_that_live_is_down(certificate: Path, nobody: int) -> None:
    tls = ssl.create_default_context(cafile=str(certificate))
    async with fronted(Taken(), nobody, certificate_path=str(certificate)) as front:
        reader, writer = await asyncio.open_connection(front.host, front.port, ssl=tls)
        writer.write(GET)
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await reader.read() == DOWN
        writer.close()


@pytest.mark.parametrize("content", [None, b"no certificate"], ids=["missing", "not PEM"])
@pytest.mark.parametrize("name", ["certificate_path", "live_ca_path"])
async def test_a_certificate_that_cannot_be_read_is_told(
    tmp_path: Path, name: str, content: bytes | None
) -> None:
    path = tmp_path / "odd.pem"
    if content is not None:
        path.write_bytes(content)
    chosen: dict[str, Any] = {name: str(path)}
    settings = FrontSettings("127.0.0.1", 1, live_is_tls=True, **chosen)
    with pytest.raises(TapError, match=r"no usable certificate in .*odd\.pem"):
        await run_front(settings, Taken(), ready=print, stop=asyncio.Event())


async def test_a_live_service_that_never_takes_a_connection_is_told_as_one_that_is_down() -> None:
    async def stay_silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    taken = Taken()
    async with (
        serving(stay_silent) as port,
        fronted(taken, port, live_is_tls=True, verifies_live=False, connect_seconds=0.05) as front,
    ):
        assert await front.ask(GET) == DOWN
        assert (await taken.exchange()).response is None
