"""A request's body, from its bytes to JSON that is safe to look at."""

import gzip
import json
import zlib
from collections.abc import Iterator
from typing import Any, Never

from aiohttp import web

from shadow.demo.vmctl.bugs import Bugs
from shadow.demo.vmctl.problems import Problem, Unprocessable

MAX_BODY_BYTES = 1 << 20
MAX_DEPTH = 32
_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii"})


def read_object(request: web.Request, body: bytes, bugs: Bugs) -> dict[str, Any]:
    """The JSON object that `body` is. Raises Problem 413, 415, or 422."""
    if request.content_type != "application/json":
        raise Problem(415, "unsupported_media_type", "send application/json")
    text = _decode(_uncoded(body, request.headers.get("Content-Encoding", ""), bugs), request, bugs)
    document = _parse(text, bugs)
    _check_depth(document, bugs)
    if not isinstance(document, dict):
        raise Unprocessable([("$", "must be an object")])
    return document


def _uncoded(body: bytes, coding: str, bugs: Bugs) -> bytes:
    match coding.strip().lower():
        case "" | "identity":
            return body
        case "gzip" | "x-gzip" if bugs.has("B31"):
            return gzip.decompress(body)
        case "gzip" | "x-gzip":
            return _inflated(body, zlib.MAX_WBITS | 16)
        case "deflate":
            return _inflated(body, zlib.MAX_WBITS)
        case _:
            raise Problem(
                415, "unsupported_media_type", "no such content coding", {"Accept-Encoding": "gzip, deflate"}
            )


def _inflated(body: bytes, window_bits: int) -> bytes:
    inflater = zlib.decompressobj(window_bits)
    try:
        plain = inflater.decompress(body, MAX_BODY_BYTES)
    except zlib.error:
        raise Unprocessable([("$", "the content coding is broken")]) from None
    if inflater.unconsumed_tail:
        raise Problem(413, "content_too_large", "the body is too large")
    if not inflater.eof or inflater.unused_data:
        raise Unprocessable([("$", "the content coding is broken")])
    return plain


def _decode(body: bytes, request: web.Request, bugs: Bugs) -> str:
    charset = request.charset or "utf-8"
    if charset.lower() not in _CHARSETS and not bugs.has("B30"):
        raise Problem(415, "unsupported_media_type", "send UTF-8")
    try:
        return body.decode(charset)
    except UnicodeError:
        raise Unprocessable([("$", "not UTF-8")]) from None


def _parse(text: str, bugs: Bugs) -> Any:
    try:
        if bugs.has("B28"):
            return json.loads(text, object_pairs_hook=_unique)
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_finite)
    except RecursionError:
        if bugs.has("B25"):
            raise
        raise Unprocessable([("$", "nested too deeply")]) from None
    except ValueError:
        raise Unprocessable([("$", "not JSON")]) from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise Unprocessable([("$", "a member is given twice")])
    return document


def _refuse(constant: str) -> Never:
    raise ValueError(constant)


def _finite(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise ValueError(digits)
    return number


def _check_depth(document: Any, bugs: Bugs) -> None:
    if bugs.has("B25"):
        _measure(document)
        return
    level, depth = [document], 0
    while level:
        if depth > MAX_DEPTH:
            raise Unprocessable([("$", "nested too deeply")])
        level = [child for node in level for child in _children(node)]
        depth += 1


def _measure(node: Any) -> int:
    return 1 + max((_measure(child) for child in _children(node)), default=0)


def _children(node: Any) -> Iterator[Any]:
    match node:
        case dict():
            yield from node.values()
        case list():
            yield from node
