"""Two trees of a page walked side by side; only where they differ is anything yielded."""

from collections.abc import Iterator, Sequence

import msgspec

from comparators._bounded import bounded, bounded_pair
from comparators._elements import CODE, Element, outline, tag_text, text_of, whole
from comparators._kinship import MAX_WRAPPED, Kid, Kin, kin, likeness, sig
from comparators._line import Effort, label, last_words, runs
from comparators._page_places import below, columns
from comparators._scripts import documents
from comparators.json_body import compared as compared_json
from shadow.model import Change, Difference

_LEADING = frozenset({"th", "dt", "label", "b", "strong", "em", "legend"})
"""Elements whose text names what follows them."""
_PROSE = frozenset({"alt", "aria-label", "content", "label", "placeholder", "summary", "title"})
"""Attributes that hold a text for people."""
_MAX_MOVED = 40
_MAX_KIDS = 40
_MIN_WRAPPED = 0.7
"""How alike what was wrapped must be to be known again."""
_MAX_HOLDERS = 40
"""Elements that came, or went, which are looked into for what they may have been put around."""
_MAX_TEXTS = 400
"""Texts that are compared by words; further ones are, each as a whole."""


class Around(msgspec.Struct, frozen=True):
    """What stands around an element and helps to name it."""

    path: str
    """The place of what holds it."""
    lead: str = ""
    """The words before it."""
    columns: tuple[str, ...] = ()
    """What heads the columns of the table that it is in."""
    column: str = ""


def compared(left: Element, right: Element, path: str) -> Iterator[Difference]:
    """The differences of two pages, at places below `path`."""
    yield from _Walk().elements(left, right, Around(path))


class _Walk:
    """One comparison of two pages; bounds what it costs."""

    def __init__(self) -> None:
        self._texts = 0
        self._effort = Effort()

    def elements(self, left: Element, right: Element, around: Around) -> Iterator[Difference]:
        if left.sig == right.sig:
            return
        place = below(around.path, left, around.column)
        if left.tag != right.tag:
            yield Difference(f"{place}@element", Change.VALUE, left.tag, right.tag)
        yield from self._attributes(left, right, place)
        if left.tag in CODE and left.tag == right.tag:
            yield from self._code(left, right, place)
            return
        names = columns(left) if left.tag == "table" else around.columns
        within = Around(place, around.lead, names)
        yield from self.lists(left.kids, right.kids, within)

    def _attributes(self, left: Element, right: Element, place: str) -> Iterator[Difference]:
        ours, theirs = left.attributes, right.attributes
        if ours == theirs:
            return
        for name, value in ours.items():
            where = f"{place}@{name[:40]}"
            if name not in theirs:
                yield Difference(where, Change.MISSING, bounded(value), None)
            elif value != theirs[name]:
                yield from self._setting(name, where, value, theirs[name])
        for name, value in theirs.items():
            if name not in ours:
                yield Difference(f"{place}@{name[:40]}", Change.ADDED, None, bounded(value))

    def _setting(self, name: str, where: str, left: str, right: str) -> Iterator[Difference]:
        found = self._runs(left, right) if name in _PROSE else None
        if found is None:
            yield Difference(where, Change.VALUE, *bounded_pair(left, right))
        for run in found or ():
            yield Difference(where, Change.VALUE, *bounded_pair(run[1], run[2]))

    def _code(self, left: Element, right: Element, place: str) -> Iterator[Difference]:
        """A document in a script as such; all other code by its lines."""
        ours, theirs = text_of(left), text_of(right)
        found = documents(left, ours, right, theirs)
        if found is not None:
            yield from compared_json(*found, place)
        else:
            yield from self.lists(ours.split("\n"), theirs.split("\n"), Around(place))

    def lists(self, left: Sequence[Kid], right: Sequence[Kid], around: Around) -> Iterator[Difference]:
        """The children of one element. Equal ones cost nothing more than finding them."""
        found = kin(left, right)
        yield from self._wrapped(found, around)
        spots = _spots(left, around)
        for one, other in found.both:
            yield from self._pair(one, other, spots[id(one)])
        for kid in found.missing:
            yield Difference(_place(kid, spots[id(kid)]), Change.MISSING, _shown(kid), None)
        spots = _spots(right, around)
        for kid in found.added:
            yield Difference(_place(kid, spots[id(kid)]), Change.ADDED, None, _shown(kid))
        if found.moved:
            yield _order(left, right, found.moved, around.path)

    def _pair(self, one: Kid, other: Kid, around: Around) -> Iterator[Difference]:
        if isinstance(one, Element) and isinstance(other, Element):
            yield from self.elements(one, other, around)
        elif isinstance(one, str) and isinstance(other, str) and "\n" in one + other:
            yield from self.lists(one.split("\n"), other.split("\n"), around)
        elif isinstance(one, str) and isinstance(other, str):
            for name, mine, its in self._runs(one, other) or ((label(one), one, other),):
                yield Difference(
                    _named(around.path, name or around.lead), Change.VALUE, *bounded_pair(mine, its)
                )

    def _runs(self, left: str, right: str) -> list[tuple[str, str, str]] | None:
        self._texts += 1
        found = runs(left, right, self._effort) if self._texts <= _MAX_TEXTS else None
        return None if found is None else [(each.name, each.left, each.right) for each in found]

    def _wrapped(self, found: Kin, around: Around) -> Iterator[Difference]:
        """Elements that were put into another one, or taken out of one: that alone is told."""
        for kid in [each for each in found.added[:_MAX_HOLDERS] if isinstance(each, Element)]:
            if (inner := _inner(kid, found.missing)) is not None:
                found.added.remove(kid)
                taken, found.missing = _split(found.missing, inner)
                yield Difference(below(around.path, kid), Change.ADDED, None, tag_text(kid))
                yield from self.lists(taken, inner, around)
        for kid in [each for each in found.missing[:_MAX_HOLDERS] if isinstance(each, Element)]:
            if (inner := _inner(kid, found.added)) is not None:
                found.missing.remove(kid)
                taken, found.added = _split(found.added, inner)
                yield Difference(below(around.path, kid), Change.MISSING, tag_text(kid), None)
                yield from self.lists(inner, taken, around)


