"""A conversation's own messages, fewer, more often or in another order: nobody can say what is right then."""

from itertools import chain
from random import Random

from mutators._contract import talk_mutator
from mutators._talk import greeting, only, spoken, turns
from shadow.model import Exchange, Expect, Known, Level, Message, TalkEdit

_ALL = ("websocket", "tcp", "udp")
_MAX_COPIES = 20


@talk_mutator(*_ALL, level=Level.SEQUENCE, expect=Expect.SURVIVE)
def drop_message(talk: Exchange, rng: Random) -> TalkEdit | None:
    """A message that never comes leaves the peer in a state that nobody tried (AFLNet): any clean answer."""
    parts = turns(talk)
    if len(parts) < 2:
        return None
    at = rng.randrange(len(parts))
    return _made(talk, parts[:at] + parts[at + 1 :], f"dropped message {at + 1} of {len(parts)}")


@talk_mutator(*_ALL, level=Level.SEQUENCE, expect=Expect.SURVIVE)
def repeat_message(talk: Exchange, rng: Random) -> TalkEdit | None:
    """The same message again: who has logged in, subscribed or paid does it twice (boofuzz, AFLNet)."""
    parts = turns(talk)
    if not parts:
        return None
    at, copies = rng.randrange(len(parts)), rng.choice((1, 1, 2, _MAX_COPIES))
    repeated = [*parts[: at + 1], *[parts[at]] * copies, *parts[at + 1 :]]
    return _made(talk, repeated, f"said message {at + 1} {copies + 1} times")


@talk_mutator(*_ALL, level=Level.SEQUENCE, expect=Expect.SURVIVE)
def swap_messages(talk: Exchange, rng: Random) -> TalkEdit | None:
    """Two neighbours the other way round: the later one comes before what it builds on."""
    parts = turns(talk)
    places = [at for at in range(len(parts) - 1) if parts[at][0].body != parts[at + 1][0].body]
    if not places:
        return None
    at = rng.choice(places)
    parts[at], parts[at + 1] = parts[at + 1], parts[at]
    return _made(talk, parts, f"swapped messages {at + 1} and {at + 2}")


@talk_mutator(*_ALL, level=Level.SEQUENCE, expect=Expect.SURVIVE)
def reorder_messages(talk: Exchange, rng: Random) -> TalkEdit | None:
    """All messages in an order drawn by lot: any clean answer."""
    parts = turns(talk)
    if len({each[0].body for each in parts}) < 3:
        return None
    mixed = rng.sample(parts, len(parts))
    return None if mixed == parts else _made(talk, mixed, "said in another order")


@talk_mutator(*_ALL, level=Level.SEQUENCE, expect=Expect.SURVIVE)
def cut_short(talk: Exchange, rng: Random) -> TalkEdit | None:
    """A client that goes in the middle: nothing may be left half done, and others are served."""
    parts = turns(talk)
    if len(parts) < 2:
        return None
    count = rng.randrange(1, len(parts))
    return _made(talk, parts[:count], f"left after message {count} of {len(parts)}")


@talk_mutator(*_ALL, level=Level.SEQUENCE, expect=Expect.SURVIVE)
def start_in_middle(talk: Exchange, rng: Random) -> TalkEdit | None:
    """A client that begins with what comes later, without having said who it is (CWE-306): any clean
    answer."""
    parts = turns(talk)
    if len(parts) < 2:
        return None
    at = rng.randrange(1, len(parts))
    return _made(talk, parts[at:], f"began with message {at + 1}")


@talk_mutator(*_ALL, level=Level.SEQUENCE, expect=Expect.SURVIVE)
def splice_conversations(talk: Exchange, rng: Random, known: Known) -> TalkEdit | None:
    """The beginning of one conversation and the end of another one of the same endpoint (AFL's splice)."""
    parts = turns(talk)
    others = [each for each in known.others if each.protocol == talk.protocol and each.index != talk.index]
    if not parts or not others:
        return None
    theirs = turns(rng.choice(others))
    if not theirs:
        return None
    count, at = rng.randint(1, len(parts)), rng.randrange(len(theirs))
    found = [*parts[:count], *theirs[at:]]
    if [each[0].body for each in found] == [each[0].body for each in parts]:
        return None
    return _made(talk, found, f"{count} messages, then another conversation from message {at + 1} on")


@talk_mutator("websocket", "tcp", level=Level.SEQUENCE, expect=Expect.SURVIVE)
def say_all_at_once(talk: Exchange, rng: Random) -> TalkEdit | None:  # noqa: ARG001  # nothing to draw
    """Everything said without waiting for an answer: who reads one message for each read loses the rest."""
    if len(spoken(talk)) < 2:
        return None
    mine = [each for part in turns(talk) for each in part[:1]]
    theirs = [each for part in turns(talk) for each in part[1:]]
    if talk.protocol == "tcp":
        mine = [Message(True, b"".join(each.body for each in mine), mine[0].seen_at)]
    said = (*greeting(talk), *mine, *theirs)
    return None if said == talk.messages else only(said, "said all without waiting")


def _made(talk: Exchange, parts: list[tuple[Message, ...]], what: str) -> TalkEdit | None:
    return only((*greeting(talk), *chain.from_iterable(parts)), what)
