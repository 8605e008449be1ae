"""Mutants of conversations said exactly: frames, segments, ends of connections, queries that are none."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from shadow.model import FRAMES, STILL_THERE, Ending, Message, Outcome, Reply, Silence
from shadow.replay._contract import Manner
from tests.replay.talks import said, script, silence, talk, tcp_service, transport
from tests.replay.test_replay_websocket import handshake

PING = Message(True, STILL_THERE, 1001.0, "ping")
PONG = Message(False, STILL_THERE, 1001.5, "pong")
SWITCHED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)


async def websocket(*messages: Message, answer: bytes) -> tuple[Outcome, bytes]:
    """What came of it at a server that answers all frames so; and the frames."""
    got = bytearray()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(SWITCHED)
        got.extend(await reader.read(1000))
        writer.write(answer)
        while more := await reader.read(1000):
            got.extend(more)

    async with tcp_service(serve) as port, transport("http", port) as sender:
        sending = talk(messages, "websocket", request=handshake(), manner=Manner(), timeout_seconds=2.0)
        return await sender.send(sending), bytes(got)


async def test_frames_go_out_as_they_are_and_the_pong_is_heard() -> None:
    raw = b"\xf3\x00no frame of anyone's"
    outcome, got = await websocket(
        Message(True, raw, 1000.0, FRAMES),
        PING,
        PONG,
        answer=b"\x8a" + bytes((len(STILL_THERE),)) + STILL_THERE,
    )
    assert got.startswith(raw)
    assert isinstance(outcome, Reply)
    assert [(each.kind, each.body) for each in outcome.messages] == [("pong", STILL_THERE)]
    assert outcome.ending is None


@pytest.mark.parametrize(
    ("answer", "messages"),
    [(b"\x88\x02\x03\xea", [b"\x03\xea"]), (b"\x8a\x05other\x88\x00", [b""])],
    ids=["closed with a code", "another pong, and a close"],
)
async def test_close_is_heard_and_how_it_ended(answer: bytes, messages: list[bytes]) -> None:
    outcome, _ = await websocket(Message(True, b"\x83\x00", 1000.0, FRAMES), PING, PONG, answer=answer)
    assert said(outcome) == messages
    assert isinstance(outcome, Reply)
    assert outcome.ending is Silence.CLOSED


async def test_late_close_is_listened_for_where_asked() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(SWITCHED)
        await reader.read(1000)
        writer.write(b"\x8a" + bytes((len(STILL_THERE),)) + STILL_THERE)
        await writer.drain()
        await asyncio.sleep(0.2)  # what is tested: twice as long as is listened for otherwise
        writer.write(b"\x88\x02\x03\xef")
        await reader.read()

    async with tcp_service(serve) as port, transport("http", port) as sender:
        manner = Manner(listens_seconds=2.0)
        outcome = await sender.send(talk((PING, PONG), "websocket", request=handshake(), manner=manner))
    assert said(outcome) == [STILL_THERE, b"\x03\xef"]


async def test_segments_are_read_one_by_one() -> None:
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            heard.append(data)
            if data.endswith(b"\n"):
                writer.write(b"ok\n")

    async with tcp_service(serve) as port, transport("tcp", port) as tcp:
        pieces = script(">on", ">e\n", "<ok\n")
        outcome = await tcp.send(talk(pieces, manner=Manner(pause_seconds=0.1)))
    assert said(outcome) == [b"ok\n"]
    assert heard == [b"on", b"e\n"]


@pytest.mark.parametrize("ending", [Ending.READ, Ending.HALF_CLOSE, Ending.RESET])
async def test_the_connection_ends_as_asked(ending: Ending) -> None:
    ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(4)
        try:
            if await reader.read(1) == b"":
                ended.set_result("end")
                writer.write(b"bye")
        except ConnectionResetError:
            ended.set_result("reset")

    async with tcp_service(serve) as port, transport("tcp", port) as tcp:
        messages = script(">half") if ending is Ending.RESET else script(">half", "<bye")
        outcome = await tcp.send(talk(messages, manner=Manner(ending=ending), timeout_seconds=1.0))
        async with asyncio.timeout(5):
            assert await ended == ("reset" if ending is Ending.RESET else "end")
    if ending is Ending.HALF_CLOSE:
        assert said(outcome) == [b"bye"]


async def test_mutant_that_went_wrong_is_not_waited_for_at_every_step() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    messages = script(*[text for number in range(8) for text in (f">ask {number}", "<answer")])
    async with tcp_service(serve) as port, transport("tcp", port) as tcp:
        async with asyncio.timeout(6):
            outcome = await tcp.send(talk(messages, manner=Manner()))
    assert silence(outcome) in ("timed_out", "closed")


@asynccontextmanager
async def name_server(*answers: bytes) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Gives these answers to whatever comes."""
    asked: list[bytes] = []

    class Server(asyncio.DatagramProtocol):
        def connection_made(self, made: asyncio.BaseTransport) -> None:
            self.made = made

        def datagram_received(self, data: bytes, addr: object) -> None:
            asked.append(data)
            for each in answers:
                self.made.sendto(each, addr)  # type: ignore[attr-defined]  # it is a datagram transport

    loop = asyncio.get_running_loop()
    made, _ = await loop.create_datagram_endpoint(Server, local_addr=("127.0.0.1", 0), family=socket.AF_INET)
    try:
        yield made.get_extra_info("sockname")[1], asked
    finally:
        made.close()


@pytest.mark.parametrize("text", [b"\x12\x34", b"\x12\x34\x80\x00no query", b"\x12\x34" + b"\xc0\x0c" * 20])
async def test_what_is_no_query_is_asked_and_answered_by_its_id(text: bytes) -> None:
    formerr = b"\x12\x34\x80\x01"
    answers = (b"\x99\x99\x80\x00", b"\x12\x34\x00\x00", formerr)
    messages = (Message(True, text, 1.0), Message(False, b"recorded", 1.1))
    async with name_server(*answers) as (port, asked), transport("dns", port) as sender:
        outcome = await sender.send(talk(messages, "dns", manner=Manner()))
    assert asked == [text]
    assert said(outcome) == [formerr]


async def test_query_asked_twice_is_sent_twice() -> None:
    async with name_server(b"\x12\x34\x80\x00") as (port, asked), transport("dns", port) as sender:
        outcome = await sender.send(talk((Message(True, b"\x12\x34ab", 1.0),) * 2, "dns", manner=Manner()))
    assert asked == [b"\x12\x34ab"] * 2
    assert len(said(outcome)) == 2
