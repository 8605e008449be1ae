"""TCP conversations said again to loopback servers that behave, and to some that do not."""

import asyncio
import ssl
from pathlib import Path

import pytest

from shadow.model import Message, Outcome, Reply
from shadow.replay._contract import Target
from shadow.replay.conversing import TalkSettings
from shadow.replay.guard import Guard, GuardSettings
from shadow.replay.stream import StreamTransport
from tests.certificates import server_tls, write_certificate
from tests.replay.conftest import open_sockets
from tests.replay.talks import Serve, remarks, said, script, silence, talk, tcp_service, transport

GREETED = script("<hi\n", ">one\n", "<ONE\n", ">two\n", "<TWO\n")


async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Greets, and says each line in capitals; nothing to an early one."""
    writer.write(b"hi\n")
    while line := await reader.readline():
        writer.write(line.upper())


async def outcome_of(
    serve: Serve, messages: tuple[Message, ...] = GREETED, timeout_seconds: float = 5.0
) -> Outcome:
    async with tcp_service(serve) as port, transport("tcp", port) as tcp:
        return await tcp.send(talk(messages, timeout_seconds=timeout_seconds))


async def test_each_message_follows_what_came_before_it() -> None:
    heard: list[bytes] = []

    async def strict(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"h")
        await writer.drain()
        writer.write(b"i\n")
        for _ in range(2):
            heard.append(await reader.read(100))
            writer.write(heard[-1].upper())

    outcome = await outcome_of(strict)
    assert heard == [b"one\n", b"two\n"]
    assert said(outcome) == [b"hi\n", b"ONE\n", b"TWO\n"]
    assert remarks(outcome) == ()


async def test_times_are_told_in_order() -> None:
    outcome = await outcome_of(shout)
    timing = outcome.timing
    assert 0 <= timing.connect_seconds <= timing.first_byte_seconds <= timing.total_seconds


async def test_goes_on_and_says_so_when_an_answer_does_not_come() -> None:
    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hi\n")
        await reader.readuntil(b"two\n")
        writer.write(b"TWO\n")
        await reader.read()

    outcome = await outcome_of(deaf, timeout_seconds=0.05)
    assert said(outcome) == [b"hi\n", b"TWO\n"]
    assert remarks(outcome) == ("message 2 was sent before the answer that live had given by then",)


async def test_shorter_answer_holds_nothing_up_for_long() -> None:
    async def curt(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"h\n")
        while await reader.readline():
            writer.write(b"k\n")

    assert said(await outcome_of(curt)) == [b"h\n", b"k\n", b"k\n"]


async def test_server_that_waits_for_our_end_is_given_it() -> None:
    async def patient(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.read()).upper())

    outcome = await outcome_of(patient, script(">abc", "<ABC"), timeout_seconds=0.05)
    assert said(outcome) == [b"ABC"]
    assert "our side was closed" in remarks(outcome)[0]


async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(1, 13, b"\x01\0\0\0\0\0\0\0")
    await reader.read(1)
    writer.transport.abort()


@pytest.mark.parametrize(("serve", "why"), [(hang, "timed_out"), (leave, "closed"), (reset, "reset")])
async def test_silence_is_a_value(serve: Serve, why: str) -> None:
    assert silence(await outcome_of(serve, script(">abc", "<x"), timeout_seconds=0.1)) == why


async def test_nobody_there_is_a_value(unused_tcp_port: int) -> None:
    async with transport("tcp", unused_tcp_port) as tcp:
        assert silence(await tcp.send(talk(GREETED))) == "refused"


async def test_one_way_conversation_is_answered_by_nothing() -> None:
    outcome = await outcome_of(hang, script(">a", ">b"))
    assert said(outcome) == []


async def test_what_is_left_unsaid_is_told() -> None:
    async def curt(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hi\n")
        await reader.readline()

    outcome = await outcome_of(curt)
    assert said(outcome) == [b"hi\n"]
    assert remarks(outcome) == ("1 messages were not sent: closed by the peer",)


async def test_endless_answer_is_cut() -> None:
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"x" * 10_000)
            await writer.drain()

    settings = TalkSettings(quiet_seconds=0.05, end_seconds=0.05, bytes_max=50_000)
    async with tcp_service(flood) as port, transport("tcp", port, settings=settings) as tcp:
        outcome = await tcp.send(talk(script(">a", "<b", gap_seconds=1.0)))
    assert isinstance(outcome, Reply)
    assert not outcome.is_complete
    assert sum(map(len, said(outcome))) <= 50_000


async def test_conversation_ends_after_its_total_time() -> None:
    settings = TalkSettings(quiet_seconds=0.05, end_seconds=0.05, total_seconds_max=0.1)
    async with tcp_service(shout) as port, transport("tcp", port, settings=settings) as tcp:
        outcome = await tcp.send(talk(script(">a\n", "<A\n", "<never", gap_seconds=9.0)))
    assert isinstance(outcome, Reply)
    assert not outcome.is_complete
    assert remarks(outcome) == ("it was left after 0.1 s",)


async def test_nothing_is_sent_once_the_guard_refuses() -> None:
    heard: list[bytes] = []

    async def listening(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(1))

    async with tcp_service(listening) as port, transport("tcp", port) as tcp:
        assert isinstance(tcp, StreamTransport)
        guard = Guard(GuardSettings(requests_max=0), [tcp.target])
        async with transport("tcp", port, guard=guard) as held:
            assert silence(await held.send(talk(GREETED))) == "unsent"
    assert heard == []


async def test_live_service_is_never_connected_to() -> None:
    async with tcp_service(shout) as port, transport("tcp", port) as tcp:
        assert isinstance(tcp, StreamTransport)
        guard = Guard(GuardSettings(live=(f"127.0.0.1:{port}",)), [tcp.target])
        async with transport("tcp", port, guard=guard) as held:
            assert silence(await held.send(talk(GREETED))) == "unsent"


async def test_cancelling_closes_the_connection() -> None:
    arrived, gone = asyncio.Event(), asyncio.Event()

    async def watch(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        arrived.set()
        try:
            await reader.read()
        finally:
            gone.set()

    before = open_sockets()
    async with tcp_service(watch) as port, transport("tcp", port) as tcp:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(tcp.send(talk(script(">a", "<b", gap_seconds=9.0))), name="sending")
            await arrived.wait()
            task.cancel()
        assert task.cancelled()
        async with asyncio.timeout(5):
            await gone.wait()
    assert len(open_sockets()) <= len(before)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_certificate(tmp_path_factory.mktemp("tls") / "server.pem")


@pytest.mark.parametrize(("verify_tls", "is_answered"), [(False, True), (True, False)])
async def test_conversation_goes_over_tls(certificate: Path, verify_tls: bool, is_answered: bool) -> None:
    settings = TalkSettings(quiet_seconds=0.05, end_seconds=0.05, verify_tls=verify_tls)
    tls: ssl.SSLContext = server_tls(certificate)
    async with tcp_service(shout, ssl=tls) as port, transport("tls", port, settings=settings) as tcp:
        outcome = await tcp.send(talk(GREETED))
    if is_answered:
        assert said(outcome) == [b"hi\n", b"ONE\n", b"TWO\n"]
    else:
        assert silence(outcome) == "refused"
        assert "certificate" in str(outcome)


async def test_nothing_more_is_said_once_the_run_is_killed() -> None:
    heard: list[bytes] = []

    async def stopping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hi\n")
        heard.append(await reader.readline())
        guard.halt("stopped")
        writer.write(b"ONE\n")
        heard.append(await reader.read())

    async with tcp_service(stopping) as port:
        target = Target("candidate", "tcp", "127.0.0.1", port)
        guard = Guard(GuardSettings(), [target])
        async with transport("tcp", port, guard=guard) as tcp:
            assert silence(await tcp.send(talk(GREETED))) == "unsent"
    assert heard[0] == b"one\n"
    assert b"two\n" not in heard
