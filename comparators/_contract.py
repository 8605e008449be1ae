"""The contract of a comparator: it only notices differences, the oracle alone judges them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from inspect import getdoc

from shadow.model import Difference, Response


@dataclass(frozen=True, slots=True)
class Comparator:
    """Lists the places in which two answers differ; nothing is yielded where they are equal."""

    name: str
    reason: str
    notice: Callable[[Response, Response], Iterator[Difference]]

    def __call__(self, control: Response, other: Response) -> Iterator[Difference]:
        return self.notice(control, other)


def comparator(notice: Callable[[Response, Response], Iterator[Difference]]) -> Comparator:
    """Make a `Comparator` of a generator function; its name is the function's, its reason the docstring."""
    return Comparator(notice.__name__, getdoc(notice) or "", notice)
