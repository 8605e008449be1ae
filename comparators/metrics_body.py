"""Metrics in the text that Prometheus reads."""

import re
from collections.abc import Iterator

import msgspec

from comparators._body import Content, decoded, unequal
from comparators._contract import comparator
from shadow.model import Change, Difference, Response

_SAMPLE = re.compile(
    r"(?P<name>[A-Za-z_:][\w:]*+)(?:\s*+\{(?P<labels>(?:[^\"}]|\"(?:[^\"\\]|\\.)*+\")*+)\})?\s++(?P<value>\S++)"
)
_LABEL = re.compile(r"(?P<name>[A-Za-z_]\w*+)\s*+=\s*+\"")
_SUFFIXES = re.compile(r"_(?:bucket|count|created|sum|total|info)$")
_MAX_LINES = 50_000


class Family(msgspec.Struct):
    """One metric, whatever its labels."""

    kind: str = "untyped"
    labels: set[str] = msgspec.field(default_factory=set)
    """Names of all of its labels."""
    flags: set[str] = msgspec.field(default_factory=set)
    """All values, where each is 0 or 1."""
    is_flag: bool = True


@comparator
def metrics_body(control: Response, other: Response) -> Iterator[Difference]:
    """Which metrics there are, of which type and with which labels. What they count is the process's own: of
    values only one alone that is 0 or 1 is compared, as it says yes or no."""
    bodies = unequal(control, other, Content.METRICS)
    if bodies is None:
        return
    ours, theirs = _families(decoded(control, bodies[0])), _families(decoded(other, bodies[1]))
    for name, family in ours.items():
        if name in theirs:
            yield from _compared(f"body:$.{name}", family, theirs[name])
        else:
            yield Difference(f"body:$.{name}", Change.MISSING, family.kind, None)
    for name, family in theirs.items():
        if name not in ours:
            yield Difference(f"body:$.{name}", Change.ADDED, None, family.kind)


def _compared(where: str, left: Family, right: Family) -> Iterator[Difference]:
    if left.kind != right.kind:
        yield Difference(f"{where}:type", Change.VALUE, left.kind, right.kind)
    if left.labels and right.labels:
        for name in sorted(left.labels - right.labels):
            yield Difference(f"{where}.{name}", Change.MISSING, name, None)
        for name in sorted(right.labels - left.labels):
            yield Difference(f"{where}.{name}", Change.ADDED, None, name)
    is_gauge = left.kind == right.kind and left.kind in ("gauge", "untyped")
    if is_gauge and left.is_flag and right.is_flag and len(left.flags) == len(right.flags) == 1:
        (mine,), (its,) = left.flags, right.flags
        if mine != its:
            yield Difference(where, Change.VALUE, mine, its)


def _families(text: str) -> dict[str, Family]:
    found: dict[str, Family] = {}
    for line in text.split("\n")[:_MAX_LINES]:
        words = line.split(None, 3)
        if line.startswith("#"):
            if len(words) == 4 and words[1] == "TYPE":
                found.setdefault(_SUFFIXES.sub("", words[2]), Family()).kind = words[3].strip()
        elif sample := _SAMPLE.match(line):
            family = found.setdefault(_SUFFIXES.sub("", sample["name"]), Family())
            family.labels.update(label["name"] for label in _LABEL.finditer(sample["labels"] or ""))
            _add_value(family, sample["value"])
    return found


def _add_value(family: Family, value: str) -> None:
    number = value.removesuffix(".0")
    if number in ("0", "1"):
        family.flags.add(number)
    else:
        family.is_flag = False
