"""A recorded request with its live values exchanged for a target's own; every other byte stays as it was."""

import re
from functools import lru_cache
from typing import Protocol

from shadow.content.entity import entity, media_type, replace_body
from shadow.content.json import quote, text_of
from shadow.content.query import decode, encode, join_target, split_target
from shadow.model import Headers, Request
from shadow.replay.aim import Aim
from shadow.replay.evidence import etag_kind
from shadow.replay.evidence_text import URL_START, path_segments
from shadow.replay.token import is_id_key, is_token, kind_of_key, kind_of_path, kind_of_word

BODY_BYTES_MAX = 256 * 1024
"""Larger bodies are uploads; going through one would hold up everything else for too long."""
_UNTOUCHED = frozenset(
    b"host content-length content-type content-encoding transfer-encoding connection accept accept-encoding"
    b" accept-language user-agent date te trailer upgrade expect range keep-alive cache-control pragma"
    b" content-md5 digest content-digest repr-digest".split()
)
_OF_HOST = frozenset(
    (b"origin", b"referer", b"x-forwarded-host", b"x-original-host", b"x-host", b"forwarded")
)
"""Fields that repeat the host that the client asked."""
CONDITIONS = frozenset((b"if-match", b"if-none-match", b"if-range"))
"""Their values name the state of what the whole path names."""
_SEPARATORS = tuple(
    re.compile(rf"([{chars}]+)") for chars in (r"\s,;\"'<>(){}\[\]\\", r"/?&#", r"=", r":|@", r".", r"~+*!$")
)
"""From the coarsest to the finest: a value is looked up whole before it is taken apart."""
_SOLID = re.compile(r"[A-Za-z0-9_-]*")
_SEGMENTS_MAX = 100
_PAIRS_MAX = 1000
"""Of a path, and of a query or a form; what is beyond stays as it is. No service makes so many."""
_PIECE_CHARS_MIN = 6  # what stands for itself is at least so long
_UUID = re.compile(r"(?<![0-9a-fA-F])[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}(?![0-9a-fA-F])")
_JSON_TOKEN = re.compile(
    rb'("[^"\\\x00-\x1f]*+(?:\\.[^"\\\x00-\x1f]*+)*+")(\s*+:)?|(?<![\w.+-])(-?[0-9]++)(?![\w.+-])', re.DOTALL
)
_ELEMENT = re.compile(rb"<([A-Za-z][\w:.-]*+)([^<>]*+)>([^<>]*+)")
_MARKED = re.compile(rb"""(?<![\w:.-])([\w:.-]++)\s*+=\s*+(["'])([^"'<>]++)\2""")
_PART = re.compile(
    rb'((?i:content-disposition):[^\r\n]*;\s*name="([^"\r\n]*)"(?:\r\n[^\r\n]++)*+\r\n\r\n)([^\r\n]{1,8192}+)(?=\r\n--)'
)
_BARE = re.compile(rb"[A-Za-z0-9._~!$'()*,;:@/-]*")
_RUN = re.compile(r"[A-Za-z0-9._~+/=:%|@!$&?#-]{6,}", re.ASCII)


class Lookup(Protocol):
    """What is known of one session's values."""

    place: tuple[str, object]
    """Set to where the value stands that is looked up next."""

    def find(self, text: str, kind: str | None) -> str | None:
        """The shadow value of `text` by itself (`kind` None), or as the name of a thing of that kind."""
        ...

    def find_bare(self, text: str) -> str | None:
        """The shadow value of `text` as the name of a thing of whatever kind, where only one is meant."""
        ...

    def knows(self, text: str, kind: str | None) -> str | None:
        """As `find`, without the value being used."""
        ...

    def note(self, text: str, kind: str | None) -> None:
        """The client used `text`, and nothing is known of it."""
        ...


