"""Values that traffic showed elsewhere: ids out of answers, numbers beyond those seen, values of one kind."""

import re
from random import Random

from mutators import _strings as strings
from mutators._contract import mutator
from mutators._hinted import raw_json
from mutators._json import NUMBERS, STRINGS, document_of, nodes, rewritten
from mutators._message import with_target
from mutators._resource import is_id
from shadow.content import json
from shadow.content.entity import entity, media_type, replace_body
from shadow.content.json import Kind
from shadow.content.kinds import kind_of
from shadow.content.naming import plain, subject
from shadow.content.query import Pair, decode, encode, query_of, split_target, with_path, with_query
from shadow.model import Edit, Expect, Known, Level, Request

_TRIES = 8
_ELEMENT = re.compile(
    rb"(<(?:[A-Za-z_][\w.-]{0,30}:)?([A-Za-z_][\w.-]{0,63})[^<>]{0,200}>)([^<>&]{1,256})(?=</)"
)


@mutator(level=Level.TARGET, expect=Expect.SURVIVE)
def answered_id_in_path(request: Request, rng: Random, known: Known) -> Edit | None:
    """An id that an answer showed, where a path wants one of its kind (RESTler's dynamic objects): served, or
    denied for whom it does not belong to.
    """
    _, path, _ = split_target(request.target)
    words = path.split(b"/")
    found = []
    for at in range(1, len(words)):
        made = known.made.get(plain(words[at - 1].decode("latin-1"))) if is_id(words[at]) else None
        if made:
            found.append((at, made))
    if not found:
        return None
    at, made = rng.choice(found)
    new = encode(rng.choice(made).encode("utf-8", "surrogatepass"))
    if new == words[at]:
        return None
    target = with_path(request.target, b"/".join([*words[:at], new, *words[at + 1 :]]))
    return Edit(with_target(request, target), "put an id that an answer showed into the path")


@mutator(level=Level.TARGET, expect=Expect.SURVIVE)
def answered_id_in_query(request: Request, rng: Random, known: Known) -> Edit | None:
    """An id that an answer showed, in a parameter that wants one of its kind (RESTler's dynamic objects): any
    clean answer.
    """
    pairs = query_of(request.target)
    found = []
    for at, pair in enumerate(pairs):
        word = subject(f"query:{pair.key.decode('utf-8', 'replace')}", "")
        if word and (made := known.made.get(word)):
            found.append((at, made))
    return _in_query(request, pairs, found, rng, "put an id that an answer showed into")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def answered_id_in_json(request: Request, rng: Random, known: Known) -> Edit | None:
    """An id that an answer showed, in a member that wants one of its kind (RESTler's dynamic objects): any
    clean
    answer.
    """
    document = document_of(request) if known.made else None
    found = nodes(document, STRINGS | NUMBERS) if document else []
    if document is None or not found:
        return None
    for node in rng.sample(found, min(len(found), _TRIES)):
        word = subject(json.place(document, node), "")
        made = known.made.get(word) if word else None
        if not made:
            continue
        value = rng.choice(made)
        is_number = node.kind is Kind.NUMBER and kind_of(value) == "integer"
        text = json.replace(document, node, raw_json(value.encode() if is_number else value))
        return rewritten(request, document, text, "put an id that an answer showed into", node)
    return None


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def beyond_seen_in_json(request: Request, rng: Random, known: Known) -> Edit | None:
    """Beyond the least and the greatest number that traffic showed there begins what nobody tried
    (CWE-1284)."""
    document = document_of(request) if known.ranges else None
    found = nodes(document, NUMBERS) if document else []
    if document is None or not found:
        return None
    for node in rng.sample(found, min(len(found), _TRIES)):
        reach = known.ranges.get("body:" + json.place(document, node))
        if reach is not None:
            text = json.replace(document, node, raw_json(_beyond(reach, rng)))
            return rewritten(request, document, text, "put a number beyond those seen into", node)
    return None


@mutator(level=Level.TARGET, expect=Expect.SURVIVE)
def beyond_seen_in_query(request: Request, rng: Random, known: Known) -> Edit | None:
    """As in bodies: a parameter beyond the least and the greatest number that traffic showed for it
    (CWE-1284)."""
    pairs = query_of(request.target)
    found: list[tuple[int, tuple[str, ...]]] = [
        (at, (str(_beyond(reach, rng)),))
        for at, pair in enumerate(pairs)
        if (reach := known.ranges.get(f"query:{pair.key.decode('utf-8', 'replace')}")) is not None
    ]
    return _in_query(request, pairs, found, rng, "put a number beyond those seen into")


