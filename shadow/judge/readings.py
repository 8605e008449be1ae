"""What answers amount to by more than themselves: by the settings, and by what was learned of the service."""

from msgspec.structs import replace

from shadow.judge.classes import classify
from shadow.judge.conventions import Conventions
from shadow.judge.success_rules import SuccessRules
from shadow.judge.turning import turned
from shadow.model import CONVERSATIONS, AnswerClass, Outcome, Reading, Reply, Request, Response


class Readings:
    """Marks answers with what they are read as; `classify` goes by the mark. One for a run."""

    def __init__(self, rules: SuccessRules | None = None, *, learns: bool = True) -> None:
        self._rules = rules or SuccessRules()
        self._has_rules = self._rules != SuccessRules()
        self._learns = learns
        self.conventions = Conventions()

    def read(self, request: Request, outcome: Outcome) -> Outcome:
        """`outcome`, the answer to `request`, with what it is read as; as it is where nothing is known."""
        if not isinstance(outcome, Reply) or outcome.protocol in CONVERSATIONS:
            return outcome
        reading = self._rules.reading(request, outcome.response) if self._has_rules else None
        if reading is None and (why := self.conventions.refusal(outcome.response)):
            reading = Reading(AnswerClass.REJECTED, why)
        return outcome if reading == outcome.reading else replace(outcome, reading=reading)

    def against(self, control: Outcome | None, answer: Outcome) -> Outcome:
        """`answer`, read as a refusal where it is one held against the answer to the unedited request."""
        if not isinstance(answer, Reply) or not isinstance(control, Reply) or answer.reading is not None:
            return answer
        if answer.protocol in CONVERSATIONS or _is_as_good(answer.response, control.response):
            return answer
        if classify(answer) is not AnswerClass.SUCCESS or classify(control) is not AnswerClass.SUCCESS:
            return answer
        turn = turned(control.response, answer.response)
        return answer if turn is None else replace(answer, reading=Reading(AnswerClass.REJECTED, turn.why))

    def hear(self, response: Response) -> None:
        """Learn from an answer of the live release to what was recorded."""
        if self._learns:
            self.conventions.hear(response)

    def hear_pair(self, good: Outcome | None, refused: Outcome | None) -> None:
        """Learn from what the live release answers to a request, and to one that it must refuse."""
        if self._learns and isinstance(good, Reply) and isinstance(refused, Reply):
            self.conventions.hear_pair(good.response, refused.response)


def _is_as_good(one: Response, other: Response) -> bool:
    """Whether both say the same for whoever reads their bodies."""
    return one is other or (one.status == other.status and one.body == other.body)
