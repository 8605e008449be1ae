"""What is sent arrives byte for byte, or is not sent."""

import asyncio

import pytest

from shadow.model import Ending, NoReply, Reply, Request, Silence, Wire
from shadow.replay._contract import Target
from shadow.replay.guard import Guard, GuardSettings
from shadow.replay.raw import RawTransport
from shadow.replay.sayable import is_sayable
from shadow.wire.http1 import serialise_request
from tests.replay.conftest import OK, Open, Peer, Serve, request, response_of, sending, why


@pytest.mark.parametrize(
    "ask",
    [
        Request(
            b"gEt",
            b"/a/../%7e?x=%41&&y",
            headers=((b"hOST", b"h"), (b"X", b"\xe9"), (b"x", b""), (b"X", b"2")),
        ),
        Request(b"FROB*", b"*", b"HTTP/1.0", headers=((b"Host", b"a"), (b"HOST", b"b"))),
        Request(b"POST", b"http://h.invalid/", headers=((b"Content-Length", b"3"),), body=b"\x00\r\n"),
        Request(b"POST", b"/", headers=((b"Host", b"h"), (b"Transfer-Encoding", b"chunked")), body=b"abc"),
    ],
    ids=["odd case", "odd method", "binary body", "chunked"],
)
async def test_raw_sends_a_request_byte_for_byte(serve: Serve, transports: Open, ask: Request) -> None:
    expected = serialise_request(ask)

    def behave(peer: Peer) -> None:
        if len(peer.got) == len(expected):
            peer.write(OK)

    server = await serve(on_bytes=behave)
    assert response_of(await transports("raw", server.target).send(sending(ask))).status == 200
    assert server.peers[0].got == expected


@pytest.mark.parametrize(
    "ask",
    [
        request(b"GET", b"/a/../%7e?x=%41&&y", b"", (b"x-B", b"1"), (b"A", b""), (b"x-B", b"2")),
        request(b"POST", b"/", b"\x00\xff", (b"X", "é".encode())),
        Request(b"DELETE", b"//x;y", headers=((b"Host", b"h"), (b"content-length", b"0"))),
        request(b"FROB*", b"/", b"abc", (b"Cookie", b"a=b; c"), (b"Accept-Encoding", b"gzip")),
    ],
    ids=["target", "body", "empty", "method"],
)
async def test_aiohttp_sends_what_it_says_it_can_byte_for_byte(
    serve: Serve, transports: Open, ask: Request
) -> None:
    server = await serve()
    transport = transports("aiohttp", server.target)
    assert transport.can_send(sending(ask))
    response_of(await transport.send(sending(ask)))
    assert server.peers[0].got == serialise_request(ask)


@pytest.mark.parametrize(
    "ask",
    [
        request(b"get"),
        request(b"G T"),
        request(b"GET", b"x"),
        request(b"GET", b"/#a"),
        request(b"GET", b"/?"),
        request(b"GET", b"/\xe9"),
        request(b"GET", b"/ x"),
        request(b"GET", b"/", b"", (b"X", b"1"), (b"x", b"2")),
        request(b"GET", b"/", b"", (b"X", b"\xe9")),
        request(b"GET", b"/", b"", (b"X", b"a\x00b")),
        request(b"GET", b"/", b"", (b"X", b"a\nb")),
        request(b"GET", b"/", b"", (b"X y", b"a")),
        request(b"GET", b"/", b"", (b"Host", b"second")),
        request(b"GET", b"/", b"", (b"Expect", b"100-continue")),
        request(b"GET", b"/", b"", (b"Transfer-Encoding", b"chunked")),
        request(b"POST"),
        Request(b"GET", b"/"),
        Request(b"GET", b"/", headers=((b"A", b"b"), (b"Host", b"h"))),
        Request(b"GET", b"/", b"HTTP/1.0", headers=((b"Host", b"h"),)),
        Request(b"POST", b"/", headers=((b"Host", b"h"), (b"Content-Length", b"1")), body=b"ab"),
        Request(b"POST", b"/", headers=((b"Host", b"h"),), body=b"ab"),
    ],
    ids=lambda ask: repr(serialise_request(ask))[:60],
)
async def test_aiohttp_refuses_what_it_cannot_say(serve: Serve, transports: Open, ask: Request) -> None:
    server = await serve()
    assert not is_sayable(ask)
    assert why(await transports("aiohttp", server.target).send(sending(ask))) is Silence.UNSENT
    assert server.peers == []


async def test_aiohttp_cannot_send_a_wire(serve: Serve, transports: Open) -> None:
    server = await serve()
    assert not transports("aiohttp", server.target).can_send(sending(wire=Wire((b"x",))))


