"""Pages of instances."""

import base64
import binascii
import json
import re
import sqlite3
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from shadow.demo.vmctl.bugs import Bugs
from shadow.demo.vmctl.calls import Call
from shadow.demo.vmctl.checks import MAX_INTEGER, Check, Invalid, address, one_of
from shadow.demo.vmctl.machines import STATUSES
from shadow.demo.vmctl.problems import Problem, Unprocessable

SORTS = {
    "created_at": ("seq", "ASC"),
    "-created_at": ("seq", "DESC"),
    "name": ("name", "ASC"),
    "-name": ("name", "DESC"),
    "updated_at": ("updated_at", "ASC"),
    "-updated_at": ("updated_at", "DESC"),
}
MAX_LIMIT = 100
_DEFAULT_LIMIT = 20
_SURROGATE = re.compile(r"[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows, and where the next page begins (None after the last)."""

    rows: list[sqlite3.Row]
    next_cursor: str | None


def page(call: Call) -> Page:
    """The instances that the query asks for, among those that the caller may see."""
    bugs = call.service.bugs
    query = call.query(
        {
            "limit": count(MAX_LIMIT),
            "cursor": _cursor,
            "status": one_of(*STATUSES[:-1]),
            "owner": _owner(bugs),
            "sort": _sort(bugs),
        }
    )
    sort, limit = query.get("sort", "created_at"), query.get("limit", _DEFAULT_LIMIT)
    where, values = _visible(call, query)
    return _rows(call, sort, limit, query.get("cursor"), where, values)


def count(highest: int) -> Check:
    """A number from 1 to `highest`, in plain digits."""

    def check(value: Any) -> int:
        if not (isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 9):
            raise Invalid("must be a number")
        if not 1 <= int(value) <= highest:
            raise Invalid(f"must be from 1 to {highest}")
        return int(value)

    return check


def _visible(call: Call, query: dict[str, Any]) -> tuple[list[str], list[Any]]:
    where, values = ["status != 'KILLED'"], []
    owner = query.get("owner")
    if owner == "*":
        owner = None
    elif call.caller.role != "admin":
        where.append("(owner = ? OR id IN (SELECT instance FROM grants WHERE address = ?))")
        values += [call.caller.address, call.caller.address]
    for column, wanted in (("owner", owner), ("status", query.get("status"))):
        if wanted is not None:
            where.append(f"{column} = ?")
            values.append(wanted)
    return where, values


def _rows(
    call: Call, sort: str, limit: int, cursor: "Cursor | None", where: list[str], values: list[Any]
) -> Page:
    store, bugs = call.service.store, call.service.bugs
    column, direction = SORTS.get(sort, (sort, ""))
    if cursor is not None:
        if cursor.sort != sort:
            raise Unprocessable([("query:cursor", "belongs to another sort")])
        where = [*where, f"({column}, seq) {'<' if direction == 'DESC' else '>'} (?, ?)"]
        values = [*values, cursor.value, cursor.seq]
    fetched = limit if bugs.has("B40") else limit + 1
    rows = store.all(
        f"SELECT * FROM instances WHERE {' AND '.join(where)}"  # noqa: S608 - columns come from SORTS
        f" ORDER BY {column} {direction}, seq {direction} LIMIT {fetched}",
        *values,
    )
    has_more = len(rows) >= fetched
    if has_more:
        rows = rows[:-1]
    last = rows[-1] if rows and has_more else None
    if bugs.has("B41"):
        by_id = {row["id"]: row for row in rows}
        rows = [by_id[instance] for instance in set(by_id)]
    return Page(rows, None if last is None else _write_cursor(sort, last, column))


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last row of a page: the rows after it come next."""

    sort: str
    value: str | int | float
    seq: int


def _write_cursor(sort: str, row: sqlite3.Row, column: str) -> str:
    text = json.dumps([sort, row[column], row["seq"]], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _cursor(value: str) -> Cursor:
    try:
        raw = base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)
        parts = json.loads(raw)
    except (binascii.Error, ValueError, RecursionError):
        raise Invalid("is no cursor of this service") from None
    match parts:
        case [str(sort), str() | int() | float() as at, int(seq)] if sort in SORTS and _is_storable(at, seq):
            return Cursor(sort, at, seq)
    raise Invalid("is no cursor of this service")


def _is_storable(at: str | float, seq: int) -> bool:
    if isinstance(at, str):
        return not _SURROGATE.search(at) and 0 <= seq <= MAX_INTEGER
    return abs(at) <= MAX_INTEGER and 0 <= seq <= MAX_INTEGER


def _owner(bugs: Bugs) -> Check:
    def check(value: Any) -> str:
        if value == "*" and bugs.has("B33"):
            return "*"
        return address(value)

    return check


def _sort(bugs: Bugs) -> Callable[[str], str]:
    def check(value: str) -> str:
        if bugs.has("B34"):
            return value
        if bugs.has("B32"):
            return _known(value)
        chosen: str = one_of(*SORTS)(value)
        return chosen

    return check


def _known(value: str) -> str:
    try:
        SORTS[value]
    except KeyError:
        raise Problem(500, "internal", traceback.format_exc()) from None
    return value
