"""How the proxy of the inline tap starts, fails and stops."""

import asyncio
import socket
import warnings

import pytest

from shadow.errors import TapError

with warnings.catch_warnings():
    # What mitmproxy imports warns of its own old habits.
    warnings.simplefilter("ignore", DeprecationWarning)
    from shadow.taps.mitm import ProxySettings, run_proxy

from tests.taps.proxies import GET, OK, PATIENCE_SECONDS, Broken, Proxy, Taken, answering, proxied, serving


async def test_a_tap_that_fails_at_every_step_leaves_live_traffic_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving(answering(OK)) as port, proxied(Broken(), port) as proxy:
        assert [await proxy.ask(GET) for _ in range(3)] == [OK] * 3
    told = [record for record in caplog.records if record.name.startswith("shadow.")]
    assert len(told) == 1


@pytest.mark.parametrize(
    "live", ["ftp://a", "http://", "http://a/path", "http://a:99999", "http://u:p@a", "a:80", "http://[::1"]
)
async def test_a_live_url_that_is_none_is_told(live: str) -> None:
    with pytest.raises(TapError, match="the live service must be"):
        await run_proxy(ProxySettings(live), Taken(), ready=print, stop=asyncio.Event())


async def test_a_port_in_use_is_told_with_a_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken_port:
        port = taken_port.getsockname()[1]
        settings = ProxySettings("http://127.0.0.1:1", listen_port=port)
        with pytest.raises(TapError, match=rf"cannot listen on '127.0.0.1:{port}': .*--listen"):
            await run_proxy(settings, Taken(), ready=print, stop=asyncio.Event())


async def test_requests_under_way_end_when_the_proxy_stops() -> None:
    asked, may_answer = asyncio.Event(), asyncio.Event()

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await may_answer.wait()
        writer.write(OK)

    taken = Taken()
    async with serving(respond) as port, proxied(taken, port) as proxy:
        reader, writer = await proxy.connect()
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await asked.wait()
        proxy.stop.set()
        await _until_refused(proxy)
        may_answer.set()
        assert await reader.read(-1) == OK
        writer.close()
        assert (await taken.exchange()).response is not None


async def _until_refused(proxy: Proxy) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
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
        await reader.read()
        gone.set()

    taken = Taken()
    async with serving(respond) as port:
        async with proxied(taken, port, grace_seconds=0.05) as proxy:
            reader, writer = await proxy.connect()
            writer.write(GET)
            await asked.wait()
        assert await reader.read(-1) == b""
        await gone.wait()
        writer.close()
    assert (await taken.exchange()).response is None


async def test_a_cancelled_proxy_frees_its_port() -> None:
    address: list[tuple[str, int]] = []
    settings = ProxySettings("http://127.0.0.1:1", listen_port=0)

    async def run_until_cancelled() -> None:
        async with asyncio.timeout(None) as soon:

            def ready(host: str, port: int) -> None:
                address.append((host, port))
                soon.reschedule(asyncio.get_running_loop().time())

            await run_proxy(settings, Taken(), ready=ready, stop=asyncio.Event())

    with pytest.raises(TimeoutError):
        await run_until_cancelled()
    with socket.create_server(address[0]):
        pass
