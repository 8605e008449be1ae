"""Datagrams on their way: each is met, or spared, by itself; they may be lost, doubled and overtaken."""

import asyncio
import heapq
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count
from typing import NamedTuple, Protocol

from shadow.replay.conditions import Condition, Direction, Met, Trouble
from shadow.replay.conditions_pattern import drawn_for_datagram
from shadow.replay.guard import Address
from shadow.replay.passage import Passage, Strike
from shadow.replay.relay_course import Piece, delay_seconds

_DATAGRAM_BYTES_MAX = 65_535
_BATCH = 64
_HELD_MAX = 1024
"""Datagrams held at a time; beyond they are lost, as in a queue that is full."""


class Fate(NamedTuple):
    """What becomes of one datagram."""

    pieces: list[Piece]
    """When it arrives: once, several times, or never."""
    lost_by: Trouble | None = None
    is_rebound: bool = False
    """Whether it leaves from another port than those before it."""


class DatagramCourse:
    """One direction of the datagrams of one sending. Pure: times come in, plans come out."""

    def __init__(self, direction: Direction, each: Sequence[Met], passage: Passage) -> None:
        self._direction = direction
        self.tally: dict[Trouble, int] = {}
        self.held_seconds = 0.0
        self._each = tuple(each)
        self._passage = passage
        self._ordinal = count(passage.ordinal)
        self._free_at = [0.0] * len(self._each)
        self._count = 0
        self._is_rebound = False

    def carry(self, data: bytes, now: float) -> Fate:
        ordinal = next(self._ordinal)
        at, copies, lost_by = now, 0, None
        is_rebound = False
        for number, (condition, dice) in enumerate(self._each):
            if dice.random() >= condition.probability:
                continue
            met = condition
            if condition.pattern:
                failure = drawn_for_datagram(condition.pattern, self._passage.lane, ordinal)
                if failure is None or failure.direction is not self._direction:
                    continue
                met = failure
            lost_by = lost_by or self._loss(met, len(data))
            at += self._delay(number, Met(met, dice), len(data), at)
            copies += met.duplicate_copies
            for trouble in _troubles(met):
                self._note(trouble, len(data))
            if met.rebind_after_bytes is not None and not self._is_rebound:
                is_rebound = self._is_rebound = self._count >= met.rebind_after_bytes
        self._count += len(data)
        if is_rebound:
            self._note(Trouble.REBIND, len(data))
        if lost_by is not None:
            self._note(lost_by, len(data))
            return Fate([], lost_by, is_rebound)
        self.held_seconds = max(self.held_seconds, at - now)
        return Fate([Piece(at, data)] * (copies + 1), None, is_rebound)

    def _loss(self, condition: Condition, size: int) -> Trouble | None:
        if condition.black_hole_seconds is not None:
            return Trouble.BLACK_HOLE
        if condition.mtu_bytes and size > condition.mtu_bytes:
            return Trouble.MTU
        if condition.limit_bytes is not None and self._count + size > condition.limit_bytes:
            return Trouble.LIMIT
        return None

    def _delay(self, number: int, met: Met, size: int, at: float) -> float:
        condition, dice = met
        seconds = delay_seconds(condition, dice) + condition.reorder_seconds
        if rate := condition.bandwidth_bytes_per_second:
            self._free_at[number] = max(self._free_at[number], at + seconds) + size / rate
            seconds = self._free_at[number] - at
        return seconds

    def _note(self, trouble: Trouble, size: int) -> None:
        self.tally[trouble] = self.tally.get(trouble, 0) + size


def _troubles(condition: Condition) -> list[Trouble]:
    """Those that leave a datagram whole."""
    found = []
    if condition.latency_seconds or condition.jitter_seconds:
        found.append(Trouble.LATENCY)
    if condition.bandwidth_bytes_per_second:
        found.append(Trouble.BANDWIDTH)
    if condition.duplicate_copies:
        found.append(Trouble.DUPLICATE)
    if condition.reorder_seconds:
        found.append(Trouble.REORDER)
    return found


class FerryHost(Protocol):
    """What a ferry asks of its relay."""

    def enter(self, ferry: "Ferry") -> Passage | None: ...

    def datagram_courses(self, passage: Passage) -> dict[Direction, DatagramCourse]: ...

    def idle_drop_seconds(self) -> float: ...

    def struck(self, trouble: Trouble, what: str) -> Strike: ...

    @property
    def is_killed(self) -> Callable[[], bool]: ...

    def settle(self, ferry: "Ferry") -> None: ...

    def gone(self, ferry: "Ferry") -> None: ...


