"""What one worker learned that all must know: which values correspond, what is noise, whose is whose."""

from collections import Counter
from collections.abc import Callable

import msgspec

from mutators import Mutator, SessionMutator, TalkMutator
from shadow.judge import Noise, Witness
from shadow.judge.conventions import Convention
from shadow.model import Difference
from shadow.pipeline.begun import Begun
from shadow.pipeline.judging import Judging
from shadow.pipeline.link import Link
from shadow.pipeline.news import Told
from shadow.pipeline.scheduler import Scheduler


class Corresponds(msgspec.Struct, frozen=True):
    """At `target` the live value stands for the shadow one, whatever the session."""

    target: str
    kind: str | None
    live: str
    shadow: str
    rule: int | None = None
    """The number of the rule that found it, where it holds at the places of that alone."""


class Observed(msgspec.Struct, frozen=True):
    """Answers were compared, and differed so."""

    endpoint: str
    witness: Witness
    differences: tuple[Difference, ...]


class Equal(msgspec.Struct, frozen=True):
    """So many answers were compared that did not differ."""

    endpoint: str
    witness: Witness
    count: int


class Drifted(msgspec.Struct, frozen=True):
    """Candidate and baseline hold different state from now on."""


class Tried(msgspec.Struct, frozen=True):
    """How often mutators were tried, by endpoint and name: all are tried before any is tried again."""

    counts: dict[tuple[str, str], int]
    made: dict[tuple[str, str], int]
    """How often of that they had something to edit."""


class Noted(msgspec.Struct, frozen=True):
    """Live gave an identity these credentials, in a login that was recorded."""

    target: str
    identity: str
    values: tuple[bytes, ...]


class Begins(msgspec.Struct, frozen=True):
    """Causes, by id, that are being made smaller: others need not."""

    ids: frozenset[str]


type Lesson = Corresponds | Observed | Equal | Drifted | Tried | Told | Noted | Begins | Convention


class Lessons:
    """Collects what a worker learns, and teaches it what others did."""

    def __init__(
        self,
        links: tuple[Link, ...],
        judging: Judging,
        schedulers: tuple[Scheduler[Mutator], Scheduler[SessionMutator], Scheduler[TalkMutator]],
        begun: Begun,
    ) -> None:
        self._begun = begun
        self._schedulers = schedulers
        self._links = {each.target.name: each for each in links}
        self._judging = judging
        self._learned: list[Lesson] = []
        self._equal: Counter[tuple[str, Witness]] = Counter()
        self._tried: Counter[tuple[str, str]] = Counter()
        self._made: Counter[tuple[str, str]] = Counter()
        self._is_drift_told = False
        judging.noise.on_observed = self._observed
        judging.readings.conventions.on_learned = self._learned_convention
        begun.on_begun = lambda ids: self._learned.append(Begins(ids))
        for scheduler in schedulers:
            scheduler.on_tried = self._try
            scheduler.on_told = self._tell
        for name, each in self._links.items():
            each.correlation.on_shared = self._corresponds(name)
            if each.logins is not None:
                each.logins.on_noted = self._noted(name)

    def take(self) -> list[Lesson]:
        """What was learned since the last time."""
        if self._judging.is_drifted and not self._is_drift_told:
            self._is_drift_told = True
            self._learned.append(Drifted())
        equal = [Equal(*key, count) for key, count in self._equal.items()]
        learned, self._learned = self._learned, []
        self._equal.clear()
        if self._tried:
            learned.append(Tried(dict(self._tried), dict(self._made)))
            self._tried.clear()
            self._made.clear()
        return [*learned, *equal]

    def teach(self, lessons: list[Lesson]) -> None:  # noqa: C901  # one case for each kind
        """Know what others learned."""
        noise: Noise = self._judging.noise
        for lesson in lessons:
            match lesson:
                case Corresponds():
                    correlation = self._links[lesson.target].correlation
                    correlation.take_over(lesson.kind, lesson.live, lesson.shadow, rule=lesson.rule)
                case Noted():
                    if (logins := self._links[lesson.target].logins) is not None:
                        logins.take_over(lesson.identity, lesson.values)
                case Observed():
                    noise.take_over(lesson.endpoint, lesson.differences, lesson.witness)
                case Equal():
                    noise.take_over(lesson.endpoint, (), lesson.witness, count=lesson.count)
                case Tried():
                    self._teach_tries(lesson)
                case Told():
                    for scheduler in self._schedulers:
                        scheduler.take_over_told(lesson)
                case Begins():
                    self._begun.take_over(lesson.ids)
                case Convention():
                    self._judging.readings.conventions.take_over(lesson)
                case Drifted():
                    self._judging.is_drifted = self._is_drift_told = True

    def _teach_tries(self, tried: Tried) -> None:
        for (endpoint, mutator), count in tried.counts.items():
            made = tried.made.get((endpoint, mutator), 0)
            for scheduler in self._schedulers:
                scheduler.take_over(endpoint, mutator, count, made)

    def forget(self) -> None:
        """Forget which values correspond: the things that they name are those of another pass."""
        for link in self._links.values():
            link.correlation.forget_all()

    def _observed(self, endpoint: str, differences: tuple[Difference, ...], witness: Witness) -> None:
        if differences:
            self._learned.append(Observed(endpoint, witness, differences))
        else:
            self._equal[endpoint, witness] += 1

    def _try(self, endpoint: str, mutator: str, is_made: bool) -> None:
        self._tried[endpoint, mutator] += 1
        if is_made:
            self._made[endpoint, mutator] += 1

    def _learned_convention(self, convention: Convention) -> None:
        self._learned.append(convention)

    def _tell(self, told: Told) -> None:
        self._learned.append(told)

    def _noted(self, target: str) -> Callable[[str, tuple[bytes, ...]], None]:
        return lambda name, values: self._learned.append(Noted(target, name, values))

    def _corresponds(self, target: str) -> Callable[[str | None, str, str, int | None], None]:
        def told(kind: str | None, live: str, shadow: str, rule: int | None) -> None:
            self._learned.append(Corresponds(target, kind, live, shadow, rule))

        return told
