"""How the bytes of a TCP conversation arrive. Only how they are cut into segments never means anything."""

from random import Random

from msgspec.structs import replace

from mutators._contract import talk_mutator
from mutators._talk import picked, with_message
from shadow.model import Ending, Exchange, Expect, Level, Message, TalkEdit

_MAX_PIECES = 24
_BREATH_SECONDS = 0.02
"""Long enough for a segment to be read by itself, even by a service that is busy."""
_STALL_SECONDS = 0.4


@talk_mutator("tcp", level=Level.NETWORK, expect=Expect.SAME)
def say_bytewise(talk: Exchange, rng: Random) -> TalkEdit | None:
    """TCP carries a stream of bytes, and segments mean nothing (RFC 9293 §3.4, §3.7): who reads them one by
    one hears the same."""
    at = picked(talk, rng, least_bytes=2)
    if at is None:
        return None
    body = talk.messages[at].body
    head = [body[place : place + 1] for place in range(min(len(body) - 1, _MAX_PIECES))]
    return _in_pieces(talk, at, [*head, body[len(head) :]], "one byte at a time")


@talk_mutator("tcp", level=Level.NETWORK, expect=Expect.SAME)
def split_message(talk: Exchange, rng: Random) -> TalkEdit | None:
    """A message in two or three segments is the same bytes (RFC 9293 §3.7)."""
    at = picked(talk, rng, least_bytes=2)
    if at is None:
        return None
    body = talk.messages[at].body
    places = sorted({0, *(rng.randrange(1, len(body)) for _ in range(rng.choice((1, 2))))})
    pieces = [body[start:end] for start, end in zip(places, [*places[1:], len(body)], strict=True)]
    return _in_pieces(talk, at, pieces, f"in {len(pieces)} segments, cut at {places[1:]}")


@talk_mutator("tcp", level=Level.NETWORK, expect=Expect.SURVIVE)
def stall_in_message(talk: Exchange, rng: Random) -> TalkEdit | None:
    """A client that stops in the middle of a message and goes on later: waited for, or sent off (CWE-400)."""
    at = picked(talk, rng, least_bytes=2)
    if at is None:
        return None
    body = talk.messages[at].body
    place = rng.randrange(1, len(body))
    edit = _in_pieces(talk, at, [body[:place], body[place:]], f"stalled after {place} bytes")
    return replace(edit, pause_seconds=_STALL_SECONDS)


@talk_mutator("tcp", level=Level.NETWORK, expect=Expect.SURVIVE)
def leave_in_message(talk: Exchange, rng: Random) -> TalkEdit | None:
    """A client that goes in the middle of a message, politely or not (RFC 9293 §3.6, §3.5.3): what it had
    begun is forgotten, and others are served."""
    at = picked(talk, rng, least_bytes=2)
    if at is None:
        return None
    message = talk.messages[at]
    place = rng.randrange(1, len(message.body))
    ending = rng.choice((Ending.HALF_CLOSE, Ending.RESET))
    said = (*talk.messages[:at], replace(message, body=message.body[:place]))
    return TalkEdit(said, f"{place} bytes of a message, then {ending.value}", ending=ending)


@talk_mutator("tcp", level=Level.NETWORK, expect=Expect.SURVIVE)
def end_our_side(talk: Exchange, rng: Random) -> TalkEdit | None:
    """A client may end its side and still listen (RFC 9293 §3.6); whether it is then still answered is the
    service's affair."""
    at = picked(talk, rng)
    if at is None:
        return None
    rest = [each for each in talk.messages[at + 1 :] if not each.is_from_client][:1]
    said = (*talk.messages[: at + 1], *rest)
    return TalkEdit(said, "ended our side after a message", ending=Ending.HALF_CLOSE)


def _in_pieces(talk: Exchange, at: int, pieces: list[bytes], what: str) -> TalkEdit:
    seen_at = talk.messages[at].seen_at
    parts = [Message(True, piece, seen_at) for piece in pieces]
    return TalkEdit(with_message(talk, at, *parts), what, pause_seconds=_BREATH_SECONDS)
