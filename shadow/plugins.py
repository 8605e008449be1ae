"""What installed packages offer through entry points, and what is told of their code when it fails."""

import traceback
from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Protocol

from shadow.errors import ConfigError

type Trouble = Callable[[str, str], None]
"""Hears the name of what is a third party's, and what went wrong in it."""


class Named(Protocol):
    """What plugins offer."""

    @property
    def name(self) -> str: ...


def offered[T: Named](
    points: Iterable[EntryPoint] | None,
    group: str,
    members: Callable[[object], tuple[T, ...]],
    taken: Iterable[str],
    *,
    kind: str,
    made_with: str,
) -> tuple[T, ...]:
    """The `members` of all that entry points of `group` name, `kind` being what a person calls one of them.

    `points` None stands for those that are installed. Raises ConfigError where one cannot be imported, has no
    members, or has one whose name is `taken`.
    """
    names = set(taken)
    found: list[T] = []
    for point in sorted(entry_points(group=group) if points is None else points):
        try:
            thing = point.load()
        except Exception as error:  # a stranger's module may raise anything
            raise ConfigError(
                f"cannot import the {kind} {point.value!r}: {error}; reinstall or remove it"
            ) from error
        own = members(thing)
        if not own:
            raise ConfigError(f"{point.value!r} offers no {kind}; make one with {made_with}")
        for one in own:
            if one.name in names:
                raise ConfigError(
                    f"the {kind} {one.name!r} of {point.value!r} has a name that is taken; rename it"
                )
            names.add(one.name)
        found += own
    return tuple(found)


def raised(error: Exception) -> str:
    """What was raised, and where: ``"raised ValueError: no, at words.py:12"``."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f", at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"raised {type(error).__name__}: {str(error)[:200]}{where}"
