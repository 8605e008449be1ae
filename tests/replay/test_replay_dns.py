"""DNS queries asked again, with dnspython as the server that knows the standard without us."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import dns.flags
import dns.message
import dns.rrset
import pytest

from shadow.model import Message
from shadow.replay._contract import Target
from shadow.replay.guard import Guard, GuardSettings
from tests.replay.talks import remarks, said, silence, talk, transport

type Answer = Callable[[dns.message.Message, bool], list[bytes]]
"""From a query, and whether it came by TCP, to messages."""


def query(name: str = "www.example", kind: str = "A") -> bytes:
    return dns.message.make_query(name, kind, id=7).to_wire()


def answered(text: bytes, *data: str, ttl: int = 60, flags: int = 0) -> bytes:
    """An answer to the query `text` that holds these records of its type."""
    asked = dns.message.from_wire(text)
    made = dns.message.make_response(asked)
    made.flags |= flags
    if data:
        question = asked.question[0]
        made.answer.append(dns.rrset.from_text(question.name, ttl, "IN", question.rdtype, *data))
    return made.to_wire()


def recorded(asked: bytes, *answers: bytes) -> tuple[Message, ...]:
    return (Message(True, asked, 1.0), *(Message(False, each, 1.1) for each in answers))


@asynccontextmanager
async def server(answer: Answer) -> AsyncIterator[int]:
    class Udp(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport: Any = transport

        def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
            for each in answer(dns.message.from_wire(data), False):
                self.transport.sendto(each, addr)

    async def tcp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = int.from_bytes(await reader.readexactly(2))
        asked = dns.message.from_wire(await reader.readexactly(size))
        for each in answer(asked, True):
            framed = len(each).to_bytes(2) + each
            writer.write(framed[:3])
            await writer.drain()
            writer.write(framed[3:])
        writer.close()

    listening = await asyncio.start_server(tcp, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    udp, _ = await asyncio.get_running_loop().create_datagram_endpoint(Udp, local_addr=("127.0.0.1", port))
    try:
        yield port
    finally:
        udp.close()
        listening.close()


ADDRESS = answered(query(), "192.0.2.1")


async def test_answer_is_the_one_to_the_query() -> None:
    other = answered(query("other.example"), "192.0.2.9")
    stranger = b"\x00\x08" + ADDRESS[2:]

    def answer(asked: dns.message.Message, by_tcp: bool) -> list[bytes]:
        assert asked.id == 7
        return [b"no dns", other, stranger, query(), ADDRESS]

    async with server(answer) as port, transport("dns", port) as resolver:
        assert said(await resolver.send(talk(recorded(query(), ADDRESS), "dns"))) == [ADDRESS]


async def test_cut_answer_is_asked_for_again_over_tcp() -> None:
    asked = query("big.example", "TXT")
    whole = answered(asked, *(f'"{number}{"x" * 100}"' for number in range(20)))
    cut = answered(asked, flags=dns.flags.TC)
    async with (
        server(lambda _, by_tcp: [whole if by_tcp else cut]) as port,
        transport("dns", port) as resolver,
    ):
        outcome = await resolver.send(talk(recorded(asked, whole), "dns"))
        assert said(outcome) == [whole]
        assert remarks(outcome) == ("cut over UDP, so it was asked for again over TCP",)
        assert said(await resolver.send(talk(recorded(asked, cut), "dns"))) == [cut]


async def test_asking_again_over_tcp_has_its_own_turn() -> None:
    asked = query("big.example", "TXT")
    cut = answered(asked, flags=dns.flags.TC)
    by: list[bool] = []

    def answer(_: dns.message.Message, by_tcp: bool) -> list[bytes]:
        by.append(by_tcp)
        return [cut]

    async with server(answer) as port:
        target = Target("candidate", "dns", "127.0.0.1", port)
        guard = Guard(GuardSettings(requests_max=1), [target])
        async with transport("dns", port, guard=guard) as resolver:
            outcome = await resolver.send(talk(recorded(asked, answered(asked, '"x"')), "dns"))
    assert silence(outcome) == "unsent"
    assert by == [False]


async def test_server_that_cuts_and_takes_no_tcp_is_not_down(unused_udp_port: int) -> None:
    class Cutting(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport: Any = transport

        def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
            self.transport.sendto(answered(data, flags=dns.flags.TC), addr)

    udp, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        Cutting, local_addr=("127.0.0.1", unused_udp_port)
    )
    async with transport("dns", unused_udp_port) as resolver:
        assert silence(await resolver.send(talk(recorded(query(), ADDRESS), "dns"))) == "reset"
    udp.close()


async def test_zone_transfer_goes_over_tcp_with_all_its_messages() -> None:
    asked = query("example", "AXFR")
    parts = [answered(query("a.example"), "192.0.2.1")[:2] + answered(asked)[2:] for _ in range(3)]

    def answer(_: dns.message.Message, by_tcp: bool) -> list[bytes]:
        return parts if by_tcp else []

    async with server(answer) as port, transport("dns", port) as resolver:
        assert said(await resolver.send(talk(recorded(asked, *parts), "dns"))) == parts


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        pytest.param([], "timed_out", id="nothing"),
        pytest.param([b"x"], "malformed", id="no DNS"),
        pytest.param([answered(query("b.example"))], "malformed", id="another question"),
    ],
)
async def test_silence_is_a_value(answers: list[bytes], why: str) -> None:
    async with server(lambda *_: answers) as port, transport("dns", port) as resolver:
        outcome = await resolver.send(talk(recorded(query(), ADDRESS), "dns", timeout_seconds=0.1))
        assert silence(outcome) == why


async def test_nobody_there_is_a_value(unused_udp_port: int) -> None:
    async with transport("dns", unused_udp_port) as resolver:
        assert silence(await resolver.send(talk(recorded(query(), ADDRESS), "dns"))) == "refused"


@pytest.mark.parametrize("messages", [(), (Message(True, b"x", 1.0),)], ids=["none", "no DNS"])
async def test_what_is_no_query_is_not_sent(messages: tuple[Message, ...]) -> None:
    async with server(lambda *_: [ADDRESS]) as port, transport("dns", port) as resolver:
        assert silence(await resolver.send(talk(messages, "dns"))) == "unsent"
