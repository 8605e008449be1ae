"""One relayed connection: what comes in at one end leaves at the other, as the conditions allow."""

import asyncio
import socket
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from shadow.replay.conditions import Direction, Trouble
from shadow.replay.passage import Passage, Strike
from shadow.replay.relay_course import Course, Halt, Piece, Stop
from shadow.replay.relay_end import End

_HELD_BYTES_MAX = 256 << 10
"""Held in one direction; beyond, its source is not read."""
_UNMET_SECONDS_MAX = 5.0
"""How long the connection to the target waits for ours."""


class Over(NamedTuple):
    """The stream ends, by the doing of whoever was to go on with it."""

    at: float
    is_reset: bool


type _Deed = Piece | Stop | Over


class Host(Protocol):
    """What a line asks of its relay."""

    def enter(self, line: "Line") -> Passage | None:
        """The sending that bytes now going up begin; None where they belong to the one before."""
        ...

    def courses(
        self, passage: Passage, now: float, not_before: Mapping[Direction, float]
    ) -> dict[Direction, Course]: ...

    def struck(self, trouble: Trouble, what: str, *, has_left: bool = True) -> Strike: ...

    @property
    def is_killed(self) -> Callable[[], bool]: ...

    def settle(self, line: "Line") -> None:
        """The sending that the line's courses were made for is over, or the line is."""
        ...

    def forsake(self, line: "Line") -> None:
        """Our side of a dead path has gone; the target's is left as it is, for a while."""
        ...

    def gone(self, line: "Line") -> None: ...


