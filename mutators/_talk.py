"""Parts of conversations, and conversations put together of other parts."""

from collections.abc import Sequence
from random import Random

from msgspec.structs import replace

from shadow.model import Exchange, Message, TalkEdit

MAX_BYTES = 200_000
"""No mutant says more than this."""
MAX_DATAGRAM_BYTES = 65_507
"""That a datagram of IPv4 can carry."""
_DATA = ("text", "binary", "")


def spoken(talk: Exchange) -> list[int]:
    """Positions of what the client says, but for what keeps the connection up or ends it."""
    return [at for at, each in enumerate(talk.messages) if each.is_from_client and each.kind in _DATA]


def said(talk: Exchange) -> list[Message]:
    """What the client says, in order, likewise."""
    return [talk.messages[at] for at in spoken(talk)]


def picked(talk: Exchange, rng: Random, *, least_bytes: int = 0) -> int | None:
    """The position of one message of the client; None where none is long enough."""
    found = [at for at in spoken(talk) if len(talk.messages[at].body) >= least_bytes]
    return rng.choice(found) if found else None


def with_message(talk: Exchange, at: int, *new: Message) -> tuple[Message, ...]:
    """All messages, with `new` in the place of one."""
    return (*talk.messages[:at], *new, *talk.messages[at + 1 :])


def edited(talk: Exchange, at: int, body: bytes, what: str) -> TalkEdit | None:
    """The conversation with another body in one place; None where that is the same, or too long."""
    most = MAX_DATAGRAM_BYTES if talk.protocol == "udp" else MAX_BYTES
    if body == talk.messages[at].body or len(body) > most:
        return None
    return TalkEdit(with_message(talk, at, replace(talk.messages[at], body=body)), what)


def only(messages: Sequence[Message], what: str) -> TalkEdit | None:
    """An edit that says just these; None where the client has nothing to say in them, or too much."""
    mine = [each for each in messages if each.is_from_client]
    if not mine or sum(len(each.body) for each in mine) > MAX_BYTES:
        return None
    return TalkEdit(tuple(messages), what)


def turns(talk: Exchange) -> list[tuple[Message, ...]]:
    """Each message of the client with what the peer said after it; without what it said before the first."""
    found: list[list[Message]] = []
    for each in talk.messages:
        if each.is_from_client and each.kind in _DATA:
            found.append([each])
        elif found:
            found[-1].append(each)
    return [tuple(each) for each in found]


def greeting(talk: Exchange) -> tuple[Message, ...]:
    """What is said before the client says something of its own."""
    first = next(iter(spoken(talk)), len(talk.messages))
    return talk.messages[:first]
