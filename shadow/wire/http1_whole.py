"""The short way to a response that came in one piece and is as plain as most are."""

from functools import lru_cache

from shadow.model import Headers, Response
from shadow.wire.http1_head import ResponseHead, head_end, parse_response_head

_MAX_HEAD_BYTES = 2048
"""Of heads that are remembered: services say the same again and again."""
_END = b"\r\n\r\n"


def whole_response(text: bytes, max_body_bytes: int) -> tuple[Response, bool] | None:
    """The response that `text` is, no byte more or less, and whether its connection stays open; None where
    that takes a closer look, which does not mean that it is none.

    What is given is what `ResponseReader` gives, for any method but HEAD and CONNECT.
    """
    end = text.find(_END) + 4
    if not 4 < end <= _MAX_HEAD_BYTES:
        return None
    found = _plain_head(text[:end])
    if found is None:
        return None
    head, stays_open = found
    if len(text) - end != head.length or head.length > max_body_bytes:
        return None
    return Response(head.status, head.reason, head.version, head.headers, text[end:]), stays_open


def stays_open(version: bytes, headers: Headers) -> bool:
    """Whether a connection may carry another exchange after a message with these fields, as far as they say
    (RFC 9112 §9.3)."""
    options = b",".join(v for k, v in headers if k.lower() == b"connection").lower().split(b",")
    tokens = {option.strip() for option in options}
    return b"close" not in tokens and (version != b"HTTP/1.0" or b"keep-alive" in tokens)


@lru_cache(512)
def _plain_head(text: bytes) -> tuple[ResponseHead, bool] | None:
    """A head with which the body's length is stated and a body may be, and whether it keeps open."""
    if not text.startswith(b"HTTP/") or head_end(text) != len(text):
        return None
    head = parse_response_head(text)
    if isinstance(head, str) or head.length < 0 or head.status < 200 or head.status in (204, 304):
        return None
    return head, stays_open(head.version, head.headers)
