"""WebSockets said again, with wsproto's server side as the peer, and raw bytes where that is too good."""

import asyncio
from collections.abc import Callable, Sequence
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    Pong,
    RejectConnection,
    Request,
    TextMessage,
)
from wsproto.extensions import PerMessageDeflate

from shadow.model import Message, Outcome, Reply, Silence
from shadow.model import Request as Ask
from shadow.replay._contract import Wording
from shadow.replay.conversing import TalkSettings
from shadow.replay.hearing import Hearing
from shadow.replay.line import Line
from shadow.replay.websocket import _Client
from tests.replay.talks import remarks, said, script, silence, talk, tcp_service, transport

type Behave = Callable[["Server", Event], None]


class Server:
    """One connection at the server's side."""

    def __init__(self, writer: asyncio.StreamWriter, *, compresses: bool) -> None:
        self.writer = writer
        self.got: list[Event] = []
        self.deflate = PerMessageDeflate()
        self._compresses = compresses
        self._connection = WSConnection(ConnectionType.SERVER)

    def send(self, *events: Event) -> None:
        self.writer.write(b"".join(self._connection.send(event) for event in events))

    def say(self, text: str) -> None:
        self.send(TextMessage(data=text))

    def accept(self) -> None:
        self.send(AcceptConnection(extensions=[self.deflate] if self._compresses else []))

    async def run(self, reader: asyncio.StreamReader, behave: Behave) -> None:
        while data := await reader.read(65536):
            self._connection.receive_data(data)
            for event in self._connection.events():
                self.got.append(event)
                behave(self, event)


def handshake(*more: tuple[bytes, bytes]) -> Ask:
    fields = (
        (b"Host", b"127.0.0.1"),
        (b"Upgrade", b"websocket"),
        (b"Connection", b"Upgrade"),
        (b"Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25jZQ=="),
        (b"Sec-WebSocket-Version", b"13"),
    )
    return Ask(b"GET", b"/chat", headers=(*fields, *more))


COMPRESSED = (b"Sec-WebSocket-Extensions", b"permessage-deflate; client_max_window_bits")
CLOSE = Message(True, (1000).to_bytes(2) + b"bye", 1001.0, "close")


def chat(*lines: str, kind: str = "text") -> tuple[Message, ...]:
    return script(*lines, kind=kind)


async def outcome_of(
    behave: Behave,
    messages: Sequence[Message],
    *more: tuple[bytes, bytes],
    servers: list[Server] | None = None,
    timeout_seconds: float = 5.0,
    settings: TalkSettings | None = None,
    wording: Wording | None = None,
) -> Outcome:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server = Server(writer, compresses=bool(more))
        if servers is not None:
            servers.append(server)
        await server.run(reader, behave)

    usual = settings or TalkSettings(quiet_seconds=0.05, end_seconds=0.05)
    async with tcp_service(serve) as port, transport("http", port, settings=usual) as sender:
        sending = talk(
            tuple(messages),
            "websocket",
            request=handshake(*more),
            timeout_seconds=timeout_seconds,
            wording=wording,
        )
        return await sender.send(sending)


def echo(server: Server, event: Event) -> None:
    """Greets, says everything again in capitals, and closes as it is asked to."""
    match event:
        case Request():
            server.accept()
            server.say("hi")
        case TextMessage():
            server.say(event.data.upper())
        case BytesMessage():
            server.send(BytesMessage(data=bytes(event.data)))
        case Ping() | CloseConnection():
            server.send(event.response())


def kinds(outcome: Outcome) -> list[str]:
    assert isinstance(outcome, Reply)
    return [each.kind for each in outcome.messages]


@pytest.mark.parametrize("more", [(), (COMPRESSED,)], ids=["plain", "compressed"])
async def test_each_message_follows_what_came_before_it(more: tuple[tuple[bytes, bytes], ...]) -> None:
    servers: list[Server] = []
    asked = (*chat("<hi", ">one " * 3, "<x"), *chat(">two", "<x", kind="binary"), CLOSE)
    outcome = await outcome_of(echo, asked, *more, servers=servers)
    assert said(outcome) == [b"hi", b"ONE >ONE >ONE ", b"two", CLOSE.body]
    assert kinds(outcome) == ["text", "text", "binary", "close"]
    assert remarks(outcome) == ()
    assert isinstance(outcome, Reply)
    assert outcome.response.status == 101
    (server,) = servers
    assert [type(event) for event in server.got] == [Request, TextMessage, BytesMessage, CloseConnection]
    assert server.deflate.enabled() is bool(more)


async def test_unknown_extension_is_not_offered() -> None:
    servers: list[Server] = []
    await outcome_of(
        echo, chat(">a", "<x"), (COMPRESSED[0], b"x-unknown, permessage-deflate"), servers=servers
    )
    (asked,) = [event for event in servers[0].got if isinstance(event, Request)]
    assert asked.extensions == ["permessage-deflate"]


