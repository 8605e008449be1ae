"""Settings to a pipeline: targets with their transports, judging, trials."""

import asyncio
from collections.abc import Callable, Mapping

import msgspec

from mutators import CATALOG, SESSION_CATALOG, Mutator, SessionMutator, load_plugins
from shadow.auth import signer_of
from shadow.config import Settings, parse_live, parse_target, secrets
from shadow.content.redaction import Redactor
from shadow.errors import ConfigError, nearest
from shadow.judge import Noise, NoiseSettings
from shadow.model import Event, Finding, Signs
from shadow.pipeline.confirmation import Confirmation
from shadow.pipeline.dealing import TrialSettings
from shadow.pipeline.endpoint import Endpoints
from shadow.pipeline.environment import Environment
from shadow.pipeline.judging import Judging
from shadow.pipeline.knowledge import Knowledge
from shadow.pipeline.pipeline import Brakes, Pipeline, PipelineSettings
from shadow.pipeline.reporting import Reporting
from shadow.pipeline.scheduler import Scheduler, chosen
from shadow.pipeline.scope import Scope
from shadow.pipeline.scripts import Scripts
from shadow.pipeline.session_trials import SessionTrials
from shadow.pipeline.sessions import Sessions
from shadow.pipeline.trials import Trials
from shadow.pipeline.ways import Ways
from shadow.replay import (
    Guard,
    GuardSettings,
    Target,
)
from shadow.run.linking import link

type Hear = Callable[[Event], None]


class Assembly(msgspec.Struct, frozen=True):
    """The parts of a run that its caller needs to hold."""

    pipeline: Pipeline
    environment: Environment
    guard: Guard
    judging: Judging
    targets: tuple[Target, ...]


_DRAIN_SECONDS = 60.0
"""Whoever ended the tap waits for this."""
_PATIENCE_SECONDS = 30.0
"""A file can wait, but not for ever."""


def assemble(
    settings: Settings, *, run: str, is_live: bool, hear: Hear, earlier: Mapping[str, Finding] | None = None
) -> Assembly:
    """Everything of a run but its source and sinks. `is_live` where exchanges come from a tap.

    `earlier` are findings of an earlier process of the same run, by id; they may be filled in later.

    Raises ConfigError for settings that cannot be used together.
    """
    check_patterns(settings)
    targets = [parse_target(name, url) for name, url in _urls(settings)]
    guard = Guard(_guard_settings(settings, len(targets), is_live=is_live), targets)
    signer = configured_signer(settings)
    stopping = asyncio.Event()
    links = [
        link(settings, target, guard, signer, run=run, stopping=stopping, hear=hear) for target in targets
    ]
    ways = Ways(links, settings.transport, hear=hear)
    environment = Environment(links[0], links[1] if len(links) > 1 else None, ways)
    noise = Noise(_noise_settings(settings, targets, is_live=is_live))
    judging = Judging(noise, links[0].correlation.same)
    origin = f"{targets[0].scheme}://{targets[0].authority}"
    reporting = Reporting(origin=origin, hear=hear, earlier=earlier)
    pipeline = _pipeline(
        settings,
        environment,
        judging,
        signer,
        guard,
        reporting,
        is_live=is_live,
        stopping=stopping,
        hear=hear,
    )
    return Assembly(pipeline, environment, guard, judging, tuple(targets))


def check(settings: Settings) -> None:
    """Raises ConfigError for whatever a run with these settings would refuse before it begins."""
    targets = [parse_target(name, url) for name, url in _urls(settings)]
    Guard(_guard_settings(settings, len(targets), is_live=True), targets)
    Noise(_noise_settings(settings, targets, is_live=True))
    Redactor(settings.redaction, b"")
    configured_signer(settings)
    _check_identities(settings)
    check_patterns(settings)


def _check_identities(settings: Settings) -> None:
    """An identity with a key that nobody has would own no request, unseen."""
    keys = [key.id for scheme in (settings.signing, settings.tokens) if scheme for key in scheme.keys]
    for identity in settings.identities:
        if identity.key and identity.key not in keys:
            hint = nearest(identity.key, keys)
            raise ConfigError(f"identity {identity.name!r}: no key {identity.key!r} is configured{hint}")


