"""TLS and HTTP/2 through the inline tap."""

import asyncio
import ssl
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from shadow.errors import TapError
from shadow.model import Headers

with warnings.catch_warnings():
    # What mitmproxy imports warns of its own old habits.
    warnings.simplefilter("ignore", DeprecationWarning)
    from shadow.taps.mitm import ProxySettings, run_proxy

from tests.certificates import client_tls, server_tls, write_certificate
from tests.taps.http2 import Stream, calling, serving_http2
from tests.taps.proxies import GET, OK, Taken, answering, proxied, serving


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
    taken = Taken()
    async with (
        serving(answering(OK)) as port,
        proxied(taken, port, certificate_path=str(certificate)) as proxy,
        calling(proxy.host, proxy.port, tls=client_tls(certificate, "h2")) as client,
    ):
        stream = client.stream()
        head = ((b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"live.example"))
        stream.head(*head, (b":path", b"/v1/x?y=1"), (b"x-a", b"1"), ends=True)
        assert await stream.rest() == b"ok"
        exchange = await taken.exchange()
    assert exchange.request.version == b"HTTP/2"
    assert exchange.request.target == b"/v1/x?y=1"
    assert exchange.request.headers == ((b"host", b"live.example"), (b"x-a", b"1"))
    assert exchange.response is not None
    assert exchange.response.body == b"ok"


@pytest.mark.parametrize("length", [(), ((b"content-length", b"2"),)], ids=["unknown", "known"])
@pytest.mark.parametrize("trailers", [(), ((b"x-sum", b"1"),)], ids=["no trailers", "trailers"])
async def test_a_body_of_http2_reaches_a_live_service_of_http1(
    certificate: Path, length: Headers, trailers: Headers, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[bytes] = []
    taken = Taken()
    async with (
        serving(answering(OK, seen)) as port,
        proxied(taken, port, certificate_path=str(certificate)) as proxy,
        calling(proxy.host, proxy.port, tls=client_tls(certificate, "h2")) as client,
    ):
        stream = client.stream()
        stream.head(*_POST, *length)
        stream.say(b"hi", ends=not trailers)
        if trailers:
            stream.head(*trailers, ends=True)
        assert await stream.rest() == b"ok"
        exchange = await taken.exchange()
    framing = (
        b"content-length: 2\r\n\r\nhi"
        if length
        else b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"
    )
    assert seen == [b"POST / HTTP/1.1\r\nHost: live.example\r\n" + framing]
    assert exchange.request.headers == ((b"host", b"live.example"), *length)
    assert (exchange.request.body, exchange.request.trailers) == (b"hi", trailers)
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_many_requests_of_one_client_of_http2_are_under_way_at_once(certificate: Path) -> None:
    everyone = asyncio.Barrier(20)

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await everyone.wait()
        writer.write(OK)
        await writer.drain()

    async with (
        serving(respond) as port,
        proxied(Taken(), port, certificate_path=str(certificate)) as proxy,
        calling(proxy.host, proxy.port, tls=client_tls(certificate, "h2")) as client,
    ):
        streams = []
        for _ in range(20):
            streams.append(client.stream())
            streams[-1].head(*_POST, ends=True)
        assert [await stream.rest() for stream in streams] == [b"ok"] * 20


async def test_trailers_of_http2_pass_between_both_sides(certificate: Path) -> None:
    heard: list[tuple[bytes, Headers]] = []

    async def serve(stream: Stream) -> None:
        heard.append((await stream.rest(), stream.trailers))
        stream.head((b":status", b"200"))
        stream.say(b"ok")
        stream.head((b"x-sum", b"2"), ends=True)

    taken = Taken()
    path = str(certificate)
    async with (
        serving_http2(serve, tls=server_tls(certificate, "h2")) as port,
        proxied(taken, port, scheme="https", certificate_path=path, live_ca_path=path) as proxy,
        calling(proxy.host, proxy.port, tls=client_tls(certificate, "h2", "http/1.1")) as client,
    ):
        stream = client.stream()
        stream.head(*_POST)
        stream.say(b"hi")
        stream.head((b"x-sum", b"1"), ends=True)
        assert await stream.rest() == b"ok"
        assert stream.trailers == ((b"x-sum", b"2"),)
        exchange = await taken.exchange()
    assert heard == [(b"hi", ((b"x-sum", b"1"),))]
    assert (exchange.request.trailers, exchange.request.version) == (((b"x-sum", b"1"),), b"HTTP/2")
    assert exchange.response is not None
    assert (exchange.response.trailers, exchange.response.version) == (((b"x-sum", b"2"),), b"HTTP/2")


async def test_an_answer_that_overtakes_its_request_on_http2_is_given_up_with_the_stream(
    certificate: Path,
) -> None:
    async def serve(stream: Stream) -> None:
        await stream.begun()
        stream.head((b":status", b"413"), ends=True)

    taken = Taken()
    path = str(certificate)
    async with (
        serving_http2(serve, tls=server_tls(certificate, "h2")) as port,
        proxied(taken, port, scheme="https", certificate_path=path, live_ca_path=path) as proxy,
        calling(proxy.host, proxy.port, tls=client_tls(certificate, "h2")) as client,
    ):
        for _ in range(2):
            stream = client.stream()
            stream.head(*_POST)
            stream.say(b"the beginning")
            assert await stream.rest() == b""
            client.connection.reset_stream(stream.number)
            client.flush()
        assert await taken.next() == "incomplete_request"
    assert await taken.next() == "incomplete_request"
    assert taken.all.empty()


_POST: Headers = (
    (b":method", b"POST"),
    (b":scheme", b"https"),
    (b":authority", b"live.example"),
    (b":path", b"/"),
)


async def test_a_client_on_tls_is_turned_away_and_counted_where_there_is_no_certificate(
    certificate: Path,
) -> None:
    taken = Taken()
    async with serving(answering(OK)) as port, proxied(taken, port) as proxy:
        with pytest.raises((ConnectionError, ssl.SSLError)):
            await asyncio.open_connection(proxy.host, proxy.port, ssl=client_tls(certificate))
        assert await taken.next() == "malformed_request"
        assert await proxy.ask(GET) == OK
        await taken.exchange()
    assert taken.all.empty()


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
