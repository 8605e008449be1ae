"""What differed and was not counted, as it is listed at the end of a run."""

from typing import Any

import msgspec


class Forgiven(msgspec.Struct, frozen=True):
    """One place whose differences were not counted, and why."""

    endpoint: str
    where: str
    why: str
    count: int
    left: Any = None
    """Of the first that was forgiven: the value that was expected. May be a secret, as `right` may."""
    right: Any = None
    """The candidate's."""
    evidence: dict[str, tuple[int, int]] = {}
    """By which two answers were compared: how often the place differed, in how many comparisons of the
    endpoint. Both fade."""


class Forgave(msgspec.Struct, frozen=True):
    """All that a process forgave in a run."""

    places: tuple[Forgiven, ...]