def check_patterns(settings: Settings) -> None:
    """Raises ConfigError for a pattern that matches no mutator: a slip would leave them out unseen."""
    single, of_sessions = load_plugins()
    everyone: tuple[Mutator | SessionMutator, ...] = (*CATALOG, *single, *SESSION_CATALOG, *of_sessions)
    for key, patterns in (("mutator", settings.mutators), ("no-mutator", settings.no_mutators)):
        for pattern in patterns:
            if not chosen(everyone, wanted=[pattern], unwanted=[]):
                hint = nearest(pattern, [each.name for each in everyone])
                raise ConfigError(f"--{key} {pattern!r} matches no mutator{hint}; see shadow mutators")


def configured_signer(settings: Settings) -> Signs | None:
    """What signs requests under the configured scheme; None where none is configured. Raises ConfigError."""
    return signer_of(settings.signing, settings.tokens, secrets(settings))


def scope_of(settings: Settings) -> Scope:
    """Which exchanges are worked on."""
    scope = settings.scope
    return Scope(include=scope.include, exclude=scope.exclude, sample=scope.sample, seed=settings.seed)


def _urls(settings: Settings) -> list[tuple[str, str]]:
    named = (("candidate", settings.candidate), ("baseline", settings.baseline))
    return [(name, url) for name, url in named if url]


def _guard_settings(settings: Settings, targets: int, *, is_live: bool) -> GuardSettings:
    """What a tap listens on is live too: what is sent there goes through to the live service. So is what
    answers on sniffed ports of this machine."""
    rate = settings.rate_per_second
    sniffed = [f"0.0.0.0:{port}" for port in settings.scope.ports] if not settings.listen else []
    live = (settings.live, settings.listen if is_live else "", *(sniffed if is_live else []))
    return GuardSettings(
        live=tuple(each for each in live if each),
        allow=settings.safety.allow,
        kill_file=settings.safety.kill_file,
        requests_max=settings.safety.max_requests or None,
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


def _pipeline(
    settings: Settings,
    environment: Environment,
    judging: Judging,
    signer: Signs | None,
    guard: Guard,
    reporting: Reporting,
    *,
    is_live: bool,
    stopping: asyncio.Event,
    hear: Hear,
) -> Pipeline:
    single, of_sessions = load_plugins()
    wanted = {"wanted": settings.mutators, "unwanted": settings.no_mutators}
    knowledge = Knowledge(identities=settings.identities, signer=signer)
    endpoints = Endpoints()
    scripts = Scripts(environment, judging)
    confirmation = Confirmation(
        environment, scripts, judging, times=settings.confirmations, may_write=settings.allow_writes
    )
    trials = Trials(
        environment,
        Scheduler(chosen((*CATALOG, *single), **wanted), seed=settings.seed),
        judging,
        confirmation,
        knowledge,
        TrialSettings(settings.seed, settings.mutants, settings.allow_writes),
        hear=hear,
        report=reporting.report,
    )
    session_trials = SessionTrials(
        scripts,
        Scheduler(chosen((*SESSION_CATALOG, *of_sessions), **wanted), seed=settings.seed),
        judging,
        knowledge,
        endpoints,
        seed=settings.seed,
        budget=settings.mutants,
        confirmations=settings.confirmations,
        may_write=settings.allow_writes,
        hear=hear,
        report=reporting.report,
    )
    return Pipeline(
        PipelineSettings(
            settings.concurrency,
            settings.queue_items,
            settings.session.by,
            settings.duration_seconds,
            None if is_live else _PATIENCE_SECONDS,
            _DRAIN_SECONDS if is_live else None,
        ),
        scope_of(settings),
        trials,
        session_trials,
        endpoints=endpoints,
        knowledge=knowledge,
        targets=[link.target.name for link in environment.links],
        sessions=Sessions(idle_seconds=settings.session.idle_seconds),
        signer=signer,
        brakes=Brakes(lambda: guard.halted, lambda: environment.candidate.is_up, stopping),
        hear=hear,
    )
