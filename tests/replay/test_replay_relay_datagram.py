"""Datagrams over a relay, to loopback servers, and the pure course of one direction."""

import asyncio
import socket
from collections.abc import Callable
from random import Random

import pytest

from shadow.model import ConditionMet, NoReply, Outcome, Reply, Response, Silence, Timing
from shadow.replay import Guard, GuardSettings, Sending, Target
from shadow.replay.conditioned import ConditionedTransport
from shadow.replay.conditions import Condition, Direction, Met, Trouble
from shadow.replay.conditions_reading import parse_conditions
from shadow.replay.passage import Passage
from shadow.replay.relay import Relay
from shadow.replay.relay_datagram import DatagramCourse
from tests.replay.conftest import request

MANY = 20


def course(*conditions: Condition) -> DatagramCourse:
    passage = Passage(None, "a", 0, "udp", 0)
    return DatagramCourse(Direction.UP, [Met(each, Random(1)) for each in conditions], passage)


@pytest.mark.parametrize(
    ("condition", "sizes", "arrived"),
    [
        (Condition(mtu_bytes=10), [10, 11, 9], [10, 9]),
        (Condition(limit_bytes=20), [10, 10, 1], [10, 10]),
        (Condition(black_hole_seconds=0.0), [1], []),
        (Condition(duplicate_copies=2), [3], [3, 3, 3]),
    ],
)
def test_datagrams_are_lost_or_doubled(condition: Condition, sizes: list[int], arrived: list[int]) -> None:
    shaped = course(condition)
    pieces = [piece for size in sizes for piece in shaped.carry(b"x" * size, 0.0).pieces]
    assert [len(piece.data) for piece in pieces] == arrived


def test_each_datagram_is_met_by_itself() -> None:
    shaped = course(Condition(black_hole_seconds=0.0, probability=0.3))
    lost = sum(shaped.carry(b"x", 0.0).lost_by is Trouble.BLACK_HOLE for _ in range(10_000))
    assert lost == pytest.approx(3000, rel=0.05)


def test_a_datagram_that_is_held_back_is_overtaken() -> None:
    shaped = course(Condition(reorder_seconds=1.0, probability=0.5))
    times = [shaped.carry(b"x", number * 0.01).pieces[0].at for number in range(50)]
    assert times != sorted(times)


def test_the_port_changes_once_after_so_many_bytes() -> None:
    shaped = course(Condition(rebind_after_bytes=10))
    assert [shaped.carry(b"x" * 5, 0.0).is_rebound for _ in range(4)] == [False, False, True, False]


class Echo(asyncio.DatagramProtocol):
    """Answers with what it was told, and remembers who told it."""

    def __init__(self) -> None:
        self.told: list[tuple[bytes, int]] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.DatagramTransport) or hasattr(transport, "sendto")
        self.transport: asyncio.DatagramTransport = transport  # type: ignore[assignment]  # uvloop's is no subclass

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.told.append((data, addr[1]))
        self.transport.sendto(data, addr)


class Talk:
    """A transport that says numbers from one socket, each once the one before is answered or late."""

    name = "udp"

    def __init__(self, target: Target, guard: Guard, count: int) -> None:
        self._target, self._guard, self._count = target, guard, count
        self.heard: list[bytes] = []

    def can_send(self, sending: Sending) -> bool:
        return True

    async def send(self, sending: Sending) -> Outcome:
        loop = asyncio.get_running_loop()
        address = (await self._guard.addresses(self._target))[0]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.connect((address.ip, address.port))
            for number in range(self._count):
                await loop.sock_sendall(sock, b"%d" % number)
            try:
                async with asyncio.timeout(sending.timeout_seconds):
                    while len(self.heard) < self._count:
                        self.heard.append(await loop.sock_recv(sock, 100))
            except (TimeoutError, ConnectionRefusedError):
                return NoReply(Silence.TIMED_OUT, "", Timing(total_seconds=sending.timeout_seconds))
        return Reply(Response(200))

    async def close(self) -> None:
        pass


async def talk(
    text: str, check: Callable[[Echo, Talk, Outcome, dict[str, int]], None], **more: object
) -> None:
    loop = asyncio.get_running_loop()
    transport, echo = await loop.create_datagram_endpoint(Echo, local_addr=("127.0.0.1", 0))
    target = Target("candidate", "udp", "127.0.0.1", transport.get_extra_info("sockname")[1])
    guard, met = Guard(GuardSettings(), [target]), dict[str, int]()
    relay = Relay(target, parse_conditions(text), 1)
    guard.lead(target, relay.detour)

    def hear(event: object) -> None:
        assert isinstance(event, ConditionMet)
        met[event.condition] = met.get(event.condition, 0) + event.count

    spoken = Talk(target, guard, MANY)
    over = ConditionedTransport(spoken, relay, hear=hear)
    if more.get("is_gone"):
        transport.close()
        await asyncio.sleep(0)
    sending = Sending(request(), timeout_seconds=1.0, lane="a", protocol="udp")
    outcome = await over.send(sending)
    await over.close()
    transport.close()
    assert relay.open_paths == 0
    check(echo, spoken, outcome, met)


async def test_datagrams_pass_and_are_held_up_as_asked() -> None:
    def check(echo: Echo, spoken: Talk, outcome: Outcome, met: dict[str, int]) -> None:
        assert [data for data, _ in echo.told] == [b"%d" % number for number in range(MANY)]
        assert spoken.heard == [data for data, _ in echo.told]
        assert outcome.timing.held_seconds == pytest.approx(0.03, abs=0.003)
        assert met == {"latency": 1}

    await talk("latency=30ms", check)


async def test_lost_datagrams_are_our_doing() -> None:
    def check(echo: Echo, spoken: Talk, outcome: Outcome, met: dict[str, int]) -> None:
        assert isinstance(outcome, NoReply)
        assert outcome.why is Silence.CUT
        assert 0 < len(echo.told) < MANY
        assert met == {"black_hole": 1}

    await talk("black_hole=0s,probability=40%", check)


async def test_datagrams_go_on_from_another_port() -> None:
    def check(echo: Echo, spoken: Talk, outcome: Outcome, met: dict[str, int]) -> None:
        ports = [port for _, port in echo.told]
        assert (len(set(ports)), ports[0] == ports[9], ports[-1] == ports[10]) == (2, True, True)

    await talk("rebind_after=10B", check)


async def test_copies_arrive_besides() -> None:
    def check(echo: Echo, spoken: Talk, outcome: Outcome, met: dict[str, int]) -> None:
        assert [data for data, _ in echo.told[:6]] == [b"0", b"0", b"0", b"1", b"1", b"1"]

    await talk("duplicate=2", check)


async def test_nobody_listening_is_told_as_refused() -> None:
    def check(echo: Echo, spoken: Talk, outcome: Outcome, met: dict[str, int]) -> None:
        assert isinstance(outcome, NoReply)
        assert outcome.why is Silence.REFUSED

    await talk("latency=1ms", check, is_gone=True)
