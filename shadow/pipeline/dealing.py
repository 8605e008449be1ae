"""Which mutants an exchange is given, made ready for each target."""

import msgspec

from mutators import Mutator, dice
from shadow.model import Edit, Request, Trial, Verdict
from shadow.pipeline.case import Case, Mutant
from shadow.pipeline.environment import Environment, Readies
from shadow.pipeline.governor import Governor
from shadow.pipeline.link import Mutate, MutateFor, Ready
from shadow.pipeline.order import may_write
from shadow.pipeline.scheduler import Scheduler
from shadow.pipeline.ways import HTTP2, is_call
from shadow.wire.grpc import is_like_call
from shadow.wire.http2_form import is_same_in_http2


class TrialSettings(msgspec.Struct, frozen=True):
    """How cases are tried."""

    seed: int
    mutants: int
    """Budget for one exchange."""
    may_write: bool


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

    def mutants(self, case: Case, original: Ready, *, via: str = "") -> list[Mutant]:
        """The case's mutants, as many as the budget allows; none of writes unless that was allowed.

        `original` is the unedited request as the candidate gets it. Over HTTP/2 (`via`) only those are dealt
        that can be said there, and are no longer the same request once they are.
        """
        if not self._settings.mutants or (case.is_write and not self._settings.may_write):
            return []
        index = case.exchange.index

        def made(mutator: Mutator) -> Mutant | None:
            salt = f"{index}:{mutator.name}"
            mutate = _mutation(mutator, case, self._settings.seed)
            if mutate("candidate")(original.request) is None:  # cheap, and true of most
                return None
            plain = self._environment.prepare(case.exchange, case.session, salt)
            readies = self._environment.mutate(plain, mutate, case.session, salt)
            if readies is None or self._environment.names_untold(readies):
                return None
            if not self._is_allowed(readies.candidate):
                return None
            if via == HTTP2 and not self._is_http2(readies, plain.candidate):
                return None
            if is_call(case.exchange) and not _is_call(readies.candidate, plain.candidate):
                return None
            return Mutant(mutator, self._settings.seed, mutate, readies, plain.candidate)

        budget = self._governor.mutants(self._settings.mutants)
        dealt = self._scheduler.deal(case.endpoint, index, budget, made) if budget else ()
        return [mutant for _, mutant in dealt]

    def learn(self, trial: Trial) -> None:
        """Take in what came of an original or a mutant, so that more is tried where answers are new."""
        if self._settings.mutants:
            judgement = trial.judgement
            fault = judgement.fault if judgement.verdict is Verdict.FAILED else ""
            self._scheduler.learn(trial.endpoint, trial.mutator or "", trial.answer, fault)

    def _is_http2(self, readies: Readies, plain: Ready) -> bool:
        if not self._environment.carries(readies, HTTP2):
            return False
        mutant = readies.candidate
        return mutant.wire is not None or not is_same_in_http2(mutant.request, plain.request)

    def _is_allowed(self, ready: Ready) -> bool:
        """An edit may turn a read into a write: by the method, or by a field that overrides it."""
        return self._settings.may_write or not may_write(ready.request, ready.wire)


def _is_call(ready: Ready, plain: Ready) -> bool:
    """Whether a mutant of a gRPC call reaches the service, and not the library before it alone."""
    return ready.wire is None and is_like_call(ready.request, plain.request)


def _mutation(mutator: Mutator, case: Case, seed: int) -> MutateFor:
    """The mutator for each target: with the same dice, so that each gets the same edit."""

    def for_target(target: str) -> Mutate:
        rng = dice(seed, case.exchange.index, mutator.name)
        known = case.known[target]

        def mutate(request: Request) -> Edit | None:
            return mutator(request, rng, known)

        return mutate

    return for_target
