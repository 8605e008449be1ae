"""JSON Schema, as OpenAPI 2.0 to 3.1 use it, to hints: typed limits of each value by its place."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import msgspec

from shadow.content.json import member_step
from shadow.model import Hint
from shadow.schema.references import References

MAX_HINTS = 256
"""Of one operation."""
_MAX_DEPTH = 6
_MAX_STEPS = 4_000
"""Schemas that are looked at for one value."""
_MAX_WORDS = 64
_MAX_WORD_CHARACTERS = 256
_KINDS = frozenset({"integer", "number", "string", "boolean", "array", "object"})


def hints_at(
    schema: Any, place: str, references: References, *, is_required: bool = False, is_sure: bool = True
) -> list[Hint]:
    """The hints of a value at `place` and of all within it, at most `MAX_HINTS`.

    `is_sure` is False where the value may be of another schema instead.
    """
    found: list[Hint] = []
    walker = _Walker(references)
    for hint in walker.walk(schema, place, is_required=is_required, is_sure=is_sure, depth=0):
        found.append(hint)
        if len(found) >= MAX_HINTS:
            break
    return found


class _Walker:
    """Goes through one schema, so far as its budget carries: alternatives of alternatives are very many."""

    def __init__(self, references: References) -> None:
        self._references = references
        self._left = _MAX_STEPS

    def walk(
        self, schema: Any, place: str, *, is_required: bool, is_sure: bool, depth: int
    ) -> Iterator[Hint]:
        """The hints of a value at `place` and of all within it."""
        if depth > _MAX_DEPTH or self._left <= 0:
            return
        whole, variants = self._merged(schema, 0)
        if len(variants) == 1:
            inner, more = self._merged(variants[0], 0)
            whole, variants = _both(whole, inner), more
        if whole.get("readOnly") is True:
            return
        hint = _hint(whole, place, is_required=is_required, is_sure=is_sure and not variants)
        if hint is not None:
            yield hint
        inside = partial(self.walk, is_sure=is_sure and not variants, depth=depth + 1)
        names = set(filter(_is_text, _items(whole.get("required"))))
        for key, value in _mapping(whole.get("properties")).items():
            yield from inside(value, f"{place}{member_step(str(key))}", is_required=key in names)
        if "items" in whole:
            yield from inside(whole["items"], f"{place}[]", is_required=False)
        for variant in variants[:8]:
            yield from self.walk(variant, place, is_required=False, is_sure=False, depth=depth + 1)

    def _merged(self, schema: Any, depth: int) -> tuple[dict[str, Any], list[Any]]:
        """A schema with its ``allOf`` laid into it, and its alternatives, without the one that is null."""
        self._left -= 1
        whole = dict(self._references.resolve(schema))
        variants: list[Any] = []
        for key in ("oneOf", "anyOf"):
            for each in _items(whole.pop(key, None)):
                if self._references.resolve(each).get("type") == "null":
                    whole["nullable"] = True
                else:
                    variants.append(each)
        for part in _items(whole.pop("allOf", None)):
            if depth >= _MAX_DEPTH or self._left <= 0:
                break
            inner, more = self._merged(part, depth + 1)
            whole = _both(inner, whole)
            variants += more
        return whole, variants


def _both(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Two schemas of one value; where they differ, the second's word."""
    both = {**one, **other}
    if "properties" in one and "properties" in other:
        both["properties"] = {**_mapping(one["properties"]), **_mapping(other["properties"])}
        if one.get("additionalProperties") is False or other.get("additionalProperties") is False:
            both.pop("additionalProperties", None)  # alone each forbids what the other has
    if isinstance(one.get("required"), list) and isinstance(other.get("required"), list):
        both["required"] = [*one["required"], *other["required"]]
    return both


def _hint(schema: Mapping[str, Any], place: str, *, is_required: bool, is_sure: bool) -> Hint | None:
    """What is said of the value itself; None where that is nothing."""
    kind, is_nullable = _type(schema)
    words = _words(schema)
    minimum, is_above = _bound(schema, "minimum", "exclusiveMinimum")
    maximum, is_below = _bound(schema, "maximum", "exclusiveMaximum")
    sizes = ("minItems", "maxItems") if kind == "array" else ("minLength", "maxLength")
    pattern, form = schema.get("pattern"), schema.get("format")
    is_closed = schema.get("additionalProperties") is False or schema.get("unevaluatedProperties") is False
    hint = Hint(
        place,
        kind,
        minimum,
        maximum,
        is_above,
        is_below,
        _size(schema.get(sizes[0])),
        _size(schema.get(sizes[1])),
        pattern[:500] if isinstance(pattern, str) else "",
        form[:64] if isinstance(form, str) else "",
        words,
        is_required,
        is_nullable or _has_null(schema),
        is_closed and kind in ("", "object"),
        is_documented=is_sure,
    )
    return None if msgspec.structs.replace(hint, is_documented=False) == Hint(place) else hint


def _type(schema: Mapping[str, Any]) -> tuple[str, bool]:
    """The type, empty where there are several, and whether null is one."""
    stated = schema.get("type")
    types = [stated] if isinstance(stated, str) else stated if isinstance(stated, list) else []
    kinds = [each for each in types if isinstance(each, str) and each in _KINDS]
    is_nullable = schema.get("nullable") is True or schema.get("x-nullable") is True or "null" in types
    if not kinds and not types:
        kinds = ["object"] if "properties" in schema else ["array"] if "items" in schema else []
    return (kinds[0] if len(kinds) == 1 else ""), is_nullable


def _words(schema: Mapping[str, Any]) -> tuple[str, ...]:
    listed = schema.get("enum") if isinstance(schema.get("enum"), list) else None
    listed = [schema["const"]] if listed is None and "const" in schema else listed or []
    words = [_text(each) for each in listed if isinstance(each, str | int | float | bool)]
    return (
        tuple(word for word in words if len(word) <= _MAX_WORD_CHARACTERS) if len(words) <= _MAX_WORDS else ()
    )


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _has_null(schema: Mapping[str, Any]) -> bool:
    return isinstance(schema.get("enum"), list) and None in schema["enum"]


def _bound(schema: Mapping[str, Any], name: str, exclusive: str) -> tuple[float | None, bool]:
    """The bound and whether it is itself refused: a flag up to 3.0, a number of its own since 3.1."""
    bound, own = schema.get(name), schema.get(exclusive)
    if _is_number(own):
        return _whole(own), True
    return (_whole(bound), own is True) if _is_number(bound) else (None, False)


def _whole(number: Any) -> float:
    """An int where the number is whole: generators write ``100.0``."""
    return int(number) if float(number).is_integer() and abs(number) < 1e15 else number


def _size(value: object) -> int | None:
    return (
        int(value) if isinstance(value, int | float) and _is_number(value) and 0 <= value < 1 << 40 else None
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _items(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
