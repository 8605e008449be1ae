"""Requests at the limits that the service itself tells: in refusals that were read, or in its schema."""

import re
from collections.abc import Iterator
from random import Random

from mutators import _strings as strings
from mutators._contract import mutator
from mutators._hinted import (
    MAX_SIZE,
    Spot,
    as_text,
    edit_of,
    is_of_body,
    is_of_head,
    raw_json,
    spot_of,
    steps_of,
)
from mutators._json import document_of
from mutators._message import appended, with_target
from shadow.content import json
from shadow.content.entity import replace_body
from shadow.content.form import form_of, with_form
from shadow.content.json import Kind
from shadow.content.kinds import kind_of
from shadow.content.query import Pair, encode, query_of, with_query
from shadow.model import Edit, Expect, Hint, Known, Level, Request

_FORMS = {
    "uuid": "12345678-1234-1234-1234-123456789012",
    "date": "2024-01-01",
    "date-time": "2024-01-01T00:00:00Z",
    "email": "a@b.example",
    "ipv4": "192.0.2.1",
    "uri": "http://a.example/",
    "url": "http://a.example/",
    "hostname": "a.example",
}
"""A good value of a format, whose near misses are sent."""
_LEAF = re.compile(r"(?<=[{\s])[A-Za-z_]\w*(?=\s*\})")
"""The last field of a selection of GraphQL."""
_SAMPLES = {"integer": 1, "number": 1.5, "boolean": True, "array": b"[]", "object": b"{}", "string": "shadow"}


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def limit_in_body(request: Request, rng: Random, known: Known) -> Edit | None:
    """At, one below and one above a limit that a refusal or the schema tells: limits are off by one more
    often
    than not (CWE-193); taken or denied, never a crash.
    """
    return edit_of(request, rng, known, lambda hint: is_of_body(hint) and _is_limited(hint), _around_limits)


@mutator(level=Level.TARGET, expect=Expect.SURVIVE)
def limit_in_parameter(request: Request, rng: Random, known: Known) -> Edit | None:
    """As in bodies: a parameter at, one below and one above a limit that the service tells (CWE-193)."""
    return edit_of(request, rng, known, lambda hint: is_of_head(hint) and _is_limited(hint), _around_limits)


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def told_word_in_body(request: Request, rng: Random, known: Known) -> Edit | None:
    """Another of the words that the service says it takes, or the neighbour of one: taken or denied (CATS
    enum
    fuzzers).
    """
    return edit_of(
        request,
        rng,
        known,
        lambda hint: bool(hint.words) and is_of_body(hint),
        lambda hint, spot: _words(hint, spot, rng),
    )


@mutator(level=Level.TARGET, expect=Expect.SURVIVE)
def told_word_in_parameter(request: Request, rng: Random, known: Known) -> Edit | None:
    """As in bodies: another of the words that the service says a parameter takes, or the neighbour of one."""
    return edit_of(
        request,
        rng,
        known,
        lambda hint: bool(hint.words) and is_of_head(hint),
        lambda hint, spot: _words(hint, spot, rng),
    )


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def told_format_missed_in_body(request: Request, rng: Random, known: Known) -> Edit | None:
    """Almost the format or pattern that the service tells: denied, or taken, but parsed without a crash (RFC
    3339, 9562, 5321).
    """
    return edit_of(
        request,
        rng,
        known,
        lambda hint: bool(hint.form or hint.pattern) and is_of_body(hint),
        lambda hint, spot: _misses(hint, spot, rng),
    )


