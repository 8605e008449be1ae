"""One worker process: works off what it is handed, as a run of its own would, and tells what came of it."""

import asyncio
import ctypes
import os
import signal
import socket
import sys
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from shadow.config import Settings
from shadow.errors import ConfigError
from shadow.feed.handover import (
    BeginPass,
    End,
    EndPass,
    Halt,
    Handing,
    Handover,
    Pause,
    Release,
    Stop,
    Wanted,
    join,
)
from shadow.model import Event, Exchange, Fate, Forgave, Settled
from shadow.pipeline.intake import Takes
from shadow.pipeline.order import Order, Turn
from shadow.replay import Spending
from shadow.run.assembly import Place, assemble
from shadow.run.configured import configured_redactor
from shadow.run.lessons import Lessons
from shadow.run.loop import run_replay
from shadow.run.outbox import Outbox, key_of

_ALIVE_SECONDS = 0.5
"""A worker that has nothing to tell says so as often as this."""
_PR_SET_PDEATHSIG = 1


class Post(msgspec.Struct, frozen=True):
    """What a worker is born with."""

    settings: Settings
    run: str
    is_live: bool
    key: bytes
    """The redactor's: one secret has one mask, whoever masks it."""
    spending: Spending
    parent: int
    """Process id."""


def serve(post: Post, sock: socket.socket, near: list[socket.socket]) -> None:
    """The worker's whole life. It ends with its parent, whatever happens to that.

    `near` are the parent's ends of all such sockets: who kept them open would never hear that it has gone.
    """
    for each in near:
        each.close()
    for name in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGUSR1):
        signal.signal(name, signal.SIG_IGN)  # what is sent to all of a group, the parent passes on in order
    _die_with(post.parent)
    run_replay(_work(post, sock))


async def _work(post: Post, sock: socket.socket) -> None:
    try:
        worker = _Worker(post)
    except ConfigError:
        return  # whoever hired it cannot use these settings either, and says why
    await worker.run(sock)


class Gates:
    """The order of one worker's exchanges, with gates for those that wait for another worker's."""

    def __init__(self) -> None:
        self._order = Order()
        self._gates: dict[tuple[int, str, float], deque[Turn]] = {}
        self._closed: dict[int, tuple[tuple[int, str, float], Turn]] = {}

    def hold(self, exchange: Exchange, number: int) -> None:
        """Let `exchange`, when it comes, wait until `number` is released."""
        key, gate = key_of(exchange), Turn(exchange.seen_at)
        self._closed[number] = key, gate
        self._gates.setdefault(key, deque()).append(gate)

    def release(self, numbers: list[int]) -> None:
        for number in numbers:
            if number not in self._closed:
                continue
            key, gate = self._closed.pop(number)
            gate.original_sent()
            if gate in self._gates.get(key, ()):  # it has not come yet, or is out of scope and never will
                self._take(key, gate)

    def enter(self, exchange: Exchange, session: str) -> Turn:
        turn = self._order.enter(exchange, session)
        key = key_of(exchange)
        if gates := self._gates.get(key):
            turn.wait_for(gates[0], until_left=False)
            self._take(key, gates[0])
        return turn

    def _take(self, key: tuple[int, str, float], gate: Turn) -> None:
        self._gates[key].remove(gate)
        if not self._gates[key]:
            del self._gates[key]

    def forget(self, session: str, turn: Turn) -> None:
        self._order.forget(session, turn)

    def clear(self) -> None:
        self._order.clear()


