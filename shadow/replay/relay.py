"""The way to one target over a bad network: a relay on loopback, between any transport and the target.

A transport asks the guard where to connect to; for a sending under way the guard asks the relay. That
connects to the checked address itself, so that a target that refuses is seen to refuse, and gives a loopback
address in its place, which takes one connection. What is no sending, such as a look at the target, goes
straight.
"""

import asyncio
import socket
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from typing import cast

from shadow.errors import TargetError
from shadow.model import ConditionMet
from shadow.replay._contract import Target
from shadow.replay.conditions import Condition, Direction, Trouble
from shadow.replay.dialling import dial_any
from shadow.replay.guard import Address
from shadow.replay.passage import Dice, Passage, Strike
from shadow.replay.relay_course import Course
from shadow.replay.relay_datagram import DatagramCourse, Ferry
from shadow.replay.relay_end import End
from shadow.replay.relay_stream import Line

DATAGRAM_PROTOCOLS = frozenset({"udp", "dns"})
_LANES_MAX = 65_536
"""Beyond, the lane that was quiet for longest begins its count anew."""
_FORSAKEN_MAX = 256
_FORSAKEN_SECONDS_MAX = 30.0
"""How long the target is left with its side of a dead path."""
_FERRIES_MAX = 1024
_LOOPBACK = "127.0.0.1"
_PORT_TRIES = 8

_PASSAGE: ContextVar[Passage | None] = ContextVar("passage", default=None)
"""The sending for which the code that runs now is at work."""

type Reset = Callable[[], None]


