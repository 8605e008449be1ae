"""What the client of a conversation says, as bytes on the wire, to be shown and said again by hand."""

from collections.abc import Sequence

import msgspec

from shadow.model import FRAMES, Message, Request, without_field
from shadow.wire.http1 import serialise_request

_OPCODES = {"text": 1, "binary": 2, "close": 8, "ping": 9, "pong": 10}
_NO_MASK = bytes(4)
"""A client must mask (RFC 6455 §5.3); this mask leaves the text readable."""


def spoken(
    protocol: str, request: Request, messages: Sequence[Message], *, is_exact: bool = False
) -> list[bytes]:
    """The pieces in which it is sent, each in answer to what came before. A WebSocket's begin with its
    handshake, which agrees on no compression unless it is to be exact, and are frames."""
    mine = [each for each in messages if each.is_from_client]
    if protocol != "websocket":
        return [each.body for each in mine]
    headers = request.headers if is_exact else without_field(request.headers, b"Sec-WebSocket-Extensions")
    plain = msgspec.structs.replace(request, headers=headers)
    return [serialise_request(plain), *(_frame(each) for each in mine if each.kind in (*_OPCODES, FRAMES))]


def _frame(message: Message) -> bytes:
    """RFC 6455 §5.2; what is made of frames already as it is."""
    if message.kind == FRAMES:
        return message.body
    size = len(message.body)
    if size < 126:
        length = bytes((0x80 | size,))
    elif size < 65_536:
        length = b"\xfe" + size.to_bytes(2)
    else:
        length = b"\xff" + size.to_bytes(8)
    return bytes((0x80 | _OPCODES[message.kind],)) + length + _NO_MASK + message.body
