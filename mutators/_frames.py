"""Frames of a WebSocket's client (RFC 6455 §5.2), right and wrong, and their places in conversations."""

from collections.abc import Sequence

from mutators._talk import with_message
from shadow.model import FRAMES, Exchange, Message, TalkEdit, fields
from shadow.wire.websocket_frames import BINARY, TEXT, unmasked

MASK = b"\x37\xfa\x21\x3d"
"""The key of RFC 6455 §5.7, for what does not depend on it."""


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    is_final: bool = True,
    reserved: int = 0,
    mask: bytes | None = MASK,
    length_bytes: int | None = None,
    length: int | None = None,
) -> bytes:
    """One frame. `reserved` are the three bits RSV1 to RSV3 as a number; a `mask` of None leaves it bare.

    `length_bytes` is 0, 2 or 8, for the extended length; None for the shortest that does. `length` is what is
    stated in place of the payload's own.
    """
    size = len(payload) if length is None else length
    if length_bytes is None:
        length_bytes = 0 if size < 126 else 2 if size < 1 << 16 else 8
    short = {0: size, 2: 126, 8: 127}[length_bytes]
    first = (0x80 if is_final else 0) | reserved << 4 | opcode
    head = bytes((first, short | (0x80 if mask is not None else 0)))
    extended = size.to_bytes(length_bytes) if length_bytes else b""
    return head + extended + (mask or b"") + unmasked(payload, mask or b"")


def opcode_of(message: Message) -> int:
    return BINARY if message.kind == "binary" else TEXT


def fragments(message: Message, parts: Sequence[bytes]) -> list[bytes]:
    """A message in several frames: the first names its kind, the last is final (RFC 6455 §5.4)."""
    return [
        frame(0 if at else opcode_of(message), part, is_final=at == len(parts) - 1)
        for at, part in enumerate(parts)
    ]


def in_frames(talk: Exchange, at: int, frames: Sequence[bytes], what: str) -> TalkEdit:
    """The conversation with one message said in exactly these frames, all at once."""
    message = talk.messages[at]
    raw = Message(True, b"".join(frames), message.seen_at, FRAMES)
    return TalkEdit(with_message(talk, at, raw), what)


def breaking_off(
    talk: Exchange, at: int | None, frames: Sequence[bytes], what: str, *, asks_after: bool = True
) -> TalkEdit:
    """The conversation up to position `at`, then these frames, and nothing of the rest.

    None for `at` stands for the end, before the client says goodbye.
    """
    if at is None:
        at = next((at for at, each in enumerate(talk.messages) if each.kind == "close"), len(talk.messages))
    before = talk.messages[:at]
    seen_at = before[-1].seen_at if before else 0.0
    raw = Message(True, b"".join(frames), seen_at, FRAMES)
    return TalkEdit((*before, raw), what, asks_after=asks_after)


def offers_compression(talk: Exchange) -> bool:
    """Whether the client would take compressed frames, so that RSV1 may have a meaning (RFC 7692 §6)."""
    lines = fields(talk.request.headers, b"sec-websocket-extensions")
    return any(b"permessage-deflate" in line.lower() for line in lines)
