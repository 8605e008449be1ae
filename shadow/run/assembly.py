"""Settings to a pipeline: targets with their transports, judging, trials."""

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence

import msgspec

import comparators
from mutators import (
    CATALOG,
    SESSION_CATALOG,
    TALK_CATALOG,
    AnyMutator,
    Mutator,
    SessionMutator,
    TalkMutator,
    guarded,
    guarded_session,
    guarded_talk,
    lifted,
    load_plugins,
)
from shadow.auth import signer_of
from shadow.config import Settings, parse_live, parse_target, secret_values, secrets
from shadow.config.schemas import load_schema
from shadow.content.redaction import Redactor
from shadow.content.secret_search import SecretSearch
from shadow.errors import ConfigError, nearest
from shadow.judge import Noise, NoiseSettings
from shadow.model import Event, Finding, PluginFailed, Signs, StateChanged
from shadow.pipeline.batching import Batches, BySession, Counted, Whole
from shadow.pipeline.begun import Begun
from shadow.pipeline.budget import Budget, BudgetSettings
from shadow.pipeline.confirmation import Confirmation
from shadow.pipeline.dealing import TrialSettings
from shadow.pipeline.drift import Drift
from shadow.pipeline.endpoint import Endpoints
from shadow.pipeline.environment import Environment
from shadow.pipeline.fewer_steps import FewerSteps
from shadow.pipeline.gate import Gate
from shadow.pipeline.governor import Governor
from shadow.pipeline.judging import Judging
from shadow.pipeline.knowledge import Knowledge
from shadow.pipeline.minimising import Minimising
from shadow.pipeline.order import Orders
from shadow.pipeline.pipeline import Brakes, Pipeline, PipelineSettings, State, Trying
from shadow.pipeline.probes import Probe, Probes
from shadow.pipeline.reporting import Report, Reporting
from shadow.pipeline.resending import Resending
from shadow.pipeline.reshowing import Reshowing
from shadow.pipeline.restoring import Restoring
from shadow.pipeline.scheduler import Scheduler, chosen
from shadow.pipeline.scope import Scope
from shadow.pipeline.scripts import Scripts
from shadow.pipeline.session_key import session_of
from shadow.pipeline.session_trials import SessionTrials
from shadow.pipeline.sessions import Sessions
from shadow.pipeline.talk_endpoint import TalkEndpoints
from shadow.pipeline.talk_trials import TalkTrials
from shadow.pipeline.talks import Talks
from shadow.pipeline.traces import Traces
from shadow.pipeline.trials import Trials
from shadow.pipeline.ways import Ways
from shadow.replay import (
    Guard,
    GuardSettings,
    Spending,
    Target,
)
from shadow.replay.reset import Reset, ResetSettings
from shadow.replay.rules import Rules
from shadow.run.admin import admin_settings
from shadow.run.linking import link

type Hear = Callable[[Event], None]
type Schedulers = tuple[Scheduler[Mutator], Scheduler[SessionMutator], Scheduler[TalkMutator]]


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


_MAX_TROUBLES = 20
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


def assemble(
    settings: Settings,
    *,
    run: str,
    is_live: bool,
    hear: Hear,
    earlier: Mapping[str, Finding] | None = None,
    place: Place | None = None,
    spending: Spending | None = None,
) -> Assembly:
    """Everything of a run but its source and sinks. `is_live` where exchanges come from a tap.

    `earlier` are findings of an earlier process of the same run, by id; they may be filled in later.
    `spending` is what all processes of the run have sent, where there are several.

    Raises ConfigError for settings that cannot be used together.
    """
    _check_together(settings)
    check_patterns(settings)
    targets = _targets(settings)
    guard = Guard(_guard_settings(settings, len(targets), is_live=is_live), targets)
    guard.spending = spending
    signer = configured_signer(settings, targets, hear)
    stopping = asyncio.Event()
    gate = Gate()
    governor = Governor(
        settings.safe_mode, concurrency=settings.concurrency, stopping=stopping, halt=guard.halt, hear=hear
    )
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
        )
        for target in targets
    ]
    ways = Ways(links, settings.transport, hear=hear)
    environment = Environment(links[0], links[1] if len(links) > 1 else None, ways)
    noise = Noise(_noise_settings(settings, targets, is_live=is_live))
    compare = comparators.compare_with(comparators.load_plugins(), _failures("comparator", hear))
    judging = Judging(noise, links[0].correlation.same, compare)
    origin = f"{targets[0].scheme}://{targets[0].authority}"
    reporting = Reporting(origin=origin, hear=hear, earlier=earlier)
    limits = BudgetSettings(settings.mutants_per_endpoint, settings.mutants_per_minute)
    schedulers = _schedulers(settings, Budget(limits, hear=hear, spending=spending), hear)
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
    )
    pipeline = _pipeline(settings, parts)
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


