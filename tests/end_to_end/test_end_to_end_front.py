"""`shadow proxy --front light`: the same as with mitmproxy, by a relay of bytes."""

import asyncio
import os
import signal
from pathlib import Path

import aiohttp
import pytest

from tests.end_to_end.conftest import Opened, findings, ledger, proxying, shadow
from tests.end_to_end.test_end_to_end_proxy import ONLY_ORIGINALS, Client

LIGHT = ("--front", "light")

pytestmark = pytest.mark.slow


async def test_live_traffic_becomes_findings_and_reaches_live_alone(tmp_path: Path, opened: Opened) -> None:
    live, candidate = await opened(), await opened("no price")
    async with proxying(tmp_path, live=live, candidate=candidate, arguments=LIGHT) as proxy:
        client = Client(proxy)
        await client.get("/items/1", "/items/2", "/stock", "/nowhere")
        await proxy.until("field price: missing")
        code = await proxy.end()
    assert code == 1, proxy.told
    assert client.statuses == [200, 200, 200, 404]
    assert [target for _, target, _ in live.asked] == ["/items/1", "/items/2", "/stock", "/nowhere"]
    assert live.marked == []
    assert candidate.marked == candidate.asked
    assert ("body:$.price",) in {tuple(each["where"]) for each in findings(proxy.out)}
    assert ledger(proxy.out)["captured"] == len(client.statuses)


async def test_a_killed_pipeline_is_not_noticed_by_clients_and_comes_back(
    tmp_path: Path, opened: Opened
) -> None:
    live, candidate = await opened(), await opened()
    arguments = (*LIGHT, *ONLY_ORIGINALS)
    async with proxying(tmp_path, live=live, candidate=candidate, arguments=arguments) as proxy:
        client = Client(proxy)
        is_over = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(client.get_until(is_over.is_set), name="clients")
            await candidate.until(lambda shop: len(shop.seen) > 20)
            os.kill(proxy.pipeline, signal.SIGKILL)
            await proxy.until("the pipeline ended with -9; live traffic goes on")
            before = len(candidate.seen)
            await candidate.until(lambda shop: len(shop.seen) > before + 20)
            is_over.set()
        assert await proxy.end() == 0, proxy.told
    assert set(client.statuses) == {200}
    assert len(live.seen) == len(client.statuses)
    assert live.marked == []
    assert ledger(proxy.out)["captured"] == len(client.statuses)


async def test_metrics_and_the_end_tell_what_became_of_the_traffic(tmp_path: Path, opened: Opened) -> None:
    live, candidate = await opened(), await opened("no stock")
    arguments = (*LIGHT, *ONLY_ORIGINALS, "--metrics", "127.0.0.1:0")
    async with proxying(tmp_path, live=live, candidate=candidate, arguments=arguments) as proxy:
        url = proxy.told.partition("metrics at ")[2].split()[0]
        await Client(proxy).get("/stock")
        _, port = proxy.url.rsplit(":", 1)
        reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
        writer.write(b"SSH-2.0-lost\r\n\r\n")
        await reader.read()
        writer.close()
        await proxy.until("server error on GET /stock")
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            metrics = await response.text()
        assert await proxy.end() == 1, proxy.told
    assert 'shadow_exchanges_total{fate="replayed",tap="front"} 1.0' in metrics
    assert "of 2 connections some passed unread: 1 SSH" in proxy.told


async def test_a_front_that_does_not_exist_is_told(tmp_path: Path) -> None:
    (tmp_path / "shadow.toml").write_text('front = "heavy"\nlive = "http://a"\ncandidate = "http://b"\n')
    by_option = await shadow("proxy", "--front", "heavy", cwd=tmp_path)
    by_file = await shadow("proxy", "--config", "shadow.toml", cwd=tmp_path)
    assert (by_option.code, by_file.code) == (2, 2)
    assert "'heavy' is not one of 'mitm', 'light'" in by_option.err
    assert "front is 'heavy': choose one of 'mitm', 'light'" in by_file.err
