"""Connections that lanes use again, and those that they must not."""

import asyncio

import pytest

from shadow.model import Request, Silence
from shadow.replay.guard import Guard, GuardSettings
from shadow.replay.raw import RawTransport, is_self_contained
from shadow.wire.http1 import serialise_request
from tests.replay.conftest import (
    BOTH,
    OK,
    Open,
    Peer,
    Serve,
    answering,
    request,
    response_of,
    sending,
    why,
)

NO_BODY = (b"Content-Length", b"0")


async def test_a_lane_uses_its_connection_again_and_lanes_do_not_share(
    serve: Serve, transports: Open
) -> None:
    server = await serve()
    transport = transports("raw", server.target)
    for lane in "aabab":
        response_of(await transport.send(sending(lane=lane)))
    assert [peer.count for peer in server.peers] == [3, 2]


async def test_sendings_of_a_lane_at_the_same_time_get_connections_of_their_own(
    serve: Serve, transports: Open
) -> None:
    server = await serve()
    transport = transports("raw", server.target)
    async with asyncio.TaskGroup() as group:
        for number in range(3):
            group.create_task(transport.send(sending()), name=f"sending {number}")
    assert [peer.count for peer in server.peers] == [1, 1, 1]


async def test_the_connection_unused_for_longest_makes_room(serve: Serve, transports: Open) -> None:
    server = await serve()
    transport = transports("raw", server.target, idle_connections_max=2)
    for lane in "abc":
        await transport.send(sending(lane=lane))
    await server.peers[0].closed.wait()
    assert isinstance(transport, RawTransport)
    assert transport.open_connections == 2
    await transport.send(sending(lane="b"))
    assert [peer.count for peer in server.peers] == [1, 2, 1]


async def test_a_connection_idle_for_too_long_is_not_used_again(serve: Serve, transports: Open) -> None:
    server = await serve()
    transport = transports("raw", server.target, idle_seconds_max=-1.0)
    await transport.send(sending())
    await transport.send(sending())
    assert [peer.count for peer in server.peers] == [1, 1]


@pytest.mark.parametrize("kind", BOTH)
async def test_a_connection_that_the_server_closed_meanwhile_is_not_used(
    serve: Serve, transports: Open, kind: str
) -> None:
    server = await serve()
    transport = transports(kind, server.target)
    await transport.send(sending())
    server.peers[0].transport.close()
    await server.peers[0].closed.wait()
    outcome = await transport.send(sending(request(b"POST", b"/x", b"body")))
    assert response_of(outcome).status == 200
    assert [peer.count for peer in server.peers] == [1, 1]


def closes_on_the_second(peer: Peer, _: Request) -> None:
    if peer.count == 1:
        peer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    else:
        peer.transport.abort()


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"PUT", b"DELETE", b"OPTIONS"])
async def test_an_idempotent_request_on_a_dead_kept_connection_is_sent_once_more_and_counted(
    serve: Serve, transports: Open, kind: str, method: bytes
) -> None:
    server = await serve(closes_on_the_second)
    guard = Guard(GuardSettings(), [server.target])
    transport = transports(kind, server.target, guard=guard)
    await transport.send(sending())
    ask = request(method, b"/x", b"", *([] if method in (b"GET", b"HEAD", b"OPTIONS") else [NO_BODY]))
    assert response_of(await transport.send(sending(ask))).status == 200
    assert [peer.count for peer in server.peers] == [2, 1]
    assert guard.admitted == 3


@pytest.mark.parametrize("kind", BOTH)
async def test_nothing_is_sent_once_more_beyond_the_budget(serve: Serve, transports: Open, kind: str) -> None:
    server = await serve(closes_on_the_second)
    guard = Guard(GuardSettings(requests_max=2), [server.target])
    transport = transports(kind, server.target, guard=guard)
    await transport.send(sending())
    assert why(await transport.send(sending())) in (Silence.CLOSED, Silence.RESET)
    assert [peer.count for peer in server.peers] == [2]


