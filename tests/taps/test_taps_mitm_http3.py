"""HTTP/3 at the front of the inline tap."""

import asyncio
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import QuicEvent

from shadow.errors import TapError

with warnings.catch_warnings():
    # What mitmproxy imports warns of its own old habits.
    warnings.simplefilter("ignore", DeprecationWarning)
    from shadow.taps.mitm import ProxySettings, run_proxy

from tests.certificates import server_tls, write_certificate
from tests.taps.http2 import Stream, serving_http2
from tests.taps.proxies import GET, OK, PATIENCE_SECONDS, Proxy, Taken, answering, proxied, serving


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_certificate(tmp_path_factory.mktemp("tls") / "live.pem")


class _Client(QuicConnectionProtocol):
    """Asks over HTTP/3."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._http = H3Connection(self._quic)
        self._answers: dict[int, asyncio.Future[tuple[int, bytes]]] = {}
        self._heard: dict[int, tuple[int, bytes]] = {}

    async def ask(
        self, method: bytes, path: bytes, *fields: tuple[bytes, bytes], body: bytes = b""
    ) -> tuple[int, bytes]:
        """Status and body of the answer."""
        number = self._quic.get_next_available_stream_id()
        head = [
            (b":method", method),
            (b":scheme", b"https"),
            (b":authority", b"live.example"),
            (b":path", path),
        ]
        self._answers[number] = asyncio.get_running_loop().create_future()
        self._http.send_headers(number, [*head, *fields], end_stream=not body)
        if body:
            self._http.send_data(number, body, end_stream=True)
        self.transmit()
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self._answers[number]

    def quic_event_received(self, event: QuicEvent) -> None:
        for heard in self._http.handle_event(event):
            if not isinstance(heard, HeadersReceived | DataReceived):
                continue
            status, body = self._heard.get(heard.stream_id, (0, b""))
            if isinstance(heard, HeadersReceived):
                status = int(dict(heard.headers)[b":status"])
            else:
                body += heard.data
            self._heard[heard.stream_id] = status, body
            if heard.stream_ended:
                self._answers[heard.stream_id].set_result((status, body))


@asynccontextmanager
async def _asking(proxy: Proxy, certificate: Path) -> AsyncIterator[_Client]:
    settings = QuicConfiguration(is_client=True, alpn_protocols=["h3"])
    settings.load_verify_locations(str(certificate))
    async with connect(proxy.host, proxy.port, configuration=settings, create_protocol=_Client) as client:
        assert isinstance(client, _Client)
        yield client


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_client_of_http3_is_served_from_http1(certificate: Path, scheme: str) -> None:
    seen: list[bytes] = []
    taken = Taken()
    path = str(certificate)
    async with (
        serving(answering(OK, seen), tls=server_tls(certificate) if scheme == "https" else None) as port,
        proxied(
            taken, port, scheme=scheme, certificate_path=path, live_ca_path=path, offers_http3=True
        ) as proxy,
    ):
        async with _asking(proxy, certificate) as client:
            assert await client.ask(b"POST", b"/v1/x?y=1", (b"x-a", b"1"), body=b"hi") == (200, b"ok")
        exchange = await taken.exchange()
        if scheme == "http":
            assert await proxy.ask(GET) == OK
    request, response = exchange.request, exchange.response
    assert (request.method, request.target, request.version) == (b"POST", b"/v1/x?y=1", b"HTTP/3")
    assert request.headers == ((b"host", b"live.example"), (b"x-a", b"1"))
    assert request.body == b"hi"
    assert response is not None
    assert (response.status, response.body) == (200, b"ok")
    assert seen[0].startswith(b"POST /v1/x?y=1 HTTP/1.1\r\nHost: live.example\r\n")


async def test_a_client_of_http3_is_served_from_http2(certificate: Path) -> None:
    async def serve(stream: Stream) -> None:
        said = await stream.rest()
        stream.head((b":status", b"201"))
        stream.say(said.upper(), ends=True)

    taken = Taken()
    path = str(certificate)
    async with (
        serving_http2(serve, tls=server_tls(certificate, "h2")) as port,
        proxied(
            taken, port, scheme="https", certificate_path=path, live_ca_path=path, offers_http3=True
        ) as proxy,
        _asking(proxy, certificate) as client,
    ):
        assert await client.ask(b"POST", b"/", body=b"hi") == (201, b"HI")
        exchange = await taken.exchange()
    assert exchange.response is not None
    assert (exchange.request.version, exchange.response.version) == (b"HTTP/3", b"HTTP/2")


async def test_streams_of_one_client_pass_at_once(certificate: Path) -> None:
    both = asyncio.Barrier(2)

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        await both.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + head[5:7])

    taken = Taken()
    async with (
        serving(respond) as port,
        proxied(taken, port, certificate_path=str(certificate), offers_http3=True) as proxy,
        _asking(proxy, certificate) as client,
        asyncio.TaskGroup() as tasks,
    ):
        asked = [tasks.create_task(client.ask(b"GET", path)) for path in (b"/a1", b"/b2")]
    assert [task.result() for task in asked] == [(200, b"a1"), (200, b"b2")]
    assert {(await taken.exchange()).request.target for _ in asked} == {b"/a1", b"/b2"}


async def test_a_live_service_that_is_down_gives_502(certificate: Path) -> None:
    async with serving(answering(OK)) as port:
        pass
    taken = Taken()
    async with (
        proxied(taken, port, certificate_path=str(certificate), offers_http3=True) as proxy,
        _asking(proxy, certificate) as client,
    ):
        status, _ = await client.ask(b"GET", b"/")
    assert status == 502
    assert (await taken.exchange()).response is None


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (ProxySettings("http://127.0.0.1:1", offers_http3=True), "HTTP/3 needs a certificate"),
        (
            ProxySettings("tcp://127.0.0.1:1", offers_http3=True, certificate_path="{path}"),
            "HTTP/3 cannot be offered for 'tcp:",
        ),
    ],
)
async def test_http3_that_cannot_be_offered_is_told(
    certificate: Path, settings: ProxySettings, told: str
) -> None:
    chosen = msgspec.structs.replace(
        settings, certificate_path=settings.certificate_path.format(path=certificate)
    )
    with pytest.raises(TapError, match=told):
        await run_proxy(chosen, Taken(), ready=print, stop=asyncio.Event())
