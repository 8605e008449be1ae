"""Whether what requests at one moment leave behind is what some order of them, one by one, would have left.

The burst goes first. Those of it that were taken are then sent one by one, in every order that makes a
difference, on resources of their own; each order twice, so that what changes by itself is told from what
counts. A copy that was refused may have been so for the others' sake, and is left out.
"""

from collections.abc import Sequence
from itertools import permutations

import msgspec
import orjson

from shadow.content.entity import entity
from shadow.judge import classify
from shadow.model import AnswerClass, Exchange, Outcome, Parcel, Reply, Script, Step
from shadow.pipeline.case import Case
from shadow.pipeline.endpoint import Endpoints
from shadow.pipeline.environment import Answers
from shadow.pipeline.looking import Look, look_at
from shadow.pipeline.order import may_write
from shadow.pipeline.scripts import Own, Scripts

_SETTLING_SECONDS = 0.2
"""Until what goes on behind an answer is over, as far as can be waited for."""
_MAX_TOLD_APART = 3
"""Different requests in a burst: more have too many orders."""
_MAX_ORDERED = 4
_RUNS = 2
_MAX_PLACES = 2_000
_THROTTLED = 429

type _State = dict[str, tuple[str, ...]]
"""The values at each place of an answer, sorted, indices left out; empty where it tells nothing."""


class _Run(msgspec.Struct, frozen=True):
    """One run at one target."""

    are_taken: tuple[bool, ...]
    """Of each judged step, whether it succeeded."""
    state: _State
    is_clear: bool = True
    """False where a rate limit answered any of it."""


class SerialOrders:
    """One for a run."""

    def __init__(
        self, scripts: Scripts, endpoints: Endpoints, *, settling_seconds: float = _SETTLING_SECONDS
    ) -> None:
        """`settling_seconds` is waited before the end state is looked at."""
        self._settling_seconds = settling_seconds
        self._scripts = scripts
        self._endpoints = endpoints

    def look(self, script: Script, past: Sequence[Exchange]) -> Look | None:
        """What tells the end state of a burst; None where nothing can, or the orders are too many. It must be
        of what the script makes anew each time: else every order begins where the one before has ended."""
        acts = {_act(script.steps[at]) for at in script.judged}
        is_last = script.judged == tuple(range(len(script.steps) - len(script.judged), len(script.steps)))
        if not script.is_burst or not is_last or len(acts) > _MAX_TOLD_APART:
            return None
        step = script.steps[script.judged[0]]
        made = msgspec.structs.replace(past[step.origin], request=step.request)
        found = look_at(made, tuple(past[: step.origin]), self._endpoints)
        if found is None or found.is_shared or found.exchange is None:
            return None
        asked = msgspec.structs.replace(found.exchange, request=found.request)
        before = _before(script, past)
        is_own = Case(asked, "", found.endpoint, {}, before).is_about_own
        return found if is_own and is_made_anew(script, past, self._endpoints) else None

    async def run(
        self, script: Script, past: Sequence[Exchange], look: Look, *, parcel: Parcel
    ) -> tuple[list[Answers], str]:
        """The answers to the burst, and how the candidate's end is that of no order; empty where it is that
        of one, where nothing can be said, and where the baseline does the same."""
        burst = [script.steps[at] for at in script.judged]
        answers, ours, theirs = await self._sent(script, past, look, burst, parcel)
        pairs = zip(burst, ours.are_taken, strict=True)
        taken = [step for step, is_taken in pairs if is_taken and may_write(step.request)]
        if not taken or not ours.state:
            return answers, ""
        serial = [await self._in_order(script, past, look, order) for order in _orders(taken)]
        why = _apart(ours, len(taken), [[one for one, _ in runs] for runs in serial])
        if why and theirs is not None and theirs.are_taken == ours.are_taken:
            of_baseline = [[one for _, one in runs if one is not None] for runs in serial]
            why = "" if _apart(theirs, len(taken), of_baseline) else why
        return answers, why

    async def _in_order(
        self, script: Script, past: Sequence[Exchange], look: Look, order: Sequence[Step]
    ) -> list[tuple[_Run, _Run | None]]:
        one_by_one = msgspec.structs.replace(script, is_burst=False)
        runs = []
        for _ in range(_RUNS):
            _, ours, theirs = await self._sent(one_by_one, past, look, order, Parcel.REPEAT)
            runs.append((ours, theirs))
        return runs

    async def _sent(
        self, script: Script, past: Sequence[Exchange], look: Look, judged: Sequence[Step], parcel: Parcel
    ) -> tuple[list[Answers], _Run, _Run | None]:
        """The answers to the script with no judged steps but these, and what each target did."""
        before = script.steps[: script.judged[0]]
        at = len(before)
        asked = Step(look.request, judged[0].origin, after_seconds=self._settling_seconds)
        steps = (*before, *judged, asked)
        made = msgspec.structs.replace(script, steps=steps, judged=tuple(range(at, at + len(judged))))
        own: dict[int, Own] = {len(steps) - 1: look.ready}
        answers = await self._scripts.run(made, past, parcel=parcel, own=own)
        theirs = [each.baseline for each in answers[at:] if each.baseline is not None]
        ours = _told([each.candidate for each in answers[at:]])
        return answers[:-1], ours, _told(theirs) if theirs else None


