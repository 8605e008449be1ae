"""Comparators of third parties: found through entry points, and run so that their bugs cost no run."""

import traceback
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import EntryPoint, entry_points
from itertools import islice
from pathlib import Path
from types import ModuleType

from comparators._contract import Comparator
from shadow.errors import ConfigError
from shadow.model import Difference, Response

PLUGIN_GROUP = "shadow.comparators"
"""Entry points of this group name comparators of third parties."""

type Compare = Callable[[Response, Response], tuple[Difference, ...]]
type Trouble = Callable[[str, str], None]
"""Hears a comparator's name and what went wrong."""


def offered(points: Iterable[EntryPoint] | None, taken: Iterable[str]) -> tuple[Comparator, ...]:
    """What installed packages offer: each entry point names a comparator, or a module of them.

    `points` None stands for those that are installed. Raises ConfigError where one cannot be imported, offers
    no comparator, or has a name that is `taken`.
    """
    names = set(taken)
    found: list[Comparator] = []
    for point in sorted(entry_points(group=PLUGIN_GROUP) if points is None else points):
        try:
            thing = point.load()
        except Exception as error:  # a stranger's module may raise anything
            raise ConfigError(
                f"cannot import the comparator {point.value!r}: {error}; reinstall or remove it"
            ) from error
        members = _members(thing)
        if not members:
            raise ConfigError(f"{point.value!r} offers no comparator; make one with @comparator")
        for one in members:
            if one.name in names:
                raise ConfigError(
                    f"the comparator {one.name!r} of {point.value!r} has a name that is taken; rename it"
                )
            names.add(one.name)
        found += members
    return tuple(found)


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
        frames = traceback.extract_tb(error.__traceback__)
        where = f", at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
        trouble(one.name, f"raised {type(error).__name__}: {str(error)[:200]}{where}")
        return ()
    sound = tuple(each for each in found if isinstance(each, Difference))
    if len(sound) < len(found):
        trouble(one.name, "yielded what is no Difference")
    return sound


def _members(thing: object) -> tuple[Comparator, ...]:
    if isinstance(thing, Comparator):
        return (thing,)
    if isinstance(thing, ModuleType):
        named = vars(thing).items()
        return tuple(each for name, each in named if isinstance(each, Comparator) and each.name == name)
    return ()
