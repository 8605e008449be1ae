"""Whether the candidate obeys, as code, what it was given as text: an edit and its twins, sent in turn."""

from collections.abc import Callable

from shadow.judge import is_cut
from shadow.judge.questions import found, is_answered, is_delayed, tells, waited, waits_as_told, without_echo
from shadow.model import Edit, Outcome, Parcel, Question, Request, Twin
from shadow.pipeline.case import Case, Mutant
from shadow.pipeline.confirmation import Confirmed
from shadow.pipeline.environment import Answers, Environment, Pair
from shadow.pipeline.judging import Judging
from shadow.pipeline.order import may_write
from shadow.pipeline.ready import Mutate, MutateFor

_MAX_UNANSWERED = 5
"""A question that the twins refuted so often at one endpoint is not asked there again."""


class Questions:
    """One for a run. What it finds was seen `times` times."""

    def __init__(self, environment: Environment, judging: Judging, *, times: int) -> None:
        self._environment = environment
        self._judging = judging
        self._times = max(times, 2)
        self._refuted: dict[tuple[str, str], int] = {}

    async def answered(
        self, case: Case, mutant: Mutant, control: Answers, answer: Answers, via: str
    ) -> Confirmed | None:
        """The finding, where every twin was answered as by a service that obeys; None where one was not, or
        the edit's own answer does not raise the question."""
        question = mutant.readies.candidate.asks
        if question is None or not self._is_raised(case, question, control.candidate, answer.candidate):
            return None
        key = (case.endpoint, mutant.mutator.name)
        if self._refuted.get(key, 0) >= _MAX_UNANSWERED:
            return None
        is_on_both = True
        for attempt in range(self._times):
            if attempt:
                control = await self._sent(case, None, via, f"{mutant.mutator.name}:control:{attempt}")
                answer = await self._sent(case, mutant.mutate, via, f"{mutant.mutator.name}:again:{attempt}")
            told = await self._round(case, mutant, question, control, answer, via, attempt)
            if not told.candidate:
                self._refuted[key] = self._refuted.get(key, 0) + 1
                return None
            is_on_both = is_on_both and told.baseline is True
        return Confirmed(found(question, is_on_both=is_on_both), f"{self._times}/{self._times}")

    async def _round(
        self,
        case: Case,
        mutant: Mutant,
        question: Question,
        control: Answers,
        answer: Answers,
        via: str,
        at: int,
    ) -> Pair[bool]:
        """Whether each target obeys, by what it answers to the edit, its twins, and the unedited request."""
        ours = self._is_raised(case, question, control.candidate, answer.candidate)
        theirs = self._is_raised(case, question, control.baseline, answer.baseline)
        for place, twin in enumerate(question.twins):
            if not ours:
                return Pair(False, None)
            salt = f"{mutant.mutator.name}:twin:{place}:{at}"
            said = await self._sent(case, _twin(mutant.mutate, place), via, salt)
            ours = self._is_obeyed(case, question, twin, control.candidate, answer.candidate, said.candidate)
            theirs = theirs and self._is_obeyed(
                case, question, twin, control.baseline, answer.baseline, said.baseline
            )
        if ours and not question.delay_seconds:
            again = await self._sent(case, None, via, f"{mutant.mutator.name}:after:{at}")
            ours = self._is_alike(case, "", "", control.candidate, again.candidate)
        return Pair(ours, theirs)

    def _is_raised(
        self, case: Case, question: Question, control: Outcome | None, answer: Outcome | None
    ) -> bool:
        if question.delay_seconds:
            return is_delayed(waited(answer, control), question.delay_seconds)
        return self._is_alike(case, question.text, question.was, control, answer)

    def _is_obeyed(
        self,
        case: Case,
        question: Question,
        twin: Twin,
        control: Outcome | None,
        first: Outcome | None,
        answer: Outcome | None,
    ) -> bool:
        if answer is None or is_cut(answer) or not tells(answer):
            return False
        if question.delay_seconds:
            took = waited(first, control)
            return took is not None and waits_as_told(
                took, question.delay_seconds, twin, waited(answer, control)
            )
        return self._is_alike(case, twin.text, question.was, control, answer) is twin.is_alike

    def _is_alike(
        self, case: Case, text: str, was: str, control: Outcome | None, answer: Outcome | None
    ) -> bool:
        """Whether `answer` says what the control says, but for `text` in the place of `was`."""
        if control is None or answer is None or not (is_answered(control) and is_answered(answer)):
            return False
        plain = without_echo(control, "", "")
        return not self._judging.between(case.endpoint, plain, without_echo(answer, text, was))

    async def _sent(self, case: Case, mutate: MutateFor | None, via: str, salt: str) -> Answers:
        """The answers to the exchange's request, edited by `mutate` or not."""
        salt = f"{case.exchange.index}:{salt}"
        readies = self._environment.prepare(case.exchange, case.session, salt)
        if mutate is not None:
            readies = self._environment.mutate(readies, mutate, case.session, salt) or readies
        answers = await self._environment.send(
            readies, via=via, parcel=Parcel.CONFIRMATION, session=case.session
        )
        if may_write(readies.candidate.request, readies.candidate.wire):
            self._judging.note_write(answers)
        return answers


def _twin(mutate: MutateFor, place: int) -> MutateFor:
    """What makes the twin of that place, instead of the edit itself."""

    def for_target(target: str) -> Mutate:
        edited: Callable[[Request], Edit | None] = mutate(target)

        def twin(request: Request) -> Edit | None:
            edit = edited(request)
            return None if edit is None or edit.asks is None else edit.asks.twins[place].edit

        return twin

    return for_target
