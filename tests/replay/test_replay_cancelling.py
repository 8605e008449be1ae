"""What is cancelled leaves nothing open."""

import asyncio

import pytest

from shadow.model import Ending, Silence, Wire
from shadow.replay._contract import Sending, Transport
from shadow.replay.guard import Guard, GuardSettings
from shadow.replay.raw import RawTransport
from tests.replay.conftest import (
    ANSWER,
    BOTH,
    Open,
    Serve,
    Server,
    answering,
    never_resolves,
    request,
    sending,
    tls_target,
    why,
)


async def cancelled_once(server: Server, transport: Transport, what: Sending) -> None:
    """Cancels `what` as soon as the server has heard of it, and waits until its connection is gone."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(transport.send(what), name="sending")
        await server.arrived.wait()
        task.cancel()
    assert task.cancelled()
    await server.peers[-1].closed.wait()


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("answer", [b"", ANSWER[:-1]], ids=["before the answer", "inside the answer"])
async def test_cancelling_closes_the_connection(
    serve: Serve, transports: Open, kind: str, answer: bytes
) -> None:
    server = await serve(answering(answer))
    await cancelled_once(server, transports(kind, server.target), sending())


@pytest.mark.parametrize(
    "wire",
    [
        Wire((b"GET / HTTP/1.1\r\n", b"\r\n"), pause_seconds=60),
        Wire((b"POST / HTTP/1.1\r\n\r\n" + b"x" * 20_000_000, b"y")),
        Wire((b"GET / HTTP/1.1\r\n\r\n",), ending=Ending.HALF_CLOSE),
    ],
    ids=["in a pause", "in a write", "after half a close"],
)
async def test_cancelling_a_wire_sending_closes_the_connection(
    serve: Serve, transports: Open, wire: Wire
) -> None:
    server = await serve(on_bytes=lambda peer: peer.transport.pause_reading(), stays_half_open=True)
    transport = transports("raw", server.target)
    assert isinstance(transport, RawTransport)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(transport.send(sending(wire=wire)), name="sending")
        await server.arrived.wait()
        task.cancel()
    assert task.cancelled()
    await asyncio.sleep(0)  # the turn of the loop in which an aborted connection lets go of its socket
    assert transport.open_connections == 0


async def test_a_write_that_nobody_reads_is_timed_out(serve: Serve, transports: Open) -> None:
    server = await serve(on_bytes=lambda peer: peer.transport.pause_reading())
    wire = Wire((b"POST / HTTP/1.1\r\n\r\n" + b"x" * 20_000_000, b"y"))
    outcome = await transports("raw", server.target).send(sending(wire=wire, timeout=0.03))
    assert why(outcome) is Silence.TIMED_OUT


@pytest.mark.parametrize("kind", BOTH)
async def test_cancelling_while_the_name_is_resolved_leaves_nothing_open(
    serve: Serve, transports: Open, kind: str
) -> None:
    server = await serve()
    asked = asyncio.Event()

    async def resolve(host: str, port: int) -> list[str]:
        asked.set()
        return await never_resolves(host, port)

    transport = transports(
        kind, server.target, guard=Guard(GuardSettings(), [server.target], resolve=resolve)
    )
    async with asyncio.TaskGroup() as group:
        task = group.create_task(transport.send(sending()), name="sending")
        await asked.wait()
        task.cancel()
    assert task.cancelled()
    assert server.peers == []


async def test_cancelling_while_more_bytes_are_looked_for_closes_the_connection(
    serve: Serve, transports: Open
) -> None:
    server = await serve()
    transport = transports("raw", server.target, surplus_wait_seconds=60)
    await cancelled_once(server, transport, sending(request(b"HEAD")))


@pytest.mark.parametrize("kind", BOTH)
async def test_cancelling_while_waiting_for_the_rate_sends_nothing(
    serve: Serve, transports: Open, kind: str
) -> None:
    server = await serve()
    guard = Guard(GuardSettings(requests_per_second_max=0.01), [server.target])
    transport = transports(kind, server.target, guard=guard)
    await transport.send(sending())
    async with asyncio.TaskGroup() as group:
        task = group.create_task(transport.send(sending()), name="sending")
        await asyncio.sleep(0)
        task.cancel()
    assert task.cancelled()
    assert server.peers[0].count == 1


@pytest.mark.parametrize("kind", BOTH)
async def test_cancelling_a_tls_handshake_closes_the_connection(
    serve: Serve, transports: Open, kind: str
) -> None:
    server = await serve(on_bytes=lambda _: None)
    await cancelled_once(server, transports(kind, tls_target(server)), sending())
