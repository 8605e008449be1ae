"""Differences of one answer gathered by root: what is told once, and what merely follows from it."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from urllib.parse import unquote

import msgspec

from shadow.judge.places import is_json, is_page, is_within, name, parent, template
from shadow.judge.renaming import RENAMED, Renaming, renamings
from shadow.judge.shapes import moment
from shadow.model import Change, Difference

FORMS = frozenset({"letter case", "timestamp form", "unicode form", "white space"})
"""Changes of how a value is written. What drifts is still written in one way, so these are never drift."""
_SAID = frozenset({"close", "dns:rcode"})
"""Places of few values, each of which means something: both stand in the cause."""
_PLACELESS = frozenset({"timestamp form", "unicode form"})
"""Written by one serialiser for all fields: wherever it shows, the cause is one."""
_WRITTEN = re.compile(r"^body:.*:(sequence|namespace)$")
"""How a document of XML is written, which one serialiser does for all elements too."""
_OF_TRACE = re.compile(r"[:.]stack-frame$")
"""A line of a stack trace: traces change with the code, wherever they show."""
_BREAK = re.compile(r"^body:page.*\.br$")
_LISTED = re.compile(r"(header:(?!set-cookie)[^\[]+)\[")
"""One member of a field that is a list: directives that came and went are one change of the field."""
_PAGING = re.compile(
    r"(next|prev|previous|first|last)?[_-]?(cursor|page|token|link|url|offset)|next|previous|prev"
    r"|has[_-]?(more|next)|count|total.*",
    re.IGNORECASE,
)
"""Members beside a list that tell how much of it there is: they follow its length."""
_ERROR_OBJECTS = frozenset({"detail", "details", "error", "errors", "fault", "problem"})
_INTEGER = re.compile(r"-?\d{19,}")
_COPY = re.compile(r'(?P<parent>.*)\["(?P<name>[^"]+)#\d+"\]')
"""A member of a name that its object has already."""
_OF_WHOLE_BODY = ("body", "body:coding", "body:syntax", "body:end")
_MAX_ROUNDING_DIGITS = 10


class Root(msgspec.Struct, frozen=True):
    """Differences that have one cause."""

    key: tuple[str, ...]
    """Equal in every run and for every endpoint that shows the same cause."""
    what: str
    """The change in words: ``"missing"``, ``"rounded"``, ``"200 to 500"``."""
    differences: tuple[Difference, ...]


def roots(differences: Sequence[Difference]) -> tuple[Root, ...]:
    """The roots of one answer's differences. A changed status, or kind of body, explains the rest."""
    status = [each for each in differences if each.where == "status"]
    if status:
        codes = (str(status[0].left), str(status[0].right))
        return (Root(("status", *codes), " to ".join(codes), tuple(status)),)
    causes = tuple(_causes(differences))
    names = renamings(causes)
    gathered: dict[tuple[str, ...], list[Difference]] = {}
    for each in causes:
        new = names.get(each.where)
        key = _key(each) if new is None else (relative(new.old), RENAMED, relative(new.new))
        gathered.setdefault(key, []).append(each)
    return tuple(
        Root(key, _what(names.get(found[0].where), found[0]), tuple(found)) for key, found in gathered.items()
    )


def is_of_trace(difference: Difference) -> bool:
    """Whether it is about lines of a stack trace, or their order."""
    if difference.change is Change.ORDER and is_page(difference.where):
        return all("stack-frame" in str(side) for side in (difference.left, difference.right))
    return _OF_TRACE.search(difference.where) is not None


def _what(new: Renaming | None, difference: Difference) -> str:
    return words(difference) if new is None else f"{RENAMED} to {name(new.new)}"


def words(difference: Difference) -> str:
    """The change of one place in words."""
    left, right = difference.left, difference.right
    if difference.change is Change.TYPE:
        return _type_words(difference)
    if difference.change is Change.VALUE and difference.where in _SAID:
        return f"{left} to {right}"
    if difference.change is not Change.VALUE:
        return difference.change.value
    if isinstance(left, str) and isinstance(right, str):
        return _text_words(left, right, name(difference.where))
    if isinstance(left, int | float) and isinstance(right, int | float) and _is_rounded(left, right):
        return "rounded"
    return "value"


def relative(where: str) -> str:
    """The place within the innermost item of a list, so that it is one alone and listed."""
    pattern = template(where)
    if name(parent(pattern)).lower() in _ERROR_OBJECTS:
        pattern = parent(pattern)
    if not is_json(pattern):
        return pattern
    part, _, path = pattern.partition(":")
    _, found, within = path.rpartition("[].")
    return f"{part}:{within}" if found else f"{part}:{path.removeprefix('$.')}"