class Relay:
    """All paths to one target. Whoever made it closes it."""

    def __init__(
        self,
        target: Target,
        conditions: Sequence[Condition],
        seed: int,
        *,
        is_killed: Callable[[], bool] = lambda: False,
    ) -> None:
        """`is_killed` tells whether not even what is under way may arrive any more."""
        self.is_killed = is_killed
        self.target = target
        self.dice = Dice(conditions, seed)
        self._conditions = tuple(conditions)
        self._idle_drop_seconds = min(
            (each.idle_drop_seconds for each in conditions if each.idle_drop_seconds), default=0.0
        )
        self._ordinals: OrderedDict[str, int] = OrderedDict()
        self._passages: list[Passage] = []
        """Those under way, in the order in which they began."""
        self._lines: set[Line] = set()
        self._listening: dict[Line, asyncio.Server] = {}
        self._ferries: OrderedDict[Ferry, None] = OrderedDict()
        self._forsaken: deque[Line] = deque()
        self._late: set[asyncio.Task[None]] = set()
        self._met: dict[tuple[Trouble, Direction], list[int]] = {}
        """Sendings and bytes since they were last told."""
        self._strikes: deque[Strike] = deque(maxlen=4096)
        """Of all paths, the latest."""
        self._strike_count = 0
        self._gone = asyncio.Event()

    @property
    def open_paths(self) -> int:
        """Connections and ports that hold sockets now."""
        return len(self._lines) + len(self._ferries)

    def begin(self, lane: str, protocol: str) -> Passage:
        """A sending is about to be given to its transport; what it connects to from now on is relayed."""
        ordinal = self._ordinals.pop(lane, 0)
        self._ordinals[lane] = ordinal + 1
        if len(self._ordinals) > _LANES_MAX:
            self._ordinals.popitem(last=False)
        passage = Passage(self, lane, ordinal, protocol, self._strike_count)
        self._passages.append(passage)
        return passage

    def enclose(self, passage: Passage) -> Reset:
        """Have what follows belong to `passage`, until what is returned is called."""
        token = _PASSAGE.set(passage)
        return lambda: _PASSAGE.reset(token)

    def end(self, passage: Passage) -> None:
        """The sending has its outcome."""
        passage.is_over = True
        self._passages.remove(passage)
        for path in (*passage.dialled, *passage.found):
            path.release()

    def strikes(self, passage: Passage) -> list[Strike]:
        """What broke the paths that the sending used.

        Where it used one that was there before, it cannot be known which: then any may have been it.
        """
        found = (
            [each for path in passage.dialled for each in path.strikes] if passage.dialled else self._strikes
        )
        return [each for each in found if each.number >= passage.strikes_before]

    def told(self) -> list[ConditionMet]:
        """What was met since this was last asked."""
        met, self._met = self._met, {}
        return [
            ConditionMet(self.target.name, trouble.value, direction.value, *counts)
            for (trouble, direction), counts in met.items()
        ]

    async def detour(self, addresses: Sequence[Address]) -> Sequence[Address]:
        """Where to connect to in place of `addresses`. Raises OSError where the target takes no connection,
        TargetError for a sending that would leave a second time because of us."""
        passage = _PASSAGE.get()
        if passage is None or passage.relay is not self or passage.is_over:
            return addresses
        used = (*passage.dialled, *passage.found)
        strikes = (each for path in used for each in path.strikes)
        if any(each.has_left and each.number >= passage.strikes_before for each in strikes):
            raise TargetError(
                "not sent again, for it was a network condition that broke the first connection"
            )
        await self._resolve_slowly(passage)
        if passage.protocol in DATAGRAM_PROTOCOLS:
            return (await self._ferry(passage, addresses),)
        return (await self._line(passage, addresses),)

    async def close(self) -> None:
        """Close every path, and return when their sockets are gone."""
        for task in tuple(self._late):
            task.cancel()
        for ferry in tuple(self._ferries):
            ferry.close()
        for line in tuple(self._lines):
            line.abort()
        while self._lines:
            self._gone.clear()
            await self._gone.wait()

    def enter(self, path: Line | Ferry) -> Passage | None:
        """The oldest sending under way that has no path yet, of the same lane if there is one."""
        waiting = [each for each in self._passages if not (each.dialled or each.found)]
        mine = [each for each in waiting if each.lane == path.passage.lane]
        passage = next(iter(mine or waiting), None)
        if passage is not None:
            passage.found.append(path)
        return passage

    def courses(
        self, passage: Passage, now: float, not_before: Mapping[Direction, float]
    ) -> dict[Direction, Course]:
        return {
            each: Course(
                self.dice.met(each, passage.lane, passage.ordinal), now, not_before=not_before.get(each, 0.0)
            )
            for each in Direction
        }

    def datagram_courses(self, passage: Passage) -> dict[Direction, DatagramCourse]:
        return {
            each: DatagramCourse(each, self.dice.each(each, passage.lane, passage.ordinal), passage)
            for each in Direction
        }

    def idle_drop_seconds(self) -> float:
        return self._idle_drop_seconds

    def struck(self, trouble: Trouble, what: str, *, has_left: bool = True) -> Strike:
        strike = Strike(self._strike_count, trouble, what, has_left)
        self._strike_count += 1
        self._strikes.append(strike)
        return strike

    def settle(self, path: Line | Ferry) -> None:
        """Count what the courses of `path` met, once."""
        for direction, course in path.courses.items():
            for trouble, byte_count in course.tally.items():
                self._note(trouble, direction, byte_count)
            course.tally.clear()

    def forsake(self, line: Line) -> None:
        self._forsaken.append(line)
        asyncio.get_running_loop().call_later(_FORSAKEN_SECONDS_MAX, line.abort)
        if len(self._forsaken) > _FORSAKEN_MAX:
            self._forsaken.popleft().abort()

    def gone(self, path: Line | Ferry) -> None:
        if isinstance(path, Ferry):
            self._ferries.pop(path, None)
            return
        self._stop_listening(path)
        with suppress(ValueError):
            self._forsaken.remove(path)
        self._lines.discard(path)
        self._gone.set()

    def _note(self, trouble: Trouble, direction: Direction, byte_count: int) -> None:
        counts = self._met.setdefault((trouble, direction), [0, 0])
        counts[0] += 1
        counts[1] += byte_count

    async def _resolve_slowly(self, passage: Passage) -> None:
        met = self.dice.met(Direction.UP, passage.lane, passage.ordinal)
        seconds = sum(each.condition.dns_latency_seconds for each in met)
        if not seconds:
            return
        self._note(Trouble.DNS_LATENCY, Direction.UP, 0)
        began_at = asyncio.get_running_loop().time()
        passage.is_resolving = True
        await asyncio.sleep(seconds)
        passage.is_resolving = False
        passage.resolved_seconds += asyncio.get_running_loop().time() - began_at

    async def _line(self, passage: Passage, addresses: Sequence[Address]) -> Address:
        loop = asyncio.get_running_loop()
        line = Line(loop, passage, self)
        await _connect(line, addresses)
        self._lines.add(line)
        try:
            address = await self._listen(line, _bound(socket.SOCK_STREAM))
        except BaseException:
            line.abort()
            raise
        passage.dialled.append(line)
        return address

    async def _listen(self, line: Line, sock: socket.socket) -> Address:
        loop = asyncio.get_running_loop()

        def accepted() -> asyncio.Protocol:
            loop.call_soon(self._stop_listening, line)
            return line.ours if not line.is_taken() else _Stranger()

        port: int = sock.getsockname()[1]
        self._listening[line] = await loop.create_server(accepted, sock=sock, backlog=1)
        return Address(_LOOPBACK, port)

    def _stop_listening(self, line: Line) -> None:
        server = self._listening.pop(line, None)
        if server is not None:
            server.close()

    async def _ferry(self, passage: Passage, addresses: Sequence[Address]) -> Address:
        """A port for datagrams; for DNS, which may go on over TCP, one that takes a connection too."""
        loop = asyncio.get_running_loop()
        ours, listening = _bound_twice() if passage.protocol == "dns" else (_bound(socket.SOCK_DGRAM), None)
        try:
            ferry = Ferry(loop, passage, addresses[0], ours, self)
        except BaseException:
            ours.close()
            if listening is not None:
                listening.close()
            raise
        self._ferries[ferry] = None
        passage.dialled.append(ferry)
        if len(self._ferries) > _FERRIES_MAX:
            next(iter(self._ferries)).close()
        if listening is not None:
            await self._listen_late(passage, addresses, listening)
        return Address(_LOOPBACK, ours.getsockname()[1])

    async def _listen_late(
        self, passage: Passage, addresses: Sequence[Address], listening: socket.socket
    ) -> None:
        """Take a connection that may never come; the target is connected to when it does."""
        loop = asyncio.get_running_loop()
        line = Line(loop, passage, self, is_late=True)
        self._lines.add(line)
        passage.dialled.append(line)

        async def reach() -> None:
            try:
                await _connect(line, addresses)
            except OSError:
                return  # and the line has given up

        def met() -> None:
            task = loop.create_task(reach(), name="relay to DNS over TCP")  # nobody awaits the rare ones
            self._late.add(task)
            task.add_done_callback(self._late.discard)

        line.on_met = met
        await self._listen(line, listening)


class _Stranger(asyncio.Protocol):
    """Somebody else on this machine who came to a port of ours."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.Transport, transport).abort()


async def _connect(line: Line, addresses: Sequence[Address]) -> None:
    """Join `line` to the first of `addresses` that takes a connection. Raises OSError of the last."""

    def joined(sock: socket.socket) -> End:
        line.socket = sock
        return line.target

    try:
        await dial_any(addresses, joined)
    except OSError:
        line.give_up()
        raise


def _bound(kind: socket.SocketKind, port: int = 0) -> socket.socket:
    sock = socket.socket(socket.AF_INET, kind)
    sock.setblocking(False)
    try:
        sock.bind((_LOOPBACK, port))
    except OSError:
        sock.close()
        raise
    return sock


def _bound_twice() -> tuple[socket.socket, socket.socket]:
    """A UDP and a TCP socket on one port number. Raises OSError where there is none free for both."""
    for _ in range(_PORT_TRIES):
        ours = _bound(socket.SOCK_DGRAM)
        try:
            return ours, _bound(socket.SOCK_STREAM, ours.getsockname()[1])
        except OSError:
            ours.close()
    raise OSError("no port is free for both UDP and TCP")