def _inner(holder: Element, lost: Sequence[Kid]) -> Sequence[Kid] | None:
    """The children of `holder`, or of what it holds alone, if most of them are among the `lost`."""
    for _ in range(MAX_WRAPPED if lost else 0):
        kids = holder.kids
        if len(kids) <= _MAX_KIDS and 2 * len(_again(kids, lost)) > len(kids):
            return kids
        if len(kids) != 1 or not isinstance(kids[0], Element):
            return None
        holder = kids[0]
    return None


def _again(kids: Sequence[Kid], others: Sequence[Kid]) -> list[Kid]:
    """Those of `kids` that are found among `others` too, as they are or changed."""
    sigs = {sig(each) for each in others}
    near = others[:_MAX_KIDS]
    return [
        kid for kid in kids if sig(kid) in sigs or any(likeness(each, kid) >= _MIN_WRAPPED for each in near)
    ]


def _split(lost: Sequence[Kid], inner: Sequence[Kid]) -> tuple[list[Kid], list[Kid]]:
    """Those of the `lost` that are found again in `inner`, and the others."""
    again = _again(lost, inner)
    return again, [each for each in lost if not any(each is one for one in again)]


def _spots(kids: Sequence[Kid], around: Around) -> dict[int, Around]:
    """What stands around each of `kids`, by the child's ``id``."""
    found: dict[int, Around] = {}
    lead, cell = around.lead, 0
    for kid in kids:
        if isinstance(kid, str):
            found[id(kid)] = Around(around.path, lead, around.columns)
            lead = last_words(kid) or lead
            continue
        heads = around.columns
        is_cell = kid.tag == "td" and cell < len(heads)
        found[id(kid)] = Around(around.path, lead, heads, heads[cell] if is_cell else "")
        cell += kid.tag in ("td", "th")
        if kid.tag in _LEADING:
            lead = last_words(text_of(whole(kid))) or lead
    return found


def _place(kid: Kid, around: Around) -> str:
    if isinstance(kid, str):
        return _named(around.path, label(kid))
    return below(around.path, kid, around.column)


def _named(path: str, words: str) -> str:
    return f"{path}:{words}" if words else path


def _shown(kid: Kid) -> str:
    return str(bounded(kid if isinstance(kid, str) else outline(kid)))


def _order(left: Sequence[Kid], right: Sequence[Kid], moved: Sequence[Kid], path: str) -> Difference:
    """Names of what stands on both sides, as it stands on each."""
    sigs = {sig(each) for each in moved}
    common = {sig(each) for each in left} & {sig(each) for each in right} | sigs
    ours, theirs = ([each for each in side if sig(each) in common] for side in (left, right))
    start = next(
        (at for at, (one, other) in enumerate(zip(ours, theirs, strict=False)) if sig(one) != sig(other)), 0
    )
    shown = ([_called(each) for each in side[start : start + _MAX_MOVED]] for side in (ours, theirs))
    return Difference(path, Change.ORDER, *shown)


def _called(kid: Kid) -> str:
    return label(kid) or kid[:20] if isinstance(kid, str) else f"{kid.tag} {text_of(kid)[:40]}".strip()
