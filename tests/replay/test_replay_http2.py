"""Requests over HTTP/2: said exactly, many on one connection, and every ending a value."""

import asyncio
import socket
import struct
from pathlib import Path

import pytest
from h2.settings import SettingCodes
from hypothesis import given, settings
from hypothesis import strategies as st

from shadow.model import Ending, NoReply, Outcome, Reply, Request, Silence, Wire
from shadow.replay._contract import Synchronised, Target
from shadow.replay.guard import Guard, GuardSettings
from shadow.replay.http2 import Http2Transport
from shadow.replay.http2_connection import Http2Connection
from shadow.wire import http2_writing as w
from tests.certificates import server_tls, write_certificate
from tests.replay.conftest import never_resolves, request, response_of, sending, why
from tests.replay.http2_server import Asked, OnRequest, Peer, hello, sending_to, serving, silent

HEAD = ((b":method", b"GET"), (b":scheme", b"http"), (b":authority", b"shadow"), (b":path", b"/w"))
POST = request(b"POST", b"/p", b"body")
GONE = (Silence.CLOSED, Silence.RESET)
"""A server that closes before it has read all has its system reset the connection."""
SETTINGS = w.settings_frame()
OK_HEAD = ((b":status", b"200"),)
OK = w.headers(1, OK_HEAD, ends_stream=False) + w.data(1, b"hello")


async def test_request_arrives_as_it_is_meant_and_the_answer_comes_whole() -> None:
    def answer(peer: Peer, asked: Asked) -> None:
        peer.answer(asked.number, 201, b"made", (b"x-y", b"z"), trailers=((b"x-sum", b"1"),))

    chunked = ((b"Host", b"shadow"), (b"Transfer-Encoding", b"chunked"), (b"Cookie", b"a=1; b=2"))
    ask = Request(b"POST", b"/p?q", headers=chunked, body=b"body", trailers=((b"X-T", b"t"),))
    async with serving(answer) as server, sending_to(server.target) as transport:
        outcome = await transport.send(sending(ask))
        (asked,) = server.asked
    assert asked.fields == (
        (b":method", b"POST"), (b":scheme", b"http"), (b":authority", b"shadow"), (b":path", b"/p?q"),
        (b"cookie", b"a=1; b=2"),  # the h2 library joins the crumbs
    )  # fmt: skip
    assert (asked.body, asked.trailers) == (b"body", ((b"x-t", b"t"),))
    response = response_of(outcome)
    assert (response.status, response.version, response.body) == (201, b"HTTP/2", b"made")
    assert (response.headers, response.trailers) == (((b"x-y", b"z"),), ((b"x-sum", b"1"),))
    assert response.is_complete
    timing = outcome.timing
    assert 0 < timing.connect_seconds <= timing.first_byte_seconds <= timing.total_seconds


async def test_lane_shares_a_connection_and_lanes_do_not() -> None:
    async with serving() as server, sending_to(server.target) as transport:
        async with asyncio.TaskGroup() as group:
            for at in range(20):
                group.create_task(transport.send(sending(lane="ab"[at % 2])))
        outcome = await transport.send(sending(lane="a"))
        assert [len(peer.asked) for peer in server.peers] in ([11, 10], [10, 11])
    assert outcome.timing.connect_seconds == 0.0


@pytest.mark.parametrize("size", [1, 65_535, 65_536, 1_000_000])
async def test_body_of_any_size_goes_through_any_window(size: int) -> None:
    narrow: dict[SettingCodes, int] = {SettingCodes.INITIAL_WINDOW_SIZE: 1000}

    def echo(peer: Peer, asked: Asked) -> None:
        peer.answer(asked.number, 200, b"%d" % len(asked.body))

    async with serving(echo, settings=narrow) as server, sending_to(server.target) as transport:
        outcome = await transport.send(sending(request(b"POST", b"/p", bytes(size))))
    assert response_of(outcome).body == b"%d" % size


