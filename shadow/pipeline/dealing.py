"""Which mutants an exchange is given, made ready for each target."""

from collections.abc import Iterator

import msgspec

from mutators import Mutator, Stack
from shadow.auth.shown import may_show
from shadow.judge import classify
from shadow.model import JOINT, AnswerClass, Exchange, Expect, Reply, Trial, Verdict
from shadow.pipeline.case import Case, Mutant
from shadow.pipeline.edit_key import edit_key
from shadow.pipeline.environment import Environment, Readies
from shadow.pipeline.governor import Governor
from shadow.pipeline.ready import Ready
from shadow.pipeline.scheduler import Scheduler
from shadow.pipeline.stacking import Stacking, mutation
from shadow.pipeline.ways import HTTP2, is_call
from shadow.wire.grpc import is_like_call
from shadow.wire.http2_form import is_same_in_http2

_LESS_OF_REFUSED = 3
"""Of a request that was refused live so many times fewer mutants are made: most are refused for the same
reason, whatever was edited."""


class TrialSettings(msgspec.Struct, frozen=True):
    """How cases are tried."""

    seed: int
    mutants: int
    """Budget for one exchange."""
    may_write: bool
    stack: int = 1
    """Edits in one mutant, at most."""


def dealt_as(endpoint: str, exchange: Exchange, mutants: int) -> tuple[str, int]:
    """Under which name an exchange is dealt mutants to, and how many. What was tried of requests that were
    refused live does not stand for what would come of those that are taken."""
    response = exchange.response
    if response is None or classify(Reply(response)) is not AnswerClass.REJECTED:
        return endpoint, mutants
    return f"{endpoint} refused", min(mutants, max(1, mutants // _LESS_OF_REFUSED))


class Dealing:
    """Makes the mutants of exchanges, within the budget and within what may be sent."""

    def __init__(
        self,
        environment: Environment,
        scheduler: Scheduler[Mutator],
        settings: TrialSettings,
        governor: Governor,
    ) -> None:
        self._environment = environment
        self._scheduler = scheduler
        self._settings = settings
        self._governor = governor
        self._stacking = Stacking(most=settings.stack, seed=settings.seed)

    def mutants(self, case: Case, original: Ready, *, via: str = "") -> list[Mutant]:
        """The case's mutants, as many as the budget allows; none of writes unless that was allowed.

        `original` is the unedited request as the candidate gets it. Over HTTP/2 (`via`) only those are dealt
        that can be said there, and are no longer the same request once they are.
        """
        if not self._settings.mutants or (case.is_write and not self._settings.may_write):
            return []
        index = case.exchange.index
        is_http2, is_a_call = via == HTTP2, is_call(case.exchange)
        is_salted = any(link.is_salted(case.exchange) for link in self._environment.links)
        unused: list[Readies] = []
        """Prepared for a mutator that had nothing to edit."""

        def made(mutator: Mutator | Stack) -> Mutant | None:
            if not mutator.fits(is_http2=is_http2, is_call=is_a_call):
                return None
            salt = f"{index}:{mutator.name}"
            mutate = mutation(mutator, case, self._settings.seed)
            if is_salted and mutate("candidate")(original.request) is None:  # cheap, and true of most
                return None
            plain = unused.pop() if unused else self._environment.prepare(case.exchange, case.session, salt)
            readies = self._environment.mutate(plain, mutate, case.session, salt)
            if readies is None and not is_salted:
                unused.append(plain)
            if readies is None:
                return None
            mutant = Mutant(mutator, self._settings.seed, mutate, readies, plain.candidate)
            return mutant if self._is_fit(case, mutant, is_http2=is_http2, is_call=is_a_call) else None

        def key(mutant: Mutant) -> int:
            edit = mutant.mutate("candidate")(original.request)
            return index if edit is None else edit_key(edit, original.request)

        def made_alone(mutator: Mutator) -> Mutant | None:
            mutant = made(mutator)
            self._stacking.note(case.endpoint, mutator, is_made=mutant is not None)
            return mutant

        place, mutants = dealt_as(case.endpoint, case.exchange, self._settings.mutants)
        budget = self._governor.mutants(
            self._scheduler.share(place, mutants) if place == case.endpoint else mutants
        )

        def dealt(granted: int) -> Iterator[Mutant]:
            """Single edits and, after them, several in one, which are drawn first: what they leave is for
            the single ones."""
            places = self._stacking.places(case.endpoint, index, granted)
            stacks = [each for _, each in self._stacking.deal(case.endpoint, index, places, made)]
            for each in stacks:
                self._scheduler.note(place, each.parts)
            singles = self._scheduler.turns(place, index, granted - len(stacks), made_alone, key)
            yield from (each.made for each in singles)
            yield from stacks

        return list(self._scheduler.spend(case.endpoint, budget, dealt))

    def learn(self, trial: Trial) -> None:
        """Take in what came of an original or a mutant, so that more is tried where answers are new."""
        if self._settings.mutants:
            judgement = trial.judgement
            fault = judgement.fault if judgement.verdict is Verdict.FAILED else ""
            for name in (trial.mutator or "").split(JOINT):
                self._scheduler.learn(trial.endpoint, name, trial.answer, fault)

    def _is_fit(self, case: Case, mutant: Mutant, *, is_http2: bool, is_call: bool) -> bool:
        """Whether a mutant may be sent, can be, and would tell anything."""
        ready = mutant.readies.candidate
        if not self._is_allowed(ready) or self._environment.names_untold(mutant.readies):
            return False
        if mutant.mutator.expect is Expect.SAME and ready.wire is None and _is_sealed(case):
            return False
        if is_http2 and not self._is_http2(mutant.readies, mutant.plain):
            return False
        return not is_call or bool(mutant.mutator.over) or _is_call(ready, mutant.plain)

    def _is_http2(self, readies: Readies, plain: Ready) -> bool:
        if not self._environment.carries(readies, HTTP2):
            return False
        mutant = readies.candidate
        return mutant.wire is not None or not is_same_in_http2(mutant.request, plain.request)

    def _is_allowed(self, ready: Ready) -> bool:
        """An edit may turn a read into a write: by the method, or by a field that overrides it."""
        return self._settings.may_write or not ready.may_write


def _is_sealed(case: Case) -> bool:
    """Whether the request bears a signature that shows, and no configured key can make it again: reworded it
    would be refused for that alone."""
    if not may_show(case.exchange.request):
        return False
    signer = case.known["candidate"].signer
    return signer is None or signer.key_id(case.exchange.request) is None


def _is_call(ready: Ready, plain: Ready) -> bool:
    """Whether a mutant of a gRPC call reaches the service, and not the library before it alone, which only
    mutators that know of gRPC are for."""
    return ready.wire is None and is_like_call(ready.request, plain.request)
