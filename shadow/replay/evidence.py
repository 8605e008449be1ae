"""What two answers to one request say about which live value is which shadow value."""

import re
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any
from urllib.parse import unquote

import msgspec

from shadow.content.cookie import crumbs
from shadow.content.entity import entity
from shadow.model import Response, field, fields
from shadow.replay.alignment import Known, aligned
from shadow.replay.token import is_id_key, is_plain, is_token, kind_of_key, kind_of_path, kind_of_word

BODY_BYTES_MAX = 1 << 20
"""Larger bodies are listings and files; what they name is learned where it was made."""
_DEPTH_MAX = 64
URL_START = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*:)?//[^/?#]*|(?=/)")
"""What stands before the path of a URL, or of an absolute path."""
_TAG = re.compile(rb"<([A-Za-z][\w:.-]*+)([^<>]*+)>([^<>]*+)")
_ATTRIBUTE = re.compile(rb"""(?<![\w:.-])([\w:.-]++)\s*+=\s*+(?:"([^"]*)"|'([^']*)')""")
_NAME = re.compile(rb"""(?i:(?<![\w:.-])name)\s*+=\s*+["']([^"']*)""")
_VOLATILE = frozenset(
    b"age date expires last-modified server via content-length content-type content-encoding"
    b" transfer-encoding"
    b" cache-control connection keep-alive vary set-cookie location content-location etag link retry-after"
    b" alt-svc strict-transport-security server-timing traceparent tracestate x-request-id request-id"
    b" x-correlation-id x-trace-id x-runtime x-response-time x-amzn-trace-id cf-ray nel report-to".split()
)
"""Fields that no client sends back, or that are read apart."""

_EVER_NEW = _VOLATILE - frozenset(b"set-cookie location content-location etag link".split())
"""Fields that are read by nobody here."""


class Evidence(msgspec.Struct, frozen=True, gc=False):
    """One live value stands for one shadow value, as far as one place of one pair of answers tells."""

    live: str
    shadow: str
    kind: str | None = None
    """None where the value speaks for itself anywhere; else the kind of thing that it names, and it holds
    only where that kind is meant: ``"instance"``, ``"cookie:sid"``, ``"etag:/v1/x"``, ``"path:job"``."""
    is_sure: bool = True
    """False for a guess by position; it never overrides anything."""
    is_told: bool = False
    """True where the client was told to adopt it (Set-Cookie), whoever made up the old one."""


def may_tell(live: Response, shadow: Response) -> bool:
    """False where a glance shows that two answers are evidence of nothing: equal, but for what every answer
    has anew."""
    if live.body != shadow.body or len(live.headers) != len(shadow.headers):
        return True
    for mine, its in zip(live.headers, shadow.headers, strict=True):
        if mine != its and (mine[0] != its[0] or mine[0].lower() not in _EVER_NEW):
            return True
    return False


def gather(live: Response, shadow: Response, path: list[str], known: Known) -> Iterator[Evidence]:
    """All evidence in two answers to one request for `path` (its segments), each pair once per place.

    Nothing is to be learned from errors, nor where one succeeded and the other did not.
    """
    if live.status // 100 != shadow.status // 100 or not 200 <= live.status < 400:
        return
    yield from _cookies(live, shadow)
    yield from _fields(live, shadow, path)
    if live.body != shadow.body:
        yield from _bodies(live, shadow, path, known)


def _cookies(live: Response, shadow: Response) -> Iterator[Evidence]:
    theirs = dict(_set_cookies(shadow))
    for name, value in _set_cookies(live):
        other = theirs.get(name)
        if other and value and other != value:
            yield Evidence(value, other, f"cookie:{name}", is_told=True)
            if is_token(value, has_id_key=True):
                yield Evidence(value, other, is_told=True)


def _set_cookies(response: Response) -> Iterator[tuple[str, str]]:
    for line in fields(response.headers, b"set-cookie"):
        first = next(iter(crumbs(line)), b"")
        name, _, value = first.partition(b"=")
        yield name.strip().decode("latin-1"), value.strip().strip(b'"').decode("latin-1")