async def test_large_answer_is_read_through_our_windows_and_cut_at_the_limit() -> None:
    waiting: list[tuple[Peer, Asked, int]] = []

    def pour(peer: Peer, asked: Asked) -> None:
        peer.h2.send_headers(asked.number, [(b":status", b"200")])
        waiting.append((peer, asked, 3_000_000))

    async def work() -> None:
        while True:
            await asyncio.sleep(0)
            for at, (peer, asked, left) in enumerate(waiting):
                if asked.number not in peer.h2.streams or peer.resets:
                    continue
                room = min(peer.h2.local_flow_control_window(asked.number), 16_384, left)
                if left and room > 0:
                    peer.h2.send_data(asked.number, bytes(room), end_stream=room == left)
                    waiting[at] = (peer, asked, left - room)
                    peer.flush()

    async with serving(pour) as server, asyncio.TaskGroup() as group:
        pouring = group.create_task(work())
        async with sending_to(server.target) as transport:
            whole = response_of(await transport.send(sending()))
        async with sending_to(server.target, body_bytes_max=100_000) as transport:
            cut = response_of(await transport.send(sending()))
            await server.reset.wait()
        pouring.cancel()
    assert (len(whole.body), whole.is_complete) == (3_000_000, True)
    assert (len(cut.body), cut.is_complete) == (100_000, False)


async def test_streams_beyond_the_peers_limit_wait_their_turn() -> None:
    waiting: list[Asked] = []
    most = 0

    def answer_in_twos(peer: Peer, asked: Asked) -> None:
        nonlocal most
        waiting.append(asked)
        most = max(most, len(waiting))
        if len(waiting) == 2:
            for each in waiting:
                hello(peer, each)
            waiting.clear()

    narrow: dict[SettingCodes, int] = {SettingCodes.MAX_CONCURRENT_STREAMS: 2}
    async with serving(answer_in_twos, settings=narrow) as server, sending_to(server.target) as transport:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(transport.send(sending(POST))) for _ in range(10)]
        assert {response_of(task.result()).status for task in tasks} == {200}
        assert len(server.peers) == 1
    assert most == 2


@pytest.mark.parametrize("status", [204, 304])
async def test_length_without_a_body_is_right_where_there_can_be_none(status: int) -> None:
    def answer(peer: Peer, asked: Asked) -> None:
        peer.answer(asked.number, status, b"", (b"content-length", b"5"))

    async with serving(answer) as server, sending_to(server.target) as transport:
        assert response_of(await transport.send(sending())).status == status
        assert response_of(await transport.send(sending())).status == status
        assert len(server.peers) == 1


def resetting(code: int) -> OnRequest:
    def reset(peer: Peer, asked: Asked) -> None:
        peer.h2.reset_stream(asked.number, code)
        peer.flush()

    return reset


@pytest.mark.parametrize(
    ("code", "detail"),
    [(1, "RST_STREAM PROTOCOL_ERROR"), (2, "RST_STREAM INTERNAL_ERROR"), (77, "RST_STREAM code 77")],
)
async def test_reset_stream_has_its_code_and_harms_no_other(code: int, detail: str) -> None:
    def answer(peer: Peer, asked: Asked) -> None:
        (resetting(code) if asked[b":path"] == b"/bad" else hello)(peer, asked)

    async with serving(answer) as server, sending_to(server.target) as transport:
        outcome = await transport.send(sending(request(b"GET", b"/bad")))
        assert (why(outcome), outcome.detail) == (Silence.RESET, detail)  # type: ignore[union-attr]  # a silence
        assert response_of(await transport.send(sending())).body == b"hello"
        assert len(server.peers) == 1


async def test_refused_stream_is_asked_once_more_whatever_the_method() -> None:
    count = 0

    def answer(peer: Peer, asked: Asked) -> None:
        nonlocal count
        count += 1
        (resetting(7) if count == 1 else hello)(peer, asked)

    async with serving(answer) as server, sending_to(server.target) as transport:
        assert response_of(await transport.send(sending(POST))).body == b"hello"
    assert count == 2


