"""What a peer said in a conversation, message by message: WebSocket, TCP, UDP."""

from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import pairwise

import msgspec

from comparators._conversation import talk_comparator
from comparators.json_body import compared as compared_json
from comparators.message_kinds import is_heartbeat, is_text, label, read, sender, unwrapped
from comparators.raw_bytes import compared as compared_bytes
from comparators.text_body import compared as compared_text
from shadow.model import Change, Difference, Message, Reply

_MAX_WINDOW = 400
"""Longest unequal middle, in messages, that is aligned: the cost is quadratic."""
_MAX_NAMED = 3
_ENGINE_OPENING = b'0{"sid"'
"""Begins a conversation of Engine.IO (protocol 4), in which bare digits are heartbeats."""
_CLOCK_SECONDS = 0.5
"""What a server says so long after everything else it says by its own clock."""


class Pairs(msgspec.Struct, frozen=True):
    """Positions of messages that belong together, and of those without a partner."""

    both: tuple[tuple[int, int], ...]
    missing: tuple[int, ...] = ()
    added: tuple[int, ...] = ()
    is_reordered: bool = False


@talk_comparator
def messages(control: Reply, other: Reply) -> Iterator[Difference]:
    """Each message is compared with the one of its kind in its place: as JSON where both are, as text, or by
    the first byte that differs. Kinds are told apart by members such as ``type``. Pings do not count, nor how
    often a server repeats what it says by its own clock, how a stream is cut into pieces, and how messages
    about different things, such as answers by their ``id``, come between each other."""
    if control.protocol == "tcp" and _joined(control) == _joined(other):
        return
    (ours, beats), (theirs, its_beats) = _told_apart(control), _told_apart(other)
    labels, others = [label(each) for each in ours], [label(each) for each in theirs]
    pairs = _by_sender(ours, theirs, labels, others) or aligned(labels, others)
    for left, right in pairs.both:
        yield from _message(ours[left], theirs[right], f"message[{left}]")
    if pairs.is_reordered:
        yield Difference("messages", Change.ORDER, labels[:40], others[:40])
    clocked = _by_clock(control)
    missing = [at for at in pairs.missing if labels[at] not in clocked]
    added = [
        at for at in pairs.added if others[at] not in clocked and not _goes_on(at, pairs, labels, others)
    ]
    if (missing and other.is_complete) or (added and control.is_complete):
        if _closed_early(control, other):
            return  # that is told by the close, and is why
        counts = _counted(labels, missing), _counted(others, added)
        yield Difference("messages", Change.LENGTH, *counts)
    elif beats and not its_beats and other.is_complete and label(beats[0]) not in clocked:
        yield Difference("messages", Change.LENGTH, f"{len(labels) + 1} with a heartbeat", str(len(others)))


@talk_comparator
def close(control: Reply, other: Reply) -> Iterator[Difference]:
    """How a WebSocket's server ends it: the code of its close frame (RFC 6455 §7.4). One that the server
    sends where it had more to say counts; one that comes after all was said may be the recording's end."""
    left, right = close_code(control), close_code(other)
    if left == right:
        return
    if left is None:
        if len(_data(other)) < len(_data(control)):
            yield Difference("close", Change.ADDED, None, right)
    elif right is None:
        if other.is_complete and len(_data(other)) >= len(_data(control)):
            yield Difference("close", Change.MISSING, left, None)
    else:
        yield Difference("close", Change.VALUE, left, right)


def close_code(reply: Reply) -> int | None:
    """The code of the server's close frame: 1005 where it has none (RFC 6455 §7.1.5), None without it."""
    for message in reversed(reply.messages):
        if message.kind == "close":
            return int.from_bytes(message.body[:2]) if len(message.body) >= 2 else 1005
    return None


def aligned(labels: Sequence[str], others: Sequence[str]) -> Pairs:
    """How two sequences of messages match by their kinds."""
    if list(labels) == list(others):
        return Pairs(tuple((at, at) for at in range(len(labels))))
    if Counter(labels) == Counter(others):
        return _permuted(labels, others)
    head = next((at for at, (one, two) in enumerate(zip(labels, others, strict=False)) if one != two), None)
    head = min(len(labels), len(others)) if head is None else head
    both = [(at, at) for at in range(head)]
    missing: list[int] = []
    added: list[int] = []
    for start, end, from_, to in _edits(labels[head:], others[head:]):
        shorter = min(end - start, to - from_)
        both.extend((head + start + at, head + from_ + at) for at in range(shorter))
        missing.extend(range(head + start + shorter, head + end))
        added.extend(range(head + from_ + shorter, head + to))
    return Pairs(tuple(both), tuple(missing), tuple(added))


