"""What hints are put to use with: the value in a request that a hint speaks of, and the request with
another."""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from random import Random

import msgspec

from mutators._json import document_of
from mutators._message import editable, with_headers, with_target
from shadow.content import json
from shadow.content.cookie import crumbs, join, name_of
from shadow.content.entity import replace_body
from shadow.content.form import form_of, with_form
from shadow.content.json import Document, Kind, Node
from shadow.content.query import Pair, decode, encode, query_of, split_target, with_path, with_query
from shadow.model import Edit, Hint, Known, Request

MAX_SIZE = 100_000
"""Characters or bytes that a mutant may grow by: a limit beyond is not crossed."""
_TRIES = 12
_STEP = re.compile(r"\[\]|\.([^.\[\]]+)|\[(\"(?:[^\"\\]|\\.)*\")\]")


class Spot(msgspec.Struct, frozen=True):
    """One value of a request."""

    text: str
    """The value as text; of JSON that is no string the raw value."""
    put: Callable[[object], Request]
    """The request with another value: text, number, truth value, None, or bytes of raw JSON."""
    dropped: Callable[[], Request] | None
    """The request without it; None where it cannot be left out."""
    kind: Kind | None = None
    """Of JSON alone."""
    first: bytes = b""
    """Of a JSON array the first element, raw."""


type Values = Callable[[Hint, Spot], Iterable[tuple[object, str]]]
"""What may be put in the place of a value, each with what that is."""


def edit_of(
    request: Request,
    rng: Random,
    known: Known,
    wanted: Callable[[Hint], bool],
    values: Values,
) -> Edit | None:
    """An edit that puts one of `values` where a hint that is `wanted` speaks of; None where there is none."""
    hints = [hint for hint in known.hints if wanted(hint)]
    for hint in rng.sample(hints, min(len(hints), _TRIES)):
        spot = spot_of(request, hint.place, rng, known)
        offered = list(values(hint, spot)) if spot else []
        if spot is None or not offered:
            continue
        value, what = rng.choice(offered)
        edited = spot.put(value)
        if edited != request:
            return Edit(edited, f"{what} at {hint.place}")
    return None


def spot_of(request: Request, place: str, rng: Random, known: Known) -> Spot | None:
    """The value at a hint's place; None where the request has none, or it must not be edited as such."""
    part, _, name = place.partition(":")
    match part:
        case "body" if name.startswith("$"):
            return _in_json(request, name, rng)
        case "body":
            return _in_form(request, name)
        case "query":
            return _in_query(request, name)
        case "path":
            return _in_path(request, name)
        case "header":
            return _in_header(request, name, known)
        case "cookie":
            return _in_cookie(request, name)
    return None


def is_of_body(hint: Hint) -> bool:
    """Whether a hint speaks of the body."""
    return hint.place.startswith("body:")


def is_of_head(hint: Hint) -> bool:
    """Whether a hint speaks of a parameter, a field or a cookie."""
    return not hint.place.startswith(("body:", "graphql:"))


def nodes_at(document: Document, place: str) -> Iterator[Node]:
    """The nodes at a place of JSON, ``$.a[].b``, at most the first ones of each array."""
    return _down(document, document.root, steps_of(place))


@lru_cache(4096)
def steps_of(place: str) -> tuple[bytes, ...]:
    """The raw keys on the way; empty for any element."""
    return tuple(
        b""
        if found[0] == "[]"
        else json.quote(found[1])
        if found[1]
        else found[2].encode("utf-8", "surrogatepass")
        for found in _STEP.finditer(place.removeprefix("$"))
    )


def _down(document: Document, node: Node, steps: tuple[bytes, ...]) -> Iterator[Node]:
    if not steps:
        yield node
        return
    step, *rest = steps
    if not step and node.kind is Kind.ARRAY:
        inner: Iterable[Node] = document.children(node)[:8]
    elif step and node.kind is Kind.OBJECT:
        inner = (child for child in document.children(node) if document.raw_key(child) == step)
    else:
        return
    for child in inner:
        yield from _down(document, child, tuple(rest))