async def test_each_second_attempt_counts_with_the_guard() -> None:
    async with serving(resetting(7)) as server:
        guard = Guard(GuardSettings(requests_max=1), [server.target])
        async with sending_to(server.target, guard=guard) as transport:
            outcome = await transport.send(sending(POST))
            assert (why(outcome), len(server.asked)) == (Silence.RESET, 1)
            assert why(await transport.send(sending(POST))) is Silence.UNSENT


async def test_goaway_lets_what_was_begun_end_and_the_rest_begins_anew() -> None:
    def answer(peer: Peer, asked: Asked) -> None:
        if len(peer.server.peers) == 1:
            if asked.number == 3:
                peer.write(w.goaway(1, 0))
                peer.answer(1, 200, b"late")
        else:
            hello(peer, asked)

    async with serving(answer) as server, sending_to(server.target) as transport:
        async with asyncio.TaskGroup() as group:
            first = group.create_task(transport.send(sending(POST)))
            await server.arrived.wait()
            second = group.create_task(transport.send(sending(POST)))
        assert {response_of(task.result()).body for task in (first, second)} == {b"late", b"hello"}
        assert len(server.peers) == 2


async def test_goaway_and_close_tell_why() -> None:
    def answer(peer: Peer, asked: Asked) -> None:
        peer.write(w.goaway(asked.number, 11))
        peer.transport.close()

    async with serving(answer) as server, sending_to(server.target) as transport:
        outcome = await transport.send(sending(POST))
        assert isinstance(outcome, NoReply)
        assert outcome.why in GONE
        assert outcome.detail.endswith("after GOAWAY ENHANCE_YOUR_CALM")


@pytest.mark.parametrize(("method", "asked"), [(b"GET", 2), (b"POST", 1)])
async def test_lost_kept_connection_is_tried_anew_only_for_what_may_be_sent_twice(
    method: bytes, asked: int
) -> None:
    def answer(peer: Peer, request: Asked) -> None:
        if peer is server.peers[0] and request.number > 1:
            peer.transport.close()
        else:
            hello(peer, request)

    async with serving(answer) as server, sending_to(server.target) as transport:
        await transport.send(sending(request(method, b"/1")))
        outcome = await transport.send(sending(request(method, b"/2")))
        assert len(server.peers) == asked
        if method == b"GET":
            assert response_of(outcome).body == b"hello"
        else:
            assert isinstance(outcome, NoReply)
            assert outcome.detail == "closed without an answer on a kept connection"


async def test_time_out_ends_the_stream_and_retires_the_connection() -> None:
    async with serving(silent) as server, sending_to(server.target) as transport:
        outcome = await transport.send(sending(timeout=0.05))
        assert why(outcome) is Silence.TIMED_OUT
        await server.peers[0].closed.wait()
        server.on_request = hello
        assert response_of(await transport.send(sending())).body == b"hello"
        assert len(server.peers) == 2


async def test_cancelled_request_is_reset_and_leaves_no_socket() -> None:
    async with serving(silent) as server, sending_to(server.target) as transport:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(transport.send(sending()))
            await server.arrived.wait()
            await server.asking.wait()
            task.cancel()
        await server.peers[0].closed.wait()


async def test_unread_body_does_not_outlast_the_time_limit() -> None:
    narrow: dict[SettingCodes, int] = {SettingCodes.INITIAL_WINDOW_SIZE: 0}
    async with serving(settings=narrow, reads_on=False) as server, sending_to(server.target) as transport:
        await transport.send(sending())
        assert why(await transport.send(sending(POST, timeout=0.05))) is Silence.TIMED_OUT


async def test_early_answer_ends_a_body_that_nobody_reads() -> None:
    narrow: dict[SettingCodes, int] = {SettingCodes.INITIAL_WINDOW_SIZE: 10}
    early = request(b"POST", b"/p", bytes(100))
    async with (
        serving(silent, on_head=hello, settings=narrow, reads_on=False) as server,
        sending_to(server.target) as transport,
    ):
        assert response_of(await transport.send(sending(early))).body == b"hello"
        await server.reset.wait()


