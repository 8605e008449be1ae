"""A finding sent again: a run in small, over its session alone, with the one mutant that showed it."""

import secrets
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from mutators import Mutator, SessionMutator, Stack, TalkMutator, stack_of
from shadow.auth import as_identity
from shadow.config import Settings
from shadow.config.tables import ScopeSettings, SessionSettings
from shadow.content.redaction import is_talk_masked
from shadow.errors import ConfigError, SinkError
from shadow.judge.classes import class_of, status_text
from shadow.judge.recipe import Recipe
from shadow.model import (
    CONVERSATIONS,
    JOINT,
    Exchange,
    Finding,
    Identity,
    Kind,
    Signs,
    Trial,
    Verdict,
)
from shadow.pipeline.environment import Environment
from shadow.pipeline.remaking import Once, may_be_told_alone, remade, remade_session, remade_talk, rests_on
from shadow.pipeline.reshowing import MinimiseSettings
from shadow.pipeline.session_trials import NOT_AGAIN
from shadow.pipeline.source import Recorded
from shadow.replay import Pace, Pacer
from shadow.run.assembly import assemble
from shadow.run.catalogue import Chosen, Schedulers, chosen_by
from shadow.run.configured import configured_redactor, configured_signer, targets_of
from shadow.run.execution import check_targets
from shadow.run.reproductions import exchanges_named
from shadow.run.retold import Heard, Outcome, Standing, Told, causes_of_failed

_SESSION = "repro"
"""The session of the finding's own exchanges; others keep theirs."""
_ALL_MUTATORS = ("*",)


