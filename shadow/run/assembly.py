"""Settings to a pipeline: targets with their transports, judging, trials."""

import asyncio
from collections.abc import Callable, Mapping

import msgspec

import comparators
from shadow.config import Settings
from shadow.config.schemas import load_schema
from shadow.judge import Noise
from shadow.judge.accepted import Acceptance
from shadow.judge.drifting import DriftLimits
from shadow.judge.readings import Readings
from shadow.model import Event, Finding, Identity, PluginFailed, Signs
from shadow.pipeline.batching import Batches, BySession, Counted, Whole
from shadow.pipeline.begun import Begun
from shadow.pipeline.blame import Blame
from shadow.pipeline.budget import Budget, BudgetSettings
from shadow.pipeline.calm import Calm
from shadow.pipeline.confirmation import Confirmation
from shadow.pipeline.dealing import TrialSettings
from shadow.pipeline.drift import Drift
from shadow.pipeline.endpoint import Endpoints
from shadow.pipeline.environment import Environment
from shadow.pipeline.fewer_steps import FewerSteps
from shadow.pipeline.gate import Gate
from shadow.pipeline.gauges import GaugeSettings, watched
from shadow.pipeline.governor import Governor
from shadow.pipeline.judging import Judging
from shadow.pipeline.knowledge import Knowledge
from shadow.pipeline.minimising import Minimising
from shadow.pipeline.order import Orders
from shadow.pipeline.parts import Brakes, PipelineSettings, State, Trying
from shadow.pipeline.pipeline import Pipeline
from shadow.pipeline.probes import Probe, Probes
from shadow.pipeline.reporting import Report, Reporting
from shadow.pipeline.resending import Resending
from shadow.pipeline.reshowing import Reshowing
from shadow.pipeline.restoring import Restoring
from shadow.pipeline.scripts import Scripts
from shadow.pipeline.session_key import session_of
from shadow.pipeline.session_trials import SessionTrials
from shadow.pipeline.sessions import Sessions
from shadow.pipeline.slowness import Slowness
from shadow.pipeline.talk_endpoint import TalkEndpoints
from shadow.pipeline.talk_trials import TalkTrials
from shadow.pipeline.talks import Talks
from shadow.pipeline.tenants import Tenants
from shadow.pipeline.told_anew import ToldAnew
from shadow.pipeline.traces import Traces
from shadow.pipeline.trials import Trials
from shadow.pipeline.ways import Ways
from shadow.replay import Guard, Spending, Target
from shadow.replay.reset import ResetSettings
from shadow.run.catalogue import Schedulers, check_patterns, chosen_by, schedulers_of
from shadow.run.checking import check_together
from shadow.run.configured import (
    configured_reset,
    configured_signer,
    guard_settings,
    noise_settings,
    scope_of,
    secret_search,
    success_rules,
    targets_of,
)
from shadow.run.linking import link, vigil_over

type Hear = Callable[[Event], None]


class Place(msgspec.Struct, frozen=True):
    """What is another's in an assembly that is one worker of several."""

    order: Orders
    report: Report


class Assembly(msgspec.Struct, frozen=True):
    """The parts of a run that its caller needs to hold."""

    pipeline: Pipeline
    environment: Environment
    guard: Guard
    governor: Governor
    judging: Judging
    reporting: Reporting
    schedulers: Schedulers
    targets: tuple[Target, ...]
    stopping: asyncio.Event
    """Set once the run is to be ended."""
    drift: Drift | None
    """Compares the targets' states when nothing is under way; None where nothing is probed, and in a worker,
    which does not know what others have under way."""
    begun: Begun
    """Which causes were begun to be made smaller."""


_DRAIN_SECONDS = 60.0
"""Whoever ended the tap waits for this."""
_PATIENCE_SECONDS = 30.0
"""A file can wait, but not for ever."""


class _Parts(msgspec.Struct, frozen=True):
    """What a pipeline is made of, besides its settings."""

    environment: Environment
    judging: Judging
    signer: Signs | None
    guard: Guard
    gate: Gate
    governor: Governor
    schedulers: Schedulers
    report: Report
    order: Orders | None
    """That of a worker of several; None where this is all of a run."""
    probes: tuple[Probe, ...]
    drift: Drift | None
    is_live: bool
    stopping: asyncio.Event
    hear: Hear
    begun: Begun
    calm: Calm