async def test_body_after_head_is_surplus() -> None:
    async with serving() as server, sending_to(server.target) as transport:
        outcome = await transport.send(sending(request(b"HEAD", b"/")))
    assert isinstance(outcome, Reply)
    assert (outcome.response.body, outcome.surplus) == (b"", b"hello")


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        pytest.param(b"HTTP/1.1 400 Bad\r\n\r\n", "HTTP/1", id="other version"),
        pytest.param(bytes(range(200, 250)) * 4, "larger", id="garbage"),
        pytest.param(w.ping() + w.data(1, b"x"), "", id="no settings first"),
        pytest.param(SETTINGS + w.headers(1, OK_HEAD), "no HTTP/2", id="answer before it is asked"),
    ],
)
async def test_server_that_greets_with_anything_else_speaks_no_http2(said: bytes, reason: str) -> None:
    async with serving(greeting=said) as server, sending_to(server.target) as transport:
        outcome = await transport.send(sending())
        assert isinstance(outcome, NoReply)
        assert outcome.why is Silence.MALFORMED
        assert reason in outcome.detail


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        pytest.param(w.frame(0, 0, 1, b"", length=1 << 20), "larger", id="too large a frame"),
        pytest.param(w.headers(1, ((b"x", b"y"),)), ":status", id="no status"),
        pytest.param(w.headers(1, (*OK_HEAD, (b"A", b"b"))), "names", id="capital"),
        pytest.param(w.headers(1, (*OK_HEAD, (b"a", b"b\n"))), "line end", id="line end"),
        pytest.param(w.data(1, b"x"), "", id="body first"),
        pytest.param(w.headers(1, (*OK_HEAD, (b"content-length", b"9"))), "came", id="short"),
        pytest.param(w.headers(1, (*OK_HEAD, (b"content-length", b"x"))), "", id="length that is none"),
        pytest.param(w.push_promise(1, 2, HEAD), "", id="push"),
        pytest.param(w.continuation_flood(1, HEAD, 200), "", id="endless fields"),
        pytest.param(w.hpack_bomb(1, OK_HEAD), "", id="bomb"),
        pytest.param(w.window_overflow(0), "", id="window"),
        pytest.param(w.headers(1, (), spare=w.indexed(0)), "", id="index of nothing"),
        pytest.param(w.frame(4, 0, 0, b"odd"), "", id="settings of another length"),
        pytest.param(w.headers(1, OK_HEAD, ends_stream=False) + w.headers(1, OK_HEAD), "", id="two heads"),
    ],
)
async def test_answer_that_breaks_the_rules_is_malformed(said: bytes, reason: str) -> None:
    async with serving(lambda peer, _: peer.write(said)) as server, sending_to(server.target) as transport:
        outcome = await transport.send(sending())
        assert isinstance(outcome, NoReply)
        assert outcome.why is Silence.MALFORMED
        assert reason in outcome.detail
        server.on_request = hello
        assert response_of(await transport.send(sending())).body == b"hello"


@given(st.binary(max_size=200))
@settings(max_examples=60, deadline=None)
async def test_no_bytes_make_it_stumble(said: bytes) -> None:
    def answer(peer: Peer, asked: Asked) -> None:
        peer.write(w.headers(1, OK_HEAD, ends_stream=False) + said)
        peer.transport.close()

    async with serving(answer) as server, sending_to(server.target) as transport:
        assert isinstance(await transport.send(sending()), Reply | NoReply)


@pytest.mark.parametrize("end", range(len(OK)))
async def test_close_at_any_byte_is_an_outcome(end: int) -> None:
    def part(peer: Peer, asked: Asked) -> None:
        peer.write(OK[:end])
        peer.transport.close()

    async with serving(part) as server, sending_to(server.target) as transport:
        outcome = await transport.send(sending())
    if isinstance(outcome, Reply):
        assert (outcome.response.status, outcome.response.is_complete) == (200, False)
    else:
        assert outcome.why in GONE


async def test_reset_connection_is_reset() -> None:
    def reset(peer: Peer, asked: Asked) -> None:
        sock = peer.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.transport.abort()

    async with serving(reset) as server, sending_to(server.target) as transport:
        assert why(await transport.send(sending(POST))) is Silence.RESET


