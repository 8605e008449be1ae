"""What either transport makes of a server that breaks off, stops, or says what is no HTTP."""

import asyncio

import pytest

from shadow.model import Reply, Request, Silence
from shadow.replay._contract import Target
from shadow.replay.guard import Guard, GuardSettings
from tests.replay.conftest import (
    ANSWER,
    BOTH,
    HEAD_SIZE,
    Open,
    Peer,
    Serve,
    answering,
    answering_and_closing,
    never_resolves,
    request,
    response_of,
    sending,
    tls_target,
    why,
)


@pytest.mark.parametrize("kind", BOTH)
async def test_a_close_at_every_byte_of_the_answer_is_a_value(
    serve: Serve, transports: Open, kind: str
) -> None:
    offsets = iter(range(len(ANSWER) + 1))
    server = await serve(lambda peer, _: answering_and_closing(ANSWER[: next(offsets)])(peer, request()))
    transport = transports(kind, server.target)
    for offset in range(len(ANSWER) + 1):
        # POST: aiohttp would try a GET again, and a new connection must meet the next offset
        outcome = await transport.send(sending(request(b"POST", b"/x", b"{}"), lane=str(offset)))
        if offset >= HEAD_SIZE:
            response = response_of(outcome)
            assert response.body == ANSWER[HEAD_SIZE:offset]
            assert response.is_complete == (offset == len(ANSWER))
        elif offset == 0:
            assert why(outcome) is Silence.CLOSED
        elif kind == "raw":
            assert why(outcome) is Silence.MALFORMED
        else:
            assert why(outcome) in (Silence.CLOSED, Silence.MALFORMED)


async def test_a_reset_at_every_byte_of_the_answer_is_a_value(serve: Serve, transports: Open) -> None:
    state = {"offset": 0}

    def behave(peer: Peer, _: Request) -> None:
        peer.write(ANSWER[: state["offset"]])
        peer.reset()

    server = await serve(behave)
    transport = transports("raw", server.target)
    for offset in range(len(ANSWER) + 1):
        state["offset"] = offset
        outcome = await transport.send(sending(lane=str(offset)))
        if offset < HEAD_SIZE:
            assert why(outcome) is Silence.RESET
        elif isinstance(outcome, Reply):  # the kernel may drop what the reset overtakes
            assert outcome.response.is_complete == (outcome.response.body == b"hello")
            assert ANSWER[HEAD_SIZE:offset].startswith(outcome.response.body)
        else:
            assert outcome.why is Silence.RESET


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9\r\n",
        b"HTTP/1.1 2x0 OK\r\n\r\n",
        b"\x15\x03\x01\x00\x02\x02\x28",
        b"HTTP/1.1\r\n\r\n",
    ],
    ids=["ssh", "status", "tls alert", "no status"],
)
async def test_bytes_that_are_no_http_are_malformed(
    serve: Serve, transports: Open, kind: str, answer: bytes
) -> None:
    server = await serve(answering(answer))
    assert why(await transports(kind, server.target).send(sending())) is Silence.MALFORMED


@pytest.mark.parametrize("kind", BOTH)
async def test_a_broken_chunk_is_malformed(serve: Serve, transports: Open, kind: str) -> None:
    server = await serve(answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"))
    assert why(await transports(kind, server.target).send(sending())) is Silence.MALFORMED


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 200 O", ANSWER[:-1]], ids=["nothing", "half a head", "half a body"]
)
async def test_a_server_that_stops_is_timed_out(
    serve: Serve, transports: Open, kind: str, answer: bytes
) -> None:
    server = await serve(answering(answer))
    outcome = await transports(kind, server.target).send(sending(timeout=0.05))
    assert why(outcome) is Silence.TIMED_OUT
    await server.peers[0].closed.wait()


@pytest.mark.parametrize("kind", BOTH)
async def test_an_event_stream_that_goes_on_is_an_answer_cut_at_the_time_limit(
    serve: Serve, transports: Open, kind: str
) -> None:
    server = await serve(answering(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n"))
    response = response_of(await transports(kind, server.target).send(sending(timeout=0.05)))
    assert (response.body, response.is_complete) == (b"data: 1\n\n", False)


@pytest.mark.parametrize("kind", BOTH)
async def test_a_body_without_end_is_cut_at_its_limit(serve: Serve, transports: Open, kind: str) -> None:
    def pour(peer: Peer, _: Request) -> None:
        peer.write(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 8_000_000)

    server = await serve(pour)
    response = response_of(await transports(kind, server.target, body_bytes_max=1000).send(sending()))
    assert (response.body, response.is_complete) == (b"x" * 1000, False)
    await server.peers[0].closed.wait()


@pytest.mark.parametrize("kind", BOTH)
async def test_a_tls_handshake_that_never_ends_is_refused(serve: Serve, transports: Open, kind: str) -> None:
    server = await serve(on_bytes=lambda _: None)
    transport = transports(kind, tls_target(server), connect_timeout_seconds=0.05)
    assert why(await transport.send(sending())) is Silence.REFUSED
    await server.peers[0].closed.wait()


@pytest.mark.parametrize("kind", BOTH)
async def test_a_closed_port_is_refused(transports: Open, kind: str, unused_tcp_port: int) -> None:
    target = Target("candidate", "http", "127.0.0.1", unused_tcp_port)
    outcome = await transports(kind, target).send(sending())
    assert why(outcome) is Silence.REFUSED
    assert outcome.timing.connect_seconds == 0


@pytest.mark.parametrize("kind", BOTH)
async def test_a_connect_that_takes_too_long_is_refused(serve: Serve, transports: Open, kind: str) -> None:
    server = await serve()
    guard = Guard(GuardSettings(), [server.target], resolve=never_resolves)
    transport = transports(kind, server.target, guard=guard, connect_timeout_seconds=0.02)
    assert why(await transport.send(sending(timeout=0.2))) is Silence.REFUSED


@pytest.mark.parametrize("kind", BOTH)
async def test_a_slow_server_is_waited_for(serve: Serve, transports: Open, kind: str) -> None:
    def drip(peer: Peer, _: Request, position: int = 0) -> None:
        peer.write(ANSWER[position : position + 1])
        if position < len(ANSWER):
            asyncio.get_running_loop().call_later(0.001, drip, peer, _, position + 1)

    server = await serve(drip)
    assert response_of(await transports(kind, server.target).send(sending())).body == b"hello"
