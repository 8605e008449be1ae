"""What refusals tell of the values that a service takes: names, types, limits, choices, which must be
there."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import orjson

from shadow.content import json
from shadow.content.complaint_shapes import (
    LEAST,
    LONGEST,
    MOST,
    NAMES,
    PATTERNS,
    SHORTEST,
    WORDS,
    Remark,
    Steps,
    of_text,
    remarks,
    steps,
)
from shadow.content.complaint_text import said
from shadow.content.entity import entity, media_type
from shadow.content.form import form_of
from shadow.content.query import query_of
from shadow.model import Hint, Request, Response

MAX_HINTS = 48
"""Of one refusal."""
_MAX_BYTES = 64 * 1024
_MAX_TEXT_BYTES = 2_000
"""Of a refusal that is no JSON: longer ones are pages."""
_SILENT = frozenset({401, 403, 407, 408, 421, 425, 426, 429})
"""What is refused so tells of no value."""
_BODY = frozenset({"body", "json", "data", "requestbody", "request_body", "payload", "json_body"})
_ELSEWHERE = {
    "query": "query",
    "querystring": "query",
    "params": "query",
    "header": "header",
    "headers": "header",
    "cookie": "cookie",
    "cookies": "cookie",
    "form": "form",
    "formdata": "form",
    "path": "path",
    "uri": "path",
}
_KINDS = {
    **{kind: kind for kind in ("integer", "number", "string", "boolean", "array", "object")},
    "int": "integer",
    "float": "number",
    "bool": "boolean",
    "list": "array",
    "set": "array",
    "dict": "object",
    "int_parsing": "integer",
    "int_type": "integer",
    "float_parsing": "number",
    "string_type": "string",
    "bool_parsing": "boolean",
    "list_type": "array",
    "dict_type": "object",
    "List": "array",
}
_SELECTED = re.compile(r"Cannot query field|Unknown argument|Field '|Unknown type|Field \"")
"""GraphQL, of what stands in the query itself."""
_VARIABLE = re.compile(
    r"""Variable ['"]\$(\w+)['"](?:[^;]{0,300} at ['"](\w[\w.]{0,100})['"])?"""
    r"""(?:[^;]{0,300}; Field ['"](\w+)['"] of required)?"""
)
_MAX_NAME = 64
_MAX_WORDS = 32
_MAX_WORD_CHARACTERS = 128


def is_complaint(response: Response) -> bool:
    """Whether an answer may say what is wrong with its request. GraphQL and JSON-RPC do so with 200."""
    if 400 <= response.status < 500:
        return response.status not in _SILENT and 0 < len(response.body) <= _MAX_BYTES
    return response.status == 200 and b'"error' in response.body[:64]


def hints_of(request: Request, response: Response) -> tuple[Hint, ...]:
    """What the answer tells of the values of `request`, or of values that it lacks, at most `MAX_HINTS`.

    Nothing for what is no refusal, or says nothing that is understood. Never raises.
    """
    if not is_complaint(response):
        return ()
    lookup = _Lookup(request)
    found: dict[Hint, None] = {}
    for remark in _remarks(response):
        for hint in _hints(remark, lookup):
            found[hint] = None
            if len(found) >= MAX_HINTS:
                return tuple(found)
    return tuple(found)


def _remarks(response: Response) -> list[Remark]:
    body = entity(response)
    if not body or len(body) > _MAX_BYTES:
        return []
    if body.lstrip()[:1] in (b"{", b"[", b'"'):
        try:
            return remarks(orjson.loads(body))
        except orjson.JSONDecodeError:
            return []
    kind = media_type(response.headers)
    if len(body) > _MAX_TEXT_BYTES or body.lstrip()[:1] == b"<" or kind not in (b"", b"text/plain"):
        return []
    return list(of_text(body.decode("utf-8", "replace")))


def _hints(remark: Remark, lookup: "_Lookup") -> Iterator[Hint]:
    heard = said(remark.text)
    hint = _with_facts(heard.hint, remark)
    where = remark.where
    if _SELECTED.match(remark.text):
        yield from (Hint(f"graphql:{name}") for name in heard.names)
        return
    if variable := _VARIABLE.match(remark.text):
        path = ("variables", *(variable[2] or variable[1]).split("."), *filter(None, (variable[3],)))
        words = heard.names if "enum" in remark.text else ()
        told = msgspec.structs.replace(hint, words=words, place="body:$" + "".join(map(_step, path)))
        if told != Hint(told.place):
            yield told
        return
    if heard.name and (not where or where[-1] in _BODY or (where[0] in _BODY and len(where) == 1)):
        where = (*where, *steps(heard.name))
    for name in heard.names:
        yield from _placed(Hint(""), lookup.of((*where[:-1], name) if where else (name,)))
    for name in (remark.facts[key] for key in NAMES if key in remark.facts):
        if isinstance(name, str):
            yield from _placed(Hint("", is_required=True), lookup.of((*remark.where, *steps(name))))
            return
    if hint != Hint("") and where:
        yield from _placed(hint, lookup.of(where))


def _placed(hint: Hint, place: str) -> Iterator[Hint]:
    if place:
        yield msgspec.structs.replace(hint, place=place)