@mutator(level=Level.TARGET, expect=Expect.SURVIVE)
def foreign_in_query(request: Request, rng: Random, known: Known) -> Edit | None:
    """A value of the same kind from another place: well formed, and means something else; any clean
    answer."""
    pairs = query_of(request.target)
    found = []
    for at, pair in enumerate(pairs):
        alike = known.kinds.get(kind_of(decode(pair.value or b"").decode("utf-8", "replace")), ())
        own = f"query:{pair.key.decode('utf-8', 'replace')}"
        if others := tuple(value for place, value in alike if place != own):
            found.append((at, others))
    return _in_query(request, pairs, found, rng, "put a value of another place into")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def seen_neighbour_in_json(request: Request, rng: Random, known: Known) -> Edit | None:
    """Beside the words that traffic showed at a place, as beside those of an enumeration, lies none:
    denied, or
    matched leniently, never a crash (CATS enum fuzzers).
    """
    document = document_of(request) if known.values else None
    found = nodes(document, STRINGS) if document else []
    if document is None or not found:
        return None
    for node in rng.sample(found, min(len(found), _TRIES)):
        seen = known.values.get("body:" + json.place(document, node), ())
        words = [each for each in seen if kind_of(each) == "word"]
        if words:
            near = strings.neighbour(rng.choice(words), rng)
            text = json.replace(document, node, json.quote(near))
            return rewritten(request, document, text, "put the neighbour of a seen word into", node)
    return None


@mutator(level=Level.TARGET, expect=Expect.SURVIVE)
def seen_neighbour_in_query(request: Request, rng: Random, known: Known) -> Edit | None:
    """As in bodies: beside the words that traffic showed for a parameter lies none (CATS enum fuzzers)."""
    pairs = query_of(request.target)
    found = []
    for at, pair in enumerate(pairs):
        seen = known.values.get(f"query:{pair.key.decode('utf-8', 'replace')}", ())
        if words := tuple(strings.neighbour(each, rng) for each in seen if kind_of(each) == "word"):
            found.append((at, words))
    return _in_query(request, pairs, found, rng, "put the neighbour of a seen word into")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def recorded_in_xml(request: Request, rng: Random, known: Known) -> Edit | None:
    """A value that traffic showed in an element of the same name is one that the service knows; any clean
    answer."""
    if b"xml" not in media_type(request.headers) and request.body[:1] != b"<":
        return None
    body = entity(request) or b""
    found = []
    for element in _ELEMENT.finditer(body[: 64 * 1024]):
        seen = known.values.get(f"body:<{element[2].decode('utf-8', 'replace')}>")
        if seen:
            found.append((element, seen))
    if not found:
        return None
    element, seen = rng.choice(found)
    value = rng.choice(seen).replace("&", "&amp;").replace("<", "&lt;").encode("utf-8", "replace")
    if value == element[3]:
        return None
    text = body[: element.start(3)] + value + body[element.end(3) :]
    return Edit(
        replace_body(request, text), f"put a recorded value into <{element[2].decode('utf-8', 'replace')}>"
    )


def _in_query(
    request: Request, pairs: list[Pair], found: list[tuple[int, tuple[str, ...]]], rng: Random, what: str
) -> Edit | None:
    """An edit with one of the values at one of the positions `found`."""
    if not found:
        return None
    at, values = rng.choice(found)
    value = encode(rng.choice(values).encode("utf-8", "surrogatepass"))
    target = with_query(request.target, [*pairs[:at], Pair(pairs[at].name, value), *pairs[at + 1 :]])
    return (
        None
        if target == request.target
        else Edit(with_target(request, target), f"{what} {pairs[at].name.decode('latin-1')!r}")
    )


def _beyond(reach: tuple[float, float], rng: Random) -> float:
    least, most = reach
    width = most - least
    value = rng.choice((least - 1, most + 1, most * 2, most + width + 1, least - width - 1, most * 10, -most))
    return value if isinstance(value, int) or abs(value) < 1e300 else 0