class Repro:
    """Sends one finding again. `folder` is the output folder of its run."""

    def __init__(
        self, settings: Settings, folder: Path, finding: Finding, recipe: Recipe, told: Iterable[str] = ()
    ) -> None:
        """`told` are the ids of all that the run found: what else shows is told only where it is new.

        Raises ConfigError where the run's mutator is not to be had any more, SinkError where its exchange is
        not in the folder.
        """
        self._is_race = finding.kind == Kind.RACE
        self._told_before = frozenset(told)
        self._settings = msgspec.structs.replace(
            settings,
            seed=recipe.seed,
            mutants=1 if finding.mutator is not None else 0,
            stack=1,
            mutators=_ALL_MUTATORS,
            no_mutators=(),
            mutants_per_endpoint=0,
            mutants_per_minute=0,
            confirmations=settings.confirmations if self._is_race else 1,
            workers=1,
            concurrency=1,
            loops=1,
            duration="",
            speed="max",
            known="",
            explain_correlation=False,
            scope=ScopeSettings(protocols=settings.scope.protocols),
            session=SessionSettings(),
            minimise=MinimiseSettings(sends=0),
        )
        self._finding = finding
        self._recipe = recipe
        self._exchanges = _exchanges_of(folder, finding, recipe)
        self._signer = configured_signer(self._settings, targets_of(self._settings))
        self._redactor = configured_redactor(self._settings, secrets.token_bytes(16))
        self._notes: dict[str, None] = {}
        self._troubles: dict[str, None] = {}
        _ = self._schedulers()

    async def run(self, times: int) -> Outcome:
        """Send it so many times, each time from the beginning of its session. Raises TargetError and
        UnsafeError as a run does."""
        told: list[Told] = []
        for _ in range(times):
            told.append(await self._once())
            if told[-1].standing is Standing.UNKNOWN and not self._is_race:
                break
        seen = [each for each in told if each.standing is Standing.THERE]
        unknown = next((each for each in told if each.standing is Standing.UNKNOWN), None)
        best = seen[0] if seen else unknown or told[-1]
        why = best.why if not seen or len(seen) == len(told) else f"{best.why}; not every time"
        if self._finding.baseline is not None and not self._settings.baseline:
            self._notes["no --baseline is given, and the finding was made with one"] = None
        return Outcome(
            best.standing,
            why,
            len(seen),
            len(told),
            best.trial,
            best.others,
            tuple(self._notes),
            self._redactor,
        )

    async def _once(self) -> Told:
        """What comes of it, sent in an environment of its own."""
        heard = Heard(self._redactor)
        assembly = assemble(
            self._settings,
            run=secrets.token_hex(6),
            is_live=False,
            hear=heard.hear,
            schedulers=self._schedulers(),
        )
        try:
            await check_targets(self._settings, assembly, is_live=False)
            items, trouble = self._items(assembly.environment)
            if trouble:
                return Told(Standing.UNKNOWN, trouble)
            await assembly.pipeline.run(Recorded(items, Pacer(Pace(None, self._settings.rate_per_second))))
        finally:
            await assembly.environment.close()
        if assembly.guard.halted:
            return Told(Standing.UNKNOWN, f"stopped by a safety rule: {assembly.guard.halted}")
        return self._told(heard)

    def _told(self, heard: Heard) -> Told:
        finding = self._finding
        ids = {finding.id, *finding.also}
        mine = [each for each in heard.trials if each.mutator == finding.mutator]
        if finding.kind in (Kind.REGRESSION, Kind.MUTANT, Kind.NETWORK):
            mine = [each for each in mine if each.exchange == self._recipe.exchange]
        same = [each for each in heard.findings.values() if ids & {each.id, *each.also}]
        others = tuple(
            each
            for each in heard.findings.values()
            if each not in same and self._told_before.isdisjoint({each.id, *each.also})
        )
        shown = next((each for each in mine if ids & {cause.id for cause in causes_of_failed(each)}), None)
        if same:
            trial = shown or heard.first(same[0])
            return Told(Standing.THERE, same[0].why, trial, others)
        alike = next((each for each in others if _is_alike(each, finding)), None)
        if alike is not None:
            return Told(Standing.THERE, f"in another form: {alike.why}", heard.first(alike), others)
        if not mine:
            return Told(Standing.UNKNOWN, self._why_unsent(heard), None, others)
        latest = mine[-1]
        if self._is_race and latest.judgement.why.startswith(NOT_AGAIN):
            why = latest.judgement.why.removeprefix(NOT_AGAIN)
            return Told(Standing.THERE, f"{why}; a race is not lost every time", latest, others)
        if untold := self._why_untold(latest):
            return Told(Standing.UNKNOWN, untold, latest, others)
        what = "the answer is as it should be" if finding.mutator is None else latest.judgement.why
        return Told(Standing.GONE, what, latest, others)

    def _why_untold(self, trial: Trial) -> str:
        """Why a trial that did not show it is no proof that it is gone, else empty."""
        if trial.judgement.verdict is Verdict.UNDECIDED:
            return trial.judgement.why
        if not self._settings.baseline and not may_be_told_alone(self._finding):
            return "only a --baseline can tell: it was told by comparing"
        if other := rests_on(self._finding):
            return f"{other}: run again to see"
        return _doubt(self._finding, trial)

    def _why_unsent(self, heard: Heard) -> str:
        """Why there is no trial of it."""
        if self._troubles:
            return f"it could not be made again: {next(iter(self._troubles))}"
        if heard.reasons:
            return f"it was not sent: {next(iter(heard.reasons))}"
        if self._finding.mutator is not None and not self._settings.mutates_writes:
            return "it was not sent: it may write; give --allow-writes"
        return "it was not sent"

    def _items(self, environment: Environment) -> tuple[list[Exchange], str]:
        """The exchanges to be sent, with credentials of today; and why that cannot be, else empty."""
        logins = environment.candidate.logins
        identities = logins.identities() if logins is not None else self._settings.identities
        items = []
        for each in self._exchanges:
            item = self._credentialed(each, identities)
            if not is_talk_masked(item):
                items.append(item)
            elif each.index == self._recipe.exchange and self._finding.kind not in (Kind.SEQUENCE, Kind.RACE):
                return [], (
                    "the request holds a redacted credential; give --config with the [[identity]] whose it"
                    f" is{f' ({self._recipe.owner})' if self._recipe.owner else ''}"
                )
            else:
                self._notes["requests before it that hold redacted credentials were left out"] = None
        if self._finding.kind in (Kind.SEQUENCE, Kind.RACE) and len(items) < len(self._exchanges):
            return [], "a step holds a redacted credential; give --config with the [[identity]] whose it is"
        return items, ""

    def _credentialed(self, exchange: Exchange, identities: Sequence[Identity]) -> Exchange:
        """`exchange` with credentials of the configuration where its own are masked."""
        if not is_talk_masked(exchange) or exchange.protocol in CONVERSATIONS:
            return exchange
        owner = next((each for each in identities if each.name == self._recipe.owner), None)
        if owner is None and len(identities) == 1:
            owner = identities[0]
        made = None if owner is None else as_identity(exchange.request, owner, self._signer)
        if made is None:
            made = _signed(self._signer, exchange)
        return exchange if made is None else msgspec.structs.replace(exchange, request=made)

    def _schedulers(self) -> Schedulers:
        """What deals the finding's mutator alone. Raises ConfigError where there is none of its name."""
        found = chosen_by(self._settings, lambda name, why: self._troubles.update({f"{name}: {why}": None}))
        single, session, talk = self._remade(found)
        first = self._recipe.before[0] if session is not None and self._recipe.before else -1
        at = self._recipe.exchange
        return Once(single, at), Once(session, first), Once(talk, at)

    def _remade(self, found: Chosen) -> tuple[Mutator | None, SessionMutator | None, TalkMutator | None]:
        name, finding = self._finding.mutator, self._finding
        if name is None:
            return None, None, None

        def tell(why: str) -> None:
            self._troubles[why] = None

        is_talk = any(
            each.protocol in CONVERSATIONS for each in self._exchanges if each.index == self._recipe.exchange
        )
        if is_talk:
            of_talk = next((each for each in found.of_talks if each.name == name), None)
            if of_talk is not None:
                return None, None, remade_talk(of_talk, finding, tell)
        of_session = next((each for each in found.of_sessions if each.name == name), None)
        if of_session is not None:
            return None, remade_session(of_session, finding, self._recipe, tell), None
        single = _mutator_called(name, found.of_requests)
        if single is None:
            raise ConfigError(f"there is no mutator {name!r} here; see shadow mutators")
        return remade(single, finding, self._recipe, tell), None, None


