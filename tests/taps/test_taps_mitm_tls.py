"""TLS and HTTP/2 through the inline tap."""

import asyncio
import ssl
import warnings
from collections.abc import Callable
from pathlib import Path

import h2.connection
import h2.events
import pytest

from shadow.errors import TapError

with warnings.catch_warnings():
    # What mitmproxy imports warns of its own old habits.
    warnings.simplefilter("ignore", DeprecationWarning)
    from shadow.taps.mitm import ProxySettings, run_proxy

from tests.certificates import server_tls, write_certificate
from tests.taps.proxies import GET, OK, PATIENCE_SECONDS, Taken, answering, proxied, serving


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
    chosen = {name: str(certificate) if value is None else value for name, value in settings.items()}
    taken = Taken()
    async with (
        serving(answering(OK), tls=server_tls(certificate)) as port,
        proxied(taken, port, scheme="https", **chosen) as proxy,
    ):
        answer = await proxy.ask(GET)
        exchange = await taken.exchange()
    assert (answer == OK) is passes
    assert answer.startswith(b"HTTP/1.1 200" if passes else b"HTTP/1.1 502")
    assert (exchange.response is not None) is passes
    assert exchange.live == f"127.0.0.1:{port}"


async def test_clients_on_https_and_http2_are_served_with_the_given_certificate(certificate: Path) -> None:
    seen: list[bytes] = []
    taken = Taken()
    tls = ssl.create_default_context(cafile=str(certificate))
    tls.set_alpn_protocols(["h2"])
    async with (
        serving(answering(OK, seen)) as port,
        proxied(taken, port, certificate_path=str(certificate)) as proxy,
    ):
        reader, writer = await asyncio.open_connection(proxy.host, proxy.port, ssl=tls)
        assert await _ask_http2(reader, writer) == b"ok"
        writer.close()
        exchange = await taken.exchange()
    assert exchange.request.version == b"HTTP/2"
    assert exchange.request.target == b"/v1/x?y=1"
    assert exchange.request.headers == ((b"host", b"live.example"), (b"x-a", b"1"))
    assert exchange.response is not None
    assert exchange.response.body == b"ok"


async def _ask_http2(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """The body of the answer to one GET."""
    connection = h2.connection.H2Connection()
    connection.initiate_connection()
    fields = [
        (":method", "GET"),
        (":scheme", "https"),
        (":authority", "live.example"),
        (":path", "/v1/x?y=1"),
    ]
    connection.send_headers(1, [*fields, ("x-a", "1")], end_stream=True)
    body = b""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            writer.write(connection.data_to_send())
            for event in connection.receive_data(await reader.read(1 << 16)):
                match event:
                    case h2.events.DataReceived():
                        body += event.data
                    case h2.events.StreamEnded():
                        return body


@pytest.mark.parametrize("content", [None, b"no certificate"], ids=["missing", "not PEM"])
@pytest.mark.parametrize(
    "at",
    [
        lambda path: ProxySettings(_SECURE, certificate_path=path),
        lambda path: ProxySettings(_SECURE, live_ca_path=path),
    ],
    ids=["for clients", "of the live service"],
)
async def test_a_certificate_that_cannot_be_read_is_told(
    tmp_path: Path, at: Callable[[str], ProxySettings], content: bytes | None
) -> None:
    path = tmp_path / "odd.pem"
    if content is not None:
        _write(path, content)
    with pytest.raises(TapError, match=r"no usable certificate in .*odd\.pem"):
        await run_proxy(at(str(path)), Taken(), ready=print, stop=asyncio.Event())


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


_SECURE = "https://127.0.0.1:1"
