"""Transports over a relay, to loopback servers: what the conditions do, and what is told of it."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from shadow.model import ConditionMet, Ending, Event, Reply, Silence, Wire
from shadow.replay import Guard, GuardSettings, RawTransport, Target, Transport
from shadow.replay.conditioned import ConditionedTransport
from shadow.replay.conditions_reading import parse_conditions
from shadow.replay.http import HttpTransport
from shadow.replay.raw import RawSettings
from shadow.replay.relay import Relay
from tests.certificates import client_tls, server_tls, write_certificate
from tests.replay.conftest import (
    ANSWER,
    BOTH,
    HEAD_SIZE,
    Peer,
    Serve,
    Server,
    answering,
    answering_and_closing,
    request,
    response_of,
    sending,
    silent,
    tls_target,
    why,
)

POST = request(b"POST", b"/", b"x" * 200)


class Way:
    """A transport over a bad network to one server, and what was told of the conditions."""

    def __init__(self, kind: str, target: Target, *texts: str, seed: int = 1, **settings: object) -> None:
        self.events: list[Event] = []
        self.guard = Guard(GuardSettings(), [target])
        conditions = [each for text in texts for each in parse_conditions(text)]
        self.relay = Relay(target, conditions, seed, is_killed=lambda: self.guard.is_killed)
        self.guard.lead(target, self.relay.detour)
        inner: Transport
        if kind == "raw":
            tls: ssl.SSLContext | None = settings.pop("tls", None)  # type: ignore[assignment]  # as it is
            inner = RawTransport(target, self.guard, RawSettings(**settings), tls=tls)  # type: ignore[arg-type]  # as they are
        else:
            inner = HttpTransport(target, self.guard)
        self.transport = ConditionedTransport(inner, self.relay, hear=self.events.append)

    @property
    def met(self) -> dict[str, tuple[int, int]]:
        """Requests and bytes that each condition met."""
        found: dict[str, tuple[int, int]] = {}
        for event in self.events:
            assert isinstance(event, ConditionMet)
            name = f"{event.direction} {event.condition}"
            count, byte_count = found.get(name, (0, 0))
            found[name] = (count + event.count, byte_count + event.byte_count)
        return found


type Open = Callable[..., Way]


@pytest.fixture
async def way() -> AsyncIterator[Open]:
    """Opens ways, and sees to it that none leaves a socket open."""
    opened: list[Way] = []

    def start(kind: str, target: Target, *texts: str, **settings: object) -> Way:
        opened.append(Way(kind, target, *texts, **settings))  # type: ignore[arg-type]  # as they are
        return opened[-1]

    yield start
    for each in opened:
        await each.transport.close()
        assert each.relay.open_paths == 0


@pytest.mark.parametrize("kind", BOTH)
async def test_a_relay_without_conditions_changes_nothing(serve: Serve, way: Open, kind: str) -> None:
    server = await serve(answering(ANSWER))
    over = way(kind, server.target)
    for _ in range(3):
        outcome = await over.transport.send(sending())
        assert response_of(outcome).body == b"hello"
        assert outcome.timing.held_seconds == 0.0
    assert [peer.count for peer in server.peers] == [3]
    assert over.met == {}


@pytest.mark.parametrize("kind", BOTH)
async def test_a_target_that_refuses_is_seen_to_refuse(serve: Serve, way: Open, kind: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        target = Target("candidate", "http", "127.0.0.1", taken.getsockname()[1])
        over = way(kind, target, "latency=1ms")
        assert why(await over.transport.send(sending())) is Silence.REFUSED


@pytest.mark.parametrize("kind", BOTH)
async def test_what_the_target_does_itself_is_held_against_it(serve: Serve, way: Open, kind: str) -> None:
    def resetting(peer: Peer, _: object) -> None:
        peer.reset()

    server = await serve(resetting)
    assert why(await way(kind, server.target, "latency=1ms").transport.send(sending(POST))) is Silence.RESET
    server = await serve(silent)
    outcome = await way(kind, server.target, "latency=1ms").transport.send(sending(timeout=0.2))
    assert why(outcome) is Silence.TIMED_OUT
    server = await serve(answering_and_closing(b""))
    assert why(await way(kind, server.target, "latency=1ms").transport.send(sending(POST))) is Silence.CLOSED


@pytest.mark.parametrize("kind", BOTH)
async def test_what_is_held_up_is_told_apart(serve: Serve, way: Open, kind: str) -> None:
    server = await serve(answering(ANSWER))
    over = way(kind, server.target, "both.latency=40ms")
    outcome = await over.transport.send(sending())
    assert isinstance(outcome, Reply)
    assert outcome.timing.held_seconds == pytest.approx(0.08, abs=0.002)
    assert outcome.timing.total_seconds >= outcome.timing.held_seconds - 0.001
    assert over.met["down latency"] == (1, len(ANSWER))


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize(
    "text",
    [
        "slice=1B",
        "both.slice=7B,both.slice_variation=5B",
        "mtu=3B",
        "bandwidth=1MB/s",
        "down.bandwidth=1MB/s,latency=5ms,jitter=5ms",
        "down.slow_close=1ms",
    ],
)
async def test_conditions_that_keep_all_bytes_keep_the_answer(
    serve: Serve, way: Open, kind: str, text: str
) -> None:
    server = await serve(answering(ANSWER))
    over = way(kind, server.target, text)
    for ask in (request(), POST, request()):
        assert response_of(await over.transport.send(sending(ask))).body == b"hello"
    assert b"".join(peer.got for peer in server.peers).count(b"x" * 200) == 1


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("reset_after=50B", "up reset"),
        ("reset_after=0B", "up reset"),
        ("down.reset_after=10B", "down reset"),
        ("limit=50B", "up limit"),
        (f"down.limit={HEAD_SIZE + 2}B", "down limit"),
        ("half_close_after=60B", "up half_close"),
        ("down.half_close_after=5B", "down half_close"),
        ("black_hole=50ms", "up black_hole"),
        ("down.black_hole=0s", "down black_hole"),
        ("rebind_after=20B", "up rebind"),
        ("reset_in=10ms,latency=1s", "up reset"),
        ("pattern=hex:06", "up reset"),
    ],
)
async def test_what_a_condition_breaks_is_never_the_targets_doing(
    serve: Serve, way: Open, kind: str, text: str, name: str
) -> None:
    server = await serve(answering(ANSWER))
    over = way(kind, server.target, text)
    outcome = await over.transport.send(sending(POST, timeout=0.4))
    assert why(outcome) is Silence.CUT
    assert over.met[name][0] == 1


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("text", ["down.reset_after=10B", "down.limit=10B", "down.black_hole=50ms"])
@pytest.mark.parametrize("ask", [request(), request(b"PUT", b"/", b"x"), POST], ids=["get", "put", "post"])
async def test_nothing_takes_effect_twice_because_of_us(
    serve: Serve, way: Open, kind: str, text: str, ask: object
) -> None:
    """Even on a kept connection, where a transport would send an idempotent request again."""
    server = await serve(answering(ANSWER))
    over = way(kind, server.target, f"{text},probability=50%")
    outcomes = [await over.transport.send(sending(ask)) for _ in range(12)]  # type: ignore[arg-type]  # a request
    assert {type(each) is Reply for each in outcomes} == {True, False}
    assert sum(peer.count for peer in server.peers) == len(outcomes)


@pytest.mark.parametrize("kind", BOTH)
async def test_an_idle_path_is_dead_without_a_word(serve: Serve, way: Open, kind: str) -> None:
    server = await serve(answering(ANSWER))
    over = way(kind, server.target, "idle_drop=50ms")
    assert response_of(await over.transport.send(sending())).body == b"hello"
    await asyncio.sleep(0.1)  # what is tested is that nothing happens for so long
    assert why(await over.transport.send(sending(timeout=0.2))) is Silence.CUT
    assert response_of(await over.transport.send(sending())).body == b"hello"
    assert server.peers[0].closed.is_set() is False


@pytest.mark.parametrize("kind", BOTH)
async def test_a_name_that_takes_too_long_is_our_doing(serve: Serve, way: Open, kind: str) -> None:
    server = await serve(answering(ANSWER))
    over = way(kind, server.target, "dns_latency=60s")
    assert why(await over.transport.send(sending(timeout=0.1))) is Silence.CUT
    over = way(kind, server.target, "dns_latency=20ms")
    outcome = await over.transport.send(sending())
    assert response_of(outcome).body == b"hello"
    assert outcome.timing.held_seconds >= 0.019


async def test_candidate_and_baseline_meet_the_same_whoever_else_comes(serve: Serve, way: Open) -> None:
    first, second = await serve(answering(ANSWER)), await serve(answering_and_closing(ANSWER))
    runs = []
    for server, others in ((first, 0), (second, 7)):
        over = way("raw", server.target, "reset_after=10B,probability=40%")
        for _ in range(others):
            await over.transport.send(sending(lane="other"))
        told = [await over.transport.send(sending(lane="a")) for _ in range(30)]
        runs.append([isinstance(each, Reply) for each in told])
    assert runs[0] == runs[1]
    assert {True, False} == set(runs[0])


async def test_another_seed_makes_other_trouble(serve: Serve, way: Open) -> None:
    server = await serve(answering(ANSWER))
    runs = []
    for text in ("reset_after=10B,probability=50%,seed=1", "reset_after=10B,probability=50%,seed=2"):
        over = way("raw", server.target, text)
        runs.append([isinstance(await over.transport.send(sending()), Reply) for _ in range(30)])
    assert runs[0] != runs[1]


@pytest.mark.parametrize(
    ("wire", "is_reset", "saw_eof"),
    [
        (Wire((b"GET / HT",), ending=Ending.RESET), True, False),
        (Wire((b"GET / HT", b"TP/1.1\r\n"), ending=Ending.HALF_CLOSE), False, True),
    ],
    ids=["reset", "half-close"],
)
async def test_what_a_mutant_does_to_its_connection_reaches_the_target(
    serve: Serve, way: Open, wire: Wire, is_reset: bool, saw_eof: bool
) -> None:
    server = await serve(on_bytes=lambda peer: None, on_eof=lambda peer: peer.transport.close())
    over = way("raw", server.target, "latency=1ms")
    outcome = await over.transport.send(sending(wire=wire))
    assert why(outcome) in (Silence.RESET, Silence.CLOSED)
    peer = server.peers[0]
    async with asyncio.timeout(5):
        await peer.closed.wait()
    assert (isinstance(peer.loss, ConnectionResetError), peer.saw_eof) == (is_reset, saw_eof)
    assert b"".join(wire.segments).startswith(peer.got)


async def test_tls_passes_unread_and_the_name_is_verified(serve: Serve, way: Open, tmp_path: Path) -> None:
    certificate = write_certificate(tmp_path / "server.pem")
    server = await serve(answering(ANSWER), tls=server_tls(certificate))
    over = way("raw", tls_target(server), "both.slice=50B,latency=2ms", tls=client_tls(certificate))
    assert response_of(await over.transport.send(sending())).body == b"hello"
    over = way("raw", tls_target(server), "latency=2ms")
    assert why(await over.transport.send(sending())) is Silence.REFUSED


async def test_a_large_body_is_not_held_at_once(serve: Serve, way: Open) -> None:
    body = b"y" * 3_000_000
    server = await serve(answering(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body))
    over = way("raw", server.target, "both.slice=16KiB,down.latency=5ms")
    outcome = await over.transport.send(sending(request(b"POST", b"/", b"x" * 2_000_000)))
    assert response_of(outcome).body == body
    assert len(server.peers[0].got) > 2_000_000


async def test_what_is_no_sending_goes_straight_to_the_target(serve: Serve, way: Open) -> None:
    server = await serve()
    over = way("raw", server.target, "black_hole=0s")
    assert [each.port for each in await over.guard.addresses(server.target)] == [server.port]


async def test_nothing_arrives_once_the_kill_switch_is_set(serve: Serve, way: Open) -> None:
    server = await serve()
    over = way("raw", server.target, "latency=100ms")
    async with asyncio.TaskGroup() as group:
        sent = group.create_task(over.transport.send(sending()))
        await server.joined.wait()
        over.guard.halt("stop")
    assert why(sent.result()) in (Silence.CLOSED, Silence.RESET, Silence.UNSENT)
    assert all(not peer.got for peer in server.peers)


@pytest.mark.parametrize("kind", BOTH)
async def test_a_sending_that_is_cancelled_leaves_nothing_open(serve: Serve, way: Open, kind: str) -> None:
    server = await serve(silent)
    over = way(kind, server.target, "latency=1ms")
    async with asyncio.TaskGroup() as group:
        task = group.create_task(over.transport.send(sending()))
        await server.arrived.wait()
        task.cancel()
    async with asyncio.timeout(5):
        await server.peers[0].closed.wait()


async def test_a_stranger_at_our_port_is_shown_out(serve: Serve, way: Open) -> None:
    server: Server = await serve(answering(ANSWER))
    over = way("raw", server.target, "latency=1ms")
    passage = over.relay.begin("a", "http")
    leave = over.relay.enclose(passage)
    address = (await over.guard.addresses(server.target))[0]
    leave()
    _, first = await asyncio.open_connection(address.ip, address.port)
    try:
        reader, second = await asyncio.open_connection(address.ip, address.port)
        assert await reader.read() == b""
        second.close()
    except ConnectionError:  # the port is closed already
        pass
    first.close()
    over.relay.end(passage)