@pytest.mark.parametrize("more", [(), (COMPRESSED,)], ids=["plain", "compressed"])
async def test_fragments_are_one_message_and_pings_are_answered(
    more: tuple[tuple[bytes, bytes], ...],
) -> None:
    servers: list[Server] = []

    def fragmenting(server: Server, event: Event) -> None:
        if isinstance(event, Request):
            server.accept()
        elif isinstance(event, TextMessage):
            server.send(
                TextMessage(data="one ", message_finished=False),
                Ping(payload=b"p"),
                TextMessage(data="two", message_finished=True),
            )

    outcome = await outcome_of(fragmenting, chat(">a", "<x"), *more, servers=servers)
    assert said(outcome) == [b"one two"]
    assert [bytes(event.payload) for event in servers[0].got if isinstance(event, Pong)] == [b"p"]


@pytest.mark.parametrize(
    ("recorded", "code"),
    [(b"", 1005), ((1000).to_bytes(2), 1000), ((4001).to_bytes(2) + b"so", 4001)],
)
async def test_close_is_as_recorded(recorded: bytes, code: int) -> None:
    servers: list[Server] = []
    messages = (
        *chat("<hi"),
        Message(True, recorded, 1001.0, "close"),
        Message(False, recorded, 1001.1, "close"),
    )
    outcome = await outcome_of(echo, messages, servers=servers)
    assert said(outcome) == [b"hi", recorded]
    (closed,) = [event for event in servers[0].got if isinstance(event, CloseConnection)]
    assert closed.code == code


async def test_recording_that_was_cut_is_ended_in_order() -> None:
    servers: list[Server] = []
    gone = asyncio.Event()

    def watching(server: Server, event: Event) -> None:
        echo(server, event)
        if isinstance(event, CloseConnection):
            gone.set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        servers.append(Server(writer, compresses=False))
        await servers[-1].run(reader, watching)

    async with tcp_service(serve) as port, transport("http", port) as sender:
        await sender.send(talk(chat("<hi"), "websocket", request=handshake()))
        async with asyncio.timeout(5):
            await gone.wait()
    assert isinstance(servers[0].got[-1], CloseConnection)


async def test_refused_handshake_is_a_reply_with_its_status() -> None:
    def refuse(server: Server, event: Event) -> None:
        server.send(RejectConnection(status_code=403))
        server.writer.close()

    outcome = await outcome_of(refuse, chat("<hi", ">a", "<A"))
    assert isinstance(outcome, Reply)
    assert (outcome.response.status, outcome.messages) == (403, ())


async def test_servers_close_ends_it_and_what_is_left_is_told() -> None:
    def curt(server: Server, event: Event) -> None:
        if isinstance(event, Request):
            server.accept()
        elif isinstance(event, TextMessage):
            server.send(CloseConnection(code=1011, reason="boom"))

    outcome = await outcome_of(curt, chat(">a", "<A", ">b", "<B"))
    assert said(outcome) == [(1011).to_bytes(2) + b"boom"]
    assert remarks(outcome) == ("1 messages were not sent: closed by the peer with code 1011",)


def raw(*answer: bytes, closes: bool = False) -> Callable[[Server, Event], None]:
    """Accepts, and then says these bytes."""

    def behave(server: Server, event: Event) -> None:
        if isinstance(event, Request):
            server.accept()
            server.writer.write(b"".join(answer))
            if closes:
                server.writer.close()

    return behave


def agreeing(extension: bytes) -> Behave:
    """Accepts with this extension, whatever was offered, and greets."""

    def behave(server: Server, event: Event) -> None:
        if isinstance(event, Request):
            head = b"HTTP/1.1 101 Switching\r\nSec-WebSocket-Extensions: " + extension
            server.writer.write(head + b"\r\n\r\n\x81\x02hi")

    return behave


@pytest.mark.parametrize(
    ("extension", "expected"),
    [
        (b"permessage-deflate", "hi"),
        (b"permessage-deflate; server_max_window_bits=8", "hi"),
        (b"permessage-deflate; client_max_window_bits=9; server_no_context_takeover", "hi"),
        (b'Permessage-Deflate; client_max_window_bits="10"', "hi"),
        (b"permessage-deflate; client_max_window_bits=8", "unsent"),
        (b"permessage-deflate; client_max_window_bits", "malformed"),
        (b"x-other", "malformed"),
    ],
)
async def test_extension_is_what_the_server_agreed_to(extension: bytes, expected: str) -> None:
    outcome = await outcome_of(agreeing(extension), chat("<hi"), COMPRESSED)
    assert expected == (outcome.messages[0].body.decode() if isinstance(outcome, Reply) else silence(outcome))


def hanging(server: Server, event: Event) -> None:
    """Never answers the handshake."""