@pytest.mark.parametrize("kind", BOTH)
async def test_a_connection_that_dies_twice_is_not_tried_a_third_time(
    serve: Serve, transports: Open, kind: str
) -> None:
    server = await serve()
    transport = transports(kind, server.target)
    await transport.send(sending())
    server.on_request = lambda peer, _: peer.transport.abort()
    assert why(await transport.send(sending())) in (Silence.CLOSED, Silence.RESET)
    assert [peer.count for peer in server.peers] == [2, 1]


@pytest.mark.parametrize("method", [b"POST", b"PATCH", b"FROB"])
async def test_any_other_request_is_never_sent_twice(serve: Serve, transports: Open, method: bytes) -> None:
    server = await serve(closes_on_the_second)
    transport = transports("raw", server.target)
    await transport.send(sending())
    outcome = await transport.send(sending(request(method)))
    assert why(outcome) in (Silence.CLOSED, Silence.RESET)
    assert "kept connection" in str(outcome)
    assert [peer.count for peer in server.peers] == [2]


async def test_a_first_connection_that_dies_is_not_tried_again(serve: Serve, transports: Open) -> None:
    server = await serve(lambda peer, _: peer.transport.abort())
    assert why(await transports("raw", server.target).send(sending())) in (Silence.CLOSED, Silence.RESET)
    assert len(server.peers) == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        OK + b"more than was announced",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    ],
    ids=["close", "1.0", "surplus", "101"],
)
async def test_a_connection_that_cannot_serve_another_is_closed(
    serve: Serve, transports: Open, answer: bytes
) -> None:
    server = await serve(answering(answer))
    await transports("raw", server.target).send(sending())
    await server.peers[0].closed.wait()


async def test_bytes_on_an_idle_connection_close_it(serve: Serve, transports: Open) -> None:
    server = await serve()
    transport = transports("raw", server.target)
    await transport.send(sending())
    server.peers[0].write(OK)
    await server.peers[0].closed.wait()
    await transport.send(sending())
    assert [peer.count for peer in server.peers] == [1, 1]


@pytest.mark.parametrize(
    ("ask", "expected"),
    [
        (request(), True),
        (request(b"POST", b"/", b"abc"), True),
        (request(b"GET", b"/", b"", (b"Transfer-Encoding", b"chunked")), True),
        (Request(b"POST", b"/", headers=((b"Content-Length", b"5"),), body=b"abc"), False),
        (Request(b"POST", b"/", headers=((b"Content-Length", b"+3"),), body=b"abc"), False),
        (Request(b"POST", b"/", headers=((b"Content-Length", b"3"),) * 2, body=b"abc"), False),
        (Request(b"POST", b"/", body=b"GET / HTTP/1.1"), False),
        (Request(b"POST", b"/", headers=((b"Transfer-Encoding", b"x, chunked"),), body=b"abc"), False),
        (request(b"POST", b"/", b"abc", (b"transfer-encoding", b"chunked")), False),
        (request(b"GET", b"/ HTTP/1.1\r\nX: y"), False),
        (request(b"GET", b"/", b"", (b"X", b"a\nContent-Length: 3")), False),
        (request(b"GET", b"/", b"", (b"Content-Length ", b"3")), False),
        (request(b"GET", b"/", b"", (b"X\r\n\r\nGET", b"3")), False),
        (request(b"CONNECT", b"a:1"), False),
        (request(b"GET", b"/", b"", (b"Connection", b"close")), False),
        (Request(b"GET", b"/", b"HTTP/1.0"), False),
        (Request(b"", b"/"), False),
    ],
)
def test_only_a_request_that_nobody_reads_otherwise_shares_a_connection(ask: Request, expected: bool) -> None:
    assert is_self_contained(ask, serialise_request(ask)) is expected
