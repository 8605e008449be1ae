"""The short way for HTTP/1 messages whose head lies in one piece, as most do."""

from shadow.model import Request, Response
from shadow.wire.http1 import Limits, RequestReader, ResponseReader, is_bodiless, opens_tunnel
from shadow.wire.http1_head import UNSTATED, RequestHead, parse_request_head, parse_response_head


def begin_request(text: bytes, limits: Limits) -> tuple[RequestHead, Request | RequestReader, bytes] | None:
    """What begins with `text`: the head of a request; the request or, where `text` ends inside its body, what
    reads on; and the bytes after it.

    None where there is no whole head of the usual kind; a new `RequestReader` then tells what there is.
    """
    end = _head_end(text, limits)
    if not end or text[0] in b"\r\n":
        return None
    head = parse_request_head(text[:end])
    if isinstance(head, str):
        return None
    length = 0 if head.length == UNSTATED else head.length
    if 0 <= length <= min(len(text) - end, limits.max_body_bytes):
        stop = end + length
        request = Request(head.method, head.target, head.version, head.headers, text[end:stop])
        return head, request, text[stop:]
    reader = RequestReader(max_head_bytes=limits.max_head_bytes, max_body_bytes=limits.max_body_bytes)
    reader.resume(head)
    return head, reader, text[end:]


def begin_response(
    text: bytes, method: bytes, limits: Limits
) -> tuple[Response | ResponseReader, bytes] | None:
    """The same of a final response to a request with `method`, without its head."""
    end = _head_end(text, limits)
    if not end:
        return None
    head = parse_response_head(text[:end])
    if isinstance(head, str) or head.status < 200 or opens_tunnel(method, head.status):
        return None
    length = 0 if is_bodiless(method, head.status) else head.length
    if 0 <= length <= min(len(text) - end, limits.max_body_bytes):
        stop = end + length
        response = Response(head.status, head.reason, head.version, head.headers, text[end:stop])
        return response, text[stop:]
    reader = ResponseReader(
        method, max_head_bytes=limits.max_head_bytes, max_body_bytes=limits.max_body_bytes
    )
    reader.resume(head)
    return reader, text[end:]


def _head_end(text: bytes, limits: Limits) -> int:
    """The position after a head whose lines all end in CRLF; 0 where there is none of an allowed length."""
    end = text.find(b"\r\n\r\n") + 4
    return end if 4 < end <= limits.max_head_bytes and text.find(b"\n\n", 0, end) < 0 else 0
