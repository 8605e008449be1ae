"""Refusals as frameworks write them: whose value is refused, in which words, with which limits beside.

pydantic and FastAPI, marshmallow, Django REST framework, Rails, Laravel, Spring and Jackson,
ProblemDetails (RFC 9457), ajv, express-validator, joi, zod, class-validator, JSON:API, GraphQL. They agree in
few things, but all say a name, a sentence, and some the limit as a number.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

type Steps = tuple[str, ...]
"""A place within a request: names, and ``""`` for any element of an array."""

MAX_REMARKS = 64
_MAX_DEPTH = 8
_MAX_MEMBERS = 200
_MAX_CHARACTERS = 4_000

_TEXTS = (
    "msg",
    "message",
    "detail",
    "defaultMessage",
    "default_message",
    "reason",
    "description",
    "error",
    "title",
)
_WHERE = (
    *(
        "loc",
        "instancePath",
        "dataPath",
        "pointer",
        "propertyPath",
        "path",
        "field",
        "param",
        "property",
        "parameter",
    ),
    *("attribute", "argument", "key", "name", "variable", "jsonPath"),
)
_PATHS = ("loc", "path")
"""Those that may be lists."""
_LOCATION = ("location", "in")
_FACTS = ("ctx", "params", "context", "constraints", "meta", "arguments", "attributes")
_HOLDERS = frozenset(
    (
        *(
            "errors",
            "error",
            "detail",
            "details",
            "fields",
            "violations",
            "invalidParams",
            "invalid-params",
            "issues",
        ),
        *(
            "validationErrors",
            "validation_errors",
            "fieldErrors",
            "field_errors",
            "messages",
            "message",
            "_errors",
        ),
        *(
            "non_field_errors",
            "nonFieldErrors",
            "cause",
            "causes",
            "data",
            "extensions",
            "constraints",
            "formErrors",
        ),
        *(
            "error_messages",
            "validation",
            "subErrors",
            "result",
            "globalErrors",
            "invalid_params",
            "problems",
            "items",
        ),
    )
)
"""Members that hold refusals, and name no value."""
_NO_NAMES = frozenset(
    (
        *(
            "status",
            "statusCode",
            "status_code",
            "code",
            "type",
            "timestamp",
            "instance",
            "trace",
            "traceId",
            "path",
        ),
        *(
            "requestId",
            "request_id",
            "success",
            "ok",
            "url",
            "method",
            "jsonrpc",
            "id",
            "locations",
            "stack",
            "name",
        ),
        *(
            "exception",
            "title",
            "documentation_url",
            "doc_url",
            "help",
            "hint",
            "input",
            "value",
            "rejectedValue",
        ),
        *("objectName", "service", "version", "charge"),
    )
)
"""Members whose text is about the refusal, and no sentence about a value."""
_PARTS = frozenset({"query", "header", "cookie", "path", "body", "form"})
_INDEX = re.compile(r"\d{1,9}")
_STEP = re.compile(r"\[(\d+|\*)?\]|\[\"([^\"]+)\"\]|\[([^\]\"]+)\]|/?([^.\[\]/]+)")


class Remark(msgspec.Struct, frozen=True):
    """One thing that is said of one value."""

    where: Steps
    """Empty where only the text tells, if at all."""
    text: str
    facts: Mapping[str, Any] = {}
    """Limits as data: ``{"le": 100}``."""


def remarks(tree: object) -> list[Remark]:
    """What a decoded JSON refusal says, at most `MAX_REMARKS`."""
    found: list[Remark] = []
    for each in _of(tree, (), 0):
        found.append(each)
        if len(found) >= MAX_REMARKS:
            break
    return found


def of_text(text: str, where: Steps = (), facts: Mapping[str, Any] | None = None) -> Iterator[Remark]:
    """One remark a sentence."""
    pieces = re.split(r"[;\n]+ ?|(?<=[a-z0-9)'\"])\. (?=[A-Z])", text[:_MAX_CHARACTERS])
    for piece in [text] if "ou mean" in text or text.startswith("Variable") else pieces[:16]:
        yield Remark(where, re.sub(r"^Validation (?:failed|error): ?", "", piece.strip()), facts or {})


def _of(value: object, where: Steps, depth: int) -> Iterator[Remark]:
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, str):
        yield from of_text(value, where)
    elif isinstance(value, list):
        for item in value[:_MAX_MEMBERS]:
            yield from _of(item, where, depth + 1)
    elif isinstance(value, dict):
        yield from _of_object(value, where, depth)


def _of_object(value: Mapping[str, Any], where: Steps, depth: int) -> Iterator[Remark]:
    place = _place(value)
    text = next((value[key] for key in _TEXTS if isinstance(value.get(key), str)), "")
    facts = _facts(value)
    if place is not None and (text or facts):
        yield from of_text(text, where + place, facts)
        for key in ("errors", "details", "children", "issues"):
            yield from _of(value.get(key), where + place, depth + 1)
        texts = [each for each in _mapping(value.get("constraints")).values() if isinstance(each, str)]
        yield from (one for each in texts for one in of_text(each, where + place, facts))
        return
    for key, item in list(value.items())[:_MAX_MEMBERS]:
        if key in _TEXTS and isinstance(item, str):
            yield from of_text(item, where, facts)
        elif key in _HOLDERS:
            yield from _of(item, where, depth + 1)
        elif _is_saying(item) and not (key in _NO_NAMES and isinstance(item, str)) and key not in _FACTS:
            yield from _of(item, where + (steps(key) if len(key) <= 200 else ()), depth + 1)


def _is_saying(value: object) -> bool:
    """Whether a member may hold sentences about a value of its name."""
    match value:
        case str():
            return " " in value.strip()
        case [str() as first, *_]:
            return " " in first.strip()
        case [dict(), *_]:
            return True
        case dict():
            return bool(value)
    return False


def _place(value: Mapping[str, Any]) -> Steps | None:
    """The steps that an object names as its subject's; None where it names none."""
    source = value.get("source")
    if isinstance(source, dict):  # JSON:API
        for key, prefix in (("pointer", ()), ("parameter", ("query",)), ("header", ("header",))):
            if isinstance(source.get(key), str):
                return (*prefix, *steps(source[key]))
    if "status" in value and "timestamp" in value:  # Spring's own, whose path is the request's
        return None
    for key in _WHERE:
        named = value.get(key)
        if isinstance(named, str) and named and len(named) <= 200 and " " not in named.strip():
            found = steps(named)
        elif key in _PATHS and isinstance(named, list) and named and all(map(_is_step, named)):
            found = tuple(_element(str(each)) for each in named[:16])
        else:
            continue
        location = next((value[each] for each in _LOCATION if isinstance(value.get(each), str)), "")
        return (location, *found) if location and location != (found[:1] or ("",))[0] else found
    return () if value.get("instancePath") == "" else None