class Given:
    """A source: what the parent hands over, until it says that there is no more."""

    def __init__(self) -> None:
        self.captured: Mapping[str, int] = {}
        self.end = asyncio.Event()
        self._due: dict[tuple[int, str, float], float] = {}
        self._waiting: list[Exchange] = []
        self._take: Callable[[Exchange], None] = self._waiting.append
        self._pass_ends = asyncio.Queue[None]()
        self.passes = 0
        """How many passes were worked off wholly."""

    def give(self, exchange: Exchange, due_at: float | None = None) -> None:
        if due_at is not None:
            self._due[key_of(exchange)] = due_at
        self._take(exchange)

    def end_pass(self) -> None:
        self._pass_ends.put_nowait(None)

    def take_due(self, exchange: Exchange) -> float | None:
        return self._due.pop(key_of(exchange), None)

    async def feed(self, intake: Takes, hear: Callable[[Event], None]) -> None:
        def take(exchange: Exchange) -> None:
            if not intake.offer(exchange):
                hear(Settled(exchange.tap, Fate.DROPPED, 1, "the run was stopped", exchange))

        for exchange in self._waiting:
            take(exchange)
        self._take = take
        async with asyncio.TaskGroup() as group:
            passes = group.create_task(self._end_passes(intake), name="passes")
            await self.end.wait()
            passes.cancel()

    async def _end_passes(self, intake: Takes) -> None:
        while True:
            await self._pass_ends.get()
            if await intake.end_pass():
                self.passes += 1


class _Worker:
    def __init__(self, post: Post) -> None:
        self._gone = asyncio.Event()
        self._outbox = Outbox(configured_redactor(post.settings, post.key), self._tell)
        self._gates = Gates()
        self._given = Given()
        self._handover: Handover | None = None
        self._is_last = False
        self._assembly = assemble(
            post.settings,
            run=post.run,
            is_live=post.is_live,
            hear=self._outbox.hear,
            place=Place(self._gates, self._outbox.report),
            spending=post.spending,
        )
        assembly = self._assembly
        self._lessons = Lessons(
            assembly.environment.links, assembly.judging, assembly.schedulers, assembly.begun
        )

    async def run(self, sock: socket.socket) -> None:
        self._handover = await join(sock, self._hear, self._on_gone)
        try:
            for link in self._assembly.environment.links:
                await link.log_in()
            async with asyncio.TaskGroup() as group:
                alive = group.create_task(self._say_alive(), name="alive")
                await self._assembly.pipeline.run(self._given)
                alive.cancel()
            for link in self._assembly.environment.links:
                if (trace := link.correlation.trace) is not None:
                    self._outbox.hear(trace.told(link.target.name))
            self._outbox.hear(Forgave(self._assembly.judging.noise.forgiven()))
        finally:
            self._is_last = True
            self._tell()
            await self._assembly.environment.close()
        await self._gone.wait()  # the parent closes: else its words could meet a closed socket

    async def _say_alive(self) -> None:
        while True:
            await asyncio.sleep(_ALIVE_SECONDS)
            self._tell()

    def _hear(self, told: Any) -> None:
        match told:
            case [Handing(), *_]:
                self._take(told)
            case Release():
                self._gates.release(told.numbers)
            case Wanted():
                self._outbox.want(told.numbers)
            case Stop():
                self._assembly.pipeline.stop(told.why)
            case Halt():
                self._assembly.guard.halt(told.why)
            case Pause(is_over=True):
                self._assembly.governor.resume("")
            case Pause():
                self._assembly.governor.pause("")
            case EndPass():
                self._given.end_pass()
            case BeginPass():
                self._lessons.forget()
            case End():
                self._given.end.set()
            case lessons:
                self._lessons.teach(lessons)

    def _take(self, handings: list[Handing]) -> None:
        for each in handings:
            self._outbox.expect(each.exchange, each.number)
            if each.is_held:
                self._gates.hold(each.exchange, each.number)
            self._given.give(each.exchange, each.due_at)

    def _tell(self) -> None:
        if self._handover is None:
            return
        assembly = self._assembly
        batch = msgspec.structs.replace(
            self._outbox.collect(),
            lessons=self._lessons.take(),
            halted=assembly.guard.halted,
            admitted=assembly.guard.admitted,
            admitted_bytes=assembly.guard.admitted_bytes,
            refused=assembly.judging.refused_count,
            taken=assembly.judging.taken_count,
            passes=self._given.passes,
            is_last=self._is_last,
        )
        self._handover.say(batch)

    def _on_gone(self) -> None:
        if not self._is_last:
            os._exit(1)  # the parent has gone, and with it whoever could be told anything
        self._gone.set()


def _die_with(parent: int) -> None:
    """Have the kernel end this process when its parent ends; on Linux, else its socket tells."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
