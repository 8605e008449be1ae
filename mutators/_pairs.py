"""What queries and forms share: lists of name and value in another order or spelling."""

import re
from random import Random

from shadow.content.query import Pair

_PLAIN = re.compile(rb"[A-Za-z0-9_~-]")
_TRIPLET = re.compile(rb"%[0-9A-Fa-f]{2}")


def shuffled(pairs: list[Pair], rng: Random) -> list[Pair] | None:
    """The pairs with their names in another order, those of one name in theirs; None where that is
    impossible.

    Names with brackets are left alone: frameworks build arrays of them, whose order may count.
    """
    names = list(dict.fromkeys(pair.key for pair in pairs))
    if len(names) < 2 or any(b"[" in name for name in names):
        return None
    order = rng.sample(names, len(names))
    if order == names:
        order.reverse()
    other = [pair for name in order for pair in pairs if pair.key == name]
    return None if other == pairs else other


def spelled_otherwise(pairs: list[Pair], rng: Random) -> list[Pair] | None:
    """The pairs with one unreserved character of a value percent-encoded; None where no value has one."""
    places = [
        (at, found.start())
        for at, pair in enumerate(pairs)
        if pair.value and b"%" not in _TRIPLET.sub(b"", pair.value)
        for found in _PLAIN.finditer(_TRIPLET.sub(b"%%%", pair.value))
    ]
    if not places:
        return None
    at, place = rng.choice(places)
    value = pairs[at].value or b""
    spelled = value[:place] + b"%%%02X" % value[place] + value[place + 1 :]
    return [*pairs[:at], Pair(pairs[at].name, spelled), *pairs[at + 1 :]]
