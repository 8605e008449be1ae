"""The addon in a mitmdump of a user's own, as its own process, among other addons."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from shadow.feed.frames import Hello, Ledger
from shadow.feed.receiver import Listener, receiving
from tests.taps.http2 import calling, echo, serving_http2
from tests.taps.proxies import GET, OK, PATIENCE_SECONDS, Proxy, Taken, answering, serving

_MITMDUMP = Path(sys.executable).with_name("mitmdump")
_START_SECONDS = 30
_MEDDLER = """
from mitmproxy import http

def request(flow):
    if flow.request.path == "/killed":
        flow.kill()
    if flow.request.path == "/local":
        flow.response = http.Response.make(200, b"made up")
    if flow.request.path == "/edited":
        flow.request.path = "/other"
        flow.request.headers["x-added"] = "1"
        flow.request.content = b"edited"
"""


class Mitmdump(Proxy):
    """A mitmdump that runs. `told` is what it has said."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        super().__init__("127.0.0.1", port, asyncio.Event())
        self.told: list[str] = []
        self._process = process

    async def until(self, word: str) -> None:
        assert self._process.stdout is not None
        async with asyncio.timeout(_START_SECONDS):
            async for line in self._process.stdout:
                self.told.append(line.decode())
                if word in self.told[-1]:
                    return
        raise AssertionError("".join(self.told))

    async def end(self) -> str:
        """Ctrl-C, and all that it has said."""
        self._process.send_signal(signal.SIGINT)
        async with asyncio.timeout(PATIENCE_SECONDS):
            rest, _ = await self._process.communicate()
        return "".join(self.told) + rest.decode()


@asynccontextmanager
async def _mitmdump(
    folder: Path, *arguments: str, tap: Path | None = None, mode: str = ""
) -> AsyncIterator[Mitmdump]:
    """With the addon last, and what it is told."""
    script = find_spec("shadow.run.mitm_script")
    assert script is not None
    assert script.origin is not None
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        *(_MITMDUMP, "--listen-host", "127.0.0.1", "--listen-port", str(port), "--set", f"confdir={folder}"),
        *(("--mode", mode) if mode else ()),
        *(("--set", f"shadow_socket={tap}") if tap else ()),
        *(*arguments, "-s", script.origin),
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONWARNINGS": "ignore"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        proxy = Mitmdump(process, port)
        await proxy.until("listening")
        yield proxy
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


@asynccontextmanager
async def _pipeline(folder: Path) -> AsyncIterator[tuple[Path, Taken, list[Ledger]]]:
    path, taken, ledgers = folder / "feed" / "feed.sock", Taken(), list[Ledger]()

    def on_ledger(_: Hello, ledger: Ledger) -> None:
        ledgers.append(ledger)

    async with receiving(path, Listener(taken.offer, on_ledger)):
        yield path, taken, ledgers


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["reverse", "regular"])
async def test_flows_reach_the_pipeline_and_files(tmp_path: Path, mode: str) -> None:
    flows = tmp_path / "flows"
    async with serving(answering(OK)) as port, _pipeline(tmp_path) as (path, taken, ledgers):
        chosen = f"reverse:http://127.0.0.1:{port}" if mode == "reverse" else ""
        target = b"/x?y" if mode == "reverse" else b"http://127.0.0.1:%d/x?y" % port
        async with _mitmdump(tmp_path, "-w", str(flows), tap=path, mode=chosen) as proxy:
            request = (
                b"POST %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi" % target
            )
            assert await proxy.ask(request) == OK
            exchange = await taken.exchange()
            told = await proxy.end()
    assert (exchange.request.target, exchange.request.body) == (b"/x?y", b"hi")
    assert exchange.response is not None
    assert (exchange.response.body, exchange.response.is_complete) == (b"ok", True)
    assert exchange.live == f"127.0.0.1:{port}"
    assert exchange.tap == "mitmdump"
    assert "shadow tapped 1: 1 received" in told
    assert (ledgers[-1].captured, ledgers[-1].in_flight) == (1, 0)
    assert flows.stat().st_size > 0


@pytest.mark.slow
async def test_what_other_addons_do_is_coped_with(tmp_path: Path) -> None:
    seen: list[bytes] = []
    meddler = tmp_path / "meddler.py"
    await asyncio.to_thread(meddler.write_text, _MEDDLER)
    options = ("-s", str(meddler), "--set", "shadow_live=live:1")
    async with (
        serving(answering(OK, seen)) as port,
        _pipeline(tmp_path) as (path, taken, ledgers),
        _mitmdump(tmp_path, *options, tap=path, mode=f"reverse:http://127.0.0.1:{port}") as proxy,
    ):
        post = b"POST %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi"
        await proxy.ask(post % b"/killed")
        assert (await proxy.ask(post % b"/local")).endswith(b"made up")
        assert await proxy.ask(post % b"/edited") == OK
        exchange = await taken.exchange()
        await proxy.end()
    assert seen[0].startswith(b"POST /other HTTP/1.1\r\n")
    assert (exchange.request.target, exchange.request.body) == (b"/other", b"edited")
    assert (b"x-added", b"1") in exchange.request.headers
    assert exchange.live == "live:1"
    assert taken.all.empty()
    assert ledgers[-1].unparsed == {"killed": 1, "answered_by_addon": 1}


@pytest.mark.slow
async def test_grpc_without_tls_passes_where_that_is_wanted(tmp_path: Path) -> None:
    options = ("--set", "shadow_h2c=true", "--set", "shadow_stream=true")
    async with (
        serving_http2(echo) as port,
        _pipeline(tmp_path) as (path, taken, _),
        _mitmdump(tmp_path, *options, tap=path, mode=f"reverse:http://127.0.0.1:{port}") as proxy,
        calling(proxy.host, proxy.port) as client,
    ):
        call = client.call(b"/echo/talk")
        for word in (b"one", b"two"):
            call.message(word)
            assert await call.heard() == b"re:" + word
        call.say(b"", ends=True)
        await call.rest()
        exchange = await taken.exchange()
    assert [each.body for each in exchange.messages] == [b"one", b"re:one", b"two", b"re:two"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((), "shadow taps nothing: --set shadow_socket=PATH is missing"),
        (("--set", "shadow_socket=/nowhere/feed.sock"), "shadow taps to /nowhere/feed.sock; nobody listens"),
    ],
    ids=["no socket", "no pipeline"],
)
async def test_live_traffic_does_not_need_a_pipeline(
    tmp_path: Path, options: tuple[str, ...], told: str
) -> None:
    async with (
        serving(answering(OK)) as port,
        _mitmdump(tmp_path, *options, mode=f"reverse:http://127.0.0.1:{port}") as proxy,
    ):
        assert [await proxy.ask(GET) for _ in range(3)] == [OK] * 3
        assert told in await proxy.end()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("shadow_live=http://a", "shadow_live 'http://a' is no HOST:PORT"),
        ("shadow_filter=~x ~y", "Invalid filter expression"),
        ("shadow_socket=/" + "x" * 200, "choose a shorter folder"),
        ("shadow_max_body_bytes=0", "shadow_max_body_bytes must be positive"),
    ],
    ids=["live", "filter", "socket", "bytes"],
)
async def test_a_wrong_option_is_told(tmp_path: Path, option: str, told: str) -> None:
    async with _mitmdump(tmp_path, "--set", option, mode="reverse:http://127.0.0.1:1") as proxy:
        if not any(told in line for line in proxy.told):
            await proxy.until(told)
