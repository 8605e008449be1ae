"""What `shadow replay` told, held against what is true."""

import re
from collections.abc import Mapping, Sequence

import msgspec

from bench.judging_causes import Cause

type Truth = Mapping[str, frozenset[int]]
"""Indices of the exchanges that show a cause, by its name."""


class Told(msgspec.Struct, frozen=True):
    """What is read of a finding."""

    id: str
    title: str
    endpoint: str
    where: tuple[str, ...]
    exchanges: frozenset[int]


class CauseScore(msgspec.Struct, frozen=True):
    name: str
    needs_baseline: bool
    shown: int
    """Requests that show it."""
    found: int
    """Of these, those that its findings name."""
    findings: int


class Score(msgspec.Struct, frozen=True):
    causes: tuple[CauseScore, ...]
    false: tuple[str, ...]
    """Titles of findings that belong to no cause."""
    claimed: int
    """Requests that findings name, by finding."""
    wrong: int
    """Of these, those that do not show what the finding is about."""


def scored(truth: Truth, told: Sequence[Told], causes: Sequence[Cause]) -> Score:
    """A finding belongs to a cause whose places it names, in a request that shows it."""
    owners = {each.id: _owner(each, truth, causes) for each in told}
    found = []
    for cause in causes:
        mine = [each for each in told if owners[each.id] == cause.name]
        seen = frozenset[int]().union(*(each.exchanges for each in mine))
        shown = truth[cause.name]
        found.append(CauseScore(cause.name, cause.needs_baseline, len(shown), len(seen & shown), len(mine)))
    false = [f"{each.title} {sorted(each.exchanges)[:6]}" for each in told if not owners[each.id]]
    wrong = sum(len(each.exchanges - truth.get(owners[each.id], frozenset())) for each in told)
    return Score(tuple(found), tuple(false), sum(len(each.exchanges) for each in told), wrong)


def _owner(told: Told, truth: Truth, causes: Sequence[Cause]) -> str:
    for cause in causes:
        is_there = any(re.search(cause.where, each) for each in told.where)
        if is_there and 2 * len(told.exchanges & truth[cause.name]) >= len(told.exchanges):
            return cause.name
    return ""
