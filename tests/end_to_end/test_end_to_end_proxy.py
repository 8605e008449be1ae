"""`shadow proxy`: clients, the live service, the shadow environment and two processes between them."""

import asyncio
import base64
import os
import signal
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest

from tests.end_to_end.conftest import Opened, Running, Shop, findings, ledger, proxying, serving

ONLY_ORIGINALS = ("--mutants", "0")
SECRETS = {"password": "sesame-open-1", "token": "tok-2b7d9c", "key": "key-55aa77"}

pytestmark = pytest.mark.slow


class Client:
    """Sends to the tap, and counts what came back."""

    def __init__(self, proxy: Running) -> None:
        self.statuses: list[int] = []
        self._proxy = proxy

    async def get(self, *targets: str, headers: dict[str, str] | None = None) -> None:
        async with aiohttp.ClientSession(self._proxy.url) as session:
            for target in targets:
                async with session.get(target, headers=headers) as response:
                    await response.read()
                    self.statuses.append(response.status)

    async def get_until(self, is_over: Callable[[], bool]) -> None:
        while not is_over():
            await self.get("/stock", "/items/1")


async def test_live_traffic_becomes_findings_and_reaches_live_alone(tmp_path: Path, opened: Opened) -> None:
    live, candidate = await opened(), await opened("no price")
    async with proxying(tmp_path, live=live, candidate=candidate) as proxy:
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


async def test_traffic_that_is_shadows_own_is_not_tapped(tmp_path: Path, opened: Opened) -> None:
    live, candidate = await opened(), await opened()
    async with proxying(tmp_path, live=live, candidate=candidate, arguments=ONLY_ORIGINALS) as proxy:
        client = Client(proxy)
        await client.get("/items/1", headers={"Shadow-Run": "1a2b3c", "Shadow-Trial": "7"})
        await client.get("/items/2")
        await candidate.until(lambda shop: bool(shop.seen))
        assert await proxy.end() == 0, proxy.told
    assert client.statuses == [200, 200]
    assert len(live.seen) == 2
    assert [target for _, target, _ in candidate.asked] == ["/items/2"]
    assert ledger(proxy.out)["captured"] == 1


async def test_a_killed_pipeline_is_not_noticed_by_clients_and_comes_back(
    tmp_path: Path, opened: Opened
) -> None:
    live, candidate = await opened(), await opened()
    async with proxying(tmp_path, live=live, candidate=candidate, arguments=ONLY_ORIGINALS) as proxy:
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


@pytest.mark.parametrize("switch", ["signal", "admin"])
async def test_a_kill_switch_stops_all_but_live_traffic(tmp_path: Path, opened: Opened, switch: str) -> None:
    live, candidate = await opened(), await opened()
    arguments = (*ONLY_ORIGINALS, "--admin", "127.0.0.1:0")
    async with proxying(tmp_path, live=live, candidate=candidate, arguments=arguments) as proxy:
        client = Client(proxy)
        await client.get("/items/1")
        await candidate.until(lambda shop: len(shop.seen) == 1)
        if switch == "signal":
            proxy.send_signal(signal.SIGUSR1)
        else:
            url = proxy.told.partition("admin at ")[2].split()[0]
            async with aiohttp.ClientSession() as session, session.post(f"{url}/stop") as response:
                assert (await response.json())["state"] == "stopping"
        await proxy.until("a safety rule stopped the pipeline; live traffic goes on")
        await client.get(*["/items/2"] * 20)
        assert await proxy.end() == 3, proxy.told
    assert set(client.statuses) == {200}
    assert len(live.seen) == 21
    assert len(candidate.seen) == 1


async def test_a_candidate_that_starts_late_is_taken_up(tmp_path: Path, opened: Opened) -> None:
    live, candidate = await opened(), Shop("no price")
    async with serving(Shop()) as first:
        port = int(first.url.rpartition(":")[2])
        candidate.url = first.url
    async with proxying(tmp_path, live=live, candidate=candidate, arguments=ONLY_ORIGINALS) as proxy:
        assert "candidate is down" in proxy.told
        client = Client(proxy)
        await client.get("/items/1", "/items/2", "/items/3")
        async with serving(candidate, port):
            is_over = asyncio.Event()
            async with asyncio.TaskGroup() as group:
                group.create_task(client.get_until(is_over.is_set), name="clients")
                await proxy.until("field price: missing")
                is_over.set()
            assert await proxy.end() == 1, proxy.told
    assert set(client.statuses) == {200}
    assert ledger(proxy.out)["captured"] == len(client.statuses)


async def test_no_secret_of_the_traffic_is_written_anywhere(tmp_path: Path, opened: Opened) -> None:
    live, candidate = await opened(), await opened("no price", "caches")
    async with proxying(tmp_path, live=live, candidate=candidate) as proxy:
        headers = {"Authorization": f"Bearer {SECRETS['token']}", "X-Api-Key": SECRETS["key"]}
        await Client(proxy).get("/items/1", "/items/2", headers=headers)
        async with aiohttp.ClientSession(proxy.url) as session:
            await (await session.post("/orders", json={"password": SECRETS["password"]})).read()
        await candidate.until(lambda shop: any(method == "POST" for method, _, _ in shop.asked))
        assert await proxy.end() == 1, proxy.told
    written = b"".join(path.read_bytes() for path in proxy.out.iterdir()) + proxy.told.encode()
    assert b"<redacted:" in written
    for secret in SECRETS.values():
        assert not any(form in written for form in _forms(secret.encode()))
    assert any(SECRETS["password"].encode() in body for _, _, body in candidate.asked)


async def test_metrics_tell_what_became_of_the_traffic(tmp_path: Path, opened: Opened) -> None:
    live, candidate = await opened(), await opened("no stock")
    arguments = (*ONLY_ORIGINALS, "--metrics", "127.0.0.1:0")
    async with proxying(tmp_path, live=live, candidate=candidate, arguments=arguments) as proxy:
        url = proxy.told.partition("metrics at ")[2].split()[0]
        await Client(proxy).get("/stock")
        await proxy.until("server error on GET /stock")
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            metrics = await response.text()
        assert await proxy.end() == 1, proxy.told
    assert 'shadow_exchanges_total{fate="replayed",tap="mitm"} 1.0' in metrics
    assert 'shadow_findings{severity="high"} 1.0' in metrics


def _forms(secret: bytes) -> list[bytes]:
    """The text itself, and what stays the same of its base64 wherever it begins."""
    return [secret, *(base64.b64encode(b"\0" * shift + secret)[4:-4] for shift in range(3))]
