"""The catalogue of mutators: what may be done to a request, or to a session, and what must come of it."""

from importlib.metadata import entry_points
from types import ModuleType

from mutators import (
    json_spelling,
    json_structure,
    json_syntax,
    json_values,
)
from mutators._contract import Mutator, SessionMutator, dice, mutator, session_mutator
from shadow.errors import ConfigError

_MODULES: tuple[ModuleType, ...] = (
    json_spelling,
    json_structure,
    json_values,
    json_syntax,
)


def members[M: (Mutator, SessionMutator)](module: ModuleType, kind: type[M]) -> tuple[M, ...]:
    """The mutators of one kind that `module` itself defines, in the order of its text."""
    found = ((name, member) for name, member in vars(module).items() if isinstance(member, kind))
    return tuple(member for name, member in found if member.name == name)


CATALOG: tuple[Mutator, ...] = tuple(member for module in _MODULES for member in members(module, Mutator))
"""Every mutator of one request, in the order of the list above."""

SESSION_CATALOG: tuple[SessionMutator, ...] = tuple(
    member for module in _MODULES for member in members(module, SessionMutator)
)
"""Every mutator of a session."""


def load_plugins(group: str = "shadow.mutators") -> tuple[tuple[Mutator, ...], tuple[SessionMutator, ...]]:
    """What installed packages offer under the entry-point `group`: each point names a mutator or a module.

    Raises ConfigError where one cannot be imported, offers no mutator, or has a name that is taken.
    """
    singles: list[Mutator] = []
    sessions: list[SessionMutator] = []
    taken = {known.name for known in (*CATALOG, *SESSION_CATALOG)}
    for point in sorted(entry_points(group=group)):
        try:
            offered = point.load()
        except (ImportError, AttributeError) as error:
            raise ConfigError(
                f"cannot import the mutator {point.value!r}: {error}; reinstall or remove it"
            ) from error
        found = _offered(offered)
        if not found:
            raise ConfigError(
                f"{point.value!r} offers no mutator; make one with @mutator or @session_mutator"
            )
        for one in found:
            if one.name in taken:
                raise ConfigError(
                    f"the mutator {one.name!r} of {point.value!r} has a name that is taken; rename it"
                )
            taken.add(one.name)
        singles += [one for one in found if isinstance(one, Mutator)]
        sessions += [one for one in found if isinstance(one, SessionMutator)]
    return tuple(singles), tuple(sessions)


def _offered(thing: object) -> tuple[Mutator | SessionMutator, ...]:
    if isinstance(thing, Mutator | SessionMutator):
        return (thing,)
    if isinstance(thing, ModuleType):
        return (*members(thing, Mutator), *members(thing, SessionMutator))
    return ()


__all__ = [
    "CATALOG",
    "SESSION_CATALOG",
    "Mutator",
    "SessionMutator",
    "dice",
    "load_plugins",
    "members",
    "mutator",
    "session_mutator",
]
