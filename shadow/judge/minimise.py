"""A failing request made smaller together with the request that it was made of. Sends nothing itself.

What is left out is left out of both by its name or place, so that the edit between them stays what it was;
every byte that is kept stays as it was too.
"""

from collections.abc import Collection, Generator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import msgspec

from shadow.content import json
from shadow.content.entity import content_encoding, with_raw_body
from shadow.content.form import form_of, with_form
from shadow.content.query import Pair, query_of, with_query
from shadow.judge.fewest import fewest
from shadow.judge.members import Path, spare_members, without_members
from shadow.model import Headers, Request

_NEEDED = frozenset(
    {
        b"authorization",
        b"connection",
        b"content-digest",
        b"content-encoding",
        b"content-length",
        b"content-md5",
        b"content-type",
        b"cookie",
        b"digest",
        b"expect",
        b"host",
        b"proxy-authorization",
        b"repr-digest",
        b"shadow-run",
        b"shadow-trial",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"x-api-key",
    }
)
"""Without these it would be another message, or somebody else's, and not a simpler one."""
_MAX_DEPTH = 8
_MAX_PIECES = 2000
"""More members than these at one depth are left as they are."""
_SPANS = 16
"""Pieces of text that are tried in one round."""
_MIN_TEXT_BYTES = 32
"""Shorter text is not worth the requests."""


type Spans = tuple[tuple[int, int], ...]
"""Parts of a text from one position to another, in order."""


class Less(msgspec.Struct, frozen=True):
    """What is left out of a request, by names in lower case, decoded names, and places."""

    fields: frozenset[bytes] = frozenset()
    parameters: frozenset[bytes] = frozenset()
    """Of the query."""
    form: frozenset[bytes] = frozenset()
    members: frozenset[Path] = frozenset()
    """Of a JSON body; what is below one of them goes with it."""
    body: Spans = ()
    """Of the text that the edit brought into the body: of the edited request alone, and afterwards."""
    target: Spans = ()
    """Likewise of the request target."""

    def of(self, request: Request) -> Request:
        """`request` without these, save the spans; what it does not have is no matter."""
        headers = request.headers
        if self.fields:
            headers = tuple(line for line in headers if line[0].lower() not in self.fields)
        made = msgspec.structs.replace(request, headers=headers)
        if self.parameters:
            kept = [pair for pair in query_of(made.target) if pair.key not in self.parameters]
            made = msgspec.structs.replace(made, target=with_query(made.target, kept))
        if self.form and (pairs := form_of(made)) is not None:
            made = with_form(made, [pair for pair in pairs if pair.key not in self.form])
        return without_members(made, self.members) if self.members else made

    def as_json(self) -> dict[str, Any]:
        """What `less_of` makes it of again."""
        return {
            "fields": sorted(each.decode("latin-1") for each in self.fields),
            "parameters": sorted(each.decode("latin-1") for each in self.parameters),
            "form": sorted(each.decode("latin-1") for each in self.form),
            "members": sorted((list(each) for each in self.members), key=repr),
            "body": [list(each) for each in self.body],
            "target": [list(each) for each in self.target],
        }

    def of_edited(self, edited: Request, plain: Request) -> Request | None:
        """`edited`, which was made of `plain`, without these; None where it has no such spans."""
        made, before = self.of(edited), self.of(plain)
        if self.target:
            target = _cut(made.target, new_text(before.target, made.target), self.target)
            if target is None:
                return None
            made = msgspec.structs.replace(made, target=target)
        if not self.body:
            return made
        body = _cut(made.body, new_body(before, made), self.body)
        return None if body is None else with_raw_body(made, body)


def less_of(told: Mapping[str, Any]) -> Less:
    """What `Less.as_json` told of. Raises KeyError, TypeError or ValueError for anything else."""

    def names(key: str) -> frozenset[bytes]:
        return frozenset(each.encode("latin-1") for each in told[key])

    def spans(key: str) -> Spans:
        return tuple((int(start), int(end)) for start, end in told[key])

    members = frozenset(tuple(each) for each in told["members"])
    return Less(names("fields"), names("parameters"), names("form"), members, spans("body"), spans("target"))


type Shrinking = Generator[Less, bool, Less]
"""Yields what might be left out, is sent whether it still fails so, returns the most that it did without."""


def shrink(
    plain: Request, edited: Request, *, needed: Collection[bytes] = (), is_free: bool = False
) -> Shrinking:
    """Propose what may be left out of `plain` and of `edited`, which was made of it, coarse things first.

    Only what is the same in both, so that the edit stays what it was; with `is_free` what was edited too, and
    parts of the text that came into the body: for edits of which nothing is said that would then be wrong.
    `needed` are names of fields and parameters besides the usual that carry credentials.

    The caller tells with each proposal whether it failed, and whether what must hold of the plain request
    held. It may stop at any time, and keep what failed last.
    """
    less = Less()
    kept = _NEEDED | {name.lower() for name in needed}
    fields = _spare_fields(plain.headers, edited.headers, kept, is_free=is_free)
    less = yield from _fewer(less, "fields", fields)
    parameters = _spare_names(query_of(plain.target), query_of(edited.target), kept, is_free=is_free)
    less = yield from _fewer(less, "parameters", parameters)
    ours, theirs = form_of(plain), form_of(edited)
    if ours is not None and theirs is not None:
        less = yield from _fewer(less, "form", _spare_names(ours, theirs, kept, is_free=is_free))
    for depth in range(1, _MAX_DEPTH + 1):
        spare = spare_members(plain, edited, depth, less.members, is_free=is_free)
        if spare is None:
            break
        if len(spare) <= _MAX_PIECES:
            less = yield from _fewer(less, "members", spare)
    if is_free:
        start, end = new_text(less.of(plain).target, less.of(edited).target)
        less = yield from _shorter(less, "target", end - start)
    if is_free and content_encoding(edited.headers) is None:
        start, end = new_body(less.of(plain), less.of(edited))
        less = yield from _shorter(less, "body", end - start)
    return less


