"""WebSocket messages in other frames: what a peer must not notice (RFC 6455 §5.4)."""

from random import Random

from mutators._contract import talk_mutator
from mutators._frames import MASK, fragments, frame, in_frames, offers_compression, opcode_of
from mutators._talk import picked
from shadow.model import Exchange, Expect, Level, TalkEdit
from shadow.wire.websocket_frames import PING, PONG

_MAX_PIECES = 100


@talk_mutator("websocket", level=Level.FRAMING, expect=Expect.SAME)
def fragment_message(talk: Exchange, rng: Random) -> TalkEdit | None:
    """Frames of one message mean no more than the message: fragmentation has no meaning of its own, and all
    endpoints must take it (RFC 6455 §5.4)."""
    at = picked(talk, rng, least_bytes=2)
    if at is None:
        return None
    parts = _cut(talk.messages[at].body, rng, rng.randint(2, 5))
    return in_frames(talk, at, fragments(talk.messages[at], parts), f"said in {len(parts)} fragments")


@talk_mutator("websocket", level=Level.FRAMING, expect=Expect.SAME)
def split_character(talk: Exchange, rng: Random) -> TalkEdit | None:
    """A text is UTF-8 as a whole, and a frame may end within a character (RFC 6455 §5.6, §8.1)."""
    found = [
        (at, place)
        for at, each in enumerate(talk.messages)
        if each.is_from_client and each.kind == "text"
        for place, byte in enumerate(each.body[:4096])
        if byte & 0xC0 == 0x80
    ]
    if not found:
        return None
    at, place = rng.choice(found)
    body = talk.messages[at].body
    frames = fragments(talk.messages[at], [body[:place], body[place:]])
    return in_frames(talk, at, frames, f"a frame ends within a character, at byte {place}")


@talk_mutator("websocket", level=Level.FRAMING, expect=Expect.SAME)
def control_between_fragments(talk: Exchange, rng: Random) -> TalkEdit | None:
    """Control frames may stand between the fragments of a message and change nothing about it, and a pong
    that nobody asked for expects no answer (RFC 6455 §5.4, §5.5.3)."""
    at = picked(talk, rng, least_bytes=2)
    if at is None:
        return None
    message = talk.messages[at]
    frames = fragments(message, _cut(message.body, rng, 3))
    opcode = rng.choice((PING, PONG))
    frames.insert(rng.randint(1, len(frames) - 1), frame(opcode, rng.randbytes(rng.choice((0, 1, 125)))))
    return in_frames(talk, at, frames, f"a {'ping' if opcode == PING else 'pong'} between two fragments")


@talk_mutator("websocket", level=Level.FRAMING, expect=Expect.SAME)
def empty_fragments(talk: Exchange, rng: Random) -> TalkEdit | None:
    """A fragment may be empty: no rule of RFC 6455 §5.4 asks for content, and a sender that does not know the
    length ends a message so."""
    at = picked(talk, rng)
    if at is None:
        return None
    body = talk.messages[at].body
    parts = rng.choice(([b"", body], [body, b""], [b"", b"", body, b""], [body[:1], b"", body[1:]]))
    return in_frames(talk, at, fragments(talk.messages[at], parts), f"{parts.count(b'')} empty fragments")


@talk_mutator("websocket", level=Level.FRAMING, expect=Expect.SAME)
def fragment_bytewise(talk: Exchange, rng: Random) -> TalkEdit | None:
    """One byte a frame is fragmentation too, and says the same (RFC 6455 §5.4)."""
    at = picked(talk, rng, least_bytes=2)
    if at is None:
        return None
    body = talk.messages[at].body
    head = [body[place : place + 1] for place in range(min(len(body) - 1, _MAX_PIECES))]
    frames = fragments(talk.messages[at], [*head, body[len(head) :]])
    return in_frames(talk, at, frames, f"said in {len(frames)} frames")


@talk_mutator("websocket", level=Level.FRAMING, expect=Expect.SAME)
def change_mask(talk: Exchange, rng: Random) -> TalkEdit | None:
    """Any key masks, that of four zeros too: the server takes it off and reads the same (RFC 6455 §5.3)."""
    at = picked(talk, rng, least_bytes=1)
    if at is None:
        return None
    message = talk.messages[at]
    mask = rng.choice((bytes(4), b"\xff" * 4, rng.randbytes(4), MASK[:3] + b"\x00"))
    return in_frames(talk, at, [frame(opcode_of(message), message.body, mask=mask)], f"mask {mask.hex()}")


@talk_mutator("websocket", level=Level.FRAMING, expect=Expect.SAME)
def unsolicited_pong(talk: Exchange, rng: Random) -> TalkEdit | None:
    """A pong that nobody asked for is a heartbeat, and no answer is expected (RFC 6455 §5.5.3)."""
    at = picked(talk, rng)
    if at is None:
        return None
    message = talk.messages[at]
    pong = frame(PONG, rng.randbytes(rng.choice((0, 4, 125))))
    return in_frames(talk, at, [pong, frame(opcode_of(message), message.body)], "a pong before the message")


@talk_mutator("websocket", level=Level.FRAMING, expect=Expect.SAME)
def send_uncompressed(talk: Exchange, rng: Random) -> TalkEdit | None:
    """Where compression was agreed on, each message may still go without: RSV1 says which (RFC 7692 §6)."""
    at = picked(talk, rng) if offers_compression(talk) else None
    if at is None:
        return None
    message = talk.messages[at]
    return in_frames(talk, at, [frame(opcode_of(message), message.body)], "said without compression")


def _cut(body: bytes, rng: Random, pieces: int) -> list[bytes]:
    places = sorted({0, *(rng.randrange(1, len(body)) for _ in range(pieces - 1))})
    return [body[start:end] for start, end in zip(places, [*places[1:], len(body)], strict=True)]
