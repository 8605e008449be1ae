"""What a peer said in a conversation, message by message: WebSocket, TCP, UDP."""

from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import pairwise

import msgspec
import orjson

from comparators._conversation import talk_comparator
from comparators.json_body import compared as compared_json
from comparators.raw_bytes import compared as compared_bytes
from comparators.text_body import compared as compared_text
from shadow.model import Change, Difference, Message, Reply

_NAMING = ("type", "event", "op", "action", "method", "cmd", "command", "kind", "channel", "topic", "msg")
"""Members that tell messages of one kind from those of another."""
_MAX_WINDOW = 400
"""Longest unequal middle, in messages, that is aligned: the cost is quadratic."""
_MAX_NAMED = 3
_CLOCK_SECONDS = 0.5
"""What a server says so long after everything else it says by its own clock."""
_MAX_SNIFFED_BYTES = 4096
_CONTROL_BYTES = bytes(set(range(32)) - set(b"\t\n\r\f\x1b"))


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
    often a server repeats what it says by its own clock, nor how a stream is cut into pieces."""
    if control.protocol == "tcp" and _joined(control) == _joined(other):
        return
    ours, theirs = _data(control), _data(other)
    labels, others = [label(each) for each in ours], [label(each) for each in theirs]
    pairs = aligned(labels, others)
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


def label(message: Message) -> str:
    """The kind of a message: what its naming member says, or what it is made of."""
    value = _json(message.body)
    if isinstance(value, dict):
        named = [f"{name}={value[name]}" for name in _NAMING if isinstance(value.get(name), str | int | bool)]
        return f"object {named[0]}"[:80] if named else "object"
    if isinstance(value, list):
        first = value[0] if value else None
        return f"array {first}"[:80] if isinstance(first, str) else "array"
    return "text" if is_text(message.body) else "binary"


def is_text(body: bytes) -> bool:
    """Whether people can read it."""
    head = body[:_MAX_SNIFFED_BYTES]
    if head.translate(None, _CONTROL_BYTES) != head:
        return False
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def _message(left: Message, right: Message, where: str) -> Iterator[Difference]:
    if left.kind != right.kind:
        yield Difference(where, Change.TYPE, left.kind, right.kind)
    elif left.body == right.body:
        return
    elif _json(left.body) is not None and _json(right.body) is not None:
        yield from compared_json(left.body, right.body, where)
    elif is_text(left.body) and is_text(right.body):
        for each in compared_text(left.body, right.body):
            yield msgspec.structs.replace(each, where=where + each.where.removeprefix("body"))
    else:
        yield from compared_bytes(left.body, right.body, f"{where}:bytes")


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


def _json(body: bytes) -> object:
    """A JSON object or array; None for all else."""
    if body.lstrip()[:1] not in (b"{", b"["):
        return None
    try:
        value: object = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return value
