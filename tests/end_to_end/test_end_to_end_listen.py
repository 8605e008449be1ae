"""`shadow listen`: taps that run elsewhere, and come and go."""

import asyncio
from pathlib import Path

import pytest

from shadow.feed.frames import Hello
from shadow.feed.sender import Sender
from shadow.model import Exchange, Request, Response
from tests.end_to_end.conftest import Opened, findings, ledger, running, shadow

pytestmark = pytest.mark.slow


def _seen(number: int) -> Exchange:
    said = b'{"id": %d, "name": "item %d", "price": %d}' % (number, number, number * 10)
    headers = ((b"Content-Type", b"application/json"), (b"Cache-Control", b"no-store"))
    request = Request(b"GET", b"/items/%d" % number, headers=((b"Host", b"shop.test"),))
    return Exchange(
        number, "mitmdump", f"c{number}", 1.7e9, request, Response(200, headers=headers, body=said)
    )


async def _tap(path: Path, run: str, *numbers: int) -> int:
    """How many a tap could hand on before it ended in order."""
    sender = Sender(path, Hello("mitmdump", run))
    for number in numbers:
        sender.offer(_seen(number))
    return (await asyncio.to_thread(sender.close)).acknowledged


async def test_taps_come_and_go_and_ctrl_c_ends_in_order(tmp_path: Path, opened: Opened) -> None:
    live, candidate = await opened(), await opened("no price")
    path = tmp_path / "feed" / "feed.sock"
    targets = ("--live", live.url, "--candidate", candidate.url, "--mutants", "0")
    async with running("listen", "--socket", str(path), *targets, cwd=tmp_path) as listening:
        await listening.until("candidate is up")
        assert await _tap(path, "r1", 1, 2, 3) == 3
        await listening.until("field price: missing")
        assert await _tap(path, "r2", 4, 5) == 2
        await candidate.until(lambda shop: len(shop.asked) >= 5)
        assert await listening.end() == 1, listening.told
    assert ledger(listening.out) == {
        "captured": 5,
        "replayed": 5,
        "filtered": 0,
        "sampled_out": 0,
        "dropped": 0,
        "unparsed": 0,
    }
    assert [each["where"] for each in findings(listening.out)] == [["body:$.price"]]
    assert live.asked == []


async def test_the_time_may_be_limited(tmp_path: Path, opened: Opened) -> None:
    live, candidate = await opened(), await opened()
    path = tmp_path / "feed" / "feed.sock"
    targets = ("--live", live.url, "--candidate", candidate.url, "--duration", "1s")
    ended = await shadow("listen", "--socket", str(path), *targets, cwd=tmp_path)
    assert ended.code == 0, ended.err
    assert not path.exists()


@pytest.mark.parametrize("same", ["--live", "--listen"])
async def test_the_live_service_and_what_leads_to_it_are_never_targets(
    tmp_path: Path, opened: Opened, same: str
) -> None:
    live = await opened()
    given = {"--live": "http://127.0.0.1:9", "--listen": "127.0.0.1:9"}
    given[same] = live.url if same == "--live" else live.url.removeprefix("http://")
    options = [word for option in given.items() for word in option]
    ended = await shadow(
        *("listen", "--socket", str(tmp_path / "feed" / "s"), *options, "--candidate", live.url),
        cwd=tmp_path,
    )
    assert ended.code == 3
    assert "is the live one" in ended.err
    assert live.asked == []
