"""A recorded request with its live values exchanged for a target's own; every other byte stays as it was."""

import re
from collections.abc import Callable
from typing import Protocol

from shadow.content.entity import entity, media_type, replace_body
from shadow.content.json import quote, text_of
from shadow.content.query import decode, encode, join_target, split_target
from shadow.model import Headers, Request
from shadow.replay.evidence import URL_START, etag_kind
from shadow.replay.token import is_id_key, kind_of_key, kind_of_path, kind_of_word

BODY_BYTES_MAX = 256 * 1024
"""Larger bodies are uploads; going through one would hold up everything else for too long."""
_UNTOUCHED = frozenset(
    b"host content-length content-type content-encoding transfer-encoding connection accept accept-encoding"
    b" accept-language user-agent date te trailer upgrade expect range keep-alive cache-control pragma"
    b" content-md5 digest content-digest repr-digest".split()
)
CONDITIONS = frozenset((b"if-match", b"if-none-match", b"if-range"))
"""Their values name the state of what the whole path names."""
_SEPARATORS = tuple(
    re.compile(rf"([{chars}]+)") for chars in (r"\s,;\"'<>(){}\[\]\\", r"/?&#", r"=", r":|@", r".", r"~+*!$")
)
"""From the coarsest to the finest: a value is looked up whole before it is taken apart."""
_SOLID = re.compile(r"[A-Za-z0-9_-]*")
_PIECE_CHARS_MIN = 6  # what stands for itself is at least so long
_UUID = re.compile(r"(?<![0-9a-fA-F])[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}(?![0-9a-fA-F])")
_JSON_TOKEN = re.compile(
    rb'("[^"\\\x00-\x1f]*+(?:\\.[^"\\\x00-\x1f]*+)*+")(\s*+:)?|(?<![\w.+-])(-?[0-9]++)(?![\w.+-])', re.DOTALL
)
_BARE = re.compile(rb"[A-Za-z0-9._~!$'()*,;:@/-]*")
_RUN = re.compile(r"[A-Za-z0-9._~+/=:%|@!$&?#-]{6,}", re.ASCII)


class Lookup(Protocol):
    """What is known of one session's values."""

    def find(self, text: str, kind: str | None) -> str | None:
        """The shadow value of `text` by itself (`kind` None), or as the name of a thing of that kind."""
        ...

    def note(self, text: str, kind: str | None) -> None:
        """The client used `text`, and nothing is known of it."""
        ...


type Aim = Callable[[str], str]
"""A text with the live service's address in it exchanged for the target's."""


def path_segments(target: bytes) -> list[str]:
    """The segments of a request target's path, as written: ``["", "v1", "x"]``."""
    return split_target(target)[1].decode("latin-1").split("/")


def rewrite(request: Request, lookup: Lookup, aim: Aim) -> Request:
    """`request` for the target. Host is left alone; a changed body gets its length and digests put right."""
    segments = path_segments(request.target)
    swap = _Swap(lookup, aim, segments, kind_of_path(segments))
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
    kind = kind_of_path(segments)
    return _Swap(lookup, aim, segments, kind).target(target), kind


def rewrite_fields(headers: Headers, kind: str, lookup: Lookup, aim: Aim) -> Headers:
    """What `rewrite` makes of fields, save of `CONDITIONS`, where the path is about a thing of `kind`."""
    swap = _Swap(lookup, aim, [], kind)
    return tuple((name, swap.field(name, value)) for name, value in headers)


def _written(new: str, old_raw: bytes, old: str) -> bytes:
    """`new` as it stands in a URL: as it is where the old text did too, else percent-encoded throughout."""
    raw = new.encode("utf-8", "surrogateescape")
    was_bare = old.encode("utf-8", "surrogateescape") == old_raw
    return raw if was_bare and _BARE.fullmatch(raw) else encode(raw)