def is_made_anew(script: Script, past: Sequence[Exchange], endpoints: Endpoints) -> bool:
    """Whether all that the judged steps name by an identifier is made by the steps before them."""
    before = _before(script, past)
    for at in script.judged:
        step = script.steps[at]
        made = msgspec.structs.replace(past[step.origin], request=step.request)
        case = Case(made, "", endpoints.name(step.request), {}, before)
        if case.is_write and not case.is_about_own:
            return False
    return True


def _before(script: Script, past: Sequence[Exchange]) -> tuple[Exchange, ...]:
    """What the steps before the judged ones stem from."""
    return tuple(past[step.origin] for step in script.steps[: script.judged[0]])


def _told(outcomes: Sequence[Outcome]) -> _Run:
    """What one target did: its answers to the judged steps, and last that to the look."""
    taken = tuple(classify(each) is AnswerClass.SUCCESS for each in outcomes[:-1])
    is_clear = not any(isinstance(each, Reply) and each.response.status == _THROTTLED for each in outcomes)
    return _Run(taken, _state(outcomes[-1]), is_clear)


def _orders(taken: Sequence[Step]) -> list[tuple[Step, ...]]:
    """Every order of the steps that is another one, copies being alike; none where they are too many."""
    if len({_act(step) for step in taken}) == 1:
        return [tuple(taken)]
    orders = permutations(taken) if len(taken) <= _MAX_ORDERED else ()
    found = {tuple(_act(step) for step in order): order for order in orders}
    return list(found.values())


def _apart(burst: _Run, count: int, serial: Sequence[Sequence[_Run]]) -> str:
    """How the end of a burst, of which `count` changes were taken, differs from that of every order; empty
    where it does not, and where a rate limit answered in place of the service."""
    if not all(one.is_clear for runs in (*serial, (burst,)) for one in runs):
        return ""
    possible = [runs for runs in serial if len(runs) == _RUNS and all(all(one.are_taken) for one in runs)]
    if not possible:
        is_never = all(not all(one.are_taken) for runs in serial for one in runs)
        is_told = is_never and bool(serial) and count > 1
        return f"all {count} were taken, which one by one they are in no order" if is_told else ""
    places: set[str] = set()
    for one, other in possible:
        steady = {place for place, values in one.state.items() if other.state.get(place) == values}
        unlike = {place for place in steady if burst.state.get(place) != one.state[place]}
        if not steady or not unlike:
            return ""
        places |= unlike
    return f"the end state is that of no order of them: {', '.join(sorted(places)[:3])}"


def _state(outcome: Outcome) -> _State:
    if not isinstance(outcome, Reply) or classify(outcome) is not AnswerClass.SUCCESS:
        return {}
    try:
        tree = orjson.loads(entity(outcome.response) or b"")
    except orjson.JSONDecodeError:
        return {}
    found: dict[str, list[str]] = {}
    waiting: list[tuple[str, object]] = [("$", tree)]
    while waiting and len(found) < _MAX_PLACES:
        place, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [(f"{place}.{key}", each) for key, each in value.items()]
        elif isinstance(value, list):
            found.setdefault(f"{place}[]#", []).append(str(len(value)))
            waiting += [(f"{place}[]", each) for each in value]
        else:
            found.setdefault(place, []).append(repr(value))
    return {place: tuple(sorted(values)) for place, values in found.items()}


def _act(step: Step) -> tuple[object, ...]:
    request = step.request
    return request.method, request.target, request.headers, request.body
