"""Several requests completed at one moment: single packets of HTTP/2, last bytes of HTTP/1."""

import asyncio

import pytest
from h2.settings import SettingCodes

from shadow.model import Outcome, Reply, Request, Silence, Wire
from shadow.replay._contract import Synchronised
from shadow.replay.guard import Guard, GuardSettings
from shadow.wire import http2_writing as w
from tests.replay.conftest import Open, Peer, Serve, request, response_of, sending, why
from tests.replay.http2_server import Asked, hello, sending_to, serving, silent
from tests.replay.http2_server import Peer as Http2Peer

POST = request(b"POST", b"/spend", b"amount=1")
GET = request(b"GET", b"/spend")
TRAILED = Request(
    b"POST",
    b"/spend",
    headers=((b"Host", b"x"), (b"Transfer-Encoding", b"chunked")),
    body=b"ab",
    trailers=((b"x-t", b"1"),),
)


@pytest.mark.parametrize("ask", [POST, GET, TRAILED], ids=["body", "no body", "trailers"])
async def test_ends_of_all_streams_arrive_in_one_read(ask: Request) -> None:
    async with serving() as server, sending_to(server.target) as transport:
        outcomes = await transport.send_together([sending(ask)] * 20)
        (peer,) = server.peers
        assert [response_of(each).body for each in outcomes] == [b"hello"] * 20
        assert [each.body for each in server.asked] == [ask.body] * 20
        assert [each.trailers for each in server.asked] == [ask.trailers] * 20
        endings = [read.count("StreamEnded") for read in peer.reads]
        assert [count for count in endings if count] == [20]
        at = endings.index(20)
        assert any("PingReceived" in read for read in peer.reads[:at])
        await peer.closed.wait()


async def test_peer_that_takes_few_streams_gets_several_connections() -> None:
    few: dict[SettingCodes, int] = {SettingCodes.MAX_CONCURRENT_STREAMS: 4}
    async with serving(settings=few) as server, sending_to(server.target) as transport:
        outcomes = await transport.send_together([sending(POST)] * 10)
        assert {response_of(each).status for each in outcomes} == {200}
        assert [len(peer.asked) for peer in server.peers] == [4, 4, 2]


async def test_what_the_peer_has_not_worked_on_is_sent_together_once_more() -> None:
    def answer(peer: Http2Peer, asked: Asked) -> None:
        if peer is peer.server.peers[0] and asked.number > 3:
            peer.h2.reset_stream(asked.number, 7)
            peer.flush()
        else:
            hello(peer, asked)

    async with serving(answer) as server, sending_to(server.target) as transport:
        outcomes = await transport.send_together([sending(POST)] * 5)
        assert {response_of(each).status for each in outcomes} == {200}
        assert [len(peer.asked) for peer in server.peers] == [5, 3]


async def test_each_of_a_burst_has_its_own_outcome() -> None:
    async with serving() as server:
        guard = Guard(GuardSettings(requests_max=2), [server.target])
        async with sending_to(server.target, guard=guard) as transport:
            odd = sending(request(b"CONNECT"))
            wire = sending(wire=Wire((w.opening(),), protocol="http2"))
            outcomes = await transport.send_together([sending(), odd, sending(), sending()])
            assert [_told(each) for each in outcomes] == [200, Silence.UNSENT, 200, Silence.UNSENT]
            assert _told((await transport.send_together([wire]))[0]) is Silence.UNSENT


async def test_burst_that_nobody_answers_ends_in_time() -> None:
    async with serving(silent) as server, sending_to(server.target) as transport:
        outcomes = await transport.send_together([sending(timeout=0.1)] * 3)
        assert {why(each) for each in outcomes} == {Silence.TIMED_OUT}


async def test_burst_to_nobody_is_refused() -> None:
    async with serving() as server:
        target = server.target
    async with sending_to(target) as transport:
        assert {why(each) for each in await transport.send_together([sending()] * 3)} == {Silence.REFUSED}


async def test_cancelled_burst_leaves_no_socket() -> None:
    async with (
        serving(silent) as server,
        sending_to(server.target) as transport,
        asyncio.TaskGroup() as group,
    ):
        task = group.create_task(transport.send_together([sending()] * 3))
        await server.asking.wait()
        task.cancel()


async def test_last_bytes_follow_when_all_else_has_arrived(serve: Serve, transports: Open) -> None:
    arrivals: list[tuple[int, int]] = []

    def note(peer: Peer) -> None:
        at = peer.server.peers.index(peer)
        arrivals.append((at, len(peer.got)))
        if peer.got.endswith(b"amount=1"):
            peer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")

    server = await serve(on_bytes=note)
    transport = transports("raw", server.target)
    assert isinstance(transport, Synchronised)
    outcomes = await transport.send_together([sending(POST)] * 4)
    assert [response_of(each).body for each in outcomes] == [b"hi"] * 4
    size = len(server.peers[0].got)
    assert sorted(arrivals[:4]) == [(at, size - 1) for at in range(4)]
    assert sorted(arrivals[4:]) == [(at, size) for at in range(4)]
    assert len(server.peers) == 4


async def test_last_byte_of_exact_bytes_is_held_back_too(serve: Serve, transports: Open) -> None:
    sizes: list[int] = []

    def note(peer: Peer) -> None:
        sizes.append(len(peer.got))
        if peer.got.endswith(b"\r\n\r\n"):
            peer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    server = await serve(on_bytes=note)
    wire = Wire((b"GET / HTTP/1.1\r\n", b"Host: x\r\n\r\n"))
    transport = transports("raw", server.target)
    assert isinstance(transport, Synchronised)
    outcomes = await transport.send_together([sending(wire=wire)] * 2)
    assert [response_of(each).status for each in outcomes] == [204, 204]
    assert sizes == [26, 26, 27, 27]


async def test_one_that_is_answered_early_or_hangs_keeps_no_other(serve: Serve, transports: Open) -> None:
    def note(peer: Peer) -> None:
        at = peer.server.peers.index(peer)
        if at == 0:
            peer.transport.close()
        elif at == 1 and peer.got.endswith(b"amount=1"):
            peer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    server = await serve(on_bytes=note)
    transport = transports("raw", server.target)
    assert isinstance(transport, Synchronised)
    outcomes = await transport.send_together([sending(POST, timeout=0.3)] * 3)
    assert sorted(str(_told(each)) for each in outcomes) in (
        ["200", "closed", "timed_out"],
        ["200", "reset", "timed_out"],
    )


async def test_last_bytes_wait_for_the_guard(serve: Serve, transports: Open) -> None:
    server = await serve()
    guard = Guard(GuardSettings(requests_max=1), [server.target])
    transport = transports("raw", server.target, guard=guard)
    assert isinstance(transport, Synchronised)
    outcomes = await transport.send_together([sending(), sending()])
    assert [_told(each) for each in outcomes] == [200, Silence.UNSENT]
    assert await transport.send_together([]) == []


def _told(outcome: Outcome) -> int | Silence:
    return outcome.response.status if isinstance(outcome, Reply) else outcome.why
