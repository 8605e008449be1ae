"""gRPC calls taken apart into their messages (gRPC over HTTP/2, Length-Prefixed-Message)."""

import msgspec

from mutators._message import with_headers
from shadow.model import Edit, Request, with_field
from shadow.wire.grpc import Prefixed, is_grpc

MAX_BYTES = 262_144
"""Of a body that is taken apart."""


class Call(msgspec.Struct, frozen=True, gc=False):
    """One call whose body consists of whole messages."""

    request: Request
    messages: tuple[tuple[bool, bytes], ...]
    """Of each, whether it is compressed, and its bytes."""


def call_of(request: Request) -> Call | None:
    """The call; None where the request is none, or its body is not made of whole messages."""
    if not is_grpc(request.headers) or len(request.body) > MAX_BYTES:
        return None
    read = Prefixed()
    read.take(request.body, 0.0)
    if not read.is_whole:
        return None
    found = tuple((is_compressed, request.body[start:end]) for _, start, end, is_compressed in read.marks())
    return Call(request, found)


def prefixed(message: bytes, flag: int = 0, length: int | None = None) -> bytes:
    """A message with its prefix; `length` is what that says, where it is to be a lie."""
    stated = len(message) if length is None else length
    return bytes([flag]) + stated.to_bytes(4) + message


def body_of(messages: tuple[tuple[bool, bytes], ...]) -> bytes:
    """A body of these messages."""
    return b"".join(prefixed(text, flag) for flag, text in messages)


def with_call_body(request: Request, body: bytes, what: str) -> Edit | None:
    """The call with another body; a length that was stated is put right. None where nothing has changed."""
    if body == request.body:
        return None
    headers = request.headers
    if any(name.lower() == b"content-length" for name, _ in headers):
        headers = with_field(headers, b"content-length", b"%d" % len(body))
    made = with_headers(request, headers)
    return Edit(msgspec.structs.replace(made, body=body), what)
