"""Turns confirmed trials into findings: one for each cause, heard again when it occurs again."""

from collections.abc import Callable, Mapping

import msgspec

from shadow.judge import Causes, Sighting, finding, is_at_least
from shadow.judge.accepted import Acceptance
from shadow.judge.retelling import command
from shadow.model import CONVERSATIONS, Event, Finding, Found, Kind, Trial
from shadow.pipeline.ready import Ready

type Report = Callable[[Trial, str, Ready | None], None]
"""Takes a confirmed failed trial, how often it showed again, and the one request that shows it, if one
does."""


class _First(msgspec.Struct, frozen=True):
    """What the finding of a cause tells of: the first of the worst trials, plain traffic before mutants."""

    trial: Trial
    sighting: Sighting
    times: str
    ready: Ready | None


class Reporting:
    """One for a run. `origin` is the candidate's, for the command lines that show a finding again."""

    def __init__(
        self,
        *,
        origin: str,
        hear: Callable[[Event], None],
        earlier: Mapping[str, Finding] | None = None,
        acceptance: Acceptance | None = None,
    ) -> None:
        """`earlier` are the findings of an earlier process of the same run, by id; `acceptance` knows which
        are accepted."""
        self._acceptance = acceptance
        self._causes = Causes()
        self._origin = origin
        self._hear = hear
        self._earlier = {} if earlier is None else earlier
        self._first: dict[str, _First] = {}

    def report(self, trial: Trial, times: str, ready: Ready | None) -> None:
        """Tell the findings that a confirmed trial shows."""
        is_told_again = trial.minimised is not None and trial.minimised.is_told_again
        for sighting in self._causes.again(trial) if is_told_again else self._causes.add(trial):
            first = self._shown(sighting, _First(trial, sighting, times, ready))
            told = msgspec.structs.replace(sighting, cause=first.sighting.cause)
            made = finding(
                first.trial,
                told,
                confirmed=first.times,
                request=first.ready.request if first.ready else None,
                is_exact=first.ready is not None and first.ready.wire is None and not _is_talk(first.ready),
                origin=self._origin,
                shell=self._shell(first.ready),
                wire=first.ready.wire if first.ready else None,
            )
            before = self._earlier.get(made.id)
            if before is not None:
                made = _added(before, made)
            if self._acceptance is not None:
                made = self._acceptance.marked(made)
            is_new = sighting.is_new and before is None
            self._hear(Found(made, is_new, is_told_again or sighting.is_again))

    def _shell(self, ready: Ready | None) -> str | None:
        """A command line that says a conversation again; None for requests, which curl can say."""
        if ready is None or not _is_talk(ready):
            return None
        is_exact = ready.manner is not None
        return command(ready.protocol, ready.request, ready.messages, self._origin, is_exact=is_exact)

    def _shown(self, sighting: Sighting, latest: _First) -> _First:
        first = self._first.setdefault(sighting.cause.id, latest)
        is_better = _is_smaller(first.trial, latest.trial) or _is_plainer(first.trial, latest.trial)
        if is_at_least(first.trial.judgement.severity, latest.trial.judgement.severity) and not is_better:
            return first
        self._first[sighting.cause.id] = latest
        return latest


def _is_smaller(first: Trial, latest: Trial) -> bool:
    """Whether the latest is a smaller form of the first, or of one that weighs as much."""
    is_as_bad = first.judgement.severity is latest.judgement.severity
    is_again = latest.minimised is not None and latest.minimised.is_told_again
    return is_again and is_as_bad


def _is_plainer(first: Trial, latest: Trial) -> bool:
    """Whether plain traffic shows as bad what a mutant had shown."""
    is_as_bad = first.judgement.severity is latest.judgement.severity
    return is_as_bad and latest.kind is Kind.REGRESSION is not first.kind


def _is_talk(ready: Ready) -> bool:
    return ready.protocol in CONVERSATIONS


def _added(before: Finding, now: Finding) -> Finding:
    """`before`, with what was seen of the same cause since."""
    return msgspec.structs.replace(
        before,
        count=before.count + now.count,
        exchanges=tuple(sorted({*before.exchanges, *now.exchanges})),
        endpoints=tuple(dict.fromkeys((*before.endpoints, *now.endpoints))),
        where=tuple(dict.fromkeys((*before.where, *now.where))),
    )