def _message(left: Message, right: Message, where: str) -> Iterator[Difference]:
    if left.kind != right.kind:
        yield Difference(where, Change.TYPE, left.kind, right.kind)
    elif left.body == right.body:
        return
    elif read(left.body) is not None and read(right.body) is not None:
        yield from _documents(left.body, right.body, where)
    elif is_text(left.body) and is_text(right.body):
        for each in compared_text(left.body, right.body):
            yield msgspec.structs.replace(each, where=where + each.where.removeprefix("body"))
    else:
        yield from compared_bytes(left.body, right.body, f"{where}:bytes")


def _documents(left: bytes, right: bytes, where: str) -> Iterator[Difference]:
    """JSON, perhaps behind the head of a packet."""
    (head, ours), (other, theirs) = unwrapped(left), unwrapped(right)
    if head != other:
        yield Difference(f"{where}:packet", Change.VALUE, head.decode(), other.decode())
    yield from compared_json(ours, theirs, where)


def _by_sender(
    ours: Sequence[Message], theirs: Sequence[Message], labels: Sequence[str], others: Sequence[str]
) -> Pairs | None:
    """The pairs where each message has one partner of its kind about the same thing; None where not.

    Nothing is reordered where the order of the kinds is the same, or each message tells what it is about.
    """
    mine, its = [sender(each) for each in ours], [sender(each) for each in theirs]
    if not any(mine) or mine == its:
        return None
    known = [f"{kind} {about}" for kind, about in zip(labels, mine, strict=True)]
    found = [f"{kind} {about}" for kind, about in zip(others, its, strict=True)]
    if Counter(known) != Counter(found):
        return None
    is_reordered = list(labels) != list(others) and not all(mine)
    return msgspec.structs.replace(_permuted(known, found), is_reordered=is_reordered)


def _told_apart(reply: Reply) -> tuple[list[Message], list[Message]]:
    """What was said, and the heartbeats in it."""
    said = _data(reply)
    is_engine = any(each.body.startswith(_ENGINE_OPENING) for each in said[:1])
    beats = [is_heartbeat(each, is_engine=is_engine) for each in said]
    if not any(beats):
        return said, []
    return (
        [each for each, beat in zip(said, beats, strict=True) if not beat],
        [each for each, beat in zip(said, beats, strict=True) if beat],
    )


def _edits(mine: Sequence[str], other: Sequence[str]) -> Iterator[tuple[int, int, int, int]]:
    """Stretches that belong together, equal or not, as (start, end, start, end)."""
    if max(len(mine), len(other)) > _MAX_WINDOW:
        yield 0, len(mine), 0, len(other)
        return
    for _, start, end, from_, to in SequenceMatcher(None, mine, other, autojunk=False).get_opcodes():
        yield start, end, from_, to


def _permuted(labels: Sequence[str], others: Sequence[str]) -> Pairs:
    """The same kinds in another order; those of one kind are matched in turn."""
    places: dict[str, list[int]] = {}
    for at in range(len(others) - 1, -1, -1):
        places.setdefault(others[at], []).append(at)
    return Pairs(tuple((at, places[name].pop()) for at, name in enumerate(labels)), is_reordered=True)


def _goes_on(at: int, pairs: Pairs, labels: Sequence[str], others: Sequence[str]) -> bool:
    """Whether it follows all that has a partner and is of a kind that came before: the server goes on, and
    the recording ended because the client went."""
    last = max((right for _, right in pairs.both), default=-1)
    return at > last and len(labels) > 1 and others[at] in labels


def _by_clock(control: Reply) -> frozenset[str]:
    """Kinds of messages that came by themselves: a while after anything that could have caused them."""
    timed = [each for each in control.messages if each.seen_at]
    return frozenset(
        label(after) for before, after in pairwise(timed) if after.seen_at - before.seen_at >= _CLOCK_SECONDS
    )


def _counted(labels: Sequence[str], alone: Sequence[int]) -> str:
    """How many messages there are, and of what kinds those are that only this side has."""
    kinds = ", ".join(dict.fromkeys(labels[at] for at in alone[:_MAX_NAMED]))
    return f"{len(labels)} with {kinds}" if kinds else str(len(labels))


def _closed_early(control: Reply, other: Reply) -> bool:
    return any(True for _ in close(control, other))


def _data(reply: Reply) -> list[Message]:
    return [each for each in reply.messages if each.kind not in ("ping", "pong", "close")]


def _joined(reply: Reply) -> bytes:
    return b"".join(each.body for each in reply.messages)