def _with_facts(hint: Hint, remark: Remark) -> Hint:
    """`hint` with what stands beside the text as data, which wins."""
    facts = remark.facts
    if not facts:
        return hint
    told: dict[str, Any] = {}
    kind = next(
        (
            _KINDS[facts[key]]
            for key in ("type", "origin", "expected", "code", "field_type")
            if _is_kind(facts, key)
        ),
        "",
    )
    about = (
        f"{facts.get('type', '')} {facts.get('code', '')} {facts.get('keyword', '')} {remark.text}".lower()
    )
    is_size = kind in {"string", "array"} or any(
        w in about for w in ("length", "too_long", "too_short", "character", "items", "string.m", "array.m")
    )
    least, most = _number(facts, LEAST), _number(facts, MOST)
    shortest, longest = _number(facts, SHORTEST), _number(facts, LONGEST)
    limit = _number(facts, ("limit",))
    if limit is not None:
        sign = facts.get("comparison", "")
        is_most = sign in {"<=", "<"} or (not sign and ("max" in about or "less" in about))
        is_least = sign in {">=", ">"} or (not sign and ("min" in about or "greater" in about))
        least, most = limit if is_least else least, limit if is_most else most
    if is_size:
        shortest, longest = shortest if least is None else least, longest if most is None else most
        least = most = None
    is_open = facts.get("inclusive") is False or facts.get("comparison") in {"<", ">"}
    above, below = _number(facts, ("gt",)), _number(facts, ("lt",))
    if above is not None or least is not None:
        told |= {"minimum": least if above is None else above, "is_above": above is not None or is_open}
    if below is not None or most is not None:
        told |= {"maximum": most if below is None else below, "is_below": below is not None or is_open}
    if shortest is not None:
        told["min_size"] = int(shortest)
    if longest is not None:
        told["max_size"] = int(longest)
    if kind and not hint.words:
        told["kind"] = kind
    if pattern := next((facts[key] for key in PATTERNS if isinstance(facts.get(key), str)), ""):
        told["pattern"] = pattern[:200]
    if isinstance(facts.get("format"), str):
        told["form"] = facts["format"][:32]
    words: list[object] = next((facts[key] for key in WORDS if isinstance(facts.get(key), list)), [])
    if words:
        told["words"] = tuple(
            str(each)[:_MAX_WORD_CHARACTERS]
            for each in words[:_MAX_WORDS]
            if isinstance(each, str | int | float)
        )
    return msgspec.structs.replace(hint, **told)


def _is_kind(facts: Mapping[str, Any], key: str) -> bool:
    return isinstance(facts.get(key), str) and facts[key] in _KINDS


def _number(facts: Mapping[str, Any], keys: tuple[str, ...] | Any) -> float | None:
    for key in keys:
        value = facts.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e18:
            return int(value) if float(value).is_integer() else value
    return None


class _Lookup:
    """Where in a request a value of some name stands, or would stand."""

    def __init__(self, request: Request) -> None:
        self._query = {
            _folded(pair.key.decode("utf-8", "replace")): pair.key for pair in query_of(request.target)
        }
        pairs = form_of(request)
        self._form = (
            None
            if pairs is None
            else {_folded(pair.key.decode("utf-8", "replace")): pair.key for pair in pairs}
        )
        document = json.document(request) if request.body else None
        self._members: dict[str, list[str]] = {}
        self._is_json = b"json" in media_type(request.headers)
        if document is not None and document.root.kind in {json.Kind.OBJECT, json.Kind.ARRAY}:
            self._is_json = True
            for node in document.nodes[:500]:
                if node.key_start >= 0:
                    key = _folded(json.text_of(document.raw_key(node)))
                    place = json.place(document, node)
                    if place not in self._members.setdefault(key, []):
                        self._members[key].append(place)

    def of(self, where: Steps) -> str:
        """The place; empty where that cannot be told."""
        if not where or any(len(step) > _MAX_NAME for step in where):
            return ""
        first = where[0].lower()
        if len(where) > 1 and first in _ELSEWHERE:
            return self._elsewhere(_ELSEWHERE[first], where[-1])
        if len(where) > 1 and first in _BODY:
            return self._in_body(where[1:]) or self._in_body(where)
        last = where[-1]
        if len(where) == 1 and (name := self._query.get(_folded(last))) is not None:
            return f"query:{name.decode('utf-8', 'replace')}"
        if place := self._in_body(where):
            return place
        return f"query:{last}" if len(where) == 1 and last else ""

    def _elsewhere(self, part: str, name: str) -> str:
        if not name or part == "path":
            return ""
        if part == "form":
            return f"body:{name}"
        return f"{part}:{name.lower() if part == 'header' else name}"

    def _in_body(self, where: Steps) -> str:
        if self._form is not None:
            name = self._form.get(_folded(where[-1]))
            return (
                f"body:{where[-1] if name is None else name.decode('utf-8', 'replace')}" if where[-1] else ""
            )
        if not self._is_json:
            return ""
        stated = "$" + "".join(_step(step) for step in where)
        held = self._members.get(_folded(where[-1]), [])
        if stated in held or not where[-1]:
            return f"body:{stated}"
        alike = [place for place in held if _folded(place) == _folded(stated)]
        if alike or len(held) == 1:
            return f"body:{(alike or held)[0]}"
        return f"body:{stated}"


def _step(step: str) -> str:
    return json.member_step(step) if step else "[]"


def _folded(name: str) -> str:
    """A name without letter case and separators: Go and .NET tell the field's name in the program."""
    return name.replace("_", "").replace("-", "").lower()