def _fields(live: Response, shadow: Response, path: list[str]) -> Iterator[Evidence]:
    theirs: dict[bytes, list[bytes]] = {}
    for name, value in shadow.headers:
        theirs.setdefault(name.lower(), []).append(value)
    for raw_name, value in live.headers:
        name = raw_name.lower()
        others = theirs.get(name)
        if not others:
            continue
        other = others.pop(0)
        if value == other:
            continue
        mine, its = value.decode("latin-1"), other.decode("latin-1")
        if name == b"etag":
            yield from _etags(mine, its, _subject(live, path))
        elif name in (b"location", b"content-location"):
            yield from urls(mine, its)
        elif name == b"link":
            yield from _links(mine, its)
        elif name not in _VOLATILE and is_token(mine, has_id_key=is_id_key(name.decode("latin-1"))):
            yield Evidence(mine, its)


def _subject(response: Response, path: list[str]) -> list[str]:
    """The path of what the answer's fields describe: of what was created, else of what was asked for."""
    location = field(response.headers, b"location") if response.status == 201 else None
    start = URL_START.match(location.decode("latin-1")) if location else None
    if location is None or start is None:
        return path
    return location.decode("latin-1")[start.end() :].partition("?")[0].split("/")


def etag_kind(path: list[str]) -> str:
    """The kind of an entity tag too short to speak for itself: that of one resource alone."""
    return "etag:" + "/".join(path)


def _etags(live: str, shadow: str, path: list[str]) -> Iterator[Evidence]:
    mine, its = _opaque(live), _opaque(shadow)
    if mine and its and mine != its:
        yield Evidence(mine, its, None if is_token(mine, has_id_key=True) else etag_kind(path))


def _opaque(etag: str) -> str:
    return etag.removeprefix("W/").strip('"')


def _links(live: str, shadow: str) -> Iterator[Evidence]:
    mine, its = re.findall(r"<([^>]*)>", live), re.findall(r"<([^>]*)>", shadow)
    if len(mine) == len(its):
        for one, other in zip(mine, its, strict=True):
            yield from urls(one, other)


def urls(live: str, shadow: str) -> Iterator[Evidence]:
    """Evidence in two URLs or absolute paths of the same build: by segment, and by query name."""
    mine, its = URL_START.match(live), URL_START.match(shadow)
    if mine is None or its is None:
        return
    path, _, query = live[mine.end() :].partition("#")[0].partition("?")
    other_path, _, other_query = shadow[its.end() :].partition("#")[0].partition("?")
    segments, others = path.split("/"), other_path.split("/")
    if len(segments) == len(others):
        for at, (one, other) in enumerate(zip(segments, others, strict=True)):
            if one != other:
                kind = kind_of_word(segments[at - 1]) if at else ""
                yield from _named(unquote(one), unquote(other), kind, is_id=any(map(str.isdigit, one)))
    theirs = dict(pair.partition("=")[::2] for pair in other_query.split("&"))
    for pair in query.split("&"):
        key, _, value = pair.partition("=")
        other_value = theirs.get(key)
        if value and other_value and value != other_value:
            yield from _named(unquote(value), unquote(other_value), kind_of_key(key), is_id=is_id_key(key))


def _named(live: str, shadow: str, kind: str, *, is_id: bool, is_sure: bool = True) -> Iterator[Evidence]:
    """Evidence of two texts that differ, the first of which names a thing of `kind` if it names any."""
    if not shadow or any(map(str.isspace, live)):
        return
    if is_token(live, has_id_key=is_id):
        yield Evidence(live, shadow, None, is_sure)
    elif kind and len(live) <= 128:
        if is_id:
            yield Evidence(live, shadow, kind, is_sure)
        elif is_sure and any(map(str.isdigit, live)) and not is_plain(live):
            yield Evidence(live, shadow, f"path:{kind}")


def _bodies(live: Response, shadow: Response, path: list[str], known: Known) -> Iterator[Evidence]:
    mine, its = entity(live), entity(shadow)
    if not mine or not its or max(len(mine), len(its)) > BODY_BYTES_MAX:
        return
    start = mine.lstrip()[:1]
    if start in (b"{", b"["):
        try:
            trees = msgspec.json.decode(mine), msgspec.json.decode(its)
            yield from _Walk(path, known).pair(*trees, key="", kind="", is_sure=True, depth=0)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return  # no JSON, or nested so deep that not even comparing is possible
    elif start == b"<":
        yield from _markup(mine, its)