def rewrite(request: Request, lookup: Lookup, aim: Aim, *, keeps_host: bool = False) -> Request:
    """`request` for the target. Host is left alone; a changed body gets its length and digests put right.

    With `keeps_host`, the fields that go with it are left alone too: services compare them.
    """
    segments = path_segments(request.target)
    kind = kind_of_path(segments, lookup.knows)
    swap = _Swap(lookup, aim, segments, kind, keeps_host=keeps_host)
    target = swap.target(request.target)
    headers = tuple((name, swap.field(name, value)) for name, value in request.headers)
    changed = request
    if target != request.target or headers != request.headers:
        changed = Request(request.method, target, request.version, headers, request.body, request.trailers)
    if not request.body or len(request.body) > BODY_BYTES_MAX:
        return changed
    content = entity(request)
    if content is None:
        return changed
    swapped = swap.body(content, media_type(request.headers))
    return changed if swapped == content else replace_body(changed, swapped)


def rewrite_target(target: bytes, lookup: Lookup, aim: Aim) -> tuple[bytes, str]:
    """What `rewrite` makes of a target, and the kind of thing that its path is about."""
    segments = path_segments(target)
    kind = kind_of_path(segments, lookup.knows)
    return _Swap(lookup, aim, segments, kind, keeps_host=False).target(target), kind


def rewrite_fields(headers: Headers, kind: str, lookup: Lookup, aim: Aim, *, keeps_host: bool) -> Headers:
    """What `rewrite` makes of fields, save of `CONDITIONS`, where the path is about a thing of `kind`."""
    swap = _Swap(lookup, aim, [], kind, keeps_host=keeps_host)
    return tuple((name, swap.field(name, value)) for name, value in headers)


def _written(new: str, old_raw: bytes, old: str) -> bytes:
    """`new` as it stands in a URL: as it is where the old text did too, else percent-encoded throughout."""
    raw = new.encode("utf-8", "surrogateescape")
    was_bare = old.encode("utf-8", "surrogateescape") == old_raw
    return raw if was_bare and _BARE.fullmatch(raw) else encode(raw)


_KEY_BYTES_MAX = 96
_LONG_KEY = ("", False, "", False)
"""What is made of a key that nobody would give to a name."""


@lru_cache(maxsize=4096)
def _key(raw: bytes) -> tuple[str, bool, str, bool]:
    """A raw JSON key: its text, whether it announces an id, what kind of thing it names, and whether it may
    name a thing itself."""
    text = text_of(raw)
    return text, is_id_key(text), kind_of_key(text), is_token(text, has_id_key=True)


