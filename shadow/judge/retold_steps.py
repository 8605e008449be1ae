"""A finding as the requests that show it, as bytes, with the values that later ones take from answers."""

import re
from base64 import b64decode
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import msgspec
import orjson

from shadow.content.entity import undone
from shadow.judge.recipe import Recipe, request_in, swapped, swaps
from shadow.model import Exchange, Finding, Kind, Response
from shadow.wire.http1 import serialise_request

_MIN_CHARS = 4
"""A shorter value stands in later requests by chance."""
_MAX_LEAVES = 2000
_HOST = re.compile(rb"\r\nhost:[^\r\n]*", re.IGNORECASE)
_HIDDEN = re.compile(rb"<redacted:[0-9a-f]{6}>|\*{4,}")
"""A mask, or what stands for a secret that is shorter than one."""
_READS = frozenset({b"GET", b"HEAD", b"OPTIONS", b"TRACE"})


class Capture(msgspec.Struct, frozen=True):
    """A value of an answer that later requests name."""

    path: tuple[str | int, ...]
    """Keys and positions in its JSON."""
    word: str
    """What it was in the recording, as it stands in those requests."""


class Piece(msgspec.Struct, frozen=True):
    """One request of a reproduction."""

    segments: tuple[bytes, ...]
    """What is written at once, in the words of the recording; masked."""
    captures: tuple[Capture, ...] = ()
    is_judged: bool = False
    is_exact: bool = False
    """Whether its bytes are the point, so that not even a stated length may be put right."""
    pause_seconds: float = 0.0
    """Between two segments."""


def is_masked_anew(recipe: Recipe) -> bool:
    """Whether the edit is of a value that is masked, so that nobody can tell what it made of it."""
    return bool(set(_HIDDEN.findall(recipe.sent)) - set(_HIDDEN.findall(recipe.plain)))


def pieces(
    finding: Finding, recipe: Recipe, exchanges: Mapping[int, Exchange], authority: str
) -> tuple[Piece, ...]:
    """The requests that show `finding`, in order, the judged ones last. `exchanges` are those of its folder,
    by index; what is missing there is left out. `authority` is the target's, for what was recorded."""
    if recipe.steps:
        steps = [
            (each.exchange, _to(b64decode(each.raw_base64), authority), each.judged) for each in recipe.steps
        ]
        return _captured(
            [(exchanges.get(at), Piece((raw,), is_judged=is_last)) for at, raw, is_last in steps]
        )
    before = [exchanges[at] for at in recipe.before if at in exchanges and at != recipe.exchange]
    named = {leaf.word.encode() for each in before if each.response for leaf in _leaves(each.response)}
    last = _last(finding, recipe, exchanges.get(recipe.exchange), named)
    told = _captured(
        [*[(each, _recorded(each, authority)) for each in before], (exchanges.get(recipe.exchange), last)]
    )
    return tuple(_needed(before, told))


def control_of(
    finding: Finding, recipe: Recipe, exchanges: Mapping[int, Exchange], authority: str
) -> Piece | None:
    """The unedited request in the words of the recording; None where there is none but the finding's own."""
    subject = exchanges.get(recipe.exchange)
    if finding.kind not in (Kind.MUTANT, Kind.NETWORK) or subject is None:
        return None
    return _recorded(
        msgspec.structs.replace(subject, request=recipe.smaller().of(subject.request)), authority
    )


def _last(finding: Finding, recipe: Recipe, subject: Exchange | None, named: Collection[bytes]) -> Piece:
    """The request itself: what the candidate was sent, save that what earlier answers `named` is in the words
    of the recording."""
    words: dict[bytes, bytes] = {}
    plain = request_in(recipe.plain if finding.mutator is not None else recipe.sent)
    if plain is not None and subject is not None:
        swapping = swaps(plain, recipe.smaller().of(subject.request))
        words = {ours: live for ours, live in swapping.items() if live in named}
    lengths = recipe.wire.segments if recipe.wire is not None else (len(recipe.sent),)
    at, segments = 0, []
    for length in lengths:
        segments.append(swapped(recipe.sent[at : at + length], words))
        at += length
    pause = recipe.wire.pause_seconds if recipe.wire is not None else 0.0
    is_exact = recipe.wire is not None
    return Piece(tuple(segments), is_judged=True, is_exact=is_exact, pause_seconds=pause)


def _recorded(exchange: Exchange, authority: str) -> Piece:
    return Piece((_to(serialise_request(exchange.request), authority),))


def _to(text: bytes, authority: str) -> bytes:
    """A recorded request, sent to another host."""
    return _HOST.sub(b"\r\nHost: " + authority.encode().replace(b"\\", b""), text, count=1)


def _captured(told: Sequence[tuple[Exchange | None, Piece]]) -> tuple[Piece, ...]:
    """The pieces, with what later ones take from the answers of earlier ones."""
    made: list[Piece] = []
    known: set[str] = set()
    for at, (exchange, piece) in enumerate(told):
        later = b"\x00".join(b"".join(each.segments) for _, each in told[at + 1 :])
        live = exchange.response if exchange is not None and not piece.is_judged else None
        found = [
            each
            for each in (() if live is None else _leaves(live))
            if each.word not in known and each.word.encode() in later
        ]
        unique = {each.word: each for each in reversed(found)}
        known |= unique.keys()
        made.append(msgspec.structs.replace(piece, captures=tuple(unique.values())))
    return tuple(made)


def _needed(before: Sequence[Exchange], told: Sequence[Piece]) -> Iterator[Piece]:
    """Those that write, or whose answers later ones need, and the last."""
    for exchange, piece in zip(before, told, strict=False):
        if piece.captures or exchange.request.method not in _READS:
            yield piece
    yield told[-1]


def _leaves(response: Response) -> Iterator[Capture]:
    """Texts and whole numbers of a JSON answer that may name something."""
    try:
        value = orjson.loads(undone(response).body)
    except orjson.JSONDecodeError:
        return
    count = 0
    waiting: list[tuple[tuple[str | int, ...], Any]] = [((), value)]
    while waiting and count < _MAX_LEAVES:
        path, inner = waiting.pop()
        count += 1
        if isinstance(inner, dict):
            waiting += [((*path, key), each) for key, each in inner.items()]
        elif isinstance(inner, list):
            waiting += [((*path, at), each) for at, each in enumerate(inner)]
        elif isinstance(inner, str) and len(inner) >= _MIN_CHARS and any(map(str.isdigit, inner)):
            yield Capture(path, inner)
        elif isinstance(inner, int) and not isinstance(inner, bool) and len(str(inner)) >= _MIN_CHARS:
            yield Capture(path, str(inner))