async def test_wire_segments_arrive_one_by_one_in_order(serve: Serve, transports: Open) -> None:
    pieces: list[bytes] = []
    segments = (b"GE", b"T / HT", b"TP/1.1\r\nA: b\r", b"\n\r\n")

    def behave(peer: Peer) -> None:
        pieces.append(peer.got)
        if peer.got.endswith(b"\r\n\r\n"):
            peer.write(OK)

    server = await serve(on_bytes=behave)
    outcome = await transports("raw", server.target).send(sending(wire=Wire(segments, pause_seconds=0.01)))
    assert response_of(outcome).status == 200
    assert pieces == [b"".join(segments[: count + 1]) for count in range(len(segments))]


async def test_a_wire_always_gets_a_connection_of_its_own(serve: Serve, transports: Open) -> None:
    server = await serve()
    transport = transports("raw", server.target)
    wire = Wire((serialise_request(request()),))
    for what in (sending(), sending(wire=wire), sending()):
        response_of(await transport.send(what))
    assert [peer.count for peer in server.peers] == [2, 1]
    await server.peers[1].closed.wait()


async def test_half_a_close_is_seen_before_the_answer(serve: Serve, transports: Open) -> None:
    server = await serve(on_bytes=lambda _: None, on_eof=lambda peer: peer.write(OK), stays_half_open=True)
    wire = Wire((b"GET / HTTP/1.0\r\n",), ending=Ending.HALF_CLOSE)
    assert response_of(await transports("raw", server.target).send(sending(wire=wire))).body == b"hi"
    assert server.peers[0].saw_eof


async def test_a_reset_is_seen_as_such(serve: Serve, transports: Open) -> None:
    server = await serve(on_bytes=lambda _: None)
    wire = Wire((b"GET / HTTP/1.1\r\n",), ending=Ending.RESET)
    assert why(await transports("raw", server.target).send(sending(wire=wire))) is Silence.RESET
    await server.arrived.wait()
    await server.peers[0].closed.wait()
    assert isinstance(server.peers[0].loss, ConnectionResetError)
    assert server.peers[0].got == b"GET / HTTP/1.1\r\n"


BYTES = b"GET / HTTP/1.1\r\n\r\n"
LISTENING = Wire((BYTES,), ending=Ending.LISTEN)


async def test_what_listens_hears_every_answer_and_then_closes(serve: Serve, transports: Open) -> None:
    def behave(peer: Peer) -> None:
        peer.write(OK)
        peer.write(OK)

    server = await serve(on_bytes=behave, on_eof=lambda peer: peer.write(OK), stays_half_open=False)
    outcome = await transports("raw", server.target, listen_seconds=0.01).send(sending(wire=LISTENING))
    assert isinstance(outcome, Reply)
    assert outcome.response.body == b"hi"
    assert outcome.surplus == OK + OK
    assert server.peers[0].saw_eof


async def test_what_waits_for_more_is_told_that_none_comes(serve: Serve, transports: Open) -> None:
    server = await serve(on_bytes=lambda _: None, on_eof=lambda peer: peer.write(OK), stays_half_open=True)
    transport = transports("raw", server.target, patience_seconds=0.01, listen_seconds=0.01)
    assert response_of(await transport.send(sending(wire=LISTENING))).body == b"hi"
    assert server.peers[0].saw_eof


@pytest.mark.parametrize("patience_seconds", [0.01, 5.0], ids=["after our end", "before it"])
async def test_what_is_given_up_once_our_side_is_closed_says_so(
    serve: Serve, transports: Open, patience_seconds: float
) -> None:
    def behave(peer: Peer) -> None:
        if patience_seconds > 1:
            peer.transport.close()

    server = await serve(on_bytes=behave, on_eof=lambda peer: peer.transport.close(), stays_half_open=False)
    transport = transports("raw", server.target, patience_seconds=patience_seconds)
    outcome = await transport.send(sending(wire=LISTENING))
    assert isinstance(outcome, NoReply)
    assert (outcome.why, outcome.is_after_our_end) == (Silence.CLOSED, patience_seconds < 1)


async def test_an_answer_that_has_begun_is_not_hurried(serve: Serve, transports: Open) -> None:
    def behave(peer: Peer) -> None:
        peer.write(OK[:-1])
        asyncio.get_running_loop().call_later(0.05, peer.write, OK[-1:])

    server = await serve(on_bytes=behave)
    transport = transports("raw", server.target, patience_seconds=0.01, listen_seconds=0.01)
    assert response_of(await transport.send(sending(wire=LISTENING))).body == b"hi"


async def test_what_is_never_answered_times_out_though_listened_to(serve: Serve, transports: Open) -> None:
    server = await serve(on_bytes=lambda _: None, stays_half_open=True)
    transport = transports("raw", server.target, patience_seconds=0.01)
    assert why(await transport.send(sending(wire=LISTENING, timeout=0.1))) is Silence.TIMED_OUT


async def test_half_a_close_over_tls_is_unsent() -> None:
    target = Target("candidate", "https", "127.0.0.1", 1)
    transport = RawTransport(target, Guard(GuardSettings(), [target]))
    what = sending(wire=Wire((b"x",), ending=Ending.HALF_CLOSE))
    assert not transport.can_send(what)
    assert why(await transport.send(what)) is Silence.UNSENT
