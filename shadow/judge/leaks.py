"""What an answer's body gives away: inner details that are meant for no one outside, broken JSON."""

import re
from functools import lru_cache
from itertools import islice
from urllib.parse import unquote_to_bytes

import msgspec
import orjson

from shadow.content import json
from shadow.content.coding import Fault
from shadow.content.entity import media_type, undone
from shadow.judge.leak_shapes import LEAK_SHAPES, Leak
from shadow.model import Request, Response
from shadow.wire.grpc_status import call_message, is_call

_SCANNED_BYTES = 256 * 1024
_PARTIAL = 206
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_MAX_TRIED = 8
"""Places of one shape in a body that are held against what the request said."""
_MAX_SHOWN = 200


class Shown(msgspec.Struct, frozen=True):
    """An inner detail in an answer."""

    leak: Leak
    text: bytes
    """The beginning of it, as it stands there."""


def leak(answer: Response, *known: Response | None, request: Request | None = None) -> Shown | None:
    """The worst inner detail that `answer` shows; None for nothing.

    What answers `known` to be good show of the same kind is none, nor is what `request` said itself.
    """
    found = _shown(_scanned(answer))
    if not found:
        return None
    usual = {each.leak for other in known if other is not None for each in _shown(_scanned(other))}
    said = b"" if request is None else _said(request)
    for each in found:
        if each.leak not in usual and each.text not in said:
            return each
    return None


@lru_cache(maxsize=256)  # most answers are as others were
def _shown(body: bytes) -> tuple[Shown, ...]:
    """Every kind of inner detail in `body`, the worst first; of each the first few."""
    found: list[Shown] = []
    for shape in LEAK_SHAPES:
        if any(literal in body for literal in shape.literals):
            matches = islice(shape.pattern.finditer(body), _MAX_TRIED)
            found += (Shown(shape.leak, each[0][:_MAX_SHOWN]) for each in matches)
    return tuple(found)


def _said(request: Request) -> bytes:
    """What a request says, as it is and without the escapes of its target and form."""
    lines = b"\n".join(value for _, value in request.headers)
    body = request.body[:_SCANNED_BYTES]
    return b"\n".join((request.target, unquote_to_bytes(request.target), lines, body, unquote_to_bytes(body)))


def is_invalid_json(answer: Response, control: Response | None) -> bool:
    """Whether `answer` says that it is JSON and is not, while the control's JSON is sound."""
    if not _is_broken_json(answer):
        return False
    return control is None or not _is_broken_json(control)


def _is_broken_json(response: Response) -> bool:
    kind = media_type(response.headers)
    if not (kind == b"application/json" or kind.endswith(b"+json")) or not response.is_complete:
        return False
    if response.status == _PARTIAL:
        return False  # a part of JSON, as it was asked for
    found = undone(response)
    if found.fault in (Fault.UNKNOWN, Fault.TOO_LARGE) or not found.body:
        return False  # nothing is known of it; HEAD, 304 and 204 carry none
    return not _is_json(found.body)


def _is_json(body: bytes) -> bool:
    """Whether it is JSON by RFC 8259, which allows what orjson refuses: lone surrogates (§8.2), any depth."""
    for text in (body, _SURROGATE.sub(rb"\\u0041", body)):
        try:
            orjson.loads(text)
        except orjson.JSONDecodeError as error:
            is_deep = "depth limit" in str(error).lower()
        else:
            return True
    return is_deep and (len(body) > json.MAX_BYTES or json.parse(body) is not None)


def _scanned(response: Response) -> bytes:
    if is_call(response):
        return call_message(response)[:_SCANNED_BYTES]
    return undone(response).body[:_SCANNED_BYTES]
