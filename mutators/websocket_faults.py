"""WebSocket frames that a server must not take: it fails the connection (RFC 6455 §7.1.7).

A server has taken them where it still answers a ping afterwards.
"""

from random import Random

from mutators._contract import talk_mutator
from mutators._frames import breaking_off, frame, offers_compression, opcode_of
from mutators._talk import picked
from shadow.model import Exchange, Expect, Level, Message, TalkEdit
from shadow.wire.websocket_frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT

_BAD_UTF8 = (
    b"\xff",
    b"\xc0\xaf",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"a\x80",
    b"\xe2\x82",
    b"\xf8\x88\x80\x80\x80",
)
_NO_CODES = (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 65535)
"""RFC 6455 §7.4: reserved, never on the wire, or of no range that anyone may use."""


@talk_mutator("websocket", level=Level.FRAMING, expect=Expect.REJECT)
def set_reserved_bit(talk: Exchange, rng: Random) -> TalkEdit | None:
    """A reserved bit that no extension gives a meaning must fail the connection (RFC 6455 §5.2)."""
    found = _place(talk, rng)
    if found is None:
        return None
    at, message = found
    bits = (0b010, 0b001, 0b011) if offers_compression(talk) else (0b100, 0b010, 0b001, 0b111)
    reserved = rng.choice(bits)
    text = frame(opcode_of(message), message.body, reserved=reserved)
    return breaking_off(talk, at, [text], f"reserved bits {reserved:03b}")


@talk_mutator("websocket", level=Level.FRAMING, expect=Expect.REJECT)
def use_reserved_opcode(talk: Exchange, rng: Random) -> TalkEdit | None:
    """Opcodes 3 to 7 and 11 to 15 are reserved, and an unknown one must fail the connection
    (RFC 6455 §5.2)."""
    found = _place(talk, rng)
    if found is None:
        return None
    opcode = rng.choice((3, 4, 5, 6, 7, 11, 12, 13, 14, 15))
    return breaking_off(talk, found[0], [frame(opcode, found[1].body[:125])], f"opcode {opcode}")


@talk_mutator("websocket", level=Level.FRAMING, expect=Expect.REJECT, is_stated=False)
def send_unmasked(talk: Exchange, rng: Random) -> TalkEdit | None:
    """A server must close the connection upon a frame that is not masked (RFC 6455 §5.1); widely used
    libraries do not look."""
    found = _place(talk, rng)
    if found is None:
        return None
    at, message = found
    return breaking_off(talk, at, [frame(opcode_of(message), message.body, mask=None)], "not masked")


@talk_mutator("websocket", level=Level.FRAMING, expect=Expect.REJECT, is_stated=False)
def break_text(talk: Exchange, rng: Random) -> TalkEdit | None:
    """A text that is no UTF-8 must fail the connection (RFC 6455 §8.1): overlong forms, surrogates, what is
    beyond U+10FFFF, a character cut short. Some libraries leave that to the service."""
    found = _place(talk, rng)
    if found is None:
        return None
    at, message = found
    bad = rng.choice(_BAD_UTF8)
    body = message.body[:4096]
    place = rng.randint(0, len(body)) if message.kind == "text" and bad != b"\xe2\x82" else len(body)
    text = (body[:place] + bad + body[place:]) if message.kind == "text" else b"text" + bad
    return breaking_off(talk, at, [frame(TEXT, text)], f"a text with the bytes {bad.hex(' ')}")


@talk_mutator("websocket", level=Level.FRAMING, expect=Expect.REJECT, is_stated=False)
def break_fragmented_text(talk: Exchange, rng: Random) -> TalkEdit | None:
    """A text whose last fragment leaves a character unfinished is no UTF-8 (RFC 6455 §5.6, §8.1). Some
    libraries leave that to the service."""
    found = _place(talk, rng)
    if found is None:
        return None
    end = rng.choice((b"\xe2\x82", b"\xf0\x9f\x98", b"\xc3"))
    frames = [frame(TEXT, b"shadow", is_final=False), frame(CONTINUATION, end)]
    return breaking_off(talk, found[0], frames, "the last fragment ends within a character")


@talk_mutator("websocket", level=Level.FRAMING, expect=Expect.REJECT)
def fragment_control(talk: Exchange, rng: Random) -> TalkEdit | None:
    """Control frames must not be fragmented (RFC 6455 §5.5)."""
    found = _place(talk, rng)
    if found is None:
        return None
    opcode = rng.choice((PING, PONG))
    frames = [frame(opcode, b"sha", is_final=False), frame(CONTINUATION, b"dow")]
    return breaking_off(talk, found[0], frames, f"opcode {opcode} in two fragments")