@mutator(level=Level.TARGET, expect=Expect.SURVIVE)
def told_format_missed_in_parameter(request: Request, rng: Random, known: Known) -> Edit | None:
    """As in bodies: a parameter that almost has the format or pattern that the service tells."""
    return edit_of(
        request,
        rng,
        known,
        lambda hint: bool(hint.form or hint.pattern) and is_of_head(hint),
        lambda hint, spot: _misses(hint, spot, rng),
    )


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def told_member_added(request: Request, rng: Random, known: Known) -> Edit | None:
    """A member that the service named, and that this request lacks: read, ignored or denied (CWE-915)."""
    hints = [hint for hint in known.hints if is_of_body(hint) and "[]" not in hint.place]
    for hint in rng.sample(hints, min(len(hints), 8)):
        name = hint.place.removeprefix("body:")
        added = (
            _with_member(request, hint, name, rng)
            if name.startswith("$")
            else _with_field(request, hint, name, rng)
        )
        if added is not None and spot_of(request, hint.place, rng, known) is None:
            return Edit(added, f"added {hint.place}")
    return None


@mutator(level=Level.TARGET, expect=Expect.SURVIVE)
def told_parameter_added(request: Request, rng: Random, known: Known) -> Edit | None:
    """A parameter or field that the service named, and that this request lacks: read, ignored or denied."""
    hints = [hint for hint in known.hints if hint.place.startswith(("query:", "header:"))]
    for hint in rng.sample(hints, min(len(hints), 8)):
        part, _, name = hint.place.partition(":")
        if spot_of(request, hint.place, rng, known) is not None:
            continue
        value = as_text(_sample(hint, rng))
        if part == "query":
            pair = Pair(encode(name.encode("utf-8", "surrogatepass")), encode(value))
            target = with_query(request.target, [*query_of(request.target), pair])
            return Edit(with_target(request, target), f"added {hint.place}")
        line = (name.encode("latin-1", "replace"), value)
        if all(line[0] != held.lower() for held, _ in request.headers) and name.replace("-", "").isalnum():
            return Edit(appended(request, line), f"added {hint.place}")
    return None


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def told_graphql_field(request: Request, rng: Random, known: Known) -> Edit | None:
    """A field that the service named itself ("Did you mean ...?") is selected beside another: served, or
    denied, as any other name is (GraphQL October 2021 §5.3.1).
    """
    names = [hint.place.removeprefix("graphql:") for hint in known.hints if hint.place.startswith("graphql:")]
    document = document_of(request) if names else None
    if document is None or document.root.kind is not Kind.OBJECT:
        return None
    for node in document.children(document.root):
        query = json.text_of(document.raw(node)) if document.raw_key(node) == b'"query"' else ""
        leaves = list(_LEAF.finditer(query[:20_000]))
        if leaves:
            leaf, name = rng.choice(leaves), rng.choice(names)
            text = json.quote(f"{query[: leaf.end()]} {name}{query[leaf.end() :]}")
            return Edit(
                replace_body(request, json.replace(document, node, text)), f"selected {name!r} as well"
            )
    return None


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def told_required_dropped(request: Request, rng: Random, known: Known) -> Edit | None:
    """Without a value that the service said must be there: denied, or a default, never a crash (CWE-476)."""
    hints = [hint for hint in known.hints if hint.is_required]
    for hint in rng.sample(hints, min(len(hints), 8)):
        spot = spot_of(request, hint.place, rng, known)
        if spot is not None and spot.dropped is not None and (edited := spot.dropped()) != request:
            return Edit(edited, f"dropped {hint.place}")
    return None


def _is_limited(hint: Hint) -> bool:
    return any(each is not None for each in (hint.minimum, hint.maximum, hint.min_size, hint.max_size))


def _around_limits(hint: Hint, spot: Spot) -> Iterator[tuple[object, str]]:
    """At, below and above each limit that the hint has."""
    for limit, name in ((hint.minimum, "minimum"), (hint.maximum, "maximum")):
        if limit is not None and spot.kind in (None, Kind.NUMBER, Kind.STRING, Kind.NULL):
            for value in (limit, limit - 1, limit + 1):
                yield _whole(value), f"put {_whole(value)}, beside the told {name} {_whole(limit)},"
            if hint.kind == "number":
                yield (
                    limit + (0.01 if name == "maximum" else -0.01),
                    f"put a hair beyond the told {name} {limit}",
                )
    for size in (hint.min_size, hint.max_size):
        for wanted in (size, size - 1, size + 1) if size is not None else ():
            made = sized(hint, spot, wanted)
            if made is not None:
                yield made, f"put {wanted} {units(spot)}, beside the told size {size},"


