"""WebSocket traffic that is allowed, and more or less of it than anyone expects."""

from random import Random

from mutators._contract import talk_mutator
from mutators._frames import breaking_off, fragments, frame, in_frames, opcode_of
from mutators._talk import MAX_BYTES, picked
from shadow.model import Exchange, Expect, Level, Message, TalkEdit
from shadow.wire.websocket_frames import BINARY, CLOSE, PING, TEXT


@talk_mutator("websocket", level=Level.FRAMING, expect=Expect.SURVIVE)
def say_much(talk: Exchange, rng: Random) -> TalkEdit | None:
    """A message longer than any that was meant: read, or refused with 1009 (RFC 6455 §7.4.1), and no more of
    memory and time than its size (CWE-400)."""
    at = picked(talk, rng)
    if at is None:
        return None
    message = talk.messages[at]
    size = rng.choice((65_535, 65_536, 131_072, MAX_BYTES - 1000))
    text = frame(opcode_of(message), (message.body or b"x") * (size // (len(message.body) or 1)))
    return breaking_off(talk, at, [text], f"a message of {size // 1000} kB")


@talk_mutator("websocket", level=Level.FRAMING, expect=Expect.SURVIVE)
def many_tiny_frames(talk: Exchange, rng: Random) -> TalkEdit | None:
    """Thousands of frames of a byte or none: each costs more than it carries (CWE-400, CWE-407)."""
    at = picked(talk, rng)
    if at is None:
        return None
    message, count = talk.messages[at], rng.choice((2_000, 5_000))
    text = b"x" if rng.random() < 0.5 else b""
    frames = fragments(message, [text] * count)
    return breaking_off(talk, at, frames, f"{count} frames of {len(text)} bytes")


@talk_mutator("websocket", level=Level.FRAMING, expect=Expect.SURVIVE)
def flood_with_pings(talk: Exchange, rng: Random) -> TalkEdit | None:
    """Each ping must be answered, but only the latest need be (RFC 6455 §5.5.3): many must do no harm
    (CWE-770)."""
    count = rng.choice((100, 500))
    frames = [frame(PING, rng.randbytes(2) + b"x" * 100)] * count
    return breaking_off(talk, None, frames, f"{count} pings")


@talk_mutator("websocket", level=Level.FRAMING, expect=Expect.SURVIVE)
def close_at_once(talk: Exchange, rng: Random) -> TalkEdit | None:  # noqa: ARG001  # whatever it was
    """A client that goes as soon as it has come (RFC 6455 §7.1): nothing may be left behind."""
    body = rng.choice((b"", b"\x03\xe8", b"\x03\xe9going", b"\x0b\xb8"))
    return TalkEdit((Message(True, body, 0.0, "close"),), "closed at once")


@talk_mutator("websocket", level=Level.NETWORK, expect=Expect.SURVIVE)
def half_a_frame(talk: Exchange, rng: Random) -> TalkEdit | None:
    """A frame that is never completed: the server may wait or close, and serves others all the while
    (CWE-400)."""
    at = picked(talk, rng)
    if at is None:
        return None
    message = talk.messages[at]
    text = frame(
        opcode_of(message), (message.body or b"x")[:1000], length=rng.choice((1001, 65_535, 1 << 40))
    )
    text = text[: rng.randint(1, len(text))]
    return breaking_off(talk, at, [text], f"{len(text)} bytes of a frame, and silence", asks_after=False)


@talk_mutator("websocket", level=Level.NETWORK, expect=Expect.SURVIVE)
def unfinished_message(talk: Exchange, rng: Random) -> TalkEdit | None:
    """A message whose last fragment never comes must not keep the server from answering a ping
    meanwhile (RFC 6455 §5.4)."""
    at = picked(talk, rng)
    if at is None:
        return None
    message = talk.messages[at]
    text = frame(opcode_of(message), message.body[:4096], is_final=False)
    return breaking_off(talk, at, [text], "a message without an end")


@talk_mutator("websocket", level=Level.FRAMING, expect=Expect.SURVIVE)
def speak_after_close(talk: Exchange, rng: Random) -> TalkEdit | None:
    """After a close frame nothing more may be sent, and what is sent all the same is dropped
    (RFC 6455 §5.5.1, §1.4)."""
    at = picked(talk, rng)
    if at is None:
        return None
    message = talk.messages[at]
    frames = [frame(CLOSE, b"\x03\xe8"), frame(opcode_of(message), message.body), frame(PING, b"x")]
    return breaking_off(talk, at, frames, "a message after the close")


@talk_mutator("websocket", level=Level.BODY, expect=Expect.SURVIVE)
def say_nothing(talk: Exchange, rng: Random) -> TalkEdit | None:
    """An empty message is a message (RFC 6455 §5.6): whoever reads its first byte finds none."""
    at = picked(talk, rng)
    if at is None:
        return None
    return breaking_off(talk, at, [frame(rng.choice((TEXT, BINARY)), b"")], "an empty message")


@talk_mutator("websocket", level=Level.BODY, expect=Expect.SURVIVE)
def swap_kind(talk: Exchange, rng: Random) -> TalkEdit | None:
    """The same bytes as text in place of binary, or the other way: kinds are told apart (RFC 6455 §5.6), and
    what a service does about the other one is its own affair (1003)."""
    at = picked(talk, rng)
    if at is None:
        return None
    message = talk.messages[at]
    if message.kind == "text":
        return in_frames(talk, at, [frame(BINARY, message.body)], "a text said as binary")
    try:
        message.body.decode()
    except UnicodeDecodeError:
        return None
    return in_frames(talk, at, [frame(TEXT, message.body)], "binary said as a text")
