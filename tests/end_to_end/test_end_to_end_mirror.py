"""`shadow mirror`: clients, a real nginx that mirrors, and the shadow environment."""

from pathlib import Path

import aiohttp
import pytest

from tests.end_to_end.conftest import Opened, findings, ledger, receiving, shadow
from tests.nginx import mirroring_nginx

ONLY_ORIGINALS = ("--mutants", "0")

pytestmark = pytest.mark.slow


async def test_requests_that_nginx_mirrors_become_findings_by_what_the_baseline_answers(
    tmp_path: Path, opened: Opened
) -> None:
    live, candidate, baseline = await opened(), await opened("no price"), await opened()
    arguments = ("--live", live.url)
    async with (
        receiving(tmp_path, candidate=candidate, baseline=baseline, arguments=arguments) as tap,
        mirroring_nginx(
            tmp_path, live=live.url.removeprefix("http://"), shadow=tap.url.removeprefix("http://")
        ) as port,
    ):
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
            for target in ("/items/1", "/items/2", "/stock", "/nowhere"):
                async with session.get(target) as response:
                    assert response.status == (404 if target == "/nowhere" else 200)
            async with session.post("/orders", data=b"x" * 100_000) as response:
                assert response.status == 201
        await tap.until("field price: missing")
        code = await tap.end()
    assert code == 1, tap.told
    assert len(live.seen) == 5
    assert live.marked == []
    assert [target for _, target, _ in baseline.asked if target == "/orders"]
    found = {tuple(each["where"]): each for each in findings(tap.out)}
    regression = found[("body:$.price",)]
    assert regression["kind"] == "regression"
    assert regression["why"].endswith("the candidate has nothing; the baseline says so, live is unseen")
    assert ledger(tap.out)["captured"] == 5


async def test_without_a_baseline_originals_are_not_judged_which_is_said(
    tmp_path: Path, opened: Opened
) -> None:
    candidate = await opened("no price")
    async with receiving(tmp_path, candidate=candidate, arguments=ONLY_ORIGINALS) as tap:
        await tap.until("without a --baseline only mutants are judged")
        async with aiohttp.ClientSession(tap.url) as session, session.get("/items/1") as response:
            assert response.status == 202
        await candidate.until(lambda shop: bool(shop.seen))
        assert await tap.end() == 0, tap.told
    assert findings(tap.out) == []
    assert ledger(tap.out) == ledger(tap.out) | {"captured": 1, "replayed": 1}


async def test_a_live_service_that_is_the_tap_itself_is_refused(tmp_path: Path) -> None:
    ended = await shadow(
        *("mirror", "--listen", "127.0.0.1:8099", "--live", "http://127.0.0.1:8099"),
        *("--candidate", "http://127.0.0.1:1"),
        cwd=tmp_path,
    )
    assert ended.code == 3
    assert "--live 'http://127.0.0.1:8099' is the tap's own --listen" in ended.err


async def test_a_candidate_is_needed(tmp_path: Path) -> None:
    ended = await shadow("mirror", cwd=tmp_path)
    assert ended.code == 2
    assert "missing --candidate URL" in ended.err