async def test_fault_of_one_answer_is_not_its_neighbours() -> None:
    held: list[Asked] = []

    def answer(peer: Peer, asked: Asked) -> None:
        if asked[b":path"] == b"/bad" and len(peer.server.peers) == 1:
            peer.write(w.frame(1, 5, asked.number, w.indexed(0)))  # breaks the table of fields
        elif len(peer.server.peers) == 1:
            held.append(asked)
        else:
            hello(peer, asked)

    async with (
        serving(answer) as server,
        sending_to(server.target) as transport,
        asyncio.TaskGroup() as group,
    ):
        good = group.create_task(transport.send(sending()))
        await server.asking.wait()
        bad = group.create_task(transport.send(sending(request(b"POST", b"/bad"))))
    assert why(bad.result()) is Silence.MALFORMED
    assert response_of(good.result()).body == b"hello"


async def test_peer_that_floods_with_pings_and_reads_nothing_is_given_up() -> None:
    ours, its = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    ours.setblocking(False)
    its.setblocking(False)
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(10):
        _, connection = await loop.create_connection(lambda: Http2Connection(loop, set()), sock=ours)
        await loop.sock_sendall(its, SETTINGS)
        with pytest.raises(ConnectionError):
            await loop.sock_sendall(its, w.ping() * 200_000)
        await connection.closed()
    its.close()


async def test_refused_connection_is_refused() -> None:
    async with serving() as server:
        target = server.target
    async with sending_to(target) as transport:
        assert why(await transport.send(sending())) is Silence.REFUSED
        assert await transport.refusal() == ""


async def test_name_that_never_resolves_is_refused_in_time() -> None:
    target = Target("candidate", "http", "shadow.test", 1)
    guard = Guard(GuardSettings(), [target], resolve=never_resolves)
    async with sending_to(target, guard=guard, connect_timeout_seconds=0.05) as transport:
        assert why(await transport.send(sending())) is Silence.REFUSED


async def test_target_that_is_not_allowed_is_not_connected_to() -> None:
    async with serving() as server:
        guard = Guard(GuardSettings(live=(f"127.0.0.1:{server.port}",)), [server.target])
        async with sending_to(server.target, guard=guard) as transport:
            assert why(await transport.send(sending())) is Silence.UNSENT
            wire = Wire((w.opening(),), protocol="http2")
            assert why(await transport.send(sending(wire=wire))) is Silence.UNSENT
        assert server.peers == []


async def test_idle_connection_is_asked_whether_it_lives_before_what_cannot_be_sent_twice() -> None:
    async with serving() as server, sending_to(server.target, ping_after_seconds=0.0) as transport:
        await transport.send(sending())
        await transport.send(sending())
        assert server.peers[0].pings == 0
        await transport.send(sending(POST))
        assert (len(server.peers), server.peers[0].pings) == (1, 1)


async def test_idle_connection_that_is_silent_is_not_used() -> None:
    async with (
        serving() as server,
        sending_to(server.target, ping_after_seconds=0.0, ping_seconds_max=0.05) as transport,
    ):
        await transport.send(sending())
        server.peers[0].transport.pause_reading()
        assert response_of(await transport.send(sending(POST))).body == b"hello"
        assert len(server.peers) == 2


async def test_idle_connections_beyond_the_capacity_are_closed() -> None:
    async with serving() as server, sending_to(server.target, idle_connections_max=2) as transport:
        for at in range(6):
            await transport.send(sending(lane=str(at)))
        for peer in server.peers[:4]:
            await peer.closed.wait()
        assert transport.open_connections == 2


@pytest.mark.parametrize(
    ("ask", "wire", "is_sayable"),
    [
        pytest.param(request(), None, True, id="request"),
        pytest.param(request(b"CONNECT"), None, False, id="connect"),
        pytest.param(request(), Wire((b"",), protocol="http2"), True, id="frames"),
        pytest.param(request(), Wire((b"",)), False, id="bytes of HTTP/1"),
    ],
)
async def test_what_it_cannot_say_it_does_not_send(ask: Request, wire: Wire | None, is_sayable: bool) -> None:
    async with serving() as server, sending_to(server.target) as transport:
        assert transport.can_send(sending(ask, wire=wire)) is is_sayable
        if not is_sayable:
            assert why(await transport.send(sending(ask, wire=wire))) is Silence.UNSENT
            assert server.peers == []