def assemble(
    settings: Settings,
    *,
    run: str,
    is_live: bool,
    hear: Hear,
    earlier: Mapping[str, Finding] | None = None,
    place: Place | None = None,
    spending: Spending | None = None,
    acceptance: Acceptance | None = None,
    schedulers: Schedulers | None = None,
) -> Assembly:
    """Everything of a run but its source and sinks. `is_live` where exchanges come from a tap.

    `earlier` are findings of an earlier process of the same run, by id; they may be filled in later.
    `spending` is what all processes of the run have sent, where there are several; `acceptance` knows which
    findings were accepted; `schedulers` deal in the place of those that the settings choose.

    Raises ConfigError for settings that cannot be used together.
    """
    check_together(settings)
    check_patterns(settings)
    targets = targets_of(settings)
    guard = Guard(guard_settings(settings, len(targets), is_live=is_live), targets)
    guard.spending = spending
    signer = configured_signer(settings, targets, hear)
    stopping = asyncio.Event()
    gate = Gate()
    calm = Calm()
    governor = Governor(
        settings.safe_mode, concurrency=settings.concurrency, stopping=stopping, halt=guard.halt, hear=hear
    )
    readings = Readings(success_rules(settings), learns=settings.judge.learn)
    links = [
        link(
            settings,
            target,
            guard,
            signer,
            run=run,
            stopping=stopping,
            hear=hear,
            gate=gate,
            resumed=governor.resumed,
            calm=calm,
            readings=readings,
        )
        for target in targets
    ]
    for each in links if settings.health.enabled else ():
        each.vigil = vigil_over(each, settings, stopping=stopping, hear=hear, is_patient=is_live)
    ways = Ways(links, settings.transport, hear=hear)
    environment = Environment(links[0], links[1] if len(links) > 1 else None, ways)
    noise = Noise(noise_settings(settings, targets, is_live=is_live))
    compare = comparators.compare_with(comparators.load_plugins(), _failures("comparator", hear))
    known = settings.identities

    def identities() -> tuple[Identity, ...]:
        here = (who for each in links if each.logins is not None for who in each.logins.identities())
        return (*known, *here)

    tenants = Tenants(identities, signer)
    limits = DriftLimits(settings.judge.drift_limit, settings.judge.drift_samples)
    judging = Judging(noise, links[0].correlation.same, compare, limits, readings=readings, tenants=tenants)
    origin = f"{targets[0].scheme}://{targets[0].authority}"
    reporting = Reporting(origin=origin, hear=hear, earlier=earlier, acceptance=acceptance)
    budget = BudgetSettings(settings.mutants_per_endpoint, settings.mutants_per_minute)
    mutators = chosen_by(settings, _failures("mutator", hear))
    if schedulers is None:
        schedulers = schedulers_of(mutators, settings.seed, Budget(budget, hear=hear, spending=spending))
    probes = Probes.of(settings.probe, settings.identities).all
    drift = Drift(environment, judging, probes, hear=hear) if probes and place is None else None
    parts = _Parts(
        environment,
        judging,
        signer,
        guard,
        gate,
        governor,
        schedulers,
        reporting.report if place is None else place.report,
        None if place is None else place.order,
        probes,
        drift,
        is_live,
        stopping,
        hear,
        Begun(),
        calm,
    )
    pipeline = _pipeline(settings, parts)
    for each in links:
        if each.vigil is not None:
            each.vigil.on_lost = lambda lost: pipeline.lose(lost.why)
    return Assembly(
        pipeline,
        environment,
        guard,
        governor,
        judging,
        reporting,
        schedulers,
        tuple(targets),
        stopping,
        drift,
        parts.begun,
    )


async def _logged_in_anew(environment: Environment) -> str:
    """Have every identity log in again; why one cannot, else empty."""
    troubles = [why for link in environment.links for why in await link.log_in(is_anew=True)]
    return troubles[0] if troubles else ""


def _failures(kind: str, hear: Hear) -> Callable[[str, str], None]:
    """What hears of the failures of plugins of a kind."""
    return lambda name, why: hear(PluginFailed(f"{kind} {name!r}", why))


