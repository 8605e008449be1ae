"""Recorded sessions in another order: steps left out, repeated, swapped, out of turn.

Which orders a service allows is its own affair, so most of these only expect it to survive, and the baseline
tells whether the candidate decides alike.
"""

from itertools import pairwise
from random import Random

import msgspec

from mutators._contract import Session, session_mutator
from mutators._resource import writes
from mutators._session import (
    MAX_TRIES,
    again,
    idempotency_key,
    needed,
    needed_without,
    script,
    successful_writes,
    writes_by_resource,
)
from shadow.model import Expect, Known, Level, Script

_RUN_STEPS = 8
"""How much of a long life of one resource is looked at."""
_PAUSED_STEPS = 4
_PAUSE_SECONDS_MAX = 0.5
"""As long as a run can be held up for; beyond the tolerances of caches and debouncing."""


@session_mutator(level=Level.SEQUENCE, expect=Expect.SURVIVE)
def step_dropped(session: Session, rng: Random) -> Script | None:
    """A client that forgets a step gets a clean refusal or an answer, never a crash (WFC F100)."""
    steps = successful_writes(session)
    rng.shuffle(steps)
    at = next((at for at in steps[:MAX_TRIES] if needed(session, at)), None)
    if at is None:
        return None
    steps = [*needed(session, at), at]
    place = rng.randrange(len(steps) - 1)
    what = f"left out {_title(session, steps[place])}"
    then = [again(session, each, what) for each in steps[place + 1 :]]
    return script(session, steps[:place], then, what)


@session_mutator(level=Level.SEQUENCE, expect=Expect.SURVIVE)
def step_repeated(session: Session, rng: Random) -> Script | None:
    """A client that repeats a step, not knowing that it arrived, gets a clean answer (RFC 9110 §9.2.2)."""
    at = _one_of(
        [
            at
            for at in successful_writes(session)
            if idempotency_key(session[at].request) is None and session[at].request.method != b"DELETE"
        ],
        rng,
    )
    if at is None:
        return None
    what = f"repeated {_title(session, at)}"
    return script(session, [*needed(session, at), at], [again(session, at, what)], what)


@session_mutator(level=Level.SEQUENCE, expect=Expect.SURVIVE)
def steps_swapped(session: Session, rng: Random) -> Script | None:
    """Two steps in the wrong order are a client's mistake, and the service's to refuse cleanly (WFC F100)."""
    pairs = _neighbours(session)
    if not pairs:
        return None
    first, second = rng.choice(pairs)
    before = needed_without(session, second, first)
    what = f"swapped {_title(session, first)} and {_title(session, second)}"
    then = [again(session, second, "sent too early"), again(session, first, "sent too late")]
    return script(session, before, then, what)


@session_mutator(level=Level.SEQUENCE, expect=Expect.SURVIVE)
def step_out_of_turn(session: Session, rng: Random) -> Script | None:
    """An action that was fine in one state is asked for in another: an illegal transition is refused, not
    crashed on (WFC F100)."""
    following = set(_neighbours(session))
    pairs = [
        (after, at)
        for steps in writes_by_resource(session)
        for after in steps[-_RUN_STEPS:]
        for at in steps[-_RUN_STEPS:]
        if after != at and (after, at) not in following
    ]
    if not pairs:
        return None
    after, at = rng.choice(pairs)
    what = f"sent {_title(session, at)} right after {_title(session, after)}"
    return script(session, [*needed(session, after), after], [again(session, at, what)], what)


@session_mutator(level=Level.SEQUENCE, expect=Expect.SURVIVE)
def steps_reversed(session: Session, rng: Random) -> Script | None:
    """A whole lifecycle backwards meets every state with the wrong action (WFC F100)."""
    runs = [steps[-_RUN_STEPS:] for steps in writes_by_resource(session) if len(steps) > 1]
    if not runs:
        return None
    run = rng.choice(runs)
    what = f"sent {len(run)} steps backwards, from {_title(session, run[-1])}"
    then = [again(session, at, "sent in reverse order") for at in reversed(run)]
    return script(session, needed(session, run[0]), then, what)


@session_mutator(level=Level.SEQUENCE, expect=Expect.SURVIVE)
def steps_shuffled(session: Session, rng: Random) -> Script | None:
    """Steps of one resource in an order that is neither the recorded one nor its reverse are each refused or
    done, never crashed on (WFC F100)."""
    runs = [steps[-_RUN_STEPS:] for steps in writes_by_resource(session) if len(steps) > 2]
    if not runs:
        return None
    run = rng.choice(runs)
    order = rng.sample(run, len(run))
    if order in (run, run[::-1]):
        order = [*order[1:], order[0]]
    then = [again(session, at, "sent in another order") for at in order]
    return script(session, needed(session, run[0]), then, f"shuffled {len(run)} steps")


