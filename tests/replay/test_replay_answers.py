"""What comes back from either transport: answers whole, cut and with bytes after them."""

import asyncio

import pytest

from shadow.model import Reply, Request, Response, Wire
from shadow.wire.http1 import serialise_request
from tests.replay.conftest import (
    BOTH,
    OK,
    Open,
    Peer,
    Serve,
    answering,
    answering_and_closing,
    request,
    response_of,
    sending,
)


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize(
    ("method", "answer", "status", "body"),
    [
        pytest.param(b"GET", OK, 200, b"hi", id="length"),
        pytest.param(b"GET", b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", id="204"),
        pytest.param(b"GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", 304, b"", id="304"),
        pytest.param(b"HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", 200, b"", id="HEAD"),
        pytest.param(
            b"GET",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n",
            200,
            b"abcde",
            id="chunked",
        ),
        pytest.param(b"GET", b"HTTP/1.1 100 Continue\r\n\r\n" + OK, 200, b"hi", id="100 first"),
        pytest.param(
            b"GET", b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n" * 2 + OK, 200, b"hi", id="103 twice"
        ),
        pytest.param(
            b"GET", b"HTTP/1.1 302 Found\r\nLocation: /y\r\nContent-Length: 0\r\n\r\n", 302, b"", id="302"
        ),
    ],
)
async def test_the_answer_is_what_the_server_said(
    serve: Serve, transports: Open, kind: str, method: bytes, answer: bytes, status: int, body: bytes
) -> None:
    server = await serve(answering(answer))
    outcome = await transports(kind, server.target).send(sending(request(method)))
    response = response_of(outcome)
    assert (response.status, response.body, response.is_complete) == (status, body, True)
    assert len(server.peers) == 1


@pytest.mark.parametrize("kind", BOTH)
async def test_an_answer_up_to_the_close_is_complete(serve: Serve, transports: Open, kind: str) -> None:
    server = await serve(answering_and_closing(b"HTTP/1.1 200 Fine\r\nX: a\r\nx:  b \r\n\r\nto the end"))
    response = response_of(await transports(kind, server.target).send(sending()))
    assert response == Response(200, b"Fine", b"HTTP/1.1", ((b"X", b"a"), (b"x", b"b")), b"to the end")


async def test_trailers_are_kept(serve: Serve, transports: Open) -> None:
    server = await serve(
        answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n")
    )
    response = response_of(await transports("raw", server.target).send(sending()))
    assert response.trailers == ((b"X-Sum", b"1"),)


@pytest.mark.parametrize("kind", BOTH)
async def test_encoded_content_is_left_encoded(serve: Serve, transports: Open, kind: str) -> None:
    server = await serve(
        answering(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b!")
    )
    assert response_of(await transports(kind, server.target).send(sending())).body == b"\x1f\x8b!"


@pytest.mark.parametrize("kind", BOTH)
async def test_cookies_are_not_kept(serve: Serve, transports: Open, kind: str) -> None:
    server = await serve(answering(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"))
    transport = transports(kind, server.target)
    await transport.send(sending())
    await transport.send(sending())
    assert b"Cookie" not in server.peers[0].got
    assert server.peers[0].got.count(b"GET /x") == 2


@pytest.mark.parametrize("kind", BOTH)
async def test_a_longer_body_than_allowed_is_cut_and_says_so(
    serve: Serve, transports: Open, kind: str
) -> None:
    server = await serve(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + b"x" * 200_000))
    response = response_of(await transports(kind, server.target, body_bytes_max=1000).send(sending()))
    assert (response.body, response.is_complete) == (b"x" * 1000, False)


async def test_timing_counts_from_the_start_and_a_kept_connection_needs_no_connect(
    serve: Serve, transports: Open
) -> None:
    server = await serve()
    transport = transports("raw", server.target)
    first, second = await transport.send(sending()), await transport.send(sending())
    assert 0 < first.timing.connect_seconds <= first.timing.first_byte_seconds <= first.timing.total_seconds
    assert second.timing.connect_seconds == 0 < second.timing.first_byte_seconds


async def test_the_answer_to_a_smuggled_request_is_surplus(serve: Serve, transports: Open) -> None:
    server = await serve()
    wire = Wire((serialise_request(request()) * 2,))
    outcome = await transports("raw", server.target).send(sending(wire=wire))
    assert isinstance(outcome, Reply)
    assert outcome.surplus == OK


async def test_surplus_that_comes_later_is_waited_for(serve: Serve, transports: Open) -> None:
    def behave(peer: Peer, _: Request) -> None:
        peer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
        asyncio.get_running_loop().call_later(0.01, peer.write, b"body")
        asyncio.get_running_loop().call_later(0.02, peer.transport.close)

    server = await serve(behave)
    transport = transports("raw", server.target, surplus_wait_seconds=30)
    outcome = await transport.send(sending(request(b"HEAD")))
    assert isinstance(outcome, Reply)
    assert (outcome.response.body, outcome.surplus) == (b"", b"body")


async def test_surplus_is_bounded(serve: Serve, transports: Open) -> None:
    server = await serve(answering_and_closing(OK + b"x" * 200_000))
    transport = transports("raw", server.target, surplus_wait_seconds=30)
    outcome = await transport.send(sending(wire=Wire((b"GET / HTTP/1.1\r\n\r\n",))))
    assert isinstance(outcome, Reply)
    assert outcome.surplus == b"x" * 65_536