def _in_json(request: Request, place: str, rng: Random) -> Spot | None:
    document = document_of(request)
    found = list(nodes_at(document, place)) if document else []
    if document is None or not found:
        return None
    node = rng.choice(found)
    raw = document.raw(node)
    text = json.text_of(raw) if node.kind is Kind.STRING else raw.decode("utf-8", "replace")
    first = (
        document.raw(document.nodes[node.children[0]]) if node.kind is Kind.ARRAY and node.children else b""
    )

    def put(value: object) -> Request:
        text = json.replace(document, node, raw_json(value))
        return request if text == document.text else replace_body(request, text)

    def dropped() -> Request:
        return replace_body(request, json.drop(document, node))

    return Spot(text, put, dropped if node.parent >= 0 else None, node.kind, first)


def _in_form(request: Request, name: str) -> Spot | None:
    pairs = form_of(request) or []
    return _in_pairs(pairs, name, lambda new: request if new == pairs else with_form(request, new))


def _in_query(request: Request, name: str) -> Spot | None:
    pairs = query_of(request.target)
    return _in_pairs(pairs, name, lambda new: with_target(request, with_query(request.target, new)))


def _in_pairs(pairs: list[Pair], name: str, made: Callable[[list[Pair]], Request]) -> Spot | None:
    wanted = name.encode("utf-8", "surrogatepass")
    at = next((at for at, pair in enumerate(pairs) if pair.key == wanted), None)
    if at is None:
        return None
    text = decode(pairs[at].value or b"").decode("utf-8", "replace")

    def put(value: object) -> Request:
        return made([*pairs[:at], Pair(pairs[at].name, encode(as_text(value))), *pairs[at + 1 :]])

    return Spot(text, put, lambda: made([*pairs[:at], *pairs[at + 1 :]]))


def _in_path(request: Request, number: str) -> Spot | None:
    _, path, _ = split_target(request.target)
    words = path.split(b"/")
    last = len(words) - (1 if words[-1] else 2)
    at = last + 1 - int(number[1:]) if number[:1] == "-" and number[1:].isdecimal() else 0
    if not path.startswith(b"/") or not 0 < at <= last or not words[at]:
        return None

    def put(value: object) -> Request:
        word = encode(as_text(value)) or b"%20"
        return with_target(
            request, with_path(request.target, b"/".join([*words[:at], word, *words[at + 1 :]]))
        )

    return Spot(decode(words[at]).decode("utf-8", "replace"), put, None)


def _in_header(request: Request, name: str, known: Known) -> Spot | None:
    wanted = name.encode("latin-1", "replace")
    at = next((at for at in editable(request, known) if request.headers[at][0].lower() == wanted), None)
    if at is None:
        return None
    before, line, after = request.headers[:at], request.headers[at], request.headers[at + 1 :]

    def put(value: object) -> Request:
        said = as_text(value).translate(None, b"\x00\r\n")
        return with_headers(request, (*before, (line[0], said), *after))

    return Spot(line[1].decode("latin-1"), put, lambda: with_headers(request, (*before, *after)))


def _in_cookie(request: Request, name: str) -> Spot | None:
    wanted = name.encode("latin-1", "replace")
    for at, (field, value) in enumerate(request.headers):
        pieces = crumbs(value) if field.lower() == b"cookie" else []
        chosen = next((number for number, piece in enumerate(pieces) if name_of(piece) == wanted), None)
        if chosen is not None:
            return _crumb(request, at, pieces, chosen)
    return None


def _crumb(request: Request, at: int, pieces: list[bytes], chosen: int) -> Spot:
    name, _, value = pieces[chosen].partition(b"=")

    def put(new: object) -> Request:
        crumb = name + b"=" + as_text(new).translate(None, b"\x00\r\n;")
        line = (request.headers[at][0], join([*pieces[:chosen], crumb, *pieces[chosen + 1 :]]))
        return with_headers(request, (*request.headers[:at], line, *request.headers[at + 1 :]))

    return Spot(value.decode("latin-1"), put, None)


def raw_json(value: object) -> bytes:
    """A value as raw JSON; bytes are raw already."""
    match value:
        case bytes():
            return value
        case str():
            return json.quote(value)
        case None:
            return b"null"
        case bool():
            return b"true" if value else b"false"
    return b"%b" % str(value).encode()


def as_text(value: object) -> bytes:
    """A value as parameters and forms have it."""
    if isinstance(value, bytes):
        return value
    return (
        raw_json(value)
        if value is None or isinstance(value, bool)
        else str(value).encode("utf-8", "surrogatepass")
    )
