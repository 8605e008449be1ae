"""Ctrl-C: what was found is written, what was not worked off is counted."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.end_to_end.conftest import PATIENCE_SECONDS, Ask, Opened, findings, ledger, recording, running

ASKS: list[Ask] = [("GET", f"/items/{number}", b"") for number in range(1, 61)]

pytestmark = pytest.mark.slow


@asynccontextmanager
async def hung_service() -> AsyncIterator[tuple[str, asyncio.Event]]:
    """URL of a service that takes requests and never answers, and an event for the first one."""
    asked = asyncio.Event()

    async def stay_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await reader.read(1):
            asked.set()
        await reader.read()
        writer.close()

    async with await asyncio.start_server(stay_silent, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        yield f"http://{host}:{port}", asked


async def test_once_ends_in_order_with_what_was_found(tmp_path: Path, opened: Opened) -> None:
    candidate = await opened("no price")
    (tmp_path / "a.pcap").write_bytes(recording(ASKS))
    arguments = ("replay", "a.pcap", "--mutants", "0", "--rate", "10", "--candidate", candidate.url)
    async with running(*arguments, cwd=tmp_path) as replay:
        await replay.until("field price: missing")
        assert await replay.end() == 1, replay.told
    assert [each["where"] for each in findings(replay.out)] == [["body:$.price"]]
    found = ledger(replay.out)
    assert 0 < found["replayed"] < len(ASKS)
    assert found["replayed"] + found["dropped"] == found["captured"]


async def test_twice_ends_at_once_even_where_the_candidate_hangs(tmp_path: Path) -> None:
    (tmp_path / "a.pcap").write_bytes(recording(ASKS))
    async with (
        hung_service() as (url, asked),
        running("replay", "a.pcap", "--candidate", url, cwd=tmp_path) as replay,
    ):
        async with asyncio.timeout(PATIENCE_SECONDS):
            await asked.wait()
        replay.interrupt()
        await replay.until("stopping")
        await replay.end()
    assert "Traceback" not in replay.told
    assert findings(replay.out) == []
    found = ledger(replay.out)
    assert found["replayed"] == 0
    assert found["dropped"] == found["captured"] > 0
