"""The mutators that a run may use, those of installed packages among them, and what deals them out."""

from collections.abc import Callable

import msgspec

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
from shadow.config import Settings
from shadow.errors import ConfigError, nearest
from shadow.pipeline.budget import Budget
from shadow.pipeline.scheduler import Scheduler, chosen

type Schedulers = tuple[Scheduler[Mutator], Scheduler[SessionMutator], Scheduler[TalkMutator]]


class Chosen(msgspec.Struct, frozen=True):
    """The mutators that the settings' patterns choose."""

    of_requests: tuple[Mutator, ...]
    of_sessions: tuple[SessionMutator, ...]
    of_talks: tuple[TalkMutator, ...]
    """Those of bodies that are lifted to messages come last."""


def chosen_by(settings: Settings, trouble: Callable[[str, str], None]) -> Chosen:
    """Those of Shadow and of installed packages; `trouble` hears the name of one of these that failed,
    and why.

    Raises ConfigError as `load_plugins` does.
    """
    singles, sessions, talks = load_plugins()
    every = (*CATALOG, *[guarded(each, trouble) for each in singles])
    of_sessions = (*SESSION_CATALOG, *[guarded_session(each, trouble) for each in sessions])
    of_talks = (*TALK_CATALOG, *[guarded_talk(each, trouble) for each in talks], *lifted(every))
    wanted, unwanted = settings.mutators, settings.no_mutators
    return Chosen(
        chosen(every, wanted=wanted, unwanted=unwanted),
        chosen(of_sessions, wanted=wanted, unwanted=unwanted),
        chosen(of_talks, wanted=wanted, unwanted=unwanted),
    )


def schedulers_of(found: Chosen, seed: int, budget: Budget) -> Schedulers:
    """What deals out the mutators of requests, those of sessions, and those of conversations."""
    return (
        Scheduler(found.of_requests, seed=seed, budget=budget),
        Scheduler(found.of_sessions, seed=seed, budget=budget),
        Scheduler(found.of_talks, seed=seed, budget=budget),
    )


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
