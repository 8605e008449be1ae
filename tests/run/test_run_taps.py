"""Live taps that are connected to, as their commands run them."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from shadow.config import Settings
from shadow.errors import UnsafeError
from shadow.feed.frames import Hello
from shadow.feed.sender import Sender
from shadow.run.front import FrontTap, unread
from shadow.run.mirror import MirrorTap
from shadow.run.supervision import LiveTap
from shadow.taps.front_reading import Readings, opening
from shadow.wire.http1 import Limits
from tests.run.conftest import serving
from tests.taps.proxies import PATIENCE_SECONDS, Taken


@pytest.mark.parametrize("kind", [FrontTap, MirrorTap])
async def test_tap_that_would_lead_to_itself_does_not_begin(kind: type[FrontTap | MirrorTap]) -> None:
    tap = kind(Settings(live="http://127.0.0.1:18080", listen="127.0.0.1:18080"))
    with pytest.raises(UnsafeError, match="would go round for ever"):
        await tap.prepare()


async def test_mirror_needs_to_know_no_live_service() -> None:
    tap = MirrorTap(Settings(listen="127.0.0.1:0"))
    await tap.prepare()
    assert not tap.settings.listen.endswith(":0")


async def carried(tap: LiveTap, folder: Path, *, asks: bytes) -> tuple[bytes, list[str], int]:
    """What is answered to `asks`, what the tap tells, and how many exchanges it saw."""
    await tap.prepare()
    told, stop, begun = list[str](), asyncio.Event(), asyncio.Event()

    def tell(line: str) -> None:
        told.append(line)
        begun.set()

    sender = Sender(folder / "feed.sock", Hello(tap.name))
    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as group:
        group.create_task(tap.carry(sender, stop, tell), name="tap")
        await begun.wait()
        host, _, port = tap.settings.listen.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(asks)
        writer.write_eof()
        answer = await reader.read()
        writer.close()
        stop.set()
    return answer, told, (await asyncio.to_thread(sender.close)).captured


async def test_front_passes_traffic_and_tells_where_it_listens(tmp_path: Path) -> None:
    async with serving(lambda _: (200, b"{}")) as url:
        tap = FrontTap(Settings(live=url, listen="127.0.0.1:0"))
        answer, told, captured = await carried(tap, tmp_path, asks=b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert answer.endswith(b"\r\n\r\n{}")
    assert told == [f"clients connect to http://{tap.settings.listen}, live is {url}"]
    assert captured == 1


@pytest.mark.parametrize("baseline", ["", "http://127.0.0.1:1"])
async def test_mirror_takes_requests_and_tells_what_a_missing_baseline_means(
    tmp_path: Path, baseline: str
) -> None:
    tap = MirrorTap(Settings(baseline=baseline, listen="127.0.0.1:0"))
    answer, told, captured = await carried(tap, tmp_path, asks=b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 202 ")
    assert told[0] == f"mirrors send to http://{tap.settings.listen}, and are answered 202"
    assert len(told) == (1 if baseline else 2)
    assert captured == 1


def test_what_passed_unread_is_told_in_the_end() -> None:
    readings = Readings(Taken(), live="a:80", max_held_bytes=1, open_with=opening(Limits()))
    assert unread(readings) == []
    readings.connection_count = 7
    readings.others = Counter({"TLS": 2, "SSH": 1})
    readings.unread_count = 4
    assert unread(readings) == [
        "of 7 connections some passed unread: 2 TLS, 1 SSH",
        "4 answers passed that could not be read as HTTP",
    ]
