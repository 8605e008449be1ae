"""What queries and forms share: lists of name and value in another order or spelling, with other values."""

import re
from collections.abc import Callable
from random import Random

from mutators import _strings as strings
from shadow.content.query import Pair, decode, encode
from shadow.model import Known

_PLAIN = re.compile(rb"[A-Za-z0-9_~-]")
_TRIPLET = re.compile(rb"%[0-9A-Fa-f]{2}")


def shuffled(pairs: list[Pair], rng: Random) -> list[Pair] | None:
    """The pairs with their names in another order, those of one name in theirs; None where there is none.

    Names with brackets are left alone: frameworks build arrays of them, whose order may count.
    """
    named: dict[bytes, list[Pair]] = {}
    for pair in pairs:
        named.setdefault(pair.key, []).append(pair)
    names = list(named)
    if len(names) < 2 or any(b"[" in name for name in names):
        return None
    order = rng.sample(names, len(names))
    if order == names:
        order.reverse()
    other = [pair for name in order for pair in named[name]]
    return None if other == pairs else other


def spelled_otherwise(pairs: list[Pair], rng: Random) -> list[Pair] | None:
    """The pairs with one unreserved character of a value percent-encoded; None where no value has one."""
    held = [at for at, pair in enumerate(pairs) if pair.value and _is_plain(pair.value)]
    if not held:
        return None
    at = rng.choice(held)
    value = pairs[at].value or b""
    place = rng.choice([found.start() for found in _PLAIN.finditer(_TRIPLET.sub(b"%%%", value))])
    spelled = value[:place] + b"%%%02X" % value[place] + value[place + 1 :]
    return [*pairs[:at], Pair(pairs[at].name, spelled), *pairs[at + 1 :]]


def _is_plain(value: bytes) -> bool:
    """Whether it has an unreserved character, and no per cent sign but those of triplets."""
    rest = _TRIPLET.sub(b"", value) if b"%" in value else value
    return b"%" not in rest and _PLAIN.search(rest) is not None


def recorded(pairs: list[Pair], known: Known, place: str, rng: Random) -> tuple[list[Pair], bytes] | None:
    """The pairs with a value that traffic showed in a field of that name, and the name; None without one.

    `place` is where `known` has the values: "query" or "body".
    """
    found = [
        (at, seen)
        for at, pair in enumerate(pairs)
        if (seen := known.values.get(f"{place}:{pair.key.decode('utf-8', 'replace')}"))
    ]
    if not found:
        return None
    at, seen = rng.choice(found)
    value = encode(rng.choice(seen).encode("utf-8", "surrogatepass"))
    return [*pairs[:at], Pair(pairs[at].name, value), *pairs[at + 1 :]], pairs[at].name


def with_text(value: bytes | None, change: Callable[[str], str]) -> bytes:
    """A raw value with its decoded text changed, encoded again in full."""
    return encode(strings.raw(change(decode(value or b"").decode("utf-8", "replace"))))