@talk_mutator("websocket", level=Level.FRAMING, expect=Expect.REJECT)
def lengthen_control(talk: Exchange, rng: Random) -> TalkEdit | None:
    """Control frames must carry 125 bytes or fewer (RFC 6455 §5.5)."""
    found = _place(talk, rng)
    if found is None:
        return None
    opcode, size = rng.choice((PING, PONG)), rng.choice((126, 127, 1000, 65_535))
    return breaking_off(talk, found[0], [frame(opcode, b"x" * size)], f"opcode {opcode} with {size} bytes")


@talk_mutator("websocket", level=Level.FRAMING, expect=Expect.REJECT)
def continue_no_message(talk: Exchange, rng: Random) -> TalkEdit | None:
    """A continuation continues a message that a frame has begun; without one it breaks the protocol
    (RFC 6455 §5.4)."""
    found = _place(talk, rng)
    if found is None:
        return None
    is_final = rng.random() < 0.5
    text = frame(CONTINUATION, found[1].body[:4096], is_final=is_final)
    return breaking_off(talk, found[0], [text], "a continuation of nothing")


@talk_mutator("websocket", level=Level.FRAMING, expect=Expect.REJECT)
def begin_within_message(talk: Exchange, rng: Random) -> TalkEdit | None:
    """The fragments of one message must not be interleaved with another's (RFC 6455 §5.4)."""
    found = _place(talk, rng)
    if found is None:
        return None
    at, message = found
    opcode, body = opcode_of(message), message.body[:4096]
    frames = [frame(opcode, body, is_final=False), frame(rng.choice((TEXT, BINARY)), b"shadow")]
    return breaking_off(talk, at, frames, "a message begins within another one")


@talk_mutator("websocket", level=Level.FRAMING, expect=Expect.REJECT, is_stated=False)
def close_with_no_code(talk: Exchange, rng: Random) -> TalkEdit | None:
    """Codes that are reserved, or must never be sent, are no reason to close (RFC 6455 §7.4): whoever hears
    one fails the connection, and never sends it back."""
    code = rng.choice(_NO_CODES)
    return breaking_off(talk, None, [frame(CLOSE, code.to_bytes(2) + b"bye")], f"closed with code {code}")


@talk_mutator("websocket", level=Level.FRAMING, expect=Expect.REJECT)
def cut_close_code(talk: Exchange, rng: Random) -> TalkEdit | None:
    """The body of a close frame is empty or begins with a code of two bytes (RFC 6455 §5.5.1)."""
    return breaking_off(talk, None, [frame(CLOSE, rng.choice((b"\x03", b"\x00")))], "a close of one byte")


@talk_mutator("websocket", level=Level.FRAMING, expect=Expect.REJECT)
def break_close_reason(talk: Exchange, rng: Random) -> TalkEdit | None:
    """The reason in a close frame is UTF-8 (RFC 6455 §5.5.1), and what is none fails it (§8.1)."""
    bad = rng.choice(_BAD_UTF8)
    return breaking_off(
        talk, None, [frame(CLOSE, b"\x03\xe8" + bad)], f"a reason with the bytes {bad.hex(' ')}"
    )


@talk_mutator("websocket", level=Level.FRAMING, expect=Expect.REJECT)
def lengthen_close(talk: Exchange, rng: Random) -> TalkEdit | None:
    """A close is a control frame, so it carries 125 bytes or fewer (RFC 6455 §5.5)."""
    size = rng.choice((124, 1000))
    return breaking_off(talk, None, [frame(CLOSE, b"\x03\xe8" + b"x" * size)], f"a reason of {size} bytes")


@talk_mutator("websocket", level=Level.FRAMING, expect=Expect.REJECT, is_stated=False)
def lengthen_length(talk: Exchange, rng: Random) -> TalkEdit | None:
    """The length must be told in the fewest bytes that can (RFC 6455 §5.2); what a reader does about it is
    not said there."""
    found = _place(talk, rng)
    if found is None:
        return None
    at, message = found
    size = len(message.body)
    length_bytes = rng.choice((2, 8)) if size < 126 else 8
    if size >= 1 << 16:
        return None
    text = frame(opcode_of(message), message.body, length_bytes=length_bytes)
    return breaking_off(talk, at, [text], f"a length of {size} in {length_bytes} bytes")


@talk_mutator("websocket", level=Level.FRAMING, expect=Expect.REJECT, is_stated=False)
def set_top_bit_of_length(talk: Exchange, rng: Random) -> TalkEdit | None:
    """The highest bit of a 64-bit length must be 0 (RFC 6455 §5.2); read as a signed number it is negative
    (CWE-195)."""
    found = _place(talk, rng)
    if found is None:
        return None
    at, message = found
    length = (1 << 63) | rng.choice((0, len(message.body), (1 << 63) - 1))
    text = frame(opcode_of(message), message.body[:1024], length_bytes=8, length=length)
    return breaking_off(talk, at, [text], f"a length of {length:#x}")


def _place(talk: Exchange, rng: Random) -> tuple[int, Message] | None:
    """A message of the client, and where it stands."""
    at = picked(talk, rng)
    return None if at is None else (at, talk.messages[at])
