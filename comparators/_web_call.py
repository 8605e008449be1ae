"""Answers of gRPC-Web: messages and trailers in frames of an ordinary body (gRPC-Web, PROTOCOL-WEB.md)."""

import re
from base64 import b64decode

import msgspec

from shadow.content.coding import undo_one
from shadow.content.entity import entity, media_type
from shadow.model import Headers, Response, field

_HEAD_BYTES = 5
_MAX_FRAMES = 65_536
_COMPRESSED, _TRAILERS = 1, 0x80
_QUANTUM = re.compile(rb"[A-Za-z0-9+/]+={0,2}")
"""Texts are base64 whose pieces may each be padded."""


class WebCall(msgspec.Struct, frozen=True):
    """What the body of an answer holds."""

    messages: tuple[bytes, ...]
    """Their compression undone."""
    trailers: Headers
    """Of the body; those of an answer without messages may stand in its head instead."""


def is_web(response: Response) -> bool:
    """Whether the content is gRPC-Web's."""
    return media_type(response.headers).startswith(b"application/grpc-web")


def web_call(response: Response) -> WebCall | None:
    """What `response`, one of gRPC-Web, holds; None where its body is not made of frames."""
    body = entity(response)
    if body is not None and media_type(response.headers).startswith(b"application/grpc-web-text"):
        body = _decoded(body)
    if body is None:
        return None
    coding = (field(response.headers, b"grpc-encoding") or b"identity").lower()
    messages: list[bytes] = []
    trailers: Headers = ()
    at = 0
    while at < len(body) and len(messages) < _MAX_FRAMES:
        start = at + _HEAD_BYTES
        end = start + int.from_bytes(body[at + 1 : start])
        if start > len(body) or end > len(body) or body[at] & ~(_COMPRESSED | _TRAILERS):
            return None
        piece = body[start:end]
        if body[at] & _COMPRESSED:
            piece = undo_one(piece, coding).body
        if body[at] & _TRAILERS:
            trailers = (*trailers, *_lines(piece))
        else:
            messages.append(piece)
        at = end
    return WebCall(tuple(messages), trailers)


def with_web_trailers(response: Response) -> Response:
    """`response` with the trailers that its body, one of gRPC-Web, holds."""
    if not is_web(response) or (found := web_call(response)) is None:
        return response
    if found.trailers:
        return msgspec.structs.replace(response, trailers=(*response.trailers, *found.trailers))
    if field(response.headers, b"grpc-status") is None:
        return response
    is_said = [line for line in response.headers if line[0].lower().startswith(b"grpc-")]
    rest = tuple(line for line in response.headers if line not in is_said)
    return msgspec.structs.replace(response, headers=rest, trailers=(*response.trailers, *is_said))


def _decoded(body: bytes) -> bytes | None:
    try:
        return b"".join(b64decode(piece) for piece in _QUANTUM.findall(body))
    except ValueError:
        return None


def _lines(block: bytes) -> Headers:
    lines = (line.partition(b":") for line in block.split(b"\r\n") if line.strip())
    return tuple((name.strip(), value.strip()) for name, _, value in lines)