class _Swap:
    """Exchanges the values of one request."""

    def __init__(self, lookup: Lookup, aim: Aim, segments: list[str], kind: str, *, keeps_host: bool) -> None:
        self._lookup = lookup
        self._aim = aim
        self._segments = segments
        self._kind = kind
        self._keeps_host = keeps_host

    def target(self, target: bytes) -> bytes:
        authority, path, query = split_target(target)
        if authority:
            authority = self._aim.text(authority.decode("latin-1")).encode("latin-1")
        return join_target(authority, self._path(path), None if query is None else self.pairs(query))

    def field(self, name: bytes, value: bytes) -> bytes:
        """A field's value."""
        lower = name.lower()
        if lower in _UNTOUCHED:
            return value
        if lower == b"cookie":
            return b";".join(self._crumb(piece) for piece in value.split(b";"))
        self._lookup.place = ("header", lower)
        text = value.decode("latin-1")
        if lower in CONDITIONS:
            return re.sub(r'"([^"]*)"', self._etag, text).encode("latin-1")
        if lower in _OF_HOST:
            if self._keeps_host:
                return self._with_names(text).encode("latin-1", "replace")
            if self._aim.is_live(text):
                return self._aim.authority.encode()
        key = lower.decode("latin-1")
        return self.text(text, kind_of_key(key) if is_id_key(key) else "").encode("latin-1", "replace")

    def pairs(self, text: bytes, part: str = "query") -> bytes:
        """The values of ``a=1&b=2``."""
        pieces = text.split(b"&", _PAIRS_MAX)
        rest = pieces[_PAIRS_MAX:]
        return b"&".join([*[self._pair(piece, part) for piece in pieces[:_PAIRS_MAX]], *rest])

    def body(self, content: bytes, kind: bytes) -> bytes:
        if kind == b"application/x-www-form-urlencoded":
            return self.pairs(content, "body")
        start = content.lstrip()[:1]
        if start in (b"{", b"[") or kind.endswith(b"json"):
            return self._json(content)
        if kind.startswith(b"multipart/"):
            content = _PART.sub(self._part, content)
        self._lookup.place = ("body", "")
        if b"\0" in content:
            return content
        if start == b"<":
            content = _ELEMENT.sub(self._element, content)
        text = content.decode("latin-1")
        swapped = _RUN.sub(lambda run: self._piece(run[0], 0), self._aim.text(text))
        return swapped.encode("latin-1", "replace")

    def text(self, text: str, kind: str, *, is_bare: bool = False) -> str:
        """One value, which may be or hold a name of a thing of `kind` (empty where nothing says so).

        With `is_bare` the kind is a guess.
        """
        found = self._whole(text, kind, is_bare=is_bare)
        if found is not None:
            return found
        return self._with_names(self._aim.text(text))

    def _with_names(self, text: str) -> str:
        start = URL_START.match(text)
        return self._pieces(text) if start is None else text[: start.end()] + self._url(text[start.end() :])

    def _whole(self, text: str, kind: str, *, is_bare: bool = False) -> str | None:
        found = self._lookup.find(text, None)
        if found is None and kind:
            found = self._lookup.find(text, kind)
        if found is None and is_bare:
            found = self._lookup.find_bare(text)
        if found is None:
            self._lookup.note(text, None)
            if kind:
                self._lookup.note(text, kind)
        return found

    def _pieces(self, text: str, level: int = 0) -> str:
        """`text` with its parts exchanged, the coarser parts before the finer ones."""
        if len(text) < _PIECE_CHARS_MIN:
            return text
        while level < len(_SEPARATORS) and not _SOLID.fullmatch(text):
            separator = _SEPARATORS[level]
            level += 1
            if separator.search(text) is not None:
                return "".join(self._piece(piece, level) for piece in separator.split(text))
        if len(text) > 36:
            return _UUID.sub(lambda found: self._lookup.find(found[0], None) or found[0], text)
        return text

    def _piece(self, text: str, level: int) -> str:
        if len(text) < _PIECE_CHARS_MIN:
            return text
        found = self._lookup.find(text, None)
        if found is not None:
            return found
        self._lookup.note(text, None)
        return self._pieces(text, level)

    def _url(self, text: str) -> str:
        """What follows the authority of a URL."""
        before, mark, fragment = text.encode("utf-8", "surrogateescape").partition(b"#")
        path, question, query = before.partition(b"?")
        swapped = self._path(path) + question + self.pairs(query) + mark + fragment
        return swapped.decode("utf-8", "surrogateescape")

    def _path(self, path: bytes) -> bytes:
        segments = path.split(b"/", _SEGMENTS_MAX)
        made = segments[:1]
        for at, raw in enumerate(segments[1:_SEGMENTS_MAX], 1):
            self._lookup.place = ("path", at)
            made.append(self._segment(segments[at - 1], raw))
        return b"/".join([*made, *segments[_SEGMENTS_MAX:]])

    def _segment(self, before: bytes, raw: bytes) -> bytes:
        if not raw:
            return raw
        text = decode(raw.replace(b"+", b"%2B")).decode("utf-8", "surrogateescape")
        kind = kind_of_word(before.decode("latin-1"))
        found = self._whole(text, kind)
        if found is None and kind:
            found = self._lookup.find(text, f"path:{kind}")
        if found is None:
            found = self._pieces(text)
        return raw if found == text else _written(found, raw, text)

    def _pair(self, pair: bytes, part: str) -> bytes:
        raw_name, mark, raw = pair.partition(b"=")
        if not raw:
            return pair
        key = decode(raw_name).decode("utf-8", "surrogateescape")
        text = decode(raw).decode("utf-8", "surrogateescape")
        self._lookup.place = (part, key)
        kind, is_bare = self._kind_under(key)
        if "," in text and is_id_key(key):
            swapped = ",".join(self.text(each, kind, is_bare=is_bare) for each in text.split(","))
        else:
            swapped = self.text(text, kind, is_bare=is_bare)
        if swapped == text:
            return pair
        return raw_name + mark + _written(swapped, raw, text)

    def _crumb(self, crumb: bytes) -> bytes:
        name, mark, raw = crumb.partition(b"=")
        value = raw.strip().decode("latin-1")
        if not value:
            return crumb
        key = name.strip().decode("latin-1")
        bare = value.strip('"')
        self._lookup.place = ("cookie", key)
        found = self._lookup.find(bare, f"cookie:{key}")
        swapped = self.text(bare, "") if found is None else found
        if (own := self._aim.cookie_name(key)) != key:
            name = name.replace(key.encode("latin-1"), own.encode("latin-1"))
        if swapped != bare:
            raw = value.replace(bare, swapped).encode("latin-1", "replace")
        return name + mark + raw

    def _etag(self, quoted: re.Match[str]) -> str:
        found = self._whole(quoted[1], etag_kind(self._segments))
        return quoted[0] if found is None else f'"{found}"'

    def _json(self, content: bytes) -> bytes:
        """Goes through the tokens of a text, which need not be whole JSON for that."""
        out: list[bytes] = []
        end, kind, is_id, is_bare = 0, self._kind, False, False
        for token in _JSON_TOKEN.finditer(content):
            string, colon, number = token.groups()
            if colon is not None:
                key, is_id, own, may_name = _key(string) if len(string) <= _KEY_BYTES_MAX else _LONG_KEY
                self._lookup.place = ("body:$.", key)
                kind, is_bare = (own, False) if own else (self._kind, True) if is_id else ("", False)
                if not may_name:
                    continue
                new = self._json_key(key)
                start, stop = token.span(1)
            elif string is not None:
                start, stop = token.span(1)
                new = self._json_string(string, kind, is_bare=is_bare)
            else:
                start, stop = token.span(3)
                new = self._json_number(number, kind, is_id=is_id, is_bare=is_bare)
            if new is not None:
                out += (content[end:start], new)
                end = stop
        return b"".join((*out, content[end:])) if out else content

    def _json_key(self, key: str) -> bytes | None:
        found = self._lookup.find(key, None)
        return None if found is None or found == key else quote(found)

    def _json_string(self, raw: bytes, kind: str, *, is_bare: bool) -> bytes | None:
        if len(raw) <= 2:
            return None
        text = text_of(raw) if b"\\" in raw else raw[1:-1].decode("utf-8", "surrogateescape")
        if text[:1] in ("{", "[") and '"' in text:  # JSON within JSON
            inner = self._json(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")
            swapped = self._aim.text(inner)
        else:
            swapped = self.text(text, kind, is_bare=is_bare)
        return None if swapped == text else quote(swapped)

    def _json_number(self, raw: bytes, kind: str, *, is_id: bool, is_bare: bool) -> bytes | None:
        """A number names a thing under a key that says so, or that is called as the thing itself."""
        text = raw.decode("ascii")
        if is_id:
            found = self._whole(text, kind, is_bare=is_bare)
        else:
            found = self._lookup.find(text, kind) if kind and not is_bare else None
        return found.encode("ascii") if found is not None and found.lstrip("-").isdigit() else None

    def _element(self, tag: re.Match[bytes]) -> bytes:
        """A tag of markup with its attributes, and the text behind it."""
        name = tag[1].rpartition(b":")[2].decode("latin-1")

        def attribute(found: re.Match[bytes]) -> bytes:
            key = found[1].decode("latin-1")
            own = name if key.lower() == "id" and not kind_of_key(key) else key
            return found[0].replace(found[3], self._value(found[3], own if own == key else f"{name}_id"))

        attributes = _MARKED.sub(attribute, tag[2])
        text = tag[3].strip()
        told = tag[3].replace(text, self._value(text, name)) if text else tag[3]
        return b"<" + tag[1] + attributes + b">" + told

    def _part(self, part: re.Match[bytes]) -> bytes:
        """A field of a form in parts whose value is one line."""
        return part[1] + self._value(part[3], part[2].decode("latin-1"))

    def _value(self, raw: bytes, key: str) -> bytes:
        """`raw`, which stands by itself under `key`."""
        self._lookup.place = ("body", key)
        kind, is_bare = self._kind_under(key)
        return self.text(raw.decode("latin-1"), kind, is_bare=is_bare).encode("latin-1", "replace")

    def _kind_under(self, key: str) -> tuple[str, bool]:
        """The kind of thing that a value under `key` names, and whether that is a guess: a bare id names
        what the path is about, if anything."""
        own = kind_of_key(key)
        if own:
            return own, False
        return (self._kind, True) if is_id_key(key) else ("", False)
