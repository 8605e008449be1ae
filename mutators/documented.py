"""Requests that the service's own schema forbids, and what it does not mention."""

from collections.abc import Iterator
from random import Random

from mutators._contract import mutator
from mutators._hinted import Spot, edit_of, is_of_body, is_of_head, nodes_at, raw_json, spot_of
from mutators._json import document_of
from mutators._message import with_headers, with_method, with_target
from mutators.hinted import sized, units
from shadow.content import json
from shadow.content.entity import media_type, replace_body
from shadow.content.json import Kind
from shadow.content.query import Pair, query_of, with_query
from shadow.model import Edit, Expect, Hint, Known, Level, Request

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
"""HEAD, OPTIONS and TRACE are answered by frameworks for themselves."""
_MEDIA_TYPES = ("application/xml", "text/plain", "application/x-www-form-urlencoded", "application/json")
_OF_OTHER_TYPE = {
    "integer": ("shadow", b"[]", b"{}", b"1.5"),
    "number": ("shadow", b"[]", b"{}"),
    "boolean": ("shadow", b"[]", b"{}"),
    "string": (b"{}", b"[1]"),
    "array": (b"7", "shadow", b"true"),
    "object": (b"7", "shadow", b"[1]"),
}
"""Nothing that lenient readers turn into the type: no ``"5"`` for 5, and no 5 for ``"5"``."""


@mutator(level=Level.BODY, expect=Expect.REJECT, is_stated=False)
def beyond_documented_limit_in_body(request: Request, rng: Random, known: Known) -> Edit | None:
    """The service's schema gives the least and the greatest (JSON Schema Validation §6.2 to §6.4): what is
    beyond
    is invalid.
    """
    return edit_of(request, rng, known, _documented_of_body, _beyond)


@mutator(level=Level.TARGET, expect=Expect.REJECT, is_stated=False)
def beyond_documented_limit_in_parameter(request: Request, rng: Random, known: Known) -> Edit | None:
    """As in bodies: a parameter beyond the least or greatest that the schema gives (OpenAPI 3.1 §4.8.12)."""
    return edit_of(request, rng, known, _documented_of_head, _beyond)


@mutator(level=Level.BODY, expect=Expect.REJECT, is_stated=False)
def outside_documented_words(request: Request, rng: Random, known: Known) -> Edit | None:
    """The schema counts the values that are valid (JSON Schema Validation §6.1.2): others are not."""

    def values(hint: Hint, spot: Spot) -> Iterator[tuple[object, str]]:
        if hint.words and spot.kind in (None, Kind.STRING):
            for word in ("shadow-none-of-them", f"{hint.words[0]}{hint.words[-1]}x"):
                if word not in hint.words:
                    yield word, f"put {word!r:.40}, none of the documented words,"

    return edit_of(request, rng, known, lambda hint: hint.is_documented and bool(hint.words), values)


@mutator(level=Level.BODY, expect=Expect.REJECT, is_stated=False)
def undocumented_type_in_body(request: Request, rng: Random, known: Known) -> Edit | None:
    """A value of a type that the schema does not give, and that no lenient reader takes for it (JSON Schema
    Validation §6.1.1).
    """

    def values(hint: Hint, spot: Spot) -> Iterator[tuple[object, str]]:
        for value in _OF_OTHER_TYPE.get(hint.kind, ()) if spot.kind else ():
            yield value, f"put {raw_json(value).decode()} for the documented {hint.kind}"

    return edit_of(request, rng, known, _documented_of_body, values)


@mutator(level=Level.TARGET, expect=Expect.REJECT, is_stated=False)
def undocumented_type_in_parameter(request: Request, rng: Random, known: Known) -> Edit | None:
    """A word where the schema gives a number or a truth value (OpenAPI 3.1 §4.8.12)."""

    def values(hint: Hint, _spot: Spot) -> Iterator[tuple[object, str]]:
        if hint.kind in {"integer", "number", "boolean"}:
            yield "shadow", f"put a word for the documented {hint.kind}"

    return edit_of(request, rng, known, _documented_of_head, values)


@mutator(level=Level.BODY, expect=Expect.REJECT, is_stated=False)
def undocumented_null(request: Request, rng: Random, known: Known) -> Edit | None:
    """Null is a value of its own, which the schema does not allow there (OpenAPI 3.0 §4.7.24, nullable)."""

    def wanted(hint: Hint) -> bool:
        return _documented_of_body(hint) and bool(hint.kind) and hint.is_required and not hint.is_nullable

    def values(hint: Hint, spot: Spot) -> Iterator[tuple[object, str]]:
        if spot.kind not in (None, Kind.NULL):
            yield None, f"put null for the documented {hint.kind}"

    return edit_of(request, rng, known, wanted, values)