def _doubt(finding: Finding, trial: Trial) -> str:
    """Why a trial that passed does not show that the finding is gone: what it builds on is not there. Else
    empty."""
    is_plain = finding.mutator is None
    now, then = (trial.baseline, finding.baseline) if is_plain else (trial.control, finding.control)
    if now is None or then is None or "class" not in then:
        return ""
    found = class_of(now)
    if found is None or found.value == then["class"]:
        return ""
    who = "the baseline's answer" if is_plain else "the unedited request"
    return (
        f"{who} is {found.value} ({status_text(now)}) and was {then['class']}: what it builds on is missing"
    )


def _is_alike(found: Finding, finding: Finding) -> bool:
    """Whether what showed is the finding in another form: the same fault by the same mutator, at the same
    endpoint."""
    if found.mutator is None or found.mutator != finding.mutator:
        return False
    return found.fault == finding.fault and found.endpoint in {finding.endpoint, *finding.endpoints}


def _signed(signer: Signs | None, exchange: Exchange) -> Any:
    return signer.sign(exchange.request) if signer is not None else None


def _mutator_called(name: str, mutators: Iterable[Mutator]) -> Mutator | Stack | None:
    """The one of that name, or of several names the stack of them."""
    named = {each.name: each for each in mutators}
    parts = [named.get(each) for each in name.split(JOINT)]
    if any(each is None for each in parts):
        return None
    known = [each for each in parts if each is not None]
    return known[0] if len(known) == 1 else stack_of(known)


def _exchanges_of(folder: Path, finding: Finding, recipe: Recipe) -> list[Exchange]:
    """The exchanges that are to be sent: the finding's own in one session, in their order. Raises SinkError
    where its own is not in the folder."""
    own = {*recipe.before, recipe.exchange}
    found = {
        at: msgspec.structs.replace(each, session=_SESSION) if at in own else each
        for at, each in exchanges_named(folder, recipe).items()
    }
    if recipe.exchange not in found:
        raise SinkError(
            f"exchange {recipe.exchange} of finding {finding.id} is not in"
            f" {str(folder / 'exchanges.jsonl')!r}, so it cannot be sent again"
        )
    subject = found[recipe.exchange]
    if recipe.less is not None:
        smaller = recipe.smaller().of(subject.request)
        found[recipe.exchange] = msgspec.structs.replace(subject, request=smaller)
    return [found[at] for at in sorted(found)]