class Line:
    """A connection of ours joined to one to the target."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, passage: Passage, host: Host, *, is_late: bool = False
    ) -> None:
        """`is_late` where the target is connected to only once our connection stands."""
        self.ours = End(self, Direction.UP)
        self.target = End(self, Direction.DOWN)
        self.passage = passage
        self.strikes: list[Strike] = []
        self.courses = host.courses(passage, loop.time(), {})
        self.socket: socket.socket | None = None
        """The target's; it belongs to the loop and is only looked at."""
        self.is_met = False
        """Whether our connection has stood."""
        self.on_met: Callable[[], None] = _nothing
        self._is_taken = False
        self._is_late = is_late
        self._is_finished = False
        self._loop = loop
        self._host = host
        self._queues: dict[Direction, deque[_Deed]] = {each: deque() for each in Direction}
        self._timers: dict[Direction, asyncio.TimerHandle] = {}
        self._clocks: list[asyncio.TimerHandle] = []
        self._held_bytes = dict.fromkeys(Direction, 0)
        self._is_full = dict.fromkeys(Direction, False)
        self._dead: set[Direction] = set()
        self._closed: set[Direction] = set()
        self._last_bytes_at = loop.time()
        self._watch = loop.call_later(_UNMET_SECONDS_MAX, self.abort)
        self._start_clocks()

    @property
    def held_seconds(self) -> float:
        return sum(course.held_seconds for course in self.courses.values())

    def made(self, end: End) -> None:
        """One of the connections stands. The target's is not read before ours stands too."""
        if self._is_finished:
            end.reset()
            return
        if end is self.target:
            end.read(is_wanted=self.is_met)
            self.ours.read(is_wanted=True)
            return
        self.is_met = True
        self._watch.cancel()
        if self._is_late:
            end.read(is_wanted=False)
            self.on_met()
        else:
            self.target.read(is_wanted=True)

    def is_taken(self) -> bool:
        """Whether somebody has come for the connection; from the first question on somebody has."""
        before, self._is_taken = self._is_taken, True
        return before

    def give_up(self) -> None:
        """The target took no connection, or will not be asked for one."""
        if self.ours.transport is None and self.target.transport is None:
            self._finish()
        else:
            self.ours.reset()

    def carry(self, direction: Direction, data: bytes) -> None:
        now = self._loop.time()
        if direction is Direction.UP and self.passage.is_over:
            self._turn(now)
        self._drop_idle(direction, now)
        if direction in self._dead or direction in self._closed:
            return
        pieces, stop = self.courses[direction].carry(data, now)
        self._queue(direction, [*pieces, *([stop] if stop else [])])

    def ended(self, direction: Direction) -> None:
        now = self._loop.time()
        self._drop_idle(direction, now)
        if direction in self._dead:
            if direction is Direction.UP:
                self._forsake()
            return
        self._queue(direction, [Over(self.courses[direction].end(now), is_reset=False)])

    def broken(self, direction: Direction) -> None:
        """The stream in `direction` was reset by whoever was to go on with it."""
        if direction not in self._dead:
            at = max(self._loop.time(), self.courses[direction].last_at)
            self._queue(direction, [Over(at, is_reset=True)])

    def lost(self, end: End, exc: Exception | None) -> None:
        """One of the connections is gone; the other learns of it after what is on its way."""
        other = self.target if end is self.ours else self.ours
        if other.transport is None:
            self._finish()
        elif end.direction in self._dead:
            self._forsake()
        elif exc is not None:
            self.broken(end.direction)
        else:
            other.close()

    def throttle(self, direction: Direction, *, is_full: bool) -> None:
        """Whether what leaves in `direction` is not taken fast enough."""
        self._is_full[direction] = is_full
        self._read_on(direction)

    def release(self) -> None:
        """The sending is over: if we have closed, the target is not waited for to close as well."""
        self._stop_clocks()
        self._host.settle(self)
        if not self.is_met:
            self.abort()
        elif self.ours.has_ended and not self._queues[Direction.UP] and Direction.UP not in self._dead:
            self.target.close()

    def abort(self) -> None:
        """Close both at once."""
        if self.ours.transport is None and self.target.transport is None:
            self._finish()
        self.ours.abort()
        self.target.abort()

    def _turn(self, now: float) -> None:
        """Another sending uses the connection from here on."""
        passage = self._host.enter(self)
        if passage is None:
            return
        if self._is_left():
            what = "the target had closed, which was still on its way to us"
            self.strikes.append(self._host.struck(Trouble.SLOW_CLOSE, what, has_left=False))
            self._closed.add(Direction.UP)
            self.ours.reset()
        self._host.settle(self)
        not_before = {direction: course.last_at for direction, course in self.courses.items()}
        self.passage = passage
        self.courses = self._host.courses(passage, now, not_before)
        self._start_clocks()

    def _is_left(self) -> bool:
        """Whether the target has closed, be it that the loop has not yet told us."""
        if self.target.has_ended or self.target.transport is None or self.socket is None:
            return True
        try:
            return not self.socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def _drop_idle(self, direction: Direction, now: float) -> None:
        """The path is dead if nothing passed for too long; nobody could have noticed before."""
        idle = max((each.idle_drop_seconds for each in self.courses.values()), default=0.0)
        if idle and now - self._last_bytes_at > idle and not self._dead:
            self._halt(Stop(now, Halt.LOST, Trouble.IDLE_DROP), direction)
        self._last_bytes_at = now

    def _start_clocks(self) -> None:
        self._stop_clocks()
        self._clocks = [
            self._loop.call_at(stop.at, self._halt, stop, direction)
            for direction, course in self.courses.items()
            for stop in course.timed()
        ]

    def _stop_clocks(self) -> None:
        for each in self._clocks:
            each.cancel()

    def _queue(self, direction: Direction, deeds: Sequence[_Deed]) -> None:
        self._held_bytes[direction] += sum(len(each.data) for each in deeds if isinstance(each, Piece))
        self._queues[direction].extend(deeds)
        if direction not in self._timers:
            self._run(direction)
        else:
            self._read_on(direction)

    def _run(self, direction: Direction) -> None:
        """Do what is due, and come back for the rest."""
        self._timers.pop(direction, None)
        queue = self._queues[direction]
        now = self._loop.time()
        while queue and queue[0].at <= now:
            self._do(queue.popleft(), direction)
        if queue:
            self._timers[direction] = self._loop.call_at(queue[0].at, self._run, direction)
        self._read_on(direction)

    def _do(self, deed: _Deed, direction: Direction) -> None:
        destination = self.target if direction is Direction.UP else self.ours
        match deed:
            case Piece():
                self._held_bytes[direction] -= len(deed.data)
                if direction is Direction.UP and self._host.is_killed():
                    self.abort()
                elif direction not in self._dead:
                    destination.write(deed.data)
            case Stop():
                self._halt(deed, direction)
            case Over(is_reset=True):
                destination.reset()
            case Over():
                self._end(direction, destination)

    def _end(self, direction: Direction, destination: End) -> None:
        """Pass on the end of a stream, which is the end of the connection where nothing can follow."""
        self._closed.add(direction)
        is_ours_gone = direction is Direction.UP and self.passage.is_over
        if is_ours_gone or len(self._closed) == len(Direction):
            self.ours.close()
            self.target.close()
        else:
            destination.write_eof()

    def _halt(self, stop: Stop, direction: Direction) -> None:
        """Break the path as a condition says."""
        carried = self.courses[direction].tally.setdefault(stop.trouble, 0)
        what = f"{stop.halt.value} by the condition {stop.trouble} after {carried} bytes {direction}"
        self.strikes.append(self._host.struck(stop.trouble, what))
        match stop.halt:
            case Halt.CLOSE:
                self.ours.close()
                self.target.close()
            case Halt.RESET:
                self.ours.reset()
                self.target.reset()
            case Halt.HALF_CLOSE:
                self._end(direction, self.target if direction is Direction.UP else self.ours)
            case Halt.DEAD:
                self._dead.add(direction)
            case Halt.LOST:
                self._dead.update(Direction)

    def _forsake(self) -> None:
        """Our side of a dead path is closed; the other side cannot know."""
        self.ours.close()
        self._host.forsake(self)

    def _read_on(self, direction: Direction) -> None:
        source = self.ours if direction is Direction.UP else self.target
        is_wanted = not self._is_full[direction] and self._held_bytes[direction] < _HELD_BYTES_MAX
        source.read(is_wanted=is_wanted and (self.is_met or source is self.ours))

    def _finish(self) -> None:
        if self._is_finished:
            return
        self._is_finished = True
        self._watch.cancel()
        self._stop_clocks()
        for timer in self._timers.values():
            timer.cancel()
        self._host.settle(self)
        self._host.gone(self)


def _nothing() -> None:
    pass