def _wire(*segments: bytes, **more: object) -> Wire:
    return Wire(segments, protocol="http2", **more)  # type: ignore[arg-type]  # as they are


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        pytest.param(_wire(w.opening() + w.headers(1, HEAD)), 200, id="whole"),
        pytest.param(_wire(w.opening(), w.headers(3, HEAD), stream=3), 200, id="another stream"),
        pytest.param(
            _wire(*(bytes([byte]) for byte in w.opening() + w.headers(1, HEAD))), 200, id="by bytes"
        ),
        pytest.param(
            _wire(w.opening() + w.headers(1, HEAD), ending=Ending.HALF_CLOSE), 200, id="half closed"
        ),
        pytest.param(
            _wire(w.opening() + w.headers(1, HEAD), ending=Ending.RESET), Silence.RESET, id="reset by us"
        ),
        pytest.param(_wire(w.opening() + w.data(1, b"x")), GONE, id="body first"),
        pytest.param(
            _wire(w.opening() + w.headers(1, HEAD) + w.headers(1, HEAD)), GONE, id="stream used twice"
        ),
        pytest.param(_wire(w.opening()), Silence.TIMED_OUT, id="nothing asked"),
    ],
)
async def test_exact_frames_go_out_and_what_comes_back_is_told(
    wire: Wire, expected: int | Silence | tuple[Silence, ...]
) -> None:
    async with serving() as server, sending_to(server.target) as transport:
        outcome = await transport.send(sending(wire=wire, timeout=0.3))
    assert _told(outcome) in (expected if isinstance(expected, tuple) else (expected,))


def _told(outcome: Outcome) -> int | Silence:
    return outcome.response.status if isinstance(outcome, Reply) else outcome.why


async def test_target_is_asked_once_whether_it_speaks_http2() -> None:
    async with serving() as server, sending_to(server.target) as transport:
        assert await transport.refusal() == await transport.refusal() == ""
        assert len(server.peers) == 1
    async with (
        serving(greeting=b"HTTP/1.1 400 Bad\r\n\r\n") as server,
        sending_to(server.target) as transport,
    ):
        assert await transport.refusal() == await transport.refusal() == "the target does not speak HTTP/2"
        assert len(server.peers) == 1


@pytest.mark.parametrize(
    ("offered", "is_spoken"), [(["h2", "http/1.1"], True), (["http/1.1"], False), ([], False)]
)
async def test_tls_agrees_on_http2_or_it_is_not_spoken(
    offered: list[str], is_spoken: bool, tmp_path: Path
) -> None:
    context = server_tls(write_certificate(tmp_path / "pem"), *offered)
    async with serving(tls=context) as server, sending_to(server.target, verify_tls=False) as transport:
        assert (await transport.refusal() == "") is is_spoken
        outcome = await transport.send(sending())
        if is_spoken:
            assert response_of(outcome).body == b"hello"
        else:
            assert why(outcome) is Silence.REFUSED


async def test_certificate_that_is_not_trusted_says_nothing_of_http2(tmp_path: Path) -> None:
    context = server_tls(write_certificate(tmp_path / "pem"), "h2")
    async with serving(tls=context) as server, sending_to(server.target) as transport:
        assert await transport.refusal() == ""
        assert why(await transport.send(sending())) is Silence.REFUSED


def test_it_completes_requests_at_one_moment() -> None:
    target = Target("candidate", "http", "127.0.0.1", 1)
    assert isinstance(Http2Transport(target, Guard(GuardSettings(), [target])), Synchronised)


async def test_asking_whether_it_speaks_http2_counts_with_its_bytes() -> None:
    async with serving() as server:
        guard = Guard(GuardSettings(bytes_max=10), [server.target])
        transport = Http2Transport(server.target, guard)
        assert await transport.refusal() == ""
        assert (server.peers, guard.admitted) == ([], 0)
        assert "bytes" in guard.halted
        await transport.close()