def check(settings: Settings) -> None:
    """Raises ConfigError for whatever a run with these settings would refuse before it begins."""
    targets = _targets(settings)
    Guard(_guard_settings(settings, len(targets), is_live=True), targets)
    Noise(_noise_settings(settings, targets, is_live=True))
    Redactor(settings.redaction, b"")
    configured_signer(settings)
    _ = settings.logins, secret_values(settings)
    _check_identities(settings)
    check_patterns(settings)
    load_schema(settings.schema)
    comparators.load_plugins()
    Rules(settings.correlation)
    configured_reset(settings)
    _check_together(settings)
    Probes.of(settings.probe, settings.identities)
    admin_settings(settings, os.environ)


async def _logged_in_anew(environment: Environment) -> str:
    """Have every identity log in again; why one cannot, else empty."""
    troubles = [why for link in environment.links for why in await link.log_in(is_anew=True)]
    return troubles[0] if troubles else ""


def _check_together(settings: Settings) -> None:
    if settings.reset is not None and settings.workers > 1:
        raise ConfigError(
            f"workers = {settings.workers} and [reset] do not go together: nothing may be under"
            " way during a reset; leave one of them out"
        )


def _check_identities(settings: Settings) -> None:
    """An identity with a key that nobody has would own no request, unseen."""
    keys = [key.id for scheme in (settings.signing, settings.tokens) if scheme for key in scheme.keys]
    for identity in settings.identities:
        if identity.key and identity.key not in keys:
            hint = nearest(identity.key, keys)
            raise ConfigError(f"identity {identity.name!r}: no key {identity.key!r} is configured{hint}")


def check_patterns(settings: Settings) -> None:
    """Raises ConfigError for a pattern that matches no mutator: a slip would leave them out unseen."""
    single, of_sessions, of_talks = load_plugins()
    everyone: tuple[AnyMutator, ...] = (
        *(*CATALOG, *single),
        *(*SESSION_CATALOG, *of_sessions),
        *(*TALK_CATALOG, *of_talks),
    )
    for key, patterns in (("mutator", settings.mutators), ("no-mutator", settings.no_mutators)):
        for pattern in patterns:
            if not chosen(everyone, wanted=[pattern], unwanted=[]):
                hint = nearest(pattern, [each.name for each in everyone])
                raise ConfigError(f"--{key} {pattern!r} matches no mutator{hint}; see shadow mutators")


def configured_signer(
    settings: Settings, targets: Sequence[Target] = (), hear: Hear = lambda _: None
) -> Signs | None:
    """What signs requests under the configured scheme; None where none is configured. Raises ConfigError.

    What goes wrong with a callable is heard, each trouble once.
    """
    told: set[str] = set()

    def tell(why: str) -> None:
        if why not in told and len(told) < _MAX_TROUBLES:
            told.add(why)
            hear(StateChanged("partly-unsigned", why))

    url_scheme = targets[0].scheme if targets else "http"
    return signer_of(settings.signing, settings.tokens, secrets(settings), url_scheme=url_scheme, tell=tell)


def secret_search(settings: Settings) -> SecretSearch:
    """What finds secrets by the configured names and patterns, besides those that are known to be such."""
    redaction = settings.redaction
    return SecretSearch(redaction.names, redaction.patterns, redaction.keep)


def configured_redactor(settings: Settings, key: bytes) -> Redactor:
    """What masks secrets, those of the settings among them. Raises ConfigError."""
    redactor = Redactor(settings.redaction, key)
    for value in secret_values(settings):
        redactor.learn(value.encode(), for_good=True)
    return redactor