@pytest.mark.parametrize(
    ("behave", "why"),
    [
        pytest.param(hanging, "timed_out", id="no handshake"),
        pytest.param(raw(b"\xff\xff\xff"), "malformed", id="no frame"),
        pytest.param(raw(b"\x81\x02\xff\xfe"), "malformed", id="no text"),
        pytest.param(raw(b"\x88\x01a"), "malformed", id="no close"),
    ],
)
async def test_what_is_no_websocket_is_a_value(behave: Behave, why: str) -> None:
    assert silence(await outcome_of(behave, chat(">a", "<x"), timeout_seconds=0.1)) == why


async def test_connection_that_is_lost_is_told_by_what_is_missing() -> None:
    outcome = await outcome_of(raw(b"\x81\x01x", closes=True), chat(">a", "<x", "<y"))
    assert said(outcome) == [b"x"]


async def test_what_is_inflated_is_bounded() -> None:
    def bomb(server: Server, event: Event) -> None:
        if isinstance(event, Request):
            server.accept()
            server.send(BytesMessage(data=bytes(50_000_000)))

    settings = TalkSettings(quiet_seconds=0.05, end_seconds=0.05, bytes_max=1_000_000)
    outcome = await outcome_of(bomb, chat(">a", "<x"), COMPRESSED, settings=settings)
    assert isinstance(outcome, Reply)
    assert (outcome.is_complete, outcome.messages) == (False, ())


async def test_text_that_is_none_is_left_unsent() -> None:
    message = Message(True, b"\xff", 1.0, "text")
    assert silence(await outcome_of(echo, (message, Message(False, b"x", 1.0, "text")))) == "unsent"


async def test_words_are_chosen_when_they_are_said() -> None:
    heard: list[tuple[bytes, ...]] = []

    def wording(message: Message, before: Sequence[Message]) -> Message:
        heard.append(tuple(each.body for each in before))
        return Message(True, b"reworded", message.seen_at, message.kind)

    outcome = await outcome_of(echo, chat("<hi", ">a", "<A"), wording=wording)
    assert said(outcome) == [b"hi", b"REWORDED"]
    assert heard == [(b"hi",)]


@given(
    st.lists(st.binary(max_size=40), max_size=6),
    st.sampled_from([b"", b"permessage-deflate", b"permessage-deflate; server_max_window_bits=x"]),
)
def test_any_bytes_are_heard_out(pieces: list[bytes], extension: bytes) -> None:
    async def heard() -> None:
        hearing = Hearing(joins=False, bytes_max=1000)
        client = _Client(handshake(COMPRESSED), hearing, 1000)
        client.line = Line(lambda _: None, lambda *_: None, set())
        head = b"HTTP/1.1 101 Switching\r\nSec-WebSocket-Extensions: " + extension + b"\r\n\r\n"
        for piece in (head, *pieces):
            client.take(piece)
        client.end(Silence.CLOSED, "closed")
        assert hearing.ending is not None
        assert sum(len(each.body) for each in hearing.messages) <= 1000

    asyncio.run(heard())


async def test_cancelling_closes_the_connection() -> None:
    gone = asyncio.Event()
    arrived = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        arrived.set()
        try:
            await reader.read()
        finally:
            gone.set()

    async with tcp_service(serve) as port, transport("http", port) as sender:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(
                sender.send(talk(chat("<hi"), "websocket", request=handshake())), name="sending"
            )
            await arrived.wait()
            task.cancel()
        async with asyncio.timeout(5):
            await gone.wait()


async def test_ping_that_no_frame_can_hold_is_a_value() -> None:
    """A recording may hold anything, and what is said instead of a live value may be longer."""
    outcome = await outcome_of(echo, chat("<hi", ">" + "p" * 126, kind="ping"))
    assert silence(outcome) == "unsent"


async def test_peer_that_pings_and_reads_no_answer_is_left() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
        )
        cast(asyncio.ReadTransport, writer.transport).pause_reading()
        pings = (b"\x89\x7d" + b"p" * 125) * 1000
        for _ in range(1000):
            writer.write(pings)
            await writer.drain()

    async with tcp_service(serve) as port, transport("http", port) as sender:
        outcome = await sender.send(talk(chat("<hi"), "websocket", request=handshake(), timeout_seconds=30.0))
    assert remarks(outcome) == ("then reset: the peer asks much and reads nothing",)


async def test_parts_that_hold_nothing_take_no_memory() -> None:
    client = _Client(handshake(), Hearing(joins=False, bytes_max=1000), 1000)
    client.take(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
    client.take(b"\x01\x01a" + b"\x00\x00" * 10_000 + b"\x80\x01b")
    assert [each.body for each in client._hearing.messages] == [b"ab"]
    client.take(b"\x01\x01a" + b"\x00\x00" * 10_000)
    assert client._parts == ["a"]
