"""The contract of a comparator of conversations: it lists where what the peer said differs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from inspect import getdoc

from shadow.model import Difference, Reply


@dataclass(frozen=True, slots=True)
class TalkComparator:
    """Lists the places in which two peers of one conversation differ; both answered."""

    name: str
    reason: str
    notice: Callable[[Reply, Reply], Iterator[Difference]]

    def __call__(self, control: Reply, other: Reply) -> Iterator[Difference]:
        return self.notice(control, other)


def talk_comparator(notice: Callable[[Reply, Reply], Iterator[Difference]]) -> TalkComparator:
    """Make a `TalkComparator` of a generator function, named and explained as that is."""
    return TalkComparator(notice.__name__, getdoc(notice) or "", notice)
