"""What of an answer is new at its endpoint, and what that pays."""

from zlib import crc32

import msgspec

from shadow.judge import classify
from shadow.judge.answer_shape import answer_shape
from shadow.model import AnswerClass, Outcome

_NEW_SHAPE, _NEW_CLASS, _NEW_FAULT, _NEW_TO_MUTATOR = 1.0, 0.6, 0.4, 0.2
"""Pay for a shape that no answer of the endpoint had, for a class that none had to this mutator, for a fault
that it had not shown there, and for a shape that others had already."""
_MAX_SHAPES = 256
"""An endpoint that answers with ever new shapes tells nothing by them any more."""
_MAX_KEYS = 20_000
_MAX_ENDPOINTS = 2000


class Told(msgspec.Struct, frozen=True):
    """An answer that was news."""

    endpoint: str
    mutator: str
    """Empty for an original."""
    shape: int
    answer_class: AnswerClass
    fault: str
    amount: float
    """What it pays, from 0.0 to 1.0."""


class News:
    """Remembers endpoint template x mutator x answer class x answer shape, in bounds."""

    def __init__(self) -> None:
        self._endpoints: dict[str, _Seen] = {}

    def of(self, endpoint: str, mutator: str, answer: Outcome, fault: str) -> Told | None:
        """What is new of `answer`; None where nothing is, or where nobody answered."""
        shape = answer_shape(answer)
        seen = self._seen(endpoint)
        if (mutator, shape, fault) in seen.met:  # most answers
            return None
        answer_class = classify(answer)
        if answer_class is AnswerClass.DOWN:
            return None
        seen.meet(mutator, shape, fault)
        amount = seen.worth(mutator, answer_class, shape, fault)
        if amount is None:
            return None
        told = Told(endpoint, mutator, shape, answer_class, fault, amount if mutator else 0.0)
        seen.take(told)
        return told

    def take_over(self, told: Told) -> None:
        """Know what was news elsewhere."""
        self._seen(told.endpoint).take(told)

    def _seen(self, endpoint: str) -> "_Seen":
        seen = self._endpoints.get(endpoint)
        if seen is None:
            if len(self._endpoints) >= _MAX_ENDPOINTS:
                del self._endpoints[next(iter(self._endpoints))]
            seen = self._endpoints[endpoint] = _Seen()
        return seen


class _Seen:
    """What one endpoint answered, to whom."""

    __slots__ = ("_keys", "_shapes", "met")

    def __init__(self) -> None:
        self.met: set[tuple[str, int, str]] = set()
        """Mutator, shape and fault of answers that were looked at; a shape has one class."""
        self._shapes: set[int] = set()
        self._keys: set[int] = set()

    def worth(self, mutator: str, answer_class: AnswerClass, shape: int, fault: str) -> float | None:
        """What an answer pays; None where nothing of it is new."""
        of_shape, of_class, of_fault = _keys(mutator, answer_class, shape, fault)
        if of_shape in self._keys and (not fault or of_fault in self._keys):
            return None
        if len(self._keys) >= _MAX_KEYS:
            return None
        if shape not in self._shapes and len(self._shapes) < _MAX_SHAPES:
            return _NEW_SHAPE
        if of_class not in self._keys:
            return _NEW_CLASS
        if fault and of_fault not in self._keys:
            return _NEW_FAULT
        return _NEW_TO_MUTATOR if shape in self._shapes else 0.0

    def meet(self, mutator: str, shape: int, fault: str) -> None:
        if len(self.met) < _MAX_KEYS:
            self.met.add((mutator, shape, fault))

    def take(self, told: Told) -> None:
        if len(self._shapes) < _MAX_SHAPES:
            self._shapes.add(told.shape)
        if len(self._keys) < _MAX_KEYS:
            self._keys.update(_keys(told.mutator, told.answer_class, told.shape, told.fault))


def _keys(mutator: str, answer_class: AnswerClass, shape: int, fault: str) -> tuple[int, int, int]:
    """What is remembered of an answer: with its shape, with its class alone, with its fault."""
    start = crc32(f"{mutator}:{answer_class}".encode())
    return crc32(b"%d" % shape, start), start, crc32(f"!{mutator}:{fault}".encode())