def steps(text: str) -> Steps:
    """``/a/0/b``, ``#/a``, ``$.a[0].b``, ``a.b``, ``a[b]`` and ``query:a`` as steps."""
    part, colon, rest = text.partition(":")
    if colon and part in _PARTS:
        return (part, *steps(rest)) if ":" not in rest else ()
    text = text.strip().removeprefix("#").removeprefix("$").removeprefix(".")
    found = []
    for step in _STEP.finditer(text[:200]):
        index, quoted, bracketed, plain = step.groups()
        name = quoted or bracketed or plain or ""
        found.append("" if index is not None or step[0] == "[]" else _element(name))
    return tuple(found[:16])


def _is_step(value: object) -> bool:
    return isinstance(value, int) or (isinstance(value, str) and " " not in value)


def _element(step: str) -> str:
    return "" if _INDEX.fullmatch(step) else step


def _facts(value: Mapping[str, Any]) -> dict[str, Any]:
    """Limits that stand beside the text, or in an object of their own."""
    facts = {key: each for key, each in value.items() if isinstance(each, str | int | float | list)}
    for key in _FACTS:
        facts |= {name: each for name, each in _mapping(value.get(key)).items() if not isinstance(each, dict)}
    return {key: each for key, each in facts.items() if key in KNOWN_FACTS}


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


LEAST: Sequence[str] = ("ge", "gte", "min", "minimum", "min_value", "minValue", "minInclusive")
MOST: Sequence[str] = ("le", "lte", "max", "maximum", "max_value", "maxValue", "maxInclusive")
SHORTEST: Sequence[str] = ("min_length", "minLength", "min_items", "minItems")
LONGEST: Sequence[str] = ("max_length", "maxLength", "max_items", "maxItems")
WORDS: Sequence[str] = (
    "allowedValues",
    "valids",
    "options",
    "permitted",
    "enum",
    "choices",
    "enumValues",
    "allowed",
)
PATTERNS: Sequence[str] = ("pattern", "regex", "regexp")
NAMES: Sequence[str] = ("missingProperty", "missing_property")
KNOWN_FACTS = frozenset(
    (
        *(*LEAST, *MOST, *SHORTEST, *LONGEST, *WORDS, *PATTERNS, *NAMES),
        *("gt", "lt", "limit", "comparison", "inclusive", "expected", "format", "type", "code", "origin"),
        *("field_type", "keyword"),
    )
)