@mutator(level=Level.BODY, expect=Expect.REJECT, is_stated=False)
def documented_required_dropped(request: Request, rng: Random, known: Known) -> Edit | None:
    """Without a value that the schema requires (JSON Schema Validation §6.5.3, OpenAPI 3.1 §4.8.12)."""
    hints = [hint for hint in known.hints if hint.is_documented and hint.is_required]
    for hint in rng.sample(hints, min(len(hints), 8)):
        spot = spot_of(request, hint.place, rng, known)
        if spot is not None and spot.dropped is not None and (edited := spot.dropped()) != request:
            return Edit(edited, f"dropped the documented {hint.place}")
    return None


@mutator(level=Level.BODY, expect=Expect.REJECT, is_stated=False)
def undocumented_member(request: Request, rng: Random, known: Known) -> Edit | None:
    """The schema closes the object against further members (JSON Schema Core §10.3.2.3,
    additionalProperties)."""
    hints = [hint for hint in known.hints if hint.is_documented and hint.is_closed and is_of_body(hint)]
    document = document_of(request) if hints else None
    if document is None:
        return None
    for hint in rng.sample(hints, min(len(hints), 8)):
        nodes = [
            each for each in nodes_at(document, hint.place.removeprefix("body:")) if each.kind is Kind.OBJECT
        ]
        if nodes:
            text = json.add(document, rng.choice(nodes), b'"shadow_undocumented":1')
            return Edit(replace_body(request, text), f"added an undocumented member at {hint.place}")
    return None


@mutator(level=Level.TARGET, expect=Expect.REJECT, is_stated=False)
def undocumented_method(request: Request, rng: Random, known: Known) -> Edit | None:
    """A method that the schema does not give for the path: 405, 404 or 501 (RFC 9110 §15.5.6; WFC F210,
    hidden
    endpoints).
    """
    documented = known.documented
    if documented is None or request.method.decode("latin-1") not in documented.methods:
        return None
    others = [method for method in _METHODS if method not in documented.methods]
    if not others:
        return None
    method = rng.choice(others)
    return Edit(with_method(request, method.encode()), f"made the method {method}, which is not documented")


@mutator(level=Level.TARGET, expect=Expect.SURVIVE)
def undocumented_parameter(request: Request, rng: Random, known: Known) -> Edit | None:
    """A parameter that the schema does not mention is ignored or denied; debug switches answer to such names
    (CWE-489).
    """
    if known.documented is None:
        return None
    names = [name for name in _SWITCHES if name not in known.documented.parameters]
    held = {pair.key for pair in query_of(request.target)}
    free = [name for name in names if name.encode() not in held]
    if not free:
        return None
    name = rng.choice(free)
    pair = Pair(name.encode(), rng.choice((b"1", b"true", b"", b"shadow")))
    target = with_query(request.target, [*query_of(request.target), pair])
    return Edit(with_target(request, target), f"added the undocumented parameter {name!r}")


@mutator(level=Level.HEADER, expect=Expect.REJECT, is_stated=False)
def undocumented_media_type(request: Request, rng: Random, known: Known) -> Edit | None:
    """A body said to be of a type that the schema does not give: 415 or another refusal (RFC 9110
    §15.5.16)."""
    documented = known.documented
    stated = media_type(request.headers).decode("latin-1")
    if documented is None or not request.body or not stated or stated not in documented.media_types:
        return None
    if any("*" in each for each in documented.media_types):
        return None
    others = [each for each in _MEDIA_TYPES if each not in documented.media_types]
    if not others:
        return None
    kind = rng.choice(others)
    headers = tuple(
        (name, kind.encode() if name.lower() == b"content-type" else value) for name, value in request.headers
    )
    return Edit(with_headers(request, headers), f"said that the body is {kind}, which is not documented")


_SWITCHES = (
    "debug",
    "admin",
    "test",
    "verbose",
    "trace",
    "fields",
    "expand",
    "include",
    "format",
    "callback",
    "shadow",
)


def _documented_of_body(hint: Hint) -> bool:
    return hint.is_documented and is_of_body(hint)


def _documented_of_head(hint: Hint) -> bool:
    return hint.is_documented and is_of_head(hint)


def _beyond(hint: Hint, spot: Spot) -> Iterator[tuple[object, str]]:
    """Values just outside the documented limits."""
    if hint.minimum is not None and spot.kind in (None, Kind.NUMBER):
        value = hint.minimum if hint.is_above else hint.minimum - 1
        if value < hint.minimum or hint.is_above:  # one less than a float of 2^53 is itself
            yield value, f"put {value}, under the documented minimum {hint.minimum},"
    if hint.maximum is not None and spot.kind in (None, Kind.NUMBER):
        value = hint.maximum if hint.is_below else hint.maximum + 1
        if value > hint.maximum or hint.is_below:
            yield value, f"put {value}, over the documented maximum {hint.maximum},"
    for size, wanted in (
        (hint.min_size, (hint.min_size or 0) - 1),
        (hint.max_size, (hint.max_size or 0) + 1),
    ):
        made = sized(hint, spot, wanted) if size is not None else None
        if made is not None:
            yield made, f"put {wanted} {units(spot)}, beyond the documented {size},"
