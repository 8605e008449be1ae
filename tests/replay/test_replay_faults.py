"""Targets that misbehave in every way: each transport gives a value in time, and leaves nothing open."""

import asyncio
import contextlib
import gc
import os
import resource
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from shadow.model import NoReply, Outcome, Reply, Silence
from shadow.replay._contract import Target, Transport
from shadow.replay.guard import Guard, GuardSettings
from shadow.replay.http import HttpSettings, HttpTransport
from shadow.replay.raw import RawSettings, RawTransport
from tests.replay.conftest import response_of, sending

ANSWER = b"HTTP/1.1 200 OK\r\nX-Y: z\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\nX: y\r\n\r\n"
TIMEOUT = 0.15

type Behave = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

TRANSPORTS: dict[str, Callable[[Target, Guard], Transport]] = {
    "raw": lambda target, guard: RawTransport(target, guard, RawSettings(body_bytes_max=100_000)),
    "aiohttp": lambda target, guard: HttpTransport(target, guard, HttpSettings(body_bytes_max=100_000)),
}


def descriptors() -> int:
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir()))


@asynccontextmanager
async def misbehaving(behave: Behave) -> AsyncIterator[int]:
    """A server's port; it reads a head first, and then does what it is told to."""
    at_work: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        at_work.add(task)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await behave(reader, writer)
        writer.transport.abort() if is_over else writer.close()

    is_over = False
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        is_over = True
        server.close()
        for task in at_work:
            task.cancel()
        if at_work:
            await asyncio.wait(at_work)


@asynccontextmanager
async def sending_to(port: int, kind: str) -> AsyncIterator[Transport]:
    """A transport, which must leave no descriptor and no task behind."""
    target = Target("candidate", "http", "127.0.0.1", port)
    transport = TRANSPORTS[kind](target, Guard(GuardSettings(), [target]))
    try:
        yield transport
    finally:
        await transport.close()


@asynccontextmanager
async def nothing_left() -> AsyncIterator[None]:
    """Descriptors and tasks are the same before and after, once the loop has opened what it keeps."""
    async with misbehaving(hang) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        await writer.wait_closed()
    files, tasks = descriptors(), asyncio.all_tasks()
    yield
    async with asyncio.timeout(5):
        while descriptors() > files or asyncio.all_tasks() - tasks:  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(0.001)


async def asked(reader: asyncio.StreamReader) -> None:
    await reader.readuntil(b"\r\n\r\n")


def saying(text: bytes, *, resets: bool = False) -> Behave:
    """Says so, and hangs up."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        writer.write(text)
        await writer.drain()
        if resets:
            reset(writer)

    return behave


def reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def flooding(first: bytes, more: bytes) -> Behave:
    """Says one thing and then another without end."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        writer.write(first)
        while not writer.transport.is_closing():
            writer.write(more)
            await writer.drain()

    return behave


def trickling(text: bytes) -> Behave:
    """Says one byte at a time, and never the last."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        for at in range(len(text) - 1):
            writer.write(text[at : at + 1])
            await asyncio.sleep(0.02)
        await reader.read()

    return behave


async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Takes all and says nothing."""
    while await reader.read(65536):
        pass