def _pipeline(settings: Settings, parts: _Parts) -> Pipeline:
    links = parts.environment.links
    here = {each.target.name: each.logins.identities for each in links if each.logins}
    endpoints = Endpoints(names=parts.environment.candidate.correlation.names)
    knowledge = Knowledge(
        identities=settings.identities,
        signer=parts.signer,
        here=here,
        naming=endpoints.name,
        schema=load_schema(settings.schema),
        secrets=secret_search(settings),
        schemes={each.target.name: each.target.scheme for each in links},
    )
    scripts = Scripts(parts.environment, parts.judging)
    blame = Blame(
        parts.environment,
        Resending(parts.environment, scripts),
        parts.judging,
        parts.gate,
        parts.calm,
        times=settings.confirmations,
        hear=parts.hear,
    )
    confirmation = Confirmation(
        parts.environment,
        scripts,
        parts.judging,
        times=settings.confirmations,
        may_write=settings.mutates_writes,
        blame=blame,
    )
    traces = Traces(
        parts.environment,
        scripts,
        parts.judging,
        endpoints,
        parts.gate,
        probes=parts.probes,
        times=settings.confirmations,
        is_alone=parts.order is None,
    )
    trials = Trials(
        parts.environment,
        parts.schedulers[0],
        parts.judging,
        confirmation,
        knowledge,
        TrialSettings(settings.seed, settings.mutants, settings.mutates_writes, settings.stack),
        governor=parts.governor,
        hear=parts.hear,
        report=parts.report,
        traces=traces,
        minimising=_minimising(settings, parts, scripts),
        blame=blame,
        slowness=Slowness(
            parts.environment,
            Resending(parts.environment, scripts),
            parts.judging,
            blame,
            times=settings.confirmations,
            may_write=settings.mutates_writes,
        ),
        gauges=_gauges(settings, parts),
    )
    session_trials = SessionTrials(
        scripts,
        parts.schedulers[1],
        parts.judging,
        knowledge,
        endpoints,
        seed=settings.seed,
        budget=settings.mutants,
        confirmations=settings.confirmations,
        may_write=settings.mutates_writes,
        hear=parts.hear,
        report=parts.report,
        traces=traces,
        fewer_steps=FewerSteps(
            settings.minimise,
            parts.begun,
            times=settings.confirmations,
            is_held_up=lambda: _is_held_up(parts),
        ),
        told_anew=ToldAnew(
            scripts,
            parts.judging,
            confirmation,
            endpoints,
            parts.gate,
            seed=settings.seed,
            hear=parts.hear,
            report=parts.report,
        ),
    )
    talk_endpoints = TalkEndpoints(endpoints)
    talk_trials = TalkTrials(
        parts.environment,
        parts.schedulers[2],
        parts.judging,
        parts.governor,
        endpoints=talk_endpoints,
        seed=settings.seed,
        budget=settings.mutants,
        times=settings.confirmations,
        may_write=settings.mutates_writes,
        hear=parts.hear,
        report=parts.report,
    )
    talks = Talks(
        parts.environment,
        parts.judging,
        parts.environment.candidate.correlation.same,
        parts.governor,
        endpoints=talk_endpoints,
        times=settings.confirmations,
        may_write=settings.mutates_writes,
        seed=settings.seed,
        hear=parts.hear,
        report=parts.report,
        trials=talk_trials,
    )
    restoring = None
    if (reset := configured_reset(settings)) is not None:
        batches = _batches(reset.settings, settings, parts.signer)
        restoring = Restoring(
            reset,
            parts.environment,
            parts.judging,
            knowledge,
            batches,
            halted=lambda: parts.guard.halted,
            hear=parts.hear,
            afterwards=[lambda: _logged_in_anew(parts.environment)],
        )
    return Pipeline(
        PipelineSettings(
            settings.concurrency,
            settings.queue_items,
            settings.session.by,
            tuple(link.target.name for link in parts.environment.links),
            settings.duration_seconds,
            None if parts.is_live else _PATIENCE_SECONDS,
            _DRAIN_SECONDS if parts.is_live else None,
            is_in_order=settings.concurrency == 1 and not parts.is_live and parts.order is None,
        ),
        scope_of(settings),
        Trying(trials, session_trials, talks),
        endpoints=endpoints,
        knowledge=knowledge,
        sessions=Sessions(idle_seconds=settings.session.idle_seconds),
        signer=parts.signer,
        brakes=Brakes(
            lambda: parts.guard.halted,
            lambda: "" if _is_waited_for(parts) else parts.environment.down,
            parts.governor,
            parts.stopping,
        ),
        hear=parts.hear,
        order=parts.order,
        state=State(restoring, parts.drift),
    )


def _is_waited_for(parts: _Parts) -> bool:
    """Whether it is for a vigil to say when a target that is down is given up. A tap's goes on for as long as
    there is traffic."""
    attending = any(each.vigil is not None and each.vigil.is_attending for each in parts.environment.links)
    return attending and not parts.is_live


def _gauges(settings: Settings, parts: _Parts) -> tuple[GaugeSettings, Gate] | None:
    """What is watched; nothing in a worker, which does not know what others send."""
    found = watched(settings.gauges)
    return None if found is None or parts.order is not None else (found, parts.gate)


def _minimising(settings: Settings, parts: _Parts, scripts: Scripts) -> Minimising:
    resending = Resending(parts.environment, scripts)
    return Minimising(
        Reshowing(parts.environment, resending, parts.judging, times=settings.confirmations),
        settings.minimise,
        parts.begun,
        may_write=settings.mutates_writes,
        is_held_up=lambda: _is_held_up(parts),
    )


def _is_held_up(parts: _Parts) -> bool:
    """Whether nothing may be begun that can be left out."""
    return parts.stopping.is_set() or not parts.governor.sends_scripts


def _batches(reset: ResetSettings, settings: Settings, signer: Signs | None) -> Batches:
    if reset.when == "start":
        return Whole()
    if isinstance(reset.batch, int):
        return Counted(reset.batch)
    return BySession(
        lambda exchange: session_of(exchange, settings.session.by, signer),
        idle_seconds=settings.session.idle_seconds,
        held_max=settings.queue_items,
    )
