"""Loopback peers that hold conversations, and transports to hold them with."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from shadow.model import Message, NoReply, Outcome, Reply, Request
from shadow.replay._contract import Manner, Sending, Target, Transport, Wording
from shadow.replay.conversing import TalkSettings
from shadow.replay.datagram import DatagramTransport
from shadow.replay.dns import DnsTransport
from shadow.replay.guard import Guard, GuardSettings
from shadow.replay.stream import StreamTransport
from shadow.replay.websocket import WebSocketTransport
from shadow.wire.talk import NOTHING

type Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

QUICK = TalkSettings(quiet_seconds=0.05, end_seconds=0.05)
_BY_SCHEME: dict[str, Callable[[Target, Guard, TalkSettings], Transport]] = {
    "tcp": StreamTransport,
    "tls": StreamTransport,
    "udp": DatagramTransport,
    "dns": DnsTransport,
    "http": WebSocketTransport,
    "https": WebSocketTransport,
}


def script(*said: str | bytes, kind: str = "", gap_seconds: float = 0.001) -> tuple[Message, ...]:
    """Messages in order; those that begin with ``<`` are the peer's, with ``>`` the client's."""
    messages = []
    for at, each in enumerate(said):
        text = each.encode() if isinstance(each, str) else each
        messages.append(Message(text[:1] == b">", text[1:], 1000.0 + at * gap_seconds, kind))
    return tuple(messages)


def talk(
    messages: tuple[Message, ...],
    protocol: str = "tcp",
    *,
    request: Request = NOTHING,
    timeout_seconds: float = 5.0,
    wording: Wording | None = None,
    manner: Manner | None = None,
) -> Sending:
    return Sending(
        request,
        timeout_seconds=timeout_seconds,
        lane="s",
        protocol=protocol,
        messages=messages,
        wording=wording,
        manner=manner,
    )


@asynccontextmanager
async def transport(
    scheme: str, port: int, *, settings: TalkSettings = QUICK, guard: Guard | None = None
) -> AsyncIterator[Transport]:
    """One to that port of loopback; it must leave no socket open."""
    target = Target("candidate", scheme, "127.0.0.1", port)
    made = _BY_SCHEME[scheme](target, guard or Guard(GuardSettings(), [target]), settings)
    try:
        yield made
    finally:
        await made.close()
        assert made.open_connections == 0  # type: ignore[attr-defined]  # each of these has it


@asynccontextmanager
async def tcp_service(serve: Serve, **options: object) -> AsyncIterator[int]:
    """Its port. A connection ends when `serve` returns."""
    async with asyncio.TaskGroup() as group:

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await serve(reader, writer)
            except (ConnectionError, asyncio.IncompleteReadError):
                return
            finally:
                writer.close()

        def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            tasks.append(group.create_task(connected(reader, writer), name="connection"))

        tasks: list[asyncio.Task[None]] = []
        server = await asyncio.start_server(begin, "127.0.0.1", 0, **options)  # type: ignore[arg-type]  # as it takes them
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            for task in tasks:
                task.cancel()


def said(outcome: Outcome) -> list[bytes]:
    """What the peer said."""
    assert isinstance(outcome, Reply), outcome
    return [each.body for each in outcome.messages]


def remarks(outcome: Outcome) -> tuple[str, ...]:
    assert isinstance(outcome, Reply), outcome
    return outcome.remarks


def silence(outcome: Outcome) -> str:
    assert isinstance(outcome, NoReply), outcome
    return outcome.why.value
