"""Live traffic through the light front: every byte as it was, and what was read of it."""

import asyncio
import socket
import struct

import pytest

from shadow.model import Exchange, Request, Response
from tests.taps.fronts import Front, fronted
from tests.taps.proxies import GET, MIB, OK, PATIENCE_SECONDS, Respond, Taken, answering, serving

CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"
POST = (
    b"POST /form HTTP/1.1\r\nhost: a\r\nX-A: 1\r\nx-a: 2\r\nX-Name: J\xf6rg\r\nContent-Length: 5\r\n\r\nhello"
)


def talking(*turns: bytes | None, heard: list[bytes] | None = None) -> Respond:
    """Says each of `turns` once it has heard something; None ends the connection."""

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for turn in turns:
            said = await reader.read(MIB)
            if heard is not None:
                heard.append(said)
            if turn is not None:
                writer.write(turn)
                await writer.drain()
        if turns and turns[-1] is not None:
            await reader.read()

    return respond


async def say(front: Front, *turns: tuple[bytes, bytes]) -> None:
    """Say the first of each pair and hear exactly the second; then close."""
    reader, writer = await front.connect()
    async with asyncio.timeout(PATIENCE_SECONDS):
        for said, heard in turns:
            writer.write(said)
            assert await reader.readexactly(len(heard)) == heard
        writer.close()
        await writer.wait_closed()


async def test_request_and_answer_pass_as_they_are_and_are_taken_so() -> None:
    seen, taken = list[bytes](), Taken()
    answer = b"HTTP/1.1 200 Fine\r\nset-cookie: a=1\r\nSet-Cookie: b=\xfc\r\nContent-Length: 2\r\n\r\nok"
    async with serving(talking(answer, heard=seen)) as port, fronted(taken, port) as front:
        await say(front, (POST, answer))
        exchange = await taken.exchange()
    assert seen[0] == POST
    assert exchange.request == Request(
        b"POST",
        b"/form",
        headers=(
            (b"host", b"a"),
            (b"X-A", b"1"),
            (b"x-a", b"2"),
            (b"X-Name", b"J\xf6rg"),
            (b"Content-Length", b"5"),
        ),
        body=b"hello",
    )
    assert exchange.response == Response(
        200,
        b"Fine",
        headers=((b"set-cookie", b"a=1"), (b"Set-Cookie", b"b=\xfc"), (b"Content-Length", b"2")),
        body=b"ok",
    )
    assert (exchange.index, exchange.tap, exchange.live) == (0, "front", f"127.0.0.1:{port}")
    assert exchange.session.startswith("127.0.0.1:")
    assert exchange.latency_seconds is not None
    assert len(taken.seconds) == 1


async def test_exchanges_of_one_connection_share_a_session_and_others_do_not() -> None:
    taken = Taken()
    async with serving(talking(OK, OK)) as port, fronted(taken, port) as front:
        await say(front, (GET, OK), (GET, OK))
        await say(front, (GET, OK))
        first, second, other = [await taken.exchange() for _ in range(3)]
    assert first.session == second.session != other.session
    assert [first.index, second.index, other.index] == [0, 1, 2]


INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
TALKS = {
    "chunked both ways, with trailers": (
        [(b"POST / HTTP/1.1\r\nHost: a\r\n" + CHUNKED, b"HTTP/1.1 200 OK\r\n" + CHUNKED)],
        [(b"hello", b"hello")],
    ),
    "answer to HEAD has a length and no body": (
        [
            (b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n"),
            (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", OK),
        ],
        [(b"", b""), (b"", b"ok")],
    ),
    "interim answers": ([(GET, INTERIM + INTERIM + OK)], [(b"", b"ok")]),
    "a body that waits to be asked for": (
        [
            (b"PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n", CONTINUE),
            (b"abc", OK),
        ],
        [(b"abc", b"ok")],
    ),
    "pipelined": ([(GET + GET + GET, OK + OK + OK)], [(b"", b"ok")] * 3),
    "bare line feeds": ([(b"GET / HTTP/1.1\nHost: a\n\n", OK)], [(b"", b"ok")]),
    "in single bytes of a tunnel": (
        [
            (b"CONNECT b:1 HTTP/1.1\r\nHost: b:1\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"),
            (GET, OK),
        ],
        [(b"", b""), (b"", b"ok")],
    ),
}


@pytest.mark.parametrize(("turns", "bodies"), TALKS.values(), ids=TALKS)
async def test_what_http_knows_passes_and_is_read(
    turns: list[tuple[bytes, bytes]], bodies: list[tuple[bytes, bytes]]
) -> None:
    heard, taken = list[bytes](), Taken()
    answers = [answer for _, answer in turns]
    async with serving(talking(*answers, heard=heard)) as port, fronted(taken, port) as front:
        await say(front, *turns)
        found = [await taken.exchange() for _ in bodies]
    assert heard == [said for said, _ in turns]
    assert [(each.request.body, each.response.body) for each in found if each.response] == bodies


@pytest.mark.parametrize(
    ("said", "answer", "why"),
    [
        pytest.param(
            GET + b"BAD \x00\xff\r\n\r\n",
            OK + b"HTTP/1.1 400 Bad\r\n\r\n",
            "not a request line",
            id="request",
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\nContent-Length: 3, 4\r\n\r\nabc",
            b"HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n",
            "unusable Content-Length",
            id="two lengths",
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n",
            "not a chunk size",
            id="chunk size",
        ),
    ],
)
async def test_malformed_requests_pass_unchanged_and_are_counted(
    said: bytes, answer: bytes, why: str
) -> None:
    heard, taken = list[bytes](), Taken()
    async with serving(talking(answer, heard=heard)) as port, fronted(taken, port) as front:
        await say(front, (said, answer))
    assert heard == [said]
    skipped = [each for each in _all(taken) if isinstance(each, str)]
    assert skipped == [why]


async def test_malformed_answers_pass_unchanged_and_are_counted() -> None:
    taken, answer = Taken(), b"HTTP/1.1 2oo OK\r\nContent-Length: x\r\n\r\nok"
    async with serving(talking(answer)) as port, fronted(taken, port) as front:
        await say(front, (GET, answer))
    exchange = await taken.exchange()
    assert exchange.response is None
    assert front.readings.unread_count == 1


@pytest.mark.parametrize(
    ("turns", "kind"),
    [
        pytest.param([(b"\x00\x01binary", b"\xff\xfe"), (b"\n", b"\n")], "other", id="binary"),
        pytest.param([(b"SSH-2.0-a\r\n", b"SSH-2.0-b\r\n"), (b"abc", b"def")], "SSH", id="SSH"),
        pytest.param([(b"\x16\x03\x01\x02\x00\x01", b"\x16\x03\x03"), (b"abc", b"def")], "TLS", id="TLS"),
    ],
)
async def test_what_is_no_http_passes_unread_and_is_counted(
    turns: list[tuple[bytes, bytes]], kind: str
) -> None:
    heard, taken = list[bytes](), Taken()
    async with (
        serving(talking(*(answer for _, answer in turns), heard=heard)) as port,
        fronted(taken, port) as front,
    ):
        await say(front, *turns)
    assert heard == [said for said, _ in turns]
    assert taken.all.empty()
    assert front.readings.others == {kind: 1}
    assert front.readings.other_bytes >= len(turns[0][0])


async def test_a_service_that_speaks_first_is_heard() -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        writer.write(b"you said " + await reader.readline())
        await writer.drain()

    async with serving(greet) as port, fronted(Taken(), port) as front:
        reader, writer = await front.connect()
        assert await reader.readline() == b"220 mail.example ESMTP\r\n"
        writer.write(b"QUIT\r\n")
        assert await reader.read() == b"you said QUIT\r\n"
        writer.close()


async def test_both_directions_of_a_websocket_pass_byte_for_byte() -> None:
    switch = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    ask = GET.replace(b"close", b"Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: eA==")
    frames = [
        bytes([0x82, 0xFE]) + struct.pack(">H", 700) + b"mask" + bytes(700),
        b"\x89\x80mask",
        b"\x88\x80mask",
    ]

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(switch)
        while said := await reader.read(MIB):
            writer.write(said)

    taken = Taken()
    async with serving(echo) as port, fronted(taken, port) as front:
        await say(front, (ask, switch), *((frame, frame) for frame in frames))
        handshake, talk = await taken.exchange(), await taken.exchange()
    assert handshake.response is not None
    assert (handshake.response.status, handshake.protocol) == (101, "http")
    assert talk.protocol == "websocket"
    said = [message.kind for message in talk.messages if message.is_from_client]
    assert said == ["binary", "ping", "close"]


async def test_a_client_that_ends_its_side_still_hears_the_answer() -> None:
    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said = await reader.read()  # to the end, which must be passed on
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + said)
        await writer.drain()

    taken = Taken()
    async with serving(respond) as port, fronted(taken, port) as front:
        reader, writer = await front.connect()
        writer.write(GET)
        writer.write_eof()
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await reader.read() == b"HTTP/1.1 200 OK\r\n\r\n" + GET
        writer.close()
        exchange = await taken.exchange()
    assert exchange.response is not None
    assert (exchange.response.body, exchange.response.is_complete) == (GET, True)


async def test_a_reset_by_live_is_a_reset_for_the_client_and_cuts_the_answer() -> None:
    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nhalf")
        await reader.readuntil(b"!")
        _reset(writer)

    taken = Taken()
    async with serving(respond) as port, fronted(taken, port) as front:
        reader, writer = await front.connect()
        writer.write(GET)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await reader.readuntil(b"half")
            writer.write(b"!")
            with pytest.raises(ConnectionResetError):
                await reader.read()
        writer.close()
        exchange = await taken.exchange()
    assert exchange.response is not None
    assert (exchange.response.body, exchange.response.is_complete) == (b"half", False)


async def test_a_client_that_disappears_takes_its_connection_to_live_along() -> None:
    asked, gone = asyncio.Event(), asyncio.Event()

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        try:
            await reader.read()
        except ConnectionResetError:
            gone.set()

    taken = Taken()
    async with serving(respond) as port, fronted(taken, port) as front:
        _, writer = await front.connect()
        writer.write(b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nhalf")
        async with asyncio.timeout(PATIENCE_SECONDS):
            await asked.wait()
            _reset(writer)
            await gone.wait()
            assert await taken.next() == "the connection ended inside the request"


def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def test_long_bodies_pass_whole_in_both_directions_to_readers_of_any_speed() -> None:
    body = bytes(range(256)) * (64 * 1024)  # 16 MiB, of which 1 MiB may be kept
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head)
        left = len(body)
        while left:
            said = await reader.read(min(left, 50_000))
            left -= len(said)
            writer.write(said)
            await writer.drain()

    taken = Taken()
    async with serving(echo) as port, fronted(taken, port) as front:
        reader, writer = await front.connect()
        writer.write(b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body))
        async with asyncio.timeout(PATIENCE_SECONDS):
            async with asyncio.TaskGroup() as group:
                group.create_task(_say_all(writer, body), name="upload")
                await reader.readexactly(len(head))
                heard = [await reader.readexactly(MIB) for _ in range(16)]
            assert b"".join(heard) == body
            writer.close()
            assert await taken.next() == "the request is longer than may be kept"