class _Walk:
    """Goes through two JSON trees side by side."""

    def __init__(self, path: list[str], known: Known) -> None:
        self._path = path
        self._kind = kind_of_path(path)
        self._known = known

    def pair(
        self, live: Any, shadow: Any, *, key: str, kind: str, is_sure: bool, depth: int
    ) -> Iterator[Evidence]:
        """Evidence in two values under `key`, inside a thing of `kind` (empty where nothing says so)."""
        if depth > _DEPTH_MAX or type(live) is not type(shadow):
            return
        if live == shadow:
            # among things that differ: it stands for itself, and no later guess may say otherwise
            if isinstance(live, str) and depth and is_token(live, has_id_key=is_id_key(key)):
                yield Evidence(live, live)
            return
        if isinstance(live, dict):
            inner = kind_of_word(key) or kind
            for name, value in live.items():
                if name in shadow:
                    yield from self.pair(
                        value, shadow[name], key=name, kind=inner, is_sure=is_sure, depth=depth + 1
                    )
        elif isinstance(live, list):
            for one, other, is_certain in aligned(live, shadow, self._known):
                certain = is_sure and is_certain
                yield from self.pair(one, other, key=key, kind=kind, is_sure=certain, depth=depth + 1)
        elif isinstance(live, str):
            yield from self._texts(live, shadow, key, kind, is_sure=is_sure)
        elif isinstance(live, int) and not isinstance(live, bool) and is_id_key(key):
            yield from self._numbers(str(live), str(shadow), key, kind, is_sure=is_sure)

    def _texts(self, live: str, shadow: str, key: str, kind: str, *, is_sure: bool) -> Iterator[Evidence]:
        if "/" in live and URL_START.match(live) and URL_START.match(shadow):
            yield from urls(live, shadow)
            return
        is_id = is_id_key(key)
        yield from _named(live, shadow, self._meant(live, key, kind), is_id=is_id, is_sure=is_sure)

    def _numbers(self, live: str, shadow: str, key: str, kind: str, *, is_sure: bool) -> Iterator[Evidence]:
        if len(live) >= 9:  # snowflakes and the like stand for themselves
            yield Evidence(live, shadow, None, is_sure)
        meant = self._meant(live, key, kind)
        if meant:
            yield Evidence(live, shadow, meant, is_sure)

    def _meant(self, live: str, key: str, kind: str) -> str:
        """The kind of thing that `live` names: the key's own, that of what holds it, or that of the path."""
        own = kind_of_key(key)
        if own and own != "u":
            return own
        if live in self._path:
            return kind_of_word(self._path[self._path.index(live) - 1]) or kind or self._kind
        return kind or self._kind


def _markup(live: bytes, shadow: bytes) -> Iterator[Evidence]:
    """Evidence in two texts: named fields wherever they stand, then tag by tag while those are the same."""
    theirs = _named_fields(shadow)
    for name, attributes in _named_fields(live).items():
        if attributes != theirs.get(name, attributes):
            yield from _attributes(attributes, theirs[name])
    for mine, its in zip_longest(_TAG.finditer(live), _TAG.finditer(shadow)):
        if mine is None or its is None or mine[1] != its[1]:
            return
        if mine[2] != its[2]:
            yield from _attributes(mine[2], its[2])
        if mine[3] != its[3]:
            key = mine[1].rpartition(b":")[2].decode("latin-1")
            one, other = mine[3].strip().decode("latin-1"), its[3].strip().decode("latin-1")
            if one != other:
                yield from _named(one, other, kind_of_key(key), is_id=is_id_key(key))


def _named_fields(markup: bytes) -> dict[tuple[bytes, bytes], bytes]:
    """The attributes of each first ``input`` and ``meta`` with a name, by tag and name."""
    found: dict[tuple[bytes, bytes], bytes] = {}
    for tag in _TAG.finditer(markup):
        if tag[1].lower() in (b"input", b"meta") and (name := _NAME.search(tag[2])):
            found.setdefault((tag[1].lower(), name[1]), tag[2])
    return found


def _attributes(live: bytes, shadow: bytes) -> Iterator[Evidence]:
    theirs = {found[1]: found[2] or found[3] or b"" for found in _ATTRIBUTE.finditer(shadow)}
    named = {found[1]: found[2] or found[3] or b"" for found in _ATTRIBUTE.finditer(live)}
    title = (named.get(b"name") or named.get(b"id") or b"").decode("latin-1")
    for name, value in named.items():
        other = theirs.get(name)
        if not other or not value or other == value:
            continue
        mine, its = value.decode("latin-1"), other.decode("latin-1")
        if URL_START.match(mine) and "/" in mine:
            yield from urls(mine, its)
        else:
            key = title if name in (b"value", b"content") else name.decode("latin-1")
            yield from _named(mine, its, kind_of_key(key), is_id=is_id_key(key))
