"""Cookies that each target names after its own address: one cookie under two names is no difference."""

from collections.abc import Collection

from shadow.judge.shapes import masked
from shadow.model import Change, Difference

_COOKIE = "header:set-cookie["


def without_renamed(differences: tuple[Difference, ...], own: Collection[str]) -> tuple[Difference, ...]:
    """`differences` less those of a cookie that is gone and one that came, of names that only a target's own
    address (`own` has all of them) tells apart. A cookie that is gone for good stays."""
    named = [each for each in differences if each.where.startswith(_COOKIE)]
    gone = {masked(each.where, own): each for each in named if each.change is Change.MISSING}
    came = {masked(each.where, own): each for each in named if each.change is Change.ADDED}
    pairs = [each for name in gone.keys() & came.keys() for each in (gone[name], came[name])]
    return tuple(each for each in differences if each not in pairs) if pairs else differences
