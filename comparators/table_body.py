"""CSV and other tables in text."""

import csv
import re
from collections.abc import Iterator, Sequence
from io import StringIO
from typing import Any

from comparators import _tree
from comparators._body import Content, decoded, unequal
from comparators._contract import comparator
from comparators._places import member
from comparators.text_body import compared as compared_text
from shadow.content.entity import media_type
from shadow.model import Change, Difference, Response

_MAX_CHARS = 2 << 20
_NAME = re.compile(r"[^\W\d][^\n]{0,79}")
_MAX_CELLS = 100_000
"""Larger tables are compared as lines."""


@comparator
def table_body(control: Response, other: Response) -> Iterator[Difference]:
    """Cells by the names of their columns; quotes around a cell and line ends mean nothing (RFC 4180 §2). A
    column that is gone is one difference. A table without a head is compared by positions."""
    bodies = unequal(control, other, Content.TABLE)
    if bodies is None:
        return
    left, right = decoded(control, bodies[0]), decoded(other, bodies[1])
    ours, theirs = _rows(control, left), _rows(other, right)
    if ours is None or theirs is None:
        yield from compared_text(left.encode("utf-8", "replace"), right.encode("utf-8", "replace"))
        return
    names, others = _head(ours), _head(theirs)
    if names is None or others is None:
        yield from _tree.walk(ours, theirs, "body:$")
        return
    yield from _columns(names, others, ours, theirs)
    wanted = set(others)
    common = [name for name in names if name in wanted]
    yield from _tree.walk(_records(ours, names, common), _records(theirs, others, common), "body:$")


def _columns(
    names: Sequence[str], others: Sequence[str], ours: list[list[str]], theirs: list[list[str]]
) -> Iterator[Difference]:
    common = set(names) & set(others)
    for name in names:
        if name not in common:
            yield Difference(member("body:$[]", name), Change.MISSING, _example(ours, names, name), None)
    for name in others:
        if name not in common:
            yield Difference(member("body:$[]", name), Change.ADDED, None, _example(theirs, others, name))
    mine, its = ([name for name in side if name in common] for side in (names, others))
    if mine != its:
        yield Difference("body:$:sequence", Change.ORDER, mine[:40], its[:40])


def _example(rows: list[list[str]], names: Sequence[str], name: str) -> str:
    """What the first row has in this column."""
    at = names.index(name)
    return rows[1][at][:200] if len(rows) > 1 and at < len(rows[1]) else ""


def _rows(response: Response, text: str) -> list[list[str]] | None:
    """None for what is no table, or too large."""
    if len(text) > _MAX_CHARS:
        return None
    head = text[:1000].partition("\n")[0]
    is_tabbed = media_type(response.headers) == b"text/tab-separated-values"
    sign = "\t" if is_tabbed else ";" if head.count(";") > head.count(",") else ","
    try:
        rows = [row for row in csv.reader(StringIO(text, newline=""), delimiter=sign) if row]
    except csv.Error:
        return None
    return rows if sum(map(len, rows)) <= _MAX_CELLS else None


def _head(rows: list[list[str]]) -> list[str] | None:
    """The names in the first row; None where they may be values: empty, twice there, or with no letter."""
    if len(rows) < 1 or len(rows[0]) < 1:
        return None
    names = [name.strip() for name in rows[0]]
    are_names = all(_NAME.fullmatch(name) for name in names)
    is_told_apart = len(names) > 1 and not any(
        set(map(_looks, row)) == set(map(_looks, names)) for row in rows[1:3]
    )
    return names if are_names and len(set(names)) == len(names) and is_told_apart else None


def _looks(text: str) -> str:
    return "value" if any(map(str.isdigit, text)) else "name"


def _records(rows: list[list[str]], names: Sequence[str], common: Sequence[str]) -> list[Any]:
    wanted = set(common)
    found = []
    for row in rows[1:]:
        record: dict[str, Any] = {
            name: cell for name, cell in zip(names, row, strict=False) if name in wanted
        }
        if len(row) > len(names):
            record["#more"] = row[len(names) :]
        found.append(record)
    return found