@session_mutator(level=Level.SEQUENCE, expect=Expect.SURVIVE)
def session_begun_again(session: Session, rng: Random) -> Script | None:
    """A client that breaks off and begins again meets what it left half done (WFC F100)."""
    runs = [steps[-_RUN_STEPS:] for steps in writes_by_resource(session) if len(steps) > 1]
    if not runs:
        return None
    run = rng.choice(runs)
    cut = rng.randrange(1, len(run))
    what = f"broke off after {_title(session, run[cut - 1])} and began again"
    then = [again(session, at, "before it broke off") for at in run[:cut]]
    then += [again(session, at, "begun again") for at in run]
    return script(session, needed(session, run[0]), then, what)


@session_mutator(level=Level.SEQUENCE, expect=Expect.SURVIVE)
def pauses_stretched(session: Session, rng: Random) -> Script | None:
    """How long a client thinks between two steps is its own affair: what has run out meanwhile is refused
    cleanly (RFC 9110 §15.5.9)."""
    runs = [steps[-_PAUSED_STEPS:] for steps in writes_by_resource(session) if len(steps) > 1]
    if not runs:
        return None
    run = rng.choice(runs)
    pauses = [round(rng.uniform(0.0, _PAUSE_SECONDS_MAX), 3) for _ in run]
    then = [
        msgspec.structs.replace(again(session, at, f"after {pause:g} s"), after_seconds=pause)
        for at, pause in zip(run, pauses, strict=True)
    ]
    return script(session, needed(session, run[0]), then, f"paused before each of {len(run)} steps")


@session_mutator(level=Level.SEQUENCE, expect=Expect.SURVIVE)
def sessions_interleaved(session: Session, rng: Random, known: Known) -> Script | None:
    """Two clients at work at the same time, each step of one between those of the other, get what each would
    have got alone, or a clean refusal (WFC F100)."""
    others = [one for one in known.sessions if any(writes(each.request) for each in one)]
    own = successful_writes(session)[:_RUN_STEPS]  # from the beginning, so that each has what it needs
    if not others or not own:
        return None
    other = rng.choice(others)
    theirs = successful_writes(other)[:_RUN_STEPS]
    turns = [True] * len(own) + [False] * len(theirs)
    rng.shuffle(turns)
    mine, its = iter(own), iter(theirs)
    origins = [next(mine) if is_own else len(session) + next(its) for is_own in turns]
    told = (*session, *other)
    then = [again(told, at, "between the steps of another session") for at in origins]
    what = f"mixed {len(own)} steps with {len(theirs)} of another session"
    return script(session, needed(session, own[0]), then, what, others=other)


@session_mutator(level=Level.SEQUENCE, expect=Expect.SURVIVE)
def started_in_the_middle(session: Session, rng: Random) -> Script | None:
    """A client that lost its beginning speaks of things never made: not found, and no crash (WFC F100)."""
    steps = successful_writes(session)
    starts = steps.copy()
    rng.shuffle(starts)
    at = next((at for at in starts[:MAX_TRIES] if needed(session, at)), None)
    if at is None:
        return None
    then = [again(session, one, "sent without what led to it") for one in steps if one >= at][:_RUN_STEPS]
    return script(session, [], then, f"started at {_title(session, at)}")


@session_mutator(level=Level.SEQUENCE, expect=Expect.SURVIVE)
def deleted_twice(session: Session, rng: Random) -> Script | None:
    """DELETE is idempotent in its effect; the second may say not found, but must not fail (RFC 9110
    §9.2.2)."""
    at = _one_of([at for at in successful_writes(session) if session[at].request.method == b"DELETE"], rng)
    if at is None:
        return None
    what = f"sent {_title(session, at)} twice"
    return script(session, [*needed(session, at), at], [again(session, at, what)], what)


def _one_of(positions: list[int], rng: Random) -> int | None:
    return rng.choice(positions) if positions else None


def _neighbours(session: Session) -> list[tuple[int, int]]:
    """Pairs of successful writes that follow one another on one resource."""
    return [pair for steps in writes_by_resource(session) for pair in pairwise(steps)]


def _title(session: Session, at: int) -> str:
    request = session[at].request
    return f"{request.method.decode('latin-1')} {request.target.partition(b'?')[0].decode('latin-1')}"[:80]
