"""What is told of a trial, once it is confirmed or refuted; several edits as the fewest that matter."""

from collections.abc import Callable

import msgspec

from shadow.model import Doubt, Event, Judged, Trial, Verdict
from shadow.pipeline.case import Mutant
from shadow.pipeline.confirmation import Confirmed
from shadow.pipeline.minimising import Minimising
from shadow.pipeline.ready import Ready
from shadow.pipeline.reporting import Report
from shadow.pipeline.reshowing import Suspect
from shadow.pipeline.ways import HTTP2


class Conclusions:
    """One for a run."""

    def __init__(
        self,
        minimising: Minimising | None,
        *,
        learn: Callable[[Trial], None],
        hear: Callable[[Event], None],
        report: Report,
    ) -> None:
        """Without `minimising` what is found is told as it was found; `learn` is told of every trial."""
        self._minimising = minimising
        self._learn = learn
        self._hear = hear
        self._report = report
        self._suspects: dict[int, list[Suspect]] = {}
        """Mutants of exchanges under work that were confirmed, by the exchange's index."""

    def known(self, mutant: Mutant, trial: Trial) -> tuple[Trial, str] | None:
        """A failed trial of several edits as one of a cause that was told before."""
        if self._minimising is None or trial.judgement.verdict is not Verdict.FAILED:
            return None
        return self._minimising.known(mutant, trial)

    def conclude(self, trial: Trial, ready: Ready, confirmed: Confirmed | None, via: str) -> None:
        """Tell the trial's verdict, and report it where it failed for good."""
        if via == HTTP2:
            trial = msgspec.structs.replace(trial, is_http2=True)
        if confirmed is not None:
            trial = msgspec.structs.replace(trial, judgement=confirmed.judgement)
        elif trial.judgement.verdict is Verdict.FAILED:
            doubtful = msgspec.structs.replace(
                trial.judgement,
                verdict=Verdict.UNDECIDED,
                why=f"not seen again: {trial.judgement.why}",
                doubt=Doubt.UNSEEN,
            )
            trial = msgspec.structs.replace(trial, judgement=doubtful)
        self._learn(trial)
        self._hear(Judged(trial))
        if confirmed is not None:
            self._report(trial, confirmed.times, ready)

    def report_late(self, trial: Trial, ready: Ready, confirmed: Confirmed, via: str) -> None:
        """Report what a trial showed whose verdict was told before that could be known."""
        trial = msgspec.structs.replace(trial, is_http2=via == HTTP2, is_late=True)
        self._report(trial, confirmed.times, ready)

    async def conclude_new(self, suspect: Suspect, confirmed: Confirmed) -> None:
        """Tell a mutant that was confirmed: several edits as the fewest of them that matter, which takes a
        few requests more. Its request is left for `minimise`."""
        told, times, ready = suspect.trial, confirmed.times, suspect.mutant.readies.candidate
        minimising = self._minimising
        if minimising is None:
            self.conclude(told, ready, confirmed, suspect.via)
            return
        smaller = await minimising.fewest_edits(suspect)
        if smaller is not None:
            suspect = msgspec.structs.replace(suspect, mutant=smaller.mutant, trial=smaller.trial)
            told, times, ready = smaller.trial, smaller.times, smaller.ready
        self.conclude(told, ready, Confirmed(told.judgement, times), suspect.via)
        minimising.note(suspect.mutant, told, times)
        if minimising.wants(suspect):
            self._suspects.setdefault(suspect.case.exchange.index, []).append(suspect)

    def has_suspect(self, exchange: int) -> bool:
        """Whether a mutant of the exchange was confirmed, and may be made smaller."""
        return exchange in self._suspects

    async def minimise(self, exchange: int) -> None:
        """Tell what was confirmed of the exchange again, of the smallest request that shows it."""
        for suspect in self._suspects.pop(exchange, ()):
            smaller = await self._minimising.smallest_request(suspect) if self._minimising else None
            if smaller is not None:
                self._report(smaller.trial, smaller.times, smaller.ready)