async def reset_at_once(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    reset(writer)


HEAD = b"HTTP/1.1 200 OK\r\n"
BROKEN = {Silence.RESET, Silence.CLOSED, Silence.MALFORMED, Silence.REFUSED}
FAULTS: dict[str, tuple[Behave, set[Silence | int]]] = {
    "hangs": (hang, {Silence.TIMED_OUT}),
    "resets at accept": (reset_at_once, {Silence.RESET, Silence.CLOSED, Silence.REFUSED}),
    "closes without a word": (saying(b""), {Silence.CLOSED, Silence.RESET}),
    "resets without a word": (saying(b"", resets=True), {Silence.RESET, Silence.CLOSED}),
    "garbage": (saying(os.urandom(16) + b"\r\n\r\n" * 10), {Silence.MALFORMED}),
    "another protocol": (saying(b"SSH-2.0-OpenSSH_9.6\r\n"), {Silence.MALFORMED}),
    "zeros without end": (flooding(b"", b"\x00" * 65536), {Silence.MALFORMED}),
    "a body without end": (flooding(HEAD + b"\r\n", b"x" * 65536), {200}),
    "chunks without end": (
        flooding(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1000\r\n" + b"x" * 4096 + b"\r\n"),
        {200},
    ),
    "a field without end": (flooding(HEAD + b"X: ", b"x" * 65536), {Silence.MALFORMED}),
    "fields without end": (flooding(HEAD, b"X: y\r\n" * 1000), {Silence.MALFORMED}),
    "a start line without end": (flooding(b"HTTP/1.1 200 ", b"x" * 65536), {Silence.MALFORMED}),
    "1xx without end": (
        flooding(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
        {Silence.TIMED_OUT, Silence.MALFORMED, Silence.REFUSED},
    ),
    "103 with fields without end": (
        flooding(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 100),
        {Silence.TIMED_OUT, Silence.MALFORMED, Silence.REFUSED},
    ),
    "chunk sizes without end": (
        flooding(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"0" * 65536),
        {Silence.MALFORMED, Silence.TIMED_OUT, 200},
    ),
    "chunk extensions without end": (
        flooding(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;", b"x" * 65536),
        {Silence.MALFORMED, Silence.TIMED_OUT, 200},
    ),
    "trailers without end": (
        flooding(HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n" * 1000),
        {Silence.MALFORMED, Silence.TIMED_OUT, 200},
    ),
    "a byte at a time": (trickling(ANSWER), {Silence.TIMED_OUT}),
    "a byte of a body at a time": (trickling(ANSWER[:-5] + b"x" * 5), {Silence.TIMED_OUT}),
    "a length of a million digits": (
        saying(HEAD + b"Content-Length: " + b"9" * 1_000_000 + b"\r\n\r\n"),
        {Silence.MALFORMED, Silence.RESET},
    ),
    "a length that never comes": (saying(HEAD + b"Content-Length: 99999999999\r\n\r\nx"), {200}),
}


def told(outcome: Outcome) -> Silence | int:
    return outcome.why if isinstance(outcome, NoReply) else outcome.response.status


@pytest.mark.parametrize("kind", TRANSPORTS)
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_is_a_value_in_time_and_leaves_nothing_open(kind: str, fault: str) -> None:
    behave, expected = FAULTS[fault]
    async with nothing_left(), misbehaving(behave) as port, sending_to(port, kind) as transport:
        async with asyncio.timeout(30 if kind == "aiohttp" else 3):  # aiohttp reads 1xx as long as they come
            first = await transport.send(sending(timeout=TIMEOUT))
            second = await transport.send(sending(timeout=TIMEOUT))
    assert {told(first), told(second)} <= expected
    for outcome in (first, second):
        if isinstance(outcome, Reply):
            assert len(outcome.response.body) <= 100_000
            assert not outcome.response.is_complete


@pytest.mark.parametrize("kind", TRANSPORTS)
@pytest.mark.parametrize("answer", [ANSWER, CHUNKED], ids=["length", "chunked"])
@pytest.mark.parametrize("resets", [False, True], ids=["closed", "reset"])
async def test_an_answer_that_ends_at_any_byte_is_told_as_such(
    kind: str, answer: bytes, *, resets: bool
) -> None:
    """Over all offsets: whole only where all of it came, cut where the head did, and else no answer."""
    head_end = answer.index(b"\r\n\r\n") + 4
    async with nothing_left():
        for at in range(len(answer) + 1):
            async with (
                misbehaving(saying(answer[:at], resets=resets)) as port,
                sending_to(port, kind) as transport,
            ):
                outcome = await transport.send(sending())
            if at < head_end:
                assert told(outcome) in BROKEN, at
            elif isinstance(outcome, Reply):
                assert outcome.response.is_complete == (at == len(answer)), at
                assert b"hello".startswith(outcome.response.body), at
            else:
                assert at < len(answer), at
                assert outcome.why in BROKEN, at


@pytest.mark.parametrize("kind", TRANSPORTS)
async def test_a_target_that_never_accepts_is_given_up_in_time(kind: str) -> None:
    """The kernel takes the connection, and nobody ever will."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(16)
        async with nothing_left(), sending_to(listening.getsockname()[1], kind) as transport:
            outcomes = [await transport.send(sending(timeout=TIMEOUT)) for _ in range(3)]
    assert [told(each) for each in outcomes] == [Silence.TIMED_OUT] * 3


@pytest.mark.parametrize("kind", TRANSPORTS)
async def test_a_target_that_is_not_there_is_refused(kind: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        async with nothing_left(), sending_to(taken.getsockname()[1], kind) as transport:
            assert told(await transport.send(sending())) is Silence.REFUSED


@pytest.mark.parametrize("kind", TRANSPORTS)
async def test_a_target_that_is_restarted_is_used_again(kind: str) -> None:
    async def serve_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await asked(reader)
            writer.write(ANSWER)

    async with nothing_left():
        async with misbehaving(serve_once) as port, sending_to(port, kind) as transport:
            assert told(await transport.send(sending())) == 200
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        async with sending_to(port, kind) as transport:
            assert told(await transport.send(sending())) is Silence.REFUSED
            listening.bind(("127.0.0.1", port))
            server = await asyncio.start_server(serve_once, sock=listening)
            try:
                assert response_of(await transport.send(sending())).body == b"hello"
            finally:
                server.close()
        await asyncio.sleep(0)


@contextmanager
def few_descriptors(more: int) -> Iterator[None]:
    """So many more files may be opened."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(each.name) for each in Path("/proc/self/fd").iterdir())
    held = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1 + more, hard))
    try:
        with contextlib.suppress(OSError):  # gaps below the highest are taken first
            while True:
                held.append(os.open("/dev/null", os.O_RDONLY))
        for _ in range(more):
            os.close(held.pop())
        yield
    finally:
        for each in held:
            os.close(each)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("kind", TRANSPORTS)
async def test_without_descriptors_nothing_is_sent_and_all_goes_on_when_there_are_some(kind: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await asked(reader)
            writer.write(ANSWER)

    async with nothing_left(), misbehaving(serve) as port, sending_to(port, kind) as transport:
        with few_descriptors(0):
            outcomes = [await transport.send(sending(lane=str(at))) for at in range(3)]
        assert [told(each) for each in outcomes] == [Silence.REFUSED] * 3
        assert "Too many open files" in str(outcomes[0])
        assert told(await transport.send(sending())) == 200


# On uvloop aiohttp leaves the socket of a connect that is cancelled to the collector, which warns.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("kind", TRANSPORTS)
@pytest.mark.parametrize("fault", ["hangs", "a body without end", "1xx without end", "a byte at a time"])
async def test_cancelling_in_the_midst_of_a_fault_leaves_nothing_open(kind: str, fault: str) -> None:
    begun = asyncio.Event()

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        begun.set()
        await FAULTS[fault][0](reader, writer)

    async with nothing_left(), misbehaving(behave) as port, sending_to(port, kind) as transport:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(transport.send(sending(timeout=60.0)))
            await begun.wait()
            task.cancel()
        assert task.cancelled()
