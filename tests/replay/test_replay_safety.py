"""The live service is sent nothing, whatever its name or a candidate's answer says: over every transport."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from shadow.errors import TargetError, UnsafeError
from shadow.model import Message, Request, Silence
from shadow.replay._contract import Sending, Target
from shadow.replay.guard import Guard, GuardSettings
from shadow.run.linking import transports
from tests.replay.conftest import Serve, answering, request, response_of, why

QUERY = bytes.fromhex("12340100000100000000000003777777076578616d706c6503636f6d0000010001")
UPGRADE = Request(
    b"GET",
    b"/",
    headers=(
        (b"Host", b"h"),
        (b"Upgrade", b"websocket"),
        (b"Connection", b"Upgrade"),
        (b"Sec-WebSocket-Version", b"13"),
        (b"Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25jZQ=="),
    ),
)
EMPTY = Request(b"", b"", b"")


def talk(protocol: str, body: bytes, handshake: Request = EMPTY) -> Sending:
    return Sending(handshake, None, 2.0, "a", protocol, (Message(True, body, 0.0, "text"),))


CARRIERS = {
    ("http", "raw"): Sending(request(), None, 2.0, "a"),
    ("http", "aiohttp"): Sending(request(), None, 2.0, "a"),
    ("https", "raw"): Sending(request(), None, 2.0, "a"),
    ("https", "aiohttp"): Sending(request(), None, 2.0, "a"),
    ("http", "http2"): Sending(request(), None, 2.0, "a"),
    ("https", "http2"): Sending(request(), None, 2.0, "a"),
    ("http", "websocket"): talk("websocket", b"hi", UPGRADE),
    ("tcp", "tcp"): talk("tcp", b"hi"),
    ("tls", "tcp"): talk("tcp", b"hi"),
    ("udp", "udp"): talk("udp", b"hi"),
    ("dns", "dns"): talk("dns", QUERY),
}


ADDRESSES = [
    *("127.0.0.1", "127.0.0.2", "::ffff:127.0.0.1", "::127.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1"),
    *("64:ff9b:1::7f00:1", "0.0.0.0", "::", "::1"),
]
"""All of them are, or lead to, this machine."""


class Live(asyncio.DatagramProtocol):
    """A live service on TCP and UDP that remembers whether anyone came."""

    def __init__(self) -> None:
        self.port = 0
        self.met = 0

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.met += 1


@asynccontextmanager
async def living() -> AsyncIterator[Live]:
    live = Live()

    def met(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        live.met += 1
        writer.close()

    server = await asyncio.start_server(met, "127.0.0.1", 0)
    live.port = server.sockets[0].getsockname()[1]
    loop = asyncio.get_running_loop()
    udp, _ = await loop.create_datagram_endpoint(lambda: live, local_addr=("127.0.0.1", live.port))
    try:
        yield live
    finally:
        udp.close()
        server.close()


class Names:
    """A resolver under an enemy's hand: the candidate's name leads elsewhere each time it is asked for."""

    def __init__(self, answers: Iterator[str]) -> None:
        self._answers = answers

    async def __call__(self, host: str, port: int) -> list[str]:
        return [next(self._answers)] if host == "candidate.test" else ["127.0.0.1"]


@pytest.mark.parametrize("carrier", CARRIERS, ids=" ".join)
@pytest.mark.parametrize("address", ADDRESSES)
async def test_a_name_that_leads_to_the_live_service_after_the_check_gets_nothing(
    carrier: tuple[str, str], address: str
) -> None:
    scheme, name = carrier
    async with living() as live:
        target = Target("candidate", scheme, "candidate.test", live.port)
        guard = Guard(
            GuardSettings(live=(f"live.test:{live.port}",)),
            [target],
            resolve=Names(iter(["192.0.2.1", address, address, "192.0.2.1"])),
            is_local=lambda ip: ip.is_unspecified or ip.is_loopback,
        )
        await guard.check()
        transport = transports(target, guard)[name]
        assert transport.can_send(CARRIERS[carrier])
        assert why(await transport.send(CARRIERS[carrier])) is Silence.UNSENT
        assert "is the live one" in guard.halted
        assert why(await transport.send(CARRIERS[carrier])) is Silence.UNSENT, "for good"
        await transport.close()
        await asyncio.sleep(0)
        assert live.met == 0


@pytest.mark.parametrize("carrier", CARRIERS, ids=" ".join)
@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"requests_max": 0}, "the budget of 0 requests is spent"),
        ({"bytes_max": 1}, "the budget of 1 bytes is spent"),
        ({"kill_file": "/proc/self/status"}, "the kill switch"),
    ],
    ids=["requests", "bytes", "kill file"],
)
async def test_nothing_leaves_beyond_what_is_allowed(
    carrier: tuple[str, str], settings: dict[str, object], says: str
) -> None:
    scheme, name = carrier
    async with living() as live:
        target = Target("candidate", scheme, "127.0.0.1", live.port)
        guard = Guard(GuardSettings(**settings), [target])  # type: ignore[arg-type]  # as the settings take them
        transport = transports(target, guard)[name]
        outcome = await transport.send(CARRIERS[carrier])
        assert why(outcome) is Silence.UNSENT
        assert says in str(outcome)
        await transport.close()
        await asyncio.sleep(0)
        assert live.met == 0
        assert guard.admitted == guard.admitted_bytes == 0


def test_every_transport_is_in_the_table() -> None:
    for scheme in ("http", "https", "tcp", "tls", "udp", "dns"):
        target = Target("candidate", scheme, "127.0.0.1", 9)
        for name in transports(target, Guard(GuardSettings(), [target])):
            assert (scheme, name) in CARRIERS or (scheme, name) == ("https", "websocket")


@pytest.mark.parametrize("name", ["raw", "aiohttp"])
async def test_no_answer_says_where_to_connect(serve: Serve, name: str) -> None:
    async with living() as live:
        there = b"http://127.0.0.1:%d/" % live.port
        fields = b"Location: %b\r\nContent-Location: %b\r\nRefresh: 0; url=%b\r\n" % (there, there, there)
        services = b'Alt-Svc: h2=":%d"; ma=60, http/1.1="127.0.0.1:%d"; ma=60\r\n' % (live.port, live.port)
        for status in (b"301", b"302", b"303", b"307", b"308", b"305", b"200", b"421"):
            head = b"HTTP/1.1 %b X\r\n%b%bContent-Length: 0\r\n\r\n" % (status, fields, services)
            server = await serve(answering(head))
            transport = transports(server.target, Guard(GuardSettings(), [server.target]))[name]
            for _ in range(2):
                outcome = await transport.send(Sending(request(), None, 2.0, "a"))
                assert response_of(outcome).status == int(status)
            assert sum(peer.count for peer in server.peers) == 2
            await transport.close()
        assert live.met == 0


@pytest.mark.parametrize(
    "host",
    [
        *(
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f.1",
            "0x7f000001",
            "0177.0.0.1",
            "127.0.0.1.",
            "127.8.8.8",
        ),
        *("localhost", "LOCALHOST", "localhost.", "::1", "::ffff:127.0.0.1", "0.0.0.0", "0", "::"),
    ],
)
@pytest.mark.parametrize("live", ["http://127.0.0.1:8000", "localhost:8000", "[::1]:8000", "0.0.0.0:8000"])
async def test_no_spelling_of_this_machine_gets_past_the_guard(host: str, live: str) -> None:
    """With the system's own resolver; what it cannot resolve cannot be connected to either."""
    target = Target("candidate", "http", host, 8000)
    with pytest.raises((UnsafeError, TargetError)):
        await Guard(GuardSettings(live=(live,)), [target]).check()