def _causes(differences: Sequence[Difference]) -> Iterable[Difference]:
    """Differences that do not follow from another one."""
    of_body = [each for each in differences if each.where in _OF_WHOLE_BODY]
    arrays = [
        each.where
        for each in differences
        if each.change in (Change.LENGTH, Change.ORDER) and not is_page(each.where)
    ]
    beside = {parent(each.where) for each in differences if each.change is Change.LENGTH}
    lengths = {
        (parent(each.where), each.left, each.right) for each in differences if each.change is Change.LENGTH
    }
    twice = {
        f"{found['parent']}.{found['name']}"
        for each in differences
        if each.change is Change.ADDED and (found := _COPY.fullmatch(each.where))
    }
    has_trace = any(map(is_of_trace, differences))
    is_other_type = any(each.where == "header:content-type" for each in differences)
    moved = next((each for each in differences if each.where == "header:location"), None)
    for each in differences:
        if each.where in twice:
            continue  # the first of two; which of them counts is the reader's choice
        if has_trace and _BREAK.search(each.where):
            continue  # of lines that came or went
        if is_other_type and each.where.startswith("header:content-type["):
            continue  # parameters are those of the type
        if moved is not None and _repeats(each, moved):
            continue
        if parent(each.where) in beside and _PAGING.fullmatch(name(each.where)):
            continue
        is_scalar = not isinstance(each.left, list | dict) and not isinstance(each.right, list | dict)
        if (
            each.change is Change.VALUE
            and is_scalar
            and (parent(each.where), each.left, each.right) in lengths
        ):
            continue  # a count of the elements, whatever it is called
        if of_body and each is not of_body[0] and each.where.startswith(("body", "header:content-type")):
            continue
        if not any(_follows(each, array) for array in arrays):
            yield each


def _repeats(difference: Difference, location: Difference) -> bool:
    """Whether a page of a redirect says where it leads, as the field does."""
    if not difference.where.startswith("body:") or difference.change is not Change.VALUE:
        return False
    ours, theirs = ((unquote(str(each)) for each in (one.left, one.right)) for one in (difference, location))
    return all(said in full or full in said for said, full in zip(ours, theirs, strict=True) if len(said) > 1)


def _follows(difference: Difference, array: str) -> bool:
    """Whether it is an element that came or went with the array's length, or a value moved by it."""
    where = difference.where
    if where == array or not is_within(where, array):
        return False
    is_element = template(where) == template(array) + "[]"
    return difference.change in (Change.VALUE, Change.LENGTH, Change.ORDER) or is_element


def _key(difference: Difference) -> tuple[str, ...]:
    what = words(difference)
    if what in _PLACELESS:
        return (what,)
    if is_of_trace(difference):
        return ("stack trace",)
    if (written := _WRITTEN.search(difference.where)) is not None:
        return (written[1],)
    if (found := _LISTED.match(difference.where)) is not None:
        return (found[1], "members")
    is_said = what == "letter case" or difference.where in _SAID
    detail = what if is_said else difference.change.value
    return (relative(difference.where), detail)


def error_object(where: str) -> str:
    """The place of the error that holds `where`, at any depth; "" where none does."""
    place, found = template(where), ""
    while (outer := parent(place)) != place:
        found = outer if name(outer).lower() in _ERROR_OBJECTS else found
        place = outer
    return found


def _type_words(difference: Difference) -> str:
    if difference.where == "header:etag":
        return "strong to weak" if str(difference.right).startswith("W/") else "weak to strong"
    if is_json(difference.where) and not difference.where.endswith(":namespace"):
        left, right = _kind(difference.left), _kind(difference.right)
        if left == right == "string":  # one stands for a number that is too long to be written as one
            left, right = (
                "number" if _INTEGER.fullmatch(each) else "string"
                for each in (difference.left, difference.right)
            )
        return f"{left} to {right}"
    return f"{difference.left} to {difference.right}"


def _kind(value: object) -> str:
    if isinstance(value, str) and value.endswith("…") and value.startswith(("[", "{")):
        return "array" if value[0] == "[" else "object"  # the beginning of its text, as it is long
    kinds = {str: "string", bool: "boolean", int: "number", float: "number", list: "array", dict: "object"}
    return "null" if value is None else kinds[type(value)]


_MOMENT_DIGITS = 6
"""A text with so many may be a moment, written in a form that is not known here."""


def _text_words(left: str, right: str, at: str) -> str:
    ours, theirs = moment(left, at), moment(right, at)
    if ours and theirs and ours.form != theirs.form:
        return "timestamp form"
    if (ours is None) != (theirs is None) and sum(
        map(str.isdigit, right if ours else left)
    ) >= _MOMENT_DIGITS:
        return "timestamp form"
    if left.casefold() == right.casefold():
        return "letter case"
    if unicodedata.normalize("NFC", left) == unicodedata.normalize("NFC", right):
        return "unicode form"
    if left.split() == right.split():
        return "white space"
    return "time" if ours is not None else "value"


def _is_rounded(left: float, right: float) -> bool:
    return any(round(left, digits) == right for digits in range(_MAX_ROUNDING_DIGITS))
