"""Datagrams as networks and bad senders deliver them. None of it is an error that a service must answer."""

from random import Random

from mutators._contract import talk_mutator
from mutators._talk import MAX_DATAGRAM_BYTES, edited, picked, with_message
from shadow.model import Exchange, Expect, Level, TalkEdit


@talk_mutator("udp", level=Level.BYTES, expect=Expect.SURVIVE)
def truncate_datagram(talk: Exchange, rng: Random) -> TalkEdit | None:
    """A datagram that was cut, as by a buffer too small for it: lengths inside lie (CWE-125)."""
    at = picked(talk, rng, least_bytes=1)
    if at is None:
        return None
    body = talk.messages[at].body
    size = rng.choice((0, 1, len(body) - 1, rng.randrange(len(body))))
    return edited(talk, at, body[:size], f"cut to {size} of {len(body)} bytes")


@talk_mutator("udp", level=Level.BYTES, expect=Expect.SURVIVE)
def oversize_datagram(talk: Exchange, rng: Random) -> TalkEdit | None:
    """A datagram longer than a buffer, a packet, or all that a datagram can be (boofuzz; CWE-120)."""
    at = picked(talk, rng)
    if at is None:
        return None
    body = talk.messages[at].body
    size = rng.choice((513, 1473, 4097, 16_385, MAX_DATAGRAM_BYTES))
    if size <= len(body):
        return None
    filler = rng.choice((b"\x00", b"A", b"\xff"))
    return edited(talk, at, body + filler * (size - len(body)), f"filled up to {size} bytes")


@talk_mutator("udp", level=Level.NETWORK, expect=Expect.SURVIVE)
def duplicate_datagram(talk: Exchange, rng: Random) -> TalkEdit | None:
    """Networks deliver a datagram twice (RFC 768); a service that keeps count must bear it."""
    at = picked(talk, rng)
    if at is None:
        return None
    message = talk.messages[at]
    return TalkEdit(with_message(talk, at, message, message), "a datagram came twice")


@talk_mutator("udp", level=Level.BYTES, expect=Expect.SURVIVE)
def join_datagrams(talk: Exchange, rng: Random) -> TalkEdit | None:
    """Two datagrams' contents in one: what follows the first message is not to be taken for a part of it."""
    at, other = picked(talk, rng, least_bytes=1), picked(talk, rng, least_bytes=1)
    if at is None or other is None:
        return None
    body = talk.messages[at].body + talk.messages[other].body
    return edited(talk, at, body[:MAX_DATAGRAM_BYTES], "two datagrams in one")
