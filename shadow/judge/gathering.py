"""Which causes that show in one answer for the first time are one: a page rewritten, an error told anew."""

import re
from collections.abc import Iterable, Sequence

import msgspec

from shadow.judge.fingerprint import Cause
from shadow.judge.places import is_json, is_page, is_text, parent, template
from shadow.judge.renaming import RENAMED
from shadow.judge.roots import error_object, is_of_trace
from shadow.model import Change, Difference

MAX_TOLD_APART = 8
"""More places of one body than this do not break one by one: the whole was made anew."""

MAX_SAID = 3
"""More texts and values of one page than this do not change one by one either."""
_CODE = re.compile(r"\.(?:script|style)(?:[#\[:]|$)")
_SAID = ("value", "href", "action")
"""Attributes that hold what a page says, and no markup."""


def groups(causes: Iterable[Cause]) -> list[list[Cause]]:
    """`causes`, all of one answer and not known before, by what brought them about.

    Lines of a page, and its markup: one template writes it, and no line says which part of that changed; but
    up to `MAX_SAID` things that a page says are told one by one. Members of an error:
    one piece of code builds it. Members that one object gains, or that have other names in it. More than
    `MAX_TOLD_APART` members of any body: a document written otherwise.
    """
    given = [(sort(each), each) for each in causes]
    is_rewritten = sum(_is_member(name) for name, _ in given) > MAX_TOLD_APART
    says_much = sum(name == "said" for name, _ in given) > MAX_SAID
    found: dict[str, list[Cause]] = {}
    for named, cause in given:
        name = "document" if _is_member(named) and is_rewritten else named
        if name == "said":
            name = "line" if says_much else cause.id
        found.setdefault(cause.id if name == "member" else name, []).append(cause)
    return list(found.values())


def is_nameless_line(cause: Cause) -> bool:
    """Whether it is a line of a page without a word to know it by, so that it may be any line of any page."""
    return bool(cause.differences) and all(
        template(each.where) in ("body:line[]", "message[]:line[]") for each in cause.differences
    )


def is_line(cause: Cause) -> bool:
    """Whether it is about lines of a page, but those of a stack trace: what a page says else is no part of
    that."""
    return bool(cause.differences) and all(
        is_text(each.where) and not is_of_trace(each) for each in cause.differences
    )


def joined(first: Cause, parts: Sequence[Cause]) -> Cause:
    """`first` with the differences of all `parts`, and the words of the part that comes first."""
    differences = tuple(each for part in parts for each in part.differences)
    return msgspec.structs.replace(first, what=parts[0].what, differences=differences)


def is_of_error(cause: Cause) -> bool:
    """Whether it is about members of an error, of which one change seldom comes alone."""
    return sort(cause).startswith("error ")


def _is_said(difference: Difference) -> bool:
    """Whether it is another text or value in a page whose elements are the same."""
    if not is_page(difference.where) or difference.change is not Change.VALUE:
        return False
    attribute = difference.where.partition("@")[2]
    return attribute in _SAID if attribute else _CODE.search(difference.where) is None


def _is_member(name: str) -> bool:
    return name == "member" or name.startswith(("added ", RENAMED))


def sort(cause: Cause) -> str:
    """Causes of one sort that show for the first time in one answer may be one."""
    if RENAMED in cause.key:
        return f"{RENAMED} {parent(template(cause.differences[0].where))}"
    if is_line(cause):
        return "said" if all(_is_said(each) for each in cause.differences) else "line"
    if not cause.differences or not all(is_json(each.where) for each in cause.differences):
        return cause.id
    first = cause.differences[0]
    if place := error_object(first.where):
        return f"error {place}"
    is_added = all(each.change is Change.ADDED for each in cause.differences)
    return f"added {parent(template(first.where))}" if is_added else "member"