def units(spot: Spot) -> str:
    """What the size of a value counts."""
    return "elements" if spot.kind is Kind.ARRAY else "characters"


def sized(hint: Hint, spot: Spot, size: int) -> object | None:
    """A value of `size` characters or elements; None where that cannot be made."""
    if not 0 <= size <= MAX_SIZE:
        return None
    if spot.kind is Kind.ARRAY:
        if (not spot.first and size) or len(spot.first) * size > MAX_SIZE:
            return None
        return b"[" + b",".join([spot.first] * size) + b"]"
    if hint.kind == "array" or spot.kind not in (None, Kind.STRING):
        return None
    return ((spot.text or "a") * (size // len(spot.text or "a") + 1))[:size]


def _words(hint: Hint, spot: Spot, rng: Random) -> Iterator[tuple[object, str]]:
    for word in hint.words:
        if word != spot.text:
            yield _as_kind(word, spot), f"put the told word {word!r:.40}"
        near = strings.neighbour(word, rng)
        if near != word and spot.kind in (None, Kind.STRING):
            yield near, f"put {near!r:.40}, beside the told word {word!r:.40},"


def _misses(hint: Hint, spot: Spot, rng: Random) -> Iterator[tuple[object, str]]:
    if spot.kind not in (None, Kind.STRING):
        return
    if good := _FORMS.get(hint.form):
        near = strings.near_miss(good, rng)
        if near is not None:
            yield near, f"put {near!r:.40}, almost the told format {hint.form!r},"
    if hint.pattern:
        for near in (f"{spot.text}!", f" {spot.text}", f"{spot.text}\n", spot.text.swapcase(), ""):
            yield near, f"put {near!r:.40}, beside the told pattern,"


def _with_member(request: Request, hint: Hint, place: str, rng: Random) -> Request | None:
    """The request with a member at a place whose object it has; None where it has it already, or no such."""
    document = document_of(request)
    steps = steps_of(place)
    if document is None or not steps:
        return None
    holder = document.root
    for step in steps[:-1]:
        inner = next((each for each in document.children(holder) if document.raw_key(each) == step), None)
        if inner is None:
            return None
        holder = inner
    if holder.kind is not Kind.OBJECT or steps[-1] in document.keys(holder):
        return None
    return replace_body(request, json.add(document, holder, steps[-1] + b":" + raw_json(_sample(hint, rng))))


def _with_field(request: Request, hint: Hint, name: str, rng: Random) -> Request | None:
    pairs = form_of(request)
    if pairs is None:
        return None
    value = as_text(_sample(hint, rng))
    return with_form(request, [*pairs, Pair(encode(name.encode("utf-8", "surrogatepass")), encode(value))])


def _sample(hint: Hint, rng: Random) -> object:
    """A value as the hint wants it, or beside that."""
    if hint.words:
        return rng.choice(hint.words)
    limits = [_whole(limit) for limit in (hint.minimum, hint.maximum) if limit is not None]
    if limits:
        return rng.choice(limits)
    if hint.kind:
        sample = _SAMPLES[hint.kind]
        return _FORMS.get(hint.form, sample) if hint.kind == "string" else sample
    return rng.choice((_FORMS.get(hint.form, "shadow"), 1, True))


def _whole(number: float) -> float:
    return int(number) if float(number).is_integer() and abs(number) < 1e15 else number


def _as_kind(word: str, spot: Spot) -> object:
    """A told word as the JSON type that stands there."""
    is_number = spot.kind is Kind.NUMBER and kind_of(word) in {"integer", "decimal"}
    is_truth = spot.kind is Kind.BOOLEAN and word in {"true", "false"}
    return word.encode() if is_number or is_truth else word
