"""Which children of two elements belong together, so that one that came is one difference and no cascade.

Equal ones that stand once on each side hold the rest in place (patience diff); what lies between is matched
by the names that elements bear, then by what they hold, in order.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from comparators._alignment import common_ends
from comparators._elements import CODE, Element
from comparators._line import words

type Kid = Element | str

_MAX_CELLS = 2500
"""Of one table of likeness between what is left; larger ones are matched by tag and class in order."""
MAX_WRAPPED = 3
"""How deep something may have been wrapped to be known again."""
_MAX_SKIPPED = 50
_MAX_WORDS = 200
_MIN_ALIKE = 0.25
"""Large elements with less in common are two, not one that changed."""
_LARGE = 12
_NAMING = ("id", "name", "property", "itemprop", "for", "rel", "http-equiv", "action", "href", "src")


class Kin:
    """What became of the children of one element."""

    def __init__(self) -> None:
        self.both: list[tuple[Kid, Kid]] = []
        """Unequal ones that belong together, in the left order."""
        self.missing: list[Kid] = []
        self.added: list[Kid] = []
        self.moved: list[Kid] = []
        """Equal ones that stand elsewhere among their siblings."""


def kin(left: Sequence[Kid], right: Sequence[Kid]) -> Kin:
    """How the children `left` and `right` belong together."""
    found = Kin()
    for ours, theirs in _gaps(left, right):
        _match(ours, theirs, found)
    _find_moved(found)
    return found


def sig(kid: Kid) -> int:
    return hash(kid) if isinstance(kid, str) else kid.sig


def likeness(one: Kid, other: Kid) -> float:
    """From 0 to 1, how much two children look like one that changed; 0 where they can be none."""
    if isinstance(one, str) or isinstance(other, str):
        return 0.3 + 0.5 * _overlap(one, other) if isinstance(one, str) and isinstance(other, str) else 0.0
    if one.twin is not None and one.twin is other.twin:
        return 1.0
    overlap = _overlap(one, other)
    if one.tag != other.tag:
        return 0.3 * overlap if overlap >= 0.6 and not (_holds(one, other) or _holds(other, one)) else 0.0
    names = [(one.attributes.get(name), other.attributes.get(name)) for name in _NAMING]
    said = [mine == its for mine, its in names if mine is not None and its is not None]
    is_same_class = one.attributes.get("class") == other.attributes.get("class")
    is_large = min(one.size, other.size) >= _LARGE
    if overlap < _MIN_ALIKE and not any(said) and (is_large or not (is_same_class or not said)):
        return 0.0
    return 0.2 + 0.15 * is_same_class + 0.25 * (sum(said) / len(said) if said else 0.5) + 0.4 * overlap


def _gaps(left: Sequence[Kid], right: Sequence[Kid]) -> Iterator[tuple[Sequence[Kid], Sequence[Kid]]]:
    """The unequal stretches between equal children."""
    ours, theirs = [sig(each) for each in left], [sig(each) for each in right]
    pending = [(0, len(ours), 0, len(theirs))]
    while pending:
        start, end, from_, to = pending.pop()
        head, tail = common_ends(ours[start:end], theirs[from_:to])
        start, end, from_, to = start + head, end - tail, from_ + head, to - tail
        anchors = _anchors(ours[start:end], theirs[from_:to])
        if not anchors:
            if start < end or from_ < to:
                yield left[start:end], right[from_:to]
            continue
        parts, at, its = [], start, from_
        for mine, other in anchors:
            parts.append((at, start + mine, its, from_ + other))
            at, its = start + mine + 1, from_ + other + 1
        pending += reversed([*parts, (at, end, its, to)])


def _anchors(ours: Sequence[int], theirs: Sequence[int]) -> list[tuple[int, int]]:
    """Positions of equal items that stand once on each side, in the longest run that keeps their order."""
    once = {each: at for each, at in _once(ours).items() if at >= 0}
    others = _once(theirs)
    pairs = [(at, others[each]) for each, at in once.items() if others.get(each, -1) >= 0]
    ends: list[int] = []
    chains: list[int] = []
    before: list[int] = []
    for at, (_, other) in enumerate(pairs):
        place = bisect_left(ends, other)
        before.append(chains[place - 1] if place else -1)
        ends[place : place + 1] = [other]
        chains[place : place + 1] = [at]
    found, at = [], chains[-1] if chains else -1
    while at >= 0:
        found.append(pairs[at])
        at = before[at]
    return found[::-1]


def _once(items: Sequence[int]) -> dict[int, int]:
    """Position of each item; -1 for those that stand there more than once."""
    found: dict[int, int] = {}
    for at, item in enumerate(items):
        found[item] = -1 if item in found else at
    return found


def _match(left: Sequence[Kid], right: Sequence[Kid], found: Kin) -> None:
    ours, theirs = list(left), list(right)
    named = _by_names(ours, theirs)
    found.both += named
    taken = {id(kid) for pair in named for kid in pair}
    ours = [kid for kid in ours if id(kid) not in taken or isinstance(kid, str)]
    theirs = [kid for kid in theirs if id(kid) not in taken or isinstance(kid, str)]
    pairs = _by_label(ours, theirs) if len(ours) * len(theirs) > _MAX_CELLS else _by_likeness(ours, theirs)
    found.both += ((ours[mine], theirs[other]) for mine, other in pairs)
    left_out, right_out = {mine for mine, _ in pairs}, {other for _, other in pairs}
    found.missing += (kid for at, kid in enumerate(ours) if at not in left_out)
    found.added += (kid for at, kid in enumerate(theirs) if at not in right_out)


def _by_names(ours: Sequence[Kid], theirs: Sequence[Kid]) -> list[tuple[Kid, Kid]]:
    """Elements of one id, or of one tag and name, that no sibling bears."""
    mine, its = _named(ours), _named(theirs)
    return [(kid, other) for key, kid in mine.items() if kid is not None and (other := its.get(key))]


def _named(kids: Sequence[Kid]) -> dict[tuple[str, str, str], Element | None]:
    found: dict[tuple[str, str, str], Element | None] = {}
    for kid in kids:
        if isinstance(kid, Element):
            for name in ("id", "name", "property"):
                if value := kid.attributes.get(name):
                    key = ("" if name == "id" else kid.tag, name, value)
                    found[key] = None if key in found else kid
                    break
    return found


def _by_label(ours: Sequence[Kid], theirs: Sequence[Kid]) -> list[tuple[int, int]]:
    """In order, by tag and class; by tag alone where the classes are others."""
    mine, its = [_label(kid) for kid in ours], [_label(kid) for kid in theirs]
    if not set(mine) & set(its):
        mine, its = [(tag, "") for tag, _ in mine], [(tag, "") for tag, _ in its]
    pairs, at = [], 0
    for place, name in enumerate(mine):
        other = next((to for to in range(at, min(len(its), at + _MAX_SKIPPED)) if its[to] == name), -1)
        if other >= 0:
            pairs.append((place, other))
            at = other + 1
    return pairs


def _label(kid: Kid) -> tuple[str, str]:
    return ("", "") if isinstance(kid, str) else (kid.tag, kid.attributes.get("class", ""))


def _by_likeness(ours: Sequence[Kid], theirs: Sequence[Kid]) -> list[tuple[int, int]]:
    """The pairs, in order, that are most alike together."""
    table = [[likeness(one, other) for other in theirs] for one in ours]
    best = [[0.0] * (len(theirs) + 1) for _ in range(len(ours) + 1)]
    for at in range(len(ours) - 1, -1, -1):
        row, below = best[at], best[at + 1]
        for to in range(len(theirs) - 1, -1, -1):
            together = table[at][to] + below[to + 1] if table[at][to] > 0 else 0.0
            row[to] = max(below[to], row[to + 1], together)
    pairs, at, to = [], 0, 0
    while at < len(ours) and to < len(theirs):
        if table[at][to] > 0 and best[at][to] == table[at][to] + best[at + 1][to + 1]:
            pairs.append((at, to))
            at, to = at + 1, to + 1
        elif best[at][to] == best[at + 1][to]:
            at += 1
        else:
            to += 1
    return pairs


def _holds(outer: Element, inner: Element) -> bool:
    """Whether one may have been put around the other, or around what holds it."""
    if outer.tag in CODE:
        return True
    for _ in range(MAX_WRAPPED):
        elements = [kid for kid in outer.kids if isinstance(kid, Element)]
        if any(kid.tag == inner.tag for kid in elements):
            return True
        if len(elements) != 1:
            return False
        outer = elements[0]
    return False


def _overlap(one: Kid, other: Kid) -> float:
    ours, theirs = _words(one), _words(other)
    if not ours and not theirs:
        return 1.0
    return len(ours & theirs) / len(ours | theirs)


def _words(kid: Kid) -> frozenset[str]:
    """The words of a text, or of an element with the tags and classes in it, as far as they are counted."""
    if isinstance(kid, str):
        return frozenset(words(kid[:2000])[:_MAX_WORDS])
    if kid.words is None:
        found: set[str] = set()
        _gather(kid, found)
        kid.words = frozenset(found)
    return kid.words


def _gather(element: Element, found: set[str]) -> None:
    for kid in element.kids:
        if len(found) >= _MAX_WORDS:
            return
        if isinstance(kid, str):
            found.update(words(kid[:500]))
        else:
            found.add(f"<{kid.tag} {kid.attributes.get('class', '')}")
            _gather(kid, found)


def _find_moved(found: Kin) -> None:
    """Take equal ones out of what is missing and added: they only moved."""
    places: dict[int, list[int]] = {}
    for at, kid in enumerate(found.added):
        places.setdefault(sig(kid), []).append(at)
    kept, gone = [], set()
    for kid in found.missing:
        if at_ := places.get(sig(kid)):
            gone.add(at_.pop(0))
            found.moved.append(kid)
        else:
            kept.append(kid)
    found.missing = kept
    found.added = [kid for at, kid in enumerate(found.added) if at not in gone]