def new_body(plain: Request, edited: Request) -> tuple[int, int]:
    """Where in the edited body stands what the plain one does not have: all of it where it is no JSON, of
    which nothing else can be left out."""
    if json.document(edited) is None and form_of(edited) is None:
        return 0, len(edited.body)
    return new_text(plain.body, edited.body)


def new_text(ours: bytes, theirs: bytes) -> tuple[int, int]:
    """Where in the second text stands what the first does not have; from its first to its last byte."""
    most = min(len(ours), len(theirs))
    start = _shared(ours, theirs, most)
    end = _shared(ours[::-1], theirs[::-1], most - start)
    return start, len(theirs) - end


def _shared(one: bytes, other: bytes, most: int) -> int:
    """How many of the first `most` bytes are the same: by halves, as bodies may be long."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _fewer[T](less: Less, part: str, spare: Sequence[T]) -> Generator[Less, bool, Less]:
    """`less` with the most of `spare` left out besides that it may be."""
    if not spare:
        return less
    before: frozenset[T] = getattr(less, part)
    search = fewest(spare)
    proposal = next(search)
    while True:
        tried = msgspec.structs.replace(less, **{part: before | frozenset(spare).difference(proposal)})
        try:
            proposal = search.send((yield tried))
        except StopIteration as end:
            out = before | frozenset(spare).difference(end.value)
            return msgspec.structs.replace(less, **{part: out})


def _shorter(less: Less, part: str, size: int) -> Generator[Less, bool, Less]:
    """`less` with pieces of the text of `size` that the edit brought into a part left out, ever smaller
    ones."""
    spans: Spans = ((0, size),)
    while sum(last - first for first, last in spans) >= _MIN_TEXT_BYTES:
        pieces = [piece for span in spans for piece in _pieces(span, max(1, _SPANS // len(spans)))]
        search = fewest(pieces, at_least=1)
        kept = tuple(pieces)
        proposal = next(search, None)
        while proposal is not None:
            tried = msgspec.structs.replace(less, **{part: _gaps(proposal, size)})
            try:
                proposal = search.send((yield tried))
            except StopIteration as stop:
                kept, proposal = stop.value, None
        joined = _joined(kept)
        if joined == spans:
            break
        spans = joined
    return msgspec.structs.replace(less, **{part: _gaps(spans, size)})


def _cut(text: bytes, where: tuple[int, int], spans: Spans) -> bytes | None:
    """`text` without `spans`, which count from where its new part begins; None where that is shorter."""
    start, end = where
    if spans[-1][1] > end - start:
        return None
    kept, at = [text[:start]], start
    for first, last in spans:
        kept.append(text[at : start + first])
        at = start + last
    return b"".join((*kept, text[at:]))


def _pieces(span: tuple[int, int], count: int) -> list[tuple[int, int]]:
    start, end = span
    count = min(count, end - start)
    edges = [start + (end - start) * at // count for at in range(count + 1)] if count else []
    return list(pairwise(edges))


def _joined(spans: Sequence[tuple[int, int]]) -> Spans:
    """Neighbours made one."""
    found: list[tuple[int, int]] = []
    for start, end in spans:
        if found and found[-1][1] == start:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return tuple(found)


def _gaps(kept: Sequence[tuple[int, int]], size: int) -> Spans:
    """What lies between `kept`, from 0 to `size`."""
    edges = [0, *(edge for span in kept for edge in span), size]
    return tuple((edges[at], edges[at + 1]) for at in range(0, len(edges), 2) if edges[at] < edges[at + 1])


def _spare_fields(ours: Headers, theirs: Headers, kept: Collection[bytes], *, is_free: bool) -> list[bytes]:
    """Names of fields that may be left out: those with the same lines in both, or any."""

    def lines(headers: Headers, wanted: bytes) -> Headers:
        return tuple(line for line in headers if line[0].lower() == wanted)

    names = dict.fromkeys(name.lower() for name, _ in theirs)
    return [
        name
        for name in names
        if name not in kept
        and b"signature" not in name
        and (is_free or lines(ours, name) == lines(theirs, name))
    ]


def _spare_names(
    ours: Sequence[Pair], theirs: Sequence[Pair], kept: Collection[bytes], *, is_free: bool
) -> list[bytes]:
    """Names of pairs that may be left out: those with the same values in both, or any."""

    def pairs(all_pairs: Sequence[Pair], wanted: bytes) -> list[Pair]:
        return [pair for pair in all_pairs if pair.key == wanted]

    names = dict.fromkeys(pair.key for pair in theirs)
    return [
        name
        for name in names
        if name.lower() not in kept and (is_free or pairs(ours, name) == pairs(theirs, name))
    ]