class Ferry:
    """Carries the datagrams of one port of ours to the target and back. Whoever made it closes it."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        passage: Passage,
        address: Address,
        ours: socket.socket,
        host: FerryHost,
    ) -> None:
        """`ours` is bound; the first to send there is the only one that is listened to."""
        self.passage = passage
        self.strikes: list[Strike] = []
        self.courses = host.datagram_courses(passage)
        self.used_at = loop.time()
        self._loop = loop
        self._host = host
        self._address = address
        self._ours = ours
        self._client: tuple[str, int] | None = None
        self._targets = [self._new_port()]
        self._held: list[tuple[float, int, bytes, Direction]] = []
        self._numbers = count()
        self._timer: asyncio.TimerHandle | None = None
        self._is_closed = False
        loop.add_reader(ours, self._read_ours)

    @property
    def held_seconds(self) -> float:
        return sum(course.held_seconds for course in self.courses.values())

    def release(self) -> None:
        """The sending is over."""
        self._host.settle(self)

    def close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        for each in (self._ours, *self._targets):
            self._loop.remove_reader(each)
            each.close()
        self._host.settle(self)
        self._host.gone(self)

    def _new_port(self) -> socket.socket:
        port = socket.socket(self._address.family, socket.SOCK_DGRAM)
        port.setblocking(False)
        port.connect((self._address.ip, self._address.port))
        self._loop.add_reader(port, self._read_target, port)
        return port

    def _read_ours(self) -> None:
        for _ in range(_BATCH):
            try:
                data, source = self._ours.recvfrom(_DATAGRAM_BYTES_MAX)
            except OSError:
                return
            if self._client is None:
                self._client = source
            if source == self._client:
                self._up(data)

    def _read_target(self, port: socket.socket) -> None:
        for _ in range(_BATCH):
            try:
                data = port.recv(_DATAGRAM_BYTES_MAX)
            except BlockingIOError:
                return
            except OSError:  # ICMP: nobody listens there
                self.passage.is_refused = True
                return
            if port is self._targets[-1] and not self._is_idle():  # else the NAT has forgotten it
                self._carry(data, Direction.DOWN)

    def _up(self, data: bytes) -> None:
        if self.passage.is_over and (passage := self._host.enter(self)) is not None:
            self._host.settle(self)
            self.passage = passage
            self.courses = self._host.datagram_courses(passage)
        if self._is_idle():
            self.courses[Direction.UP].tally[Trouble.IDLE_DROP] = 0
            self._rebind()
        self._carry(data, Direction.UP)

    def _is_idle(self) -> bool:
        seconds = self._host.idle_drop_seconds()
        return bool(seconds) and self._loop.time() - self.used_at > seconds

    def _carry(self, data: bytes, direction: Direction) -> None:
        now = self.used_at = self._loop.time()
        fate = self.courses[direction].carry(data, now)
        if fate.is_rebound:
            self._rebind()
        lost_by = fate.lost_by
        if lost_by is None and len(self._held) + len(fate.pieces) > _HELD_MAX:
            lost_by = Trouble.LATENCY
        if lost_by is not None:
            self.strikes.append(
                self._host.struck(lost_by, f"lost a datagram {direction} by the condition {lost_by}")
            )
            return
        for piece in fate.pieces:
            if piece.at <= now:
                self._deliver(piece.data, direction)
            else:
                heapq.heappush(self._held, (piece.at, next(self._numbers), piece.data, direction))
        self._wind()

    def _rebind(self) -> None:
        """Go on from another port. Answers to the old one arrive there, and are not heard."""
        self._targets.append(self._new_port())
        while len(self._targets) > 4:
            old = self._targets.pop(0)
            self._loop.remove_reader(old)
            old.close()

    def _wind(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._held:
            self._timer = self._loop.call_at(self._held[0][0], self._run)

    def _run(self) -> None:
        now = self._loop.time()
        while self._held and self._held[0][0] <= now:
            _, _, data, direction = heapq.heappop(self._held)
            self._deliver(data, direction)
        self._wind()

    def _deliver(self, data: bytes, direction: Direction) -> None:
        if direction is Direction.UP and self._host.is_killed():
            return
        try:
            if direction is Direction.UP:
                self._targets[-1].send(data)
            elif self._client is not None:
                self._ours.sendto(data, self._client)
        except ConnectionRefusedError:
            self.passage.is_refused = True
            with suppress(OSError):  # the error was about an earlier one; this one still goes
                self._targets[-1].send(data)
        except OSError:  # no room, or too long: lost, as on any network
            self.strikes.append(self._host.struck(Trouble.MTU, "a datagram was not taken"))