async def _say_all(writer: asyncio.StreamWriter, body: bytes) -> None:
    writer.write(body)
    await writer.drain()


async def test_an_answer_longer_than_the_limit_passes_whole_and_is_taken_cut() -> None:
    body = bytes(200_000)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    taken = Taken()
    async with serving(answering(answer)) as port, fronted(taken, port, max_body_bytes=1000) as front:
        assert await front.ask(GET) == answer
        exchange = await taken.exchange()
    assert exchange.response is not None
    assert (len(exchange.response.body), exchange.response.is_complete) == (1000, False)


async def test_what_all_hold_together_is_bounded_and_comes_back() -> None:
    body = bytes(200_000)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    taken = Taken()
    async with serving(answering(answer)) as port, fronted(taken, port, max_held_bytes=100_000) as front:
        assert await front.ask(GET) == answer
        cut = await taken.exchange()
    assert cut.response is not None
    assert not cut.response.is_complete
    assert front.readings.room_bytes == 100_000


async def test_traffic_that_is_shadows_own_passes_and_is_not_taken() -> None:
    taken = Taken()
    async with serving(talking(OK, OK)) as port, fronted(taken, port) as front:
        await say(front, (GET.replace(b"Host", b"Shadow-Run: 1\r\nHost"), OK), (GET, OK))
        exchange = await taken.exchange()
    assert exchange.index == 1
    assert taken.all.empty()
    assert len(taken.seconds) == 1


def _all(taken: Taken) -> list[Exchange | str]:
    return [taken.all.get_nowait() for _ in range(taken.all.qsize())]
