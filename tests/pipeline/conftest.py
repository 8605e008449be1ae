"""The parts of a run put together over transports without a network."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mutators import Mutator, SessionMutator, mutator
from shadow.judge import Noise, NoiseSettings
from shadow.model import (
    Edit,
    Event,
    Exchange,
    Expect,
    Fate,
    Finding,
    Found,
    Headers,
    Identity,
    Judged,
    Level,
    NoReply,
    Outcome,
    Reply,
    Request,
    Response,
    Sent,
    Settled,
    Signs,
    Silence,
    Trial,
    Verdict,
)
from shadow.pipeline.begun import Begun
from shadow.pipeline.blame import Blame
from shadow.pipeline.calm import Calm
from shadow.pipeline.case import Case
from shadow.pipeline.confirmation import Confirmation
from shadow.pipeline.dealing import TrialSettings
from shadow.pipeline.endpoint import Endpoints
from shadow.pipeline.environment import Environment
from shadow.pipeline.fewer_steps import FewerSteps
from shadow.pipeline.gate import Gate
from shadow.pipeline.gauges import GaugeSettings
from shadow.pipeline.governor import Governor
from shadow.pipeline.judging import Judging
from shadow.pipeline.knowledge import Knowledge
from shadow.pipeline.link import Link
from shadow.pipeline.minimising import Minimising
from shadow.pipeline.order import Order, Turn
from shadow.pipeline.parts import Brakes, PipelineSettings, State, Trying
from shadow.pipeline.pipeline import Pipeline
from shadow.pipeline.preparation import Preparation
from shadow.pipeline.probes import Probe
from shadow.pipeline.pulse import HealthSettings, Pulse
from shadow.pipeline.reporting import Reporting
from shadow.pipeline.resending import Resending
from shadow.pipeline.reshowing import MinimiseSettings, Reshowing
from shadow.pipeline.scheduler import Scheduler
from shadow.pipeline.scope import Scope
from shadow.pipeline.scripts import Scripts
from shadow.pipeline.session_trials import SessionTrials
from shadow.pipeline.sessions import Sessions
from shadow.pipeline.slowness import Slowness
from shadow.pipeline.source import Recorded
from shadow.pipeline.standing import Standing
from shadow.pipeline.talks import Talks
from shadow.pipeline.traces import Traces
from shadow.pipeline.trials import Later, Trials
from shadow.pipeline.vigil import Restart, Vigil
from shadow.pipeline.ways import Ways
from shadow.replay import (
    Breaker,
    BreakerSettings,
    Correlation,
    Pace,
    Pacer,
    SafeModeSettings,
    Sending,
    Target,
)
from shadow.replay.fake import Answer, FakeTransport
from shadow.wire.http2_form import unsayable

NOW = 1_700_000_000.0
"""What the clock says while a test runs; exchanges were seen at `SEEN_AT`."""
SEEN_AT = 1_600_000_000.0
LIVE = "live.test:80"
REFUSED = NoReply(Silence.REFUSED)

type Answering = Callable[[Request], Answer]


def reply(status: int = 200, body: bytes = b"", *headers: tuple[bytes, bytes]) -> Reply:
    kind = ((b"Content-Type", b"application/json"),) if body else ()
    return Reply(Response(status, headers=(*kind, *headers), body=body))


def request(line: str, body: bytes = b"", *headers: tuple[bytes, bytes]) -> Request:
    method, target = line.encode().split()
    length = ((b"Content-Length", b"%d" % len(body)),) if body else ()
    return Request(method, target, headers=((b"Host", LIVE.encode()), *headers, *length), body=body)


def exchange(
    line: str,
    index: int = 0,
    *,
    body: bytes = b"",
    headers: Headers = (),
    answer: Outcome | None = None,
    session: str = "s",
    seen_at: float | None = None,
) -> Exchange:
    """A recorded exchange, answered with an empty 200 where nothing else is said."""
    live = reply() if answer is None else answer
    return Exchange(
        index,
        "test",
        session,
        SEEN_AT + index if seen_at is None else seen_at,
        request(line, body, *headers),
        live.response if isinstance(live, Reply) else None,
        0.5,
        LIVE,
    )


def always(outcome: Answer) -> Answering:
    return lambda _: outcome


def is_edited(request: Request) -> bool:
    """Whether `request` is one that `edits` made."""
    return any(name == b"x-edit" for name, _ in request.headers)


def by_edit(plain: Answer, edited: Answer) -> Answering:
    """One answer for requests as recorded, another one for what `edits` made of them."""
    return lambda asked: edited if is_edited(asked) else plain


def edits(expect: Expect, *, level: Level = Level.HEADER, name: str = "", **parts: Any) -> Mutator:
    """A mutator that adds a field, and replaces what `parts` say of the edit and the request."""
    of_edit = {key: parts.pop(key) for key in ("wire", "signs_again") if key in parts}

    @mutator(level=level, expect=expect)
    def add_field(request: Request, rng: object) -> Edit:
        """Adds a field."""
        fields = {
            "method": request.method,
            "target": request.target,
            "body": request.body,
            "headers": (*request.headers, (b"x-edit", expect.encode()), *parts.get("headers", ())),
        } | {key: value for key, value in parts.items() if key != "headers"}
        return Edit(Request(**fields), f"edited for {expect}", **of_edit)

    made: Mutator = add_field
    return made if not name else Mutator(name, level, expect, made.reason, made.edit, made.wants_known)


async def _no_time(_: float) -> None:
    """A pause that takes none, though others get their turn."""
    await asyncio.sleep(0)


class _Ticks:
    """A clock that goes a little further each time it is looked at."""

    def __init__(self) -> None:
        self._now = 0.0

    def __call__(self) -> float:
        self._now += 0.01
        return self._now


class Side:
    """One target: what it was sent, in order, and what it answers."""

    def __init__(
        self,
        name: str,
        answering: Answering,
        sayable: Callable[[Sending], bool],
        refuses_http2: str | None,
    ) -> None:
        self.target = Target(name, "http", f"{name}.test", 8000)
        self.requests: list[Request] = []
        self.overlap = 0
        """The most that was under way at once."""
        self._answering = answering
        self.transports = {
            "aiohttp": FakeTransport(self._answer, name="aiohttp", can_send=sayable),
            "raw": FakeTransport(self._answer, name="raw"),
        }
        if refuses_http2 is not None:
            http2 = FakeTransport(self._answer, name="http2", can_send=_is_http2)
            self.transports["http2"] = http2
        self._refuses_http2 = refuses_http2 or ""
        self.asked_for_http2 = 0

    async def http2_refusal(self) -> str:
        self.asked_for_http2 += 1
        return self._refuses_http2

    @property
    def via(self) -> set[str]:
        return {name for name, each in self.transports.items() if each.sent}

    def _answer(self, sending: Sending) -> Answer:
        self.requests.append(sending.request)
        self.overlap = max(self.overlap, sum(each.under_way for each in self.transports.values()))
        return self._answering(sending.request)


def _is_http2(sending: Sending) -> bool:
    is_wire_http2 = sending.wire is not None and sending.wire.protocol == "http2"
    return is_wire_http2 or (sending.wire is None and not unsayable(sending.request))


class Bench:
    """Everything of a run but its sinks; `heard` is what these would hear."""

    def __init__(
        self,
        candidate: Answering,
        baseline: Answering | None = None,
        *,
        mutators: Sequence[Mutator] = (),
        of_sessions: Sequence[SessionMutator] = (),
        mutants: int = 20,
        may_write: bool = True,
        times: int = 3,
        transport: str = "auto",
        signer: Signs | None = None,
        identities: tuple[Identity, ...] = (),
        seed: int = 0,
        breaker: BreakerSettings | None = None,
        sayable: Callable[[Sending], bool] = lambda _: True,
        timeout_seconds: float = 10.0,
        looks: bool = False,
        probes: Sequence[Probe] = (),
        earlier: Mapping[str, Finding] | None = None,
        refuses_http2: str | None = None,
        safe_mode: SafeModeSettings | None = None,
        stack: int = 1,
        minimise: MinimiseSettings | None = None,
        health: HealthSettings | None = None,
        restart: Restart | None = None,
        measures: bool = False,
        gauges: GaugeSettings | None = None,
    ) -> None:
        """`refuses_http2` is what the candidate says to HTTP/2: nothing where it speaks it, None for a run
        without it."""
        self.heard: list[Event] = []
        self.stopping = asyncio.Event()
        self.halted = ""

        def halt(why: str) -> None:
            self.halted = why

        self.governor = Governor(
            safe_mode or SafeModeSettings(enabled=False),
            concurrency=4,
            stopping=self.stopping,
            halt=halt,
            hear=self.heard.append,
        )
        self.candidate = Side("candidate", candidate, sayable, refuses_http2)
        is_spoken = None if refuses_http2 is None else ""
        self.baseline = Side("baseline", baseline, sayable, is_spoken) if baseline else None
        usual = BreakerSettings(
            slow_start_seconds=0.0, retry_seconds=0.001, retry_seconds_max=0.001, trial_seconds_max=0.01
        )

        begun = Begun()

        def is_held_up() -> bool:
            return self.stopping.is_set() or not self.governor.sends_scripts

        gate = Gate()
        self.calm = Calm()
        self._ticks = _Ticks()

        def link(side: Side) -> Link:
            correlation = Correlation(side.target, (LIVE,))
            preparation = Preparation(
                side.target, correlation, signer, run="r1", keeps_host=False, clock=lambda: NOW
            )
            return Link(
                side.target,
                side.transports,
                preparation,
                correlation,
                Standing(
                    side.target.name,
                    Breaker(breaker or usual),
                    stopping=self.stopping,
                    hear=self.heard.append,
                    resumed=self.governor.resumed,
                ),
                timeout_seconds=timeout_seconds,
                hear=self.heard.append,
                http2_refusal=side.http2_refusal,
                gate=gate,
                calm=self.calm,
            )

        links = [link(each) for each in (self.candidate, self.baseline) if each is not None]
        self.vigils = [self._vigil(each, health, restart) for each in links] if health else []
        ways = Ways(links, transport, hear=self.heard.append)
        self.environment = Environment(links[0], links[1] if len(links) > 1 else None, ways)
        self.noise = Noise(NoiseSettings())
        self.judging = Judging(self.noise, self.environment.candidate.correlation.same)
        self.scripts = Scripts(self.environment, self.judging)
        self.knowledge = Knowledge(identities=identities, signer=signer)
        self.endpoints = Endpoints()
        self.reporting = Reporting(origin="http://c", hear=self.heard.append, earlier=earlier)
        resending = Resending(self.environment, self.scripts)
        self.blame = Blame(
            self.environment,
            resending,
            self.judging,
            gate,
            self.calm,
            times=times,
            hear=self.heard.append,
            sleep=_no_time,
            clock=self._ticks,
        )
        self.confirmation = Confirmation(
            self.environment,
            self.scripts,
            self.judging,
            times=times,
            may_write=may_write,
            blame=self.blame if health else None,
        )
        self.traces = Traces(
            self.environment, self.scripts, self.judging, self.endpoints, gate, probes=probes, times=times
        )
        self.trials = Trials(
            self.environment,
            Scheduler(mutators, seed=seed),
            self.judging,
            self.confirmation,
            self.knowledge,
            TrialSettings(seed, mutants, may_write, stack),
            governor=self.governor,
            hear=self.heard.append,
            report=self.reporting.report,
            traces=self.traces if looks else None,
            blame=self.blame if health else None,
            slowness=Slowness(
                self.environment, resending, self.judging, self.blame, times=times, may_write=may_write
            )
            if measures
            else None,
            minimising=Minimising(
                Reshowing(
                    self.environment, Resending(self.environment, self.scripts), self.judging, times=times
                ),
                minimise or MinimiseSettings(),
                begun,
                may_write=may_write,
                is_held_up=is_held_up,
            ),
            gauges=None if gauges is None else (gauges, gate),
        )
        self.session_trials = SessionTrials(
            self.scripts,
            Scheduler(of_sessions, seed=seed),
            self.judging,
            self.knowledge,
            self.endpoints,
            seed=seed,
            budget=mutants,
            confirmations=times,
            may_write=may_write,
            hear=self.heard.append,
            report=self.reporting.report,
            traces=self.traces if looks else None,
            fewer_steps=FewerSteps(minimise or MinimiseSettings(), begun, times=times, is_held_up=is_held_up),
        )
        self._order = Order()
        self._signer = signer

    def _vigil(self, link: Link, health: HealthSettings, restart: Restart | None) -> Vigil:
        vigil = link.vigil = Vigil(
            link.target.name,
            health,
            Pulse(health, link.feel),
            self.calm,
            hear=self.heard.append,
            stopping=self.stopping,
            let_go=link.let_go,
            restart=restart,
            clock=self._ticks,
            sleep=_no_time,
        )
        return vigil

    def case(self, one: Exchange, past: Sequence[Exchange] = ()) -> Case:
        names = [each.target.name for each in self.environment.links]
        known = {name: self.knowledge.snapshot(one.request, name) for name in names}
        return Case(one, one.session, self.endpoints.name(one.request), known, tuple(past))

    async def conduct(self, one: Exchange, past: Sequence[Exchange] = ()) -> tuple[Later, Turn]:
        """Try one exchange by itself, with its slow mutants."""
        turn = self._order.enter(one, one.session)
        async with asyncio.timeout(10):
            later = await self.trials.conduct(self.case(one, past), turn)
        turn.leave()
        assert later is not None
        return later, turn

    async def run(self, items: Sequence[Exchange | Settled], **settings: Any) -> Pipeline:
        """Work off `items` with a whole pipeline."""
        pipeline = self.pipeline(**settings)
        async with asyncio.timeout(5):
            await pipeline.run(Recorded(items, Pacer(Pace())))
        return pipeline

    def pipeline(
        self,
        *,
        scope: Scope | None = None,
        state: State | None = None,
        talks: Talks | None = None,
        **settings: Any,
    ) -> Pipeline:
        usual: dict[str, Any] = {
            "concurrency": 4,
            "queue_items": 50,
            "session_by": "connection",
            "targets": tuple(each.target.name for each in self.environment.links),
        }
        return Pipeline(
            PipelineSettings(**(usual | settings)),
            scope or Scope(include=(), exclude=(), sample=1.0, seed=0),
            Trying(self.trials, self.session_trials, talks),
            endpoints=self.endpoints,
            knowledge=self.knowledge,
            sessions=Sessions(idle_seconds=60.0),
            signer=self._signer,
            brakes=Brakes(
                lambda: self.halted,
                lambda: "" if self.vigils else self.environment.down,
                self.governor,
                self.stopping,
            ),
            hear=self.heard.append,
            state=state,
        )

    def of[E](self, kind: type[E]) -> list[E]:
        return [each for each in self.heard if isinstance(each, kind)]

    @property
    def fates(self) -> list[tuple[Fate, str]]:
        return [(each.fate, each.why) for each in self.of(Settled) for _ in range(each.count)]

    @property
    def trials_heard(self) -> list[Trial]:
        return [each.trial for each in self.of(Judged)]

    @property
    def verdicts(self) -> dict[str | None, Verdict]:
        """By mutator; None is the original."""
        return {each.mutator: each.judgement.verdict for each in self.trials_heard}

    @property
    def findings(self) -> dict[str, Finding]:
        """The latest of each id."""
        return {each.finding.id: each.finding for each in self.of(Found)}

    @property
    def sent(self) -> list[tuple[str, str]]:
        """Target and parcel of all that was sent, in order."""
        return [(each.target, each.parcel.value) for each in self.of(Sent)]
