"""Places in messages, as rules of correlation name them: ``"body:$.data.ref"``, ``"header:x-ticket"``."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from shadow.content import json
from shadow.content.cookie import crumbs
from shadow.content.entity import entity, replace_body
from shadow.content.query import decode, encode, join_target, split_target
from shadow.errors import ConfigError, nearest
from shadow.model import Request, Response, fields
from shadow.replay.evidence_markup import attributes_of, tags

_STEP = re.compile(r"""\.([^.\[\]"']+)|\[(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|(\d+)|(\*?))\]""")
_TAG = re.compile(r"""([A-Za-z][\w:.-]*)\[([\w:.-]+)=["']?([^"'\]]*)["']?\]""")
_IN_ANSWER = ("body", "header", "cookie", "html", "regex")
_IN_REQUEST = ("body", "header", "cookie", "query", "path")
_VALUES_MAX = 1000

type Step = str | int | None
"""A member, an element, or (None) all elements."""


class Place(msgspec.Struct, frozen=True):
    """One place, read from a text."""

    text: str
    part: str
    """``"body"``, ``"header"``, ``"cookie"``, ``"html"``, ``"regex"``, ``"query"``, ``"path"``."""
    name: str = ""
    """Of the field, cookie or parameter; the element's name in HTML; the pattern."""
    steps: tuple[Step, ...] = ()
    number: int = 0
    """Of the path's segment; the first is 1."""
    attribute: tuple[str, str] = ("", "")


def in_answer(text: str, key: str) -> Place:
    """A place of an answer, from which is taken. Raises ConfigError, which names `key`."""
    return _place(text, key, _IN_ANSWER)


def in_request(text: str, key: str) -> Place:
    """A place of a request, into which is put. Raises ConfigError, which names `key`."""
    return _place(text, key, _IN_REQUEST)


def taken(place: Place, response: Response) -> list[str]:
    """The texts at `place` of an answer, in order; none where it has no such place."""
    match place.part:
        case "header":
            return [value.decode("latin-1") for value in fields(response.headers, place.name.encode())]
        case "cookie":
            lines = fields(response.headers, b"set-cookie")
            pairs = [next(iter(crumbs(line)), b"").partition(b"=") for line in lines]
            return [
                value.strip(b' "').decode("latin-1")
                for name, _, value in pairs
                if name.strip().decode("latin-1") == place.name
            ]
    content = entity(response)
    if not content:
        return []
    match place.part:
        case "html":
            return list(_marked(place, content))
        case "regex":
            found = re.finditer(place.name, content.decode("utf-8", "replace"))
            return [
                each[1] for _, each in zip(range(_VALUES_MAX), found, strict=False) if each[1] is not None
            ]
    try:
        tree = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []
    return [_text(each) for each in _at(tree, place.steps)][:_VALUES_MAX]


def read(place: Place, request: Request) -> str | None:
    """The text at `place` of a request; None where it has no such place."""
    match place.part:
        case "header":
            value = next(fields(request.headers, place.name.encode()), None)
            return None if value is None else value.decode("latin-1")
        case "cookie":
            found = [value for name, value in _crumbs(request) if name == place.name]
            return found[0] if found else None
        case "path":
            segments = split_target(request.target)[1].split(b"/")
            at = place.number
            return _decoded(segments[at].replace(b"+", b"%2B")) if at < len(segments) else None
        case "query":
            query = split_target(request.target)[2] or b""
            return next((value for name, value in _pairs(query) if name == place.name), None)
    document = json.document(request)
    node = _node(document, place.steps) if document else None
    return None if document is None or node is None else _scalar(document, node)


def written(place: Place, request: Request, value: str) -> Request:
    """`request` with `value` at `place`, which it has."""
    match place.part:
        case "header":
            wanted = place.name.encode()
            raw = value.encode("latin-1", "replace")
            headers = tuple((k, raw if k.lower() == wanted else v) for k, v in request.headers)
            return msgspec.structs.replace(request, headers=headers)
        case "cookie":
            return msgspec.structs.replace(request, headers=tuple(_with_crumb(request, place.name, value)))
        case "path":
            authority, path, query = split_target(request.target)
            segments = path.split(b"/")
            segments[place.number] = encode(value.encode())
            return msgspec.structs.replace(request, target=join_target(authority, b"/".join(segments), query))
        case "query":
            authority, path, query = split_target(request.target)
            pairs = [
                name + b"=" + encode(value.encode()) if _decoded(name) == place.name else name + mark + raw
                for name, mark, raw in (pair.partition(b"=") for pair in (query or b"").split(b"&"))
            ]
            return msgspec.structs.replace(request, target=join_target(authority, path, b"&".join(pairs)))
    document = json.document(request)
    node = _node(document, place.steps) if document else None
    if document is None or node is None:
        return request
    is_number = node.kind is json.Kind.NUMBER and re.fullmatch(r"-?\d+", value)
    raw = value.encode() if is_number else json.quote(value)
    return replace_body(request, json.replace(document, node, raw))


def _place(text: str, key: str, parts: tuple[str, ...]) -> Place:
    part, colon, rest = text.partition(":")
    if part not in parts or not rest:
        hint = nearest(part, parts) if colon else ""
        begins = ", ".join(f"{each}:" for each in parts)
        raise ConfigError(f"{key} is {text!r}, which is no place{hint}; begin it with one of {begins}")
    match part:
        case "body":
            return Place(text, part, steps=_steps(rest, text, key))
        case "header":
            return Place(text, part, rest.lower())
        case "path":
            if not rest.isdigit() or not 1 <= int(rest) <= 64:
                raise ConfigError(f"{key} is {text!r}: number the path's segments from 1, as in 'path:2'")
            return Place(text, part, number=int(rest))
        case "html":
            found = _TAG.fullmatch(rest)
            if found is None:
                raise ConfigError(f"{key} is {text!r}: write it as 'html:input[name=csrf]'")
            return Place(text, part, found[1].lower(), attribute=(found[2].lower(), found[3]))
        case "regex":
            try:
                groups = re.compile(rest).groups
            except re.error as error:
                raise ConfigError(f"{key} is {text!r}, which is no regular expression: {error}") from error
            if groups != 1:
                raise ConfigError(
                    f"{key} is {text!r}: exactly one group must mark what is taken, not {groups}"
                )
    return Place(text, part, rest)


def _steps(path: str, text: str, key: str) -> tuple[Step, ...]:
    """``$.a["b.c"][0][]``."""
    steps: list[Step] = []
    at = 1
    while path.startswith("$") and at < len(path):
        found = _STEP.match(path, at)
        if found is None:
            break
        name = found[1] or found[2] or found[3]
        steps.append(name if name is not None else int(found[4]) if found[4] else None)
        at = found.end()
    if not path.startswith("$") or at != len(path) or not steps:
        raise ConfigError(
            f"{key} is {text!r}: write the path as '$.data.ref', '$.items[].id' or '$[\"a.b\"]'"
        )
    return tuple(steps)


def _at(tree: Any, steps: tuple[Step, ...]) -> Iterator[Any]:
    if not steps:
        yield tree
        return
    step, rest = steps[0], steps[1:]
    if isinstance(step, str) and isinstance(tree, dict) and step in tree:
        yield from _at(tree[step], rest)
    elif isinstance(tree, list) and not isinstance(step, str):
        for each in tree if step is None else tree[step : step + 1]:
            yield from _at(each, rest)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if isinstance(value, dict | list) else str(value)


def _marked(place: Place, content: bytes) -> Iterator[str]:
    name, wanted = place.attribute
    for raw, text in tags(content, place.name.encode()):
        known = attributes_of(raw)
        if known.get(name) == wanted:
            yield known.get("value") or known.get("content") or text.decode("utf-8", "replace").strip()


def _node(document: json.Document, steps: tuple[Step, ...]) -> json.Node | None:
    """The node at `steps`; where they lead to several, the first."""
    node = document.root
    for step in steps:
        children = document.children(node)
        if isinstance(step, str):
            keys = [json.text_of(key) for key in document.keys(node)] if node.kind is json.Kind.OBJECT else []
            if step not in keys:
                return None
            node = children[keys.index(step)]
        elif node.kind is json.Kind.ARRAY and (step or 0) < len(children):
            node = children[step or 0]
        else:
            return None
    return node


def _scalar(document: json.Document, node: json.Node) -> str | None:
    if node.kind is json.Kind.STRING:
        return json.text_of(document.raw(node))
    return document.raw(node).decode("latin-1") if node.kind is json.Kind.NUMBER else None


def _pairs(query: bytes) -> Iterator[tuple[str, str]]:
    for pair in query.split(b"&"):
        name, _, value = pair.partition(b"=")
        yield _decoded(name), _decoded(value)


def _decoded(raw: bytes) -> str:
    return decode(raw).decode("utf-8", "surrogateescape")


def _crumbs(request: Request) -> Iterator[tuple[str, str]]:
    for line in fields(request.headers, b"cookie"):
        for crumb in crumbs(line):
            name, _, value = crumb.partition(b"=")
            yield name.strip().decode("latin-1"), value.strip(b' "').decode("latin-1")


def _with_crumb(request: Request, name: str, value: str) -> Iterator[tuple[bytes, bytes]]:
    for key, line in request.headers:
        if key.lower() != b"cookie":
            yield key, line
            continue
        pieces = []
        for crumb in line.split(b";"):
            own, mark, _ = crumb.partition(b"=")
            is_it = own.strip().decode("latin-1") == name
            pieces.append(own + mark + value.encode("latin-1", "replace") if is_it else crumb)
        yield key, b";".join(pieces)
