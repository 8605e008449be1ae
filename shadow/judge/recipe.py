"""What a finding says of how it was made, read again, and its edit carried over to a request of today."""

import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from shadow.judge.minimise import Less, less_of
from shadow.model import Ending, Finding, Headers, Request, Wire
from shadow.wire.http1 import RequestReader

_TOKEN = re.compile(rb"[A-Za-z0-9_.~<>:*+=-]+")
"""A value, or a mask in its place, as a whole."""
_MIN_TOKEN_BYTES = 4
"""Shorter ones may stand elsewhere by chance."""
MASK = b"<redacted:"

type _Index = Annotated[int, msgspec.Meta(ge=0)]


class WireForm(msgspec.Struct, frozen=True):
    """How the bytes left: the lengths of what was written at once, and what came then."""

    segments: tuple[int, ...]
    pause_seconds: float = 0.0
    ending: Ending = Ending.READ
    protocol: str = "http1"
    stream: int = 1


class SentBefore(msgspec.Struct, frozen=True):
    """One step of a script."""

    exchange: _Index
    raw_base64: str
    judged: bool = False


class Recipe(msgspec.Struct, frozen=True):
    """The part of a finding's `reproduce` that tells how it was made."""

    exchange: _Index
    raw_base64: str
    seed: int = 0
    before: tuple[_Index, ...] = ()
    others: tuple[_Index, ...] = ()
    owner: str = ""
    plain_base64: str = ""
    less: dict[str, Any] | None = None
    kept: tuple[_Index, ...] = ()
    steps: tuple[SentBefore, ...] = ()
    at_once: bool = False
    wire: WireForm | None = None
    curl: str | None = None
    shell: str | None = None

    @property
    def sent(self) -> bytes:
        """The candidate's request as it left, or all of a script's one after the other; masked."""
        return b64decode(self.raw_base64)

    @property
    def plain(self) -> bytes:
        """The unedited request; empty for what is none."""
        return b64decode(self.plain_base64)

    def smaller(self) -> Less:
        """What is to be left out of the recorded request."""
        return Less() if self.less is None else less_of(self.less)


def recipe_of(finding: Finding) -> Recipe | str:
    """How `finding` was made, or why that cannot be told."""
    if "exchange" not in finding.reproduce:
        return "the folder was written by an older version, which did not keep how findings were made"
    try:
        recipe = msgspec.convert(finding.reproduce, Recipe)
        _ = recipe.sent, recipe.plain, recipe.smaller()
    except (msgspec.ValidationError, KeyError, TypeError, ValueError, Base64Error) as error:
        return f"its `reproduce` cannot be read: {error}"
    return recipe


def request_in(text: bytes) -> Request | None:
    """The one request that `text` is; None for anything else."""
    reader = RequestReader()
    found = reader.feed(text)
    return found if not reader.surplus and not reader.is_cut else None


def carried_over(plain: Request, edited: Request, now: Request) -> Request:
    """`edited`, which was made of `plain`, as it would have been made of `now`, which is the same request
    with other ids, credentials and times."""
    words = swaps(plain, now)
    headers = _headers(plain.headers, edited.headers, now.headers, words)
    body = now.body if edited.body == plain.body else swapped(edited.body, words)
    if edited.body != plain.body and len(body) != len(edited.body):
        length = str(len(edited.body)).encode()
        headers = tuple(
            (
                name,
                str(len(body)).encode() if name.lower() == b"content-length" and value == length else value,
            )
            for name, value in headers
        )
    return msgspec.structs.replace(
        now,
        method=now.method if edited.method == plain.method else edited.method,
        target=now.target if edited.target == plain.target else swapped(edited.target, words),
        headers=headers,
        body=body,
    )


def wire_now(recipe: Recipe, plain: Request, now: Request) -> Wire | None:
    """The exact bytes that were sent, with the words of `now`; None where they were no such bytes."""
    form = recipe.wire
    if form is None:
        return None
    words, at, segments = swaps(plain, now), 0, []
    for length in form.segments:
        segments.append(swapped(recipe.sent[at : at + length], words))
        at += length
    return Wire(tuple(segments), form.pause_seconds, form.ending, form.protocol, form.stream)


def swaps(then: Request, now: Request) -> dict[bytes, bytes]:
    """The words of `then` in whose places `now` has others."""
    found: dict[bytes, bytes] = {}
    pairs = [(then.target, now.target), (then.body, now.body)]
    latest = _by_place(now.headers)
    pairs += [(value, latest[place]) for place, value in _by_place(then.headers).items() if place in latest]
    for before, after in pairs:
        mine, its = _TOKEN.findall(before), _TOKEN.findall(after)
        if len(mine) == len(its):
            found |= {
                one: other
                for one, other in zip(mine, its, strict=True)
                if one != other and len(one) >= _MIN_TOKEN_BYTES
            }
        elif before and len(before) >= _MIN_TOKEN_BYTES:
            found[before] = after
    return found


def swapped(text: bytes, words: Mapping[bytes, bytes]) -> bytes:
    """`text` with each word in place of which another stands now."""
    if not words:
        return text
    longest = sorted(words, key=len, reverse=True)
    pattern = re.compile(b"|".join(map(re.escape, longest)))
    return pattern.sub(lambda found: words[found[0]], text)


def _headers(plain: Headers, edited: Headers, now: Headers, words: Mapping[bytes, bytes]) -> Headers:
    latest = {
        line: latest_line
        for place, line in _lines_by_place(plain).items()
        if (latest_line := _lines_by_place(now).get(place)) is not None
    }
    return tuple(latest.get(line, (line[0], swapped(line[1], words))) for line in edited)


def _by_place(headers: Headers) -> dict[tuple[bytes, int], bytes]:
    return {place: value for place, (_, value) in _lines_by_place(headers).items()}


def _lines_by_place(headers: Headers) -> dict[tuple[bytes, int], tuple[bytes, bytes]]:
    """Lines by their name and how many of it stand before."""
    found: dict[tuple[bytes, int], tuple[bytes, bytes]] = {}
    for name, value in headers:
        low = name.lower()
        at = sum(place[0] == low for place in found)
        found[low, at] = name, value
    return found
