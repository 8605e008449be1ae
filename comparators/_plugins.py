"""Comparators of third parties: run so that their bugs cost no run."""

from collections.abc import Callable, Sequence
from itertools import islice
from types import ModuleType

from comparators._contract import Comparator
from shadow.model import Difference, Response
from shadow.plugins import Trouble, raised

type Compare = Callable[[Response, Response], tuple[Difference, ...]]


def comparing(own: Compare, plugins: Sequence[Comparator], trouble: Trouble, limit: int) -> Compare:
    """`own`, and after it what `plugins` notice, at most `limit` in all; `trouble` hears of each failure."""
    if not plugins:
        return own

    def compare(control: Response, other: Response) -> tuple[Difference, ...]:
        found = own(control, other)
        if control == other:
            return found
        for one in plugins:
            found = (*found, *_noticed(one, control, other, trouble, limit))
        return found[:limit]

    return compare


def _noticed(
    one: Comparator, control: Response, other: Response, trouble: Trouble, limit: int
) -> tuple[Difference, ...]:
    try:
        found: tuple[object, ...] = tuple(islice(one(control, other), limit))
    except Exception as error:  # noqa: BLE001  # a stranger's code, whose bugs must not end a run
        trouble(one.name, raised(error))
        return ()
    sound = tuple(each for each in found if isinstance(each, Difference))
    if len(sound) < len(found):
        trouble(one.name, "yielded what is no Difference")
    return sound


def members_of(thing: object) -> tuple[Comparator, ...]:
    """The comparators that an entry point names: one, or those of a module."""
    if isinstance(thing, Comparator):
        return (thing,)
    if isinstance(thing, ModuleType):
        named = vars(thing).items()
        return tuple(each for name, each in named if isinstance(each, Comparator) and each.name == name)
    return ()
