"""Which causes that show in one answer for the first time are one: a page rewritten, an error told anew."""

from collections.abc import Iterable, Sequence

import msgspec

from shadow.judge.fingerprint import Cause
from shadow.judge.places import template
from shadow.judge.roots import error_object

MAX_TOLD_APART = 8
"""More places of one body than this do not break one by one: the whole was made anew."""


def groups(causes: Iterable[Cause]) -> list[list[Cause]]:
    """`causes`, all of one answer and not known before, by what brought them about.

    Lines of a page: one template writes it, and no line says which part of that changed. Members of an error:
    one piece of code builds it. More than `MAX_TOLD_APART` members of any body: a document written otherwise.
    """
    found: dict[str, list[Cause]] = {}
    for cause in causes:
        found.setdefault(sort(cause), []).append(cause)
    members = found.pop("member", [])
    if len(members) > MAX_TOLD_APART:
        found["member"] = members
    else:
        found |= {each.id: [each] for each in members}
    return list(found.values())


def is_nameless_line(cause: Cause) -> bool:
    """Whether it is a line of a page without a word to know it by, so that it may be any line of any page."""
    return bool(cause.differences) and all(
        template(each.where) == "body:line[]" for each in cause.differences
    )


def is_line(cause: Cause) -> bool:
    """Whether it is about lines of a page."""
    return bool(cause.differences) and all(each.where.startswith("body:line[") for each in cause.differences)


def joined(first: Cause, parts: Sequence[Cause]) -> Cause:
    """`first` with the differences of all `parts`."""
    return msgspec.structs.replace(
        first, differences=tuple(each for part in parts for each in part.differences)
    )


def is_of_error(cause: Cause) -> bool:
    """Whether it is about members of an error, of which one change seldom comes alone."""
    return sort(cause).startswith("error ")


def sort(cause: Cause) -> str:
    """Causes of one sort that show for the first time in one answer may be one."""
    if is_line(cause):
        return "line"
    if not cause.differences or not all(each.where.startswith("body:$") for each in cause.differences):
        return cause.id
    place = error_object(cause.differences[0].where)
    return f"error {place}" if place else "member"
