"""UDP conversations said again to loopback peers."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from shadow.replay.guard import Guard, GuardSettings
from tests.replay.talks import said, script, silence, talk, transport

ECHOED = script(">one", "<ONE", ">two", "<TWO")
type Behave = Callable[[bytes], list[bytes]]


class Peer(asyncio.DatagramProtocol):
    def __init__(self, behave: Behave) -> None:
        self.heard: list[bytes] = []
        self.askers: set[Any] = set()
        self._behave = behave

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        self.heard.append(data)
        self.askers.add(addr)
        for each in self._behave(data):
            self._transport.sendto(each, addr)


@asynccontextmanager
async def peer(behave: Behave) -> AsyncIterator[tuple[int, Peer]]:
    made, found = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Peer(behave), local_addr=("127.0.0.1", 0)
    )
    try:
        yield made.get_extra_info("sockname")[1], found
    finally:
        made.close()


async def test_each_datagram_follows_what_came_before_it() -> None:
    async with peer(lambda data: [data.upper()]) as (port, other), transport("udp", port) as udp:
        assert said(await udp.send(talk(ECHOED, "udp"))) == [b"ONE", b"TWO"]
        assert other.heard == [b"one", b"two"]
        await udp.send(talk(ECHOED, "udp"))
        assert len(other.askers) == 2  # a port for each conversation


async def test_lost_answer_holds_back_nothing_but_a_moment() -> None:
    async with (
        peer(lambda data: [] if data == b"one" else [data.upper()]) as (port, _),
        transport("udp", port) as udp,
    ):
        assert said(await udp.send(talk(ECHOED, "udp", timeout_seconds=0.05))) == [b"TWO"]


async def test_empty_datagrams_are_sent_and_further_ones_heard() -> None:
    async with peer(lambda _: [b"a", b"more"]) as (port, other), transport("udp", port) as udp:
        assert said(await udp.send(talk(script(">", "<a"), "udp"))) == [b"a", b"more"]
        assert other.heard == [b""]


async def test_one_way_conversation_is_answered_by_nothing() -> None:
    async with peer(lambda _: []) as (port, other), transport("udp", port) as udp:
        assert said(await udp.send(talk(script(">a", ">b"), "udp"))) == []
        assert other.heard == [b"a", b"b"]


async def test_silence_is_a_value() -> None:
    async with peer(lambda _: []) as (port, _), transport("udp", port) as udp:
        assert silence(await udp.send(talk(ECHOED, "udp", timeout_seconds=0.05))) == "timed_out"


async def test_closed_port_is_a_value() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    async with transport("udp", port) as udp:
        assert silence(await udp.send(talk(ECHOED, "udp"))) == "refused"


@pytest.mark.parametrize("settings", [{"requests_max": 0}, {"live": ("127.0.0.1",)}], ids=["budget", "live"])
async def test_nothing_is_sent_where_the_guard_forbids_it(settings: dict[str, Any]) -> None:
    async with peer(lambda _: []) as (port, other):
        async with transport("udp", port) as udp:
            guard = Guard(GuardSettings(**settings), [udp.target])  # type: ignore[attr-defined]  # it has one
        async with transport("udp", port, guard=guard) as held:
            assert silence(await held.send(talk(ECHOED, "udp"))) == "unsent"
        assert other.heard == []


async def test_datagram_that_is_too_long_is_not_sent() -> None:
    async with peer(lambda _: []) as (port, _), transport("udp", port) as udp:
        assert silence(await udp.send(talk(script(b">" + bytes(70_000)), "udp"))) == "unsent"