def scope_of(settings: Settings) -> Scope:
    """Which exchanges are worked on."""
    scope = settings.scope
    scheme = parse_target("candidate", settings.candidate).scheme if settings.candidate else ""
    return Scope(
        include=scope.include,
        exclude=scope.exclude,
        sample=scope.sample,
        seed=settings.seed,
        scheme=scheme,
    )


def _urls(settings: Settings) -> list[tuple[str, str]]:
    named = (("candidate", settings.candidate), ("baseline", settings.baseline))
    return [(name, url) for name, url in named if url]


def _targets(settings: Settings) -> list[Target]:
    """The candidate, and the baseline where there is one. Raises ConfigError."""
    targets = [parse_target(name, url) for name, url in _urls(settings)]
    kinds = {_SAME_KIND.get(each.scheme, each.scheme) for each in targets}
    if len(kinds) > 1:
        raise ConfigError(
            f"candidate {settings.candidate!r} and baseline {settings.baseline!r} speak different protocols;"
            " give both the same scheme"
        )
    return targets


_SAME_KIND = {"https": "http", "tls": "tcp"}


def _guard_settings(settings: Settings, targets: int, *, is_live: bool) -> GuardSettings:
    """What a tap listens on is live too: what is sent there goes through to the live service. So is what
    answers on sniffed ports of this machine. The admin endpoint must not be reached by what is replayed."""
    rate = settings.rate_per_second
    sniffed = [f"0.0.0.0:{port}" for port in settings.scope.ports] if not settings.listen else []
    own = (settings.listen if is_live else "", settings.admin if not settings.admin.endswith(":0") else "")
    live = (settings.live, *own, *(sniffed if is_live else []))
    return GuardSettings(
        live=tuple(each for each in live if each),
        allow=settings.safety.allow,
        kill_file=settings.safety.kill_file,
        requests_max=settings.safety.max_requests or None,
        bytes_max=settings.safety.max_bytes or None,
        requests_per_second_max=rate * targets if rate and is_live else None,
    )


def _noise_settings(settings: Settings, targets: list[Target], *, is_live: bool) -> NoiseSettings:
    """A tap's answers are as fresh as the shadow's, so their times must be near; a capture's may be
    years old."""
    live = [parse_live(settings.live)] if settings.live else []
    return NoiseSettings(
        ignore=settings.noise.ignore,
        own=tuple(each.authority for each in (*live, *targets)),
        window_seconds=settings.noise.clock_drift_seconds if is_live else None,
    )


def _failures(kind: str, hear: Hear) -> Callable[[str, str], None]:
    """What hears of the failures of plugins of a kind."""
    return lambda name, why: hear(PluginFailed(f"{kind} {name!r}", why))


def _schedulers(settings: Settings, budget: Budget, hear: Hear) -> Schedulers:
    """What deals out the mutators of exchanges, those of sessions, and those of conversations."""
    found, found_of_sessions, found_of_talks = load_plugins()
    trouble = _failures("mutator", hear)
    everyone = (*CATALOG, *[guarded(each, trouble) for each in found])
    of_sessions = [guarded_session(each, trouble) for each in found_of_sessions]
    of_talks = [guarded_talk(each, trouble) for each in found_of_talks]
    wanted = {"wanted": settings.mutators, "unwanted": settings.no_mutators}
    of_messages = (*TALK_CATALOG, *of_talks, *lifted(everyone))
    return (
        Scheduler(chosen(everyone, **wanted), seed=settings.seed, budget=budget),
        Scheduler(chosen((*SESSION_CATALOG, *of_sessions), **wanted), seed=settings.seed, budget=budget),
        Scheduler(chosen(of_messages, **wanted), seed=settings.seed, budget=budget),
    )


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
    confirmation = Confirmation(
        parts.environment,
        scripts,
        parts.judging,
        times=settings.confirmations,
        may_write=settings.mutates_writes,
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
            lambda: parts.environment.down,
            parts.governor,
            parts.stopping,
        ),
        hear=parts.hear,
        order=parts.order,
        state=State(restoring, parts.drift),
    )


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


def configured_reset(settings: Settings) -> Reset | None:
    """What puts the environment back; None where nothing does. Raises ConfigError."""
    return Reset(settings.reset) if settings.reset is not None else None


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