class _Swap:
    """Exchanges the values of one request."""

    def __init__(self, lookup: Lookup, aim: Aim, segments: list[str], kind: str) -> None:
        self._lookup = lookup
        self._aim = aim
        self._segments = segments
        self._kind = kind

    def target(self, target: bytes) -> bytes:
        authority, path, query = split_target(target)
        if authority:
            authority = self._aim(authority.decode("latin-1")).encode("latin-1")
        return join_target(authority, self._path(path), None if query is None else self.pairs(query))

    def field(self, name: bytes, value: bytes) -> bytes:
        """A field's value."""
        lower = name.lower()
        if lower in _UNTOUCHED:
            return value
        if lower == b"cookie":
            return b";".join(self._crumb(piece) for piece in value.split(b";"))
        text = value.decode("latin-1")
        if lower in CONDITIONS:
            return re.sub(r'"([^"]*)"', self._etag, text).encode("latin-1")
        key = lower.decode("latin-1")
        return self.text(text, kind_of_key(key) if is_id_key(key) else "").encode("latin-1", "replace")

    def pairs(self, text: bytes) -> bytes:
        """The values of ``a=1&b=2``."""
        return b"&".join(self._pair(piece) for piece in text.split(b"&"))

    def body(self, content: bytes, kind: bytes) -> bytes:
        if kind == b"application/x-www-form-urlencoded":
            return self.pairs(content)
        if content.lstrip()[:1] in (b"{", b"[") or kind.endswith(b"json"):
            return self._json(content)
        if b"\0" in content:
            return content
        text = content.decode("latin-1")
        return _RUN.sub(lambda run: self._piece(run[0], 0), self._aim(text)).encode("latin-1", "replace")

    def text(self, text: str, kind: str) -> str:
        """One value, which may be or hold a name of a thing of `kind` (empty where nothing says so)."""
        found = self._whole(text, kind)
        if found is not None:
            return found
        text = self._aim(text)
        start = URL_START.match(text)
        return self._pieces(text) if start is None else text[: start.end()] + self._url(text[start.end() :])

    def _whole(self, text: str, kind: str) -> str | None:
        found = self._lookup.find(text, None)
        if found is None and kind:
            found = self._lookup.find(text, kind)
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
        segments = path.split(b"/")
        befores = [b"", *segments[:-1]]
        return b"/".join(map(self._segment, befores, segments))

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

    def _pair(self, pair: bytes) -> bytes:
        raw_name, mark, raw = pair.partition(b"=")
        if not raw:
            return pair
        key = decode(raw_name).decode("utf-8", "surrogateescape")
        text = decode(raw).decode("utf-8", "surrogateescape")
        swapped = self.text(text, self._kind_under(key))
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
        found = self._lookup.find(bare, f"cookie:{key}")
        swapped = self.text(bare, "") if found is None else found
        return (
            crumb
            if swapped == bare
            else name + mark + value.replace(bare, swapped).encode("latin-1", "replace")
        )

    def _etag(self, quoted: re.Match[str]) -> str:
        found = self._whole(quoted[1], etag_kind(self._segments))
        return quoted[0] if found is None else f'"{found}"'

    def _json(self, content: bytes) -> bytes:
        """Goes through the tokens of a text, which need not be whole JSON for that."""
        out: list[bytes] = []
        end, kind, is_id = 0, self._kind, False
        for token in _JSON_TOKEN.finditer(content):
            string, colon, number = token.groups()
            if colon is not None:
                key = text_of(string)
                kind, is_id = self._kind_under(key), is_id_key(key)
                continue
            start, stop = token.span(1 if string is not None else 3)
            if string is not None:
                new = self._json_string(string, kind)
            else:
                new = self._json_number(number, kind) if is_id else None
            if new is not None:
                out += (content[end:start], new)
                end = stop
        return b"".join((*out, content[end:])) if out else content

    def _json_string(self, raw: bytes, kind: str) -> bytes | None:
        if len(raw) <= 2:
            return None
        text = text_of(raw) if b"\\" in raw else raw[1:-1].decode("utf-8", "surrogateescape")
        swapped = self.text(text, kind)
        return None if swapped == text else quote(swapped)

    def _json_number(self, raw: bytes, kind: str) -> bytes | None:
        found = self._whole(raw.decode("ascii"), kind)
        return found.encode("ascii") if found is not None and found.lstrip("-").isdigit() else None

    def _kind_under(self, key: str) -> str:
        """The kind of thing that a value under `key` names; a bare id names what the path is about."""
        own = kind_of_key(key)
        return own or (self._kind if is_id_key(key) else "")
