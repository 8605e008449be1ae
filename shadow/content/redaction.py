"""Secrets out of what is stored, logged or shown: each is replaced by a short keyed digest of itself.

Works on bytes as they stand, well formed or not, so a truncated JSON body or a malformed request is masked
like a good one, and all that is no secret stays byte for byte.
"""

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from functools import lru_cache
from hashlib import blake2s
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec

from shadow.content.coding import codings, redo, undo
from shadow.content.secret_shapes import (
    CODING,
    ENDS,
    FIELD_IN_PROSE,
    FIELD_VALUES,
    FORM,
    HINTS,
    JSON_LEAF,
    MARK,
    OPEN,
    OPEN_FIELD,
    OPEN_JSON,
    PAIRS,
    SCHEMES,
    SHAPES,
    WHOLE,
)
from shadow.errors import ConfigError
from shadow.model import Exchange, Finding, Headers, Request, Response, field

type _Mask = Callable[[bytes], bytes]

_MAX_KNOWN_FIELD_BYTES = 256
"""Most fields say the same in every message: those are looked through once."""
_MAX_PASSES = 5
"""A mask may close what it stands in, so that more shows as secret; text without secrets takes one pass."""
_MAX_DEPTH = 100
"""Values nested deeper are left out: a recursive walk must not meet the interpreter's limit."""


class RedactionSettings(msgspec.Struct, frozen=True):
    """What is a secret besides what is known to be one."""

    names: tuple[str, ...] = ()
    """Further names of fields, parameters and keys; case and separators do not matter."""
    patterns: tuple[str, ...] = ()
    """Regular expressions over the raw bytes; the first group is masked, or all where there is no group."""
    keep: tuple[str, ...] = ()
    """Names that are no secrets although they look so."""


class Redactor:
    """Masks secrets. Equal secrets get equal masks within a run; no content makes it raise.

    `key` is the run's own and is stored nowhere, so that weak secrets cannot be guessed from their masks.
    Raises ConfigError for a pattern that is no regular expression.
    """

    def __init__(self, settings: RedactionSettings, key: bytes) -> None:
        self._key = key[:32]
        self._shapes = (*SHAPES, *((b"", _compiled(pattern)) for pattern in settings.patterns))
        whole = WHOLE | {_plain_name(name) for name in settings.names}
        kept = OPEN | {_plain_name(name) for name in settings.keep}
        self._hints = HINTS if not settings.names else (b"",)

        @lru_cache(maxsize=4096)
        def is_secret(name: bytes) -> bool:
            plain = _plain_name(name.decode("latin-1"))
            return plain not in kept and (plain in whole or plain.endswith(ENDS))

        @lru_cache(maxsize=4096)
        def clean_field(value: bytes) -> bytes:
            return self.raw(value)

        self._is_secret = is_secret
        self._clean_field = clean_field

    def mask(self, secret: bytes, *, keeps_length: bool = False) -> bytes:
        """``b"<redacted:1a2b3c>"``; what is masked already, or empty, stays as it is.

        With `keeps_length` the mask is cut or filled up with ``*``, so that framing stays right.
        """
        if not secret or MARK.fullmatch(secret):
            return secret
        mark = b"<redacted:" + blake2s(secret, key=self._key, digest_size=3).hexdigest().encode() + b">"
        if not keeps_length:
            return mark
        return mark.ljust(len(secret), b"*") if len(secret) >= len(mark) else b"*" * len(secret)

    def text(self, text: str) -> str:
        """`text` with its secrets masked."""
        raw = text.encode("utf-8", "surrogatepass")
        clean = self.raw(raw)
        if clean == raw:
            return text
        try:
            return clean.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:  # a configured pattern cut a character in two
            return clean.decode("utf-8", "replace")

    def raw(self, raw: bytes, *, keeps_length: bool = False) -> bytes:
        """`raw`, whatever it holds, with its secrets masked: by name, and by their shape."""

        def mask(secret: bytes) -> bytes:
            return self.mask(secret, keeps_length=keeps_length)

        for _ in range(_MAX_PASSES):
            clean = self._pass(raw, mask)
            if clean == raw:
                break
            raw = clean
        return raw

    def fields(self, headers: Headers) -> Headers:
        """Header fields with the secret values masked; names, schemes and the names of cookies stay."""
        return tuple((name, self.field(name, value)) for name, value in headers)

    def field(self, name: bytes, value: bytes) -> bytes:
        """The value of one header field, masked where it is or holds a secret."""
        if self._is_secret(name):
            return _masked_field(name, value, self.mask)
        return self._clean_field(value) if len(value) <= _MAX_KNOWN_FIELD_BYTES else self.raw(value)

    def target(self, target: bytes) -> bytes:
        """A request target with the secrets of its query masked."""
        path, mark, query = target.partition(b"?")
        return self.raw(path + mark + self._pairs(query, *FORM, self.mask))

    def body(self, body: bytes, headers: Headers) -> bytes:
        """A message's body, masked within its content coding; masked whole where that cannot be undone."""
        coding = b", ".join(value for name, value in headers if name.lower() == b"content-encoding")
        undone = undo(body, coding)
        if undone.fault is not None and (undone.body or not body):
            return self.mask(body)
        plain = body if undone.fault is not None else undone.body
        clean = plain
        if (field(headers, b"content-type") or b"").lower().startswith(b"application/x-www-form-urlencoded"):
            clean = self._pairs(clean, *FORM, self.mask)
        clean = self.raw(clean)
        if clean == plain:
            return body
        if undone.fault is not None or not codings(coding):
            return clean
        return redo(clean, coding) or self.mask(body)

    def value(self, value: Any) -> Any:
        """A JSON-able value (bytes and tuples may occur), masked by key and by shape.

        Base64 text is looked into, pairs of ``[name, value]`` are taken for header fields.
        """
        return self._value(value, 0, is_secret=False)

    def _pass(self, raw: bytes, mask: _Mask) -> bytes:
        lowered = raw.lower()
        if any(hint in lowered for hint in self._hints):
            raw = self._fields(raw, mask)
            raw = self._json(raw, mask)
            for opener, value in PAIRS:
                raw = self._pairs(raw, opener, value, mask)
        for literal, shape in self._shapes:
            if literal in raw:
                raw = shape.sub(lambda found: _within(found, min(1, found.re.groups), mask), raw)
        return raw

    def _value(self, value: Any, depth: int, *, is_secret: bool) -> Any:
        if depth > _MAX_DEPTH:
            return "<nested too deep>"
        match value:
            case str():
                value = self._string(value, is_secret=is_secret)
            case bytes():
                value = self.mask(value) if is_secret else self.raw(value)
            case int() | float() if is_secret and not isinstance(value, bool):
                value = self.mask(repr(value).encode()).decode()
            case dict():
                value = {
                    self._string(key, is_secret=False) if isinstance(key, str) else key: self._value(
                        inner, depth + 1, is_secret=is_secret or self._names_secret(key)
                    )
                    for key, inner in value.items()
                }
            case [str() as name, str() as inner] if self._names_secret(name):
                masked = _masked_field(_utf8(name), _utf8(inner), self.mask)
                value = type(value)((name, masked.decode("utf-8", "replace")))
            case list() | tuple():
                value = [self._value(inner, depth + 1, is_secret=is_secret) for inner in value]
        return value

    def _string(self, text: str, *, is_secret: bool) -> str:
        if is_secret:
            return self.mask(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")
        plain = _unbase64(text)
        if plain is not None:
            clean = self._exact(plain)
            if clean != plain:
                return b64encode(clean).decode()
        return self.text(text)

    def _exact(self, raw: bytes) -> bytes:
        """Bytes as sent, masked in their length. A coded body that holds or may hold a secret goes whole."""
        head, blank, body = raw.partition(b"\r\n\r\n")
        coding = CODING.search(head)
        if coding and body:
            undone = undo(body, coding[1])
            if undone.fault is not None or self.raw(undone.body) != undone.body:
                body = self.mask(body, keeps_length=True)
        return self.raw(head + blank + body, keeps_length=True)

    def _names_secret(self, key: object) -> bool:
        return isinstance(key, str) and self._is_secret(_utf8(key)[:256])

    def _opened(self, raw: bytes, opener: re.Pattern[bytes]) -> Iterator[re.Match[bytes]]:
        """Where secret names open values. Goes on one byte later after any other: names may overlap."""
        at = 0
        while found := opener.search(raw, at):
            at = found.start() + 1
            name = unquote_to_bytes(found[1]) if b"%" in found[1] else found[1]
            if self._is_secret(name.rsplit(b":", 1)[-1]):
                at = found.end()
                yield found

    def _pairs(self, raw: bytes, opener: re.Pattern[bytes], value: re.Pattern[bytes], mask: _Mask) -> bytes:
        parts: list[bytes] = []
        done = 0
        for found in self._opened(raw, opener):
            if found.end() < done or not (secret := value.match(raw, found.end())):
                continue
            start, end = secret.span(secret.lastindex or 0)
            parts += raw[done:start], mask(raw[start:end])
            done = end
        return b"".join((*parts, raw[done:])) if parts else raw

    def _fields(self, raw: bytes, mask: _Mask) -> bytes:
        """Header lines, wherever they stand: in a raw message, or in a command line."""
        parts: list[bytes] = []
        done = 0
        for found in self._opened(raw, OPEN_FIELD):
            before = raw[found.start() - 1 : found.start()] if found.start() else b""
            value = FIELD_VALUES.get(before, FIELD_IN_PROSE).match(raw, found.end())
            if found.end() < done or not value:
                continue
            parts += raw[done : found.end()], _masked_field(found[1], value[0], mask)
            done = value.end()
        return b"".join((*parts, raw[done:])) if parts else raw

    def _json(self, raw: bytes, mask: _Mask) -> bytes:
        parts: list[bytes] = []
        done = 0
        for found in self._opened(raw, OPEN_JSON):
            if found.end() < done:
                continue
            end = _value_end(raw, found.end())
            leaves = JSON_LEAF.sub(lambda leaf: _masked_leaf(leaf, mask), raw[found.end() : end])
            parts += raw[done : found.end()], leaves
            done = end
        return b"".join((*parts, raw[done:])) if parts else raw


def redact_exchange(redactor: Redactor, exchange: Exchange) -> Exchange:
    """`exchange` with the secrets of both its messages masked."""
    request, response = exchange.request, exchange.response
    return msgspec.structs.replace(
        exchange,
        session=redactor.text(exchange.session),
        request=msgspec.structs.replace(
            _message(redactor, request),
            method=redactor.raw(request.method),
            target=redactor.target(request.target),
        ),
        response=None if response is None else _message(redactor, response),
    )


def redact_finding(redactor: Redactor, finding: Finding) -> Finding:
    """`finding` with the secrets in its texts, places and messages masked; its id stays."""
    return msgspec.structs.replace(
        finding,
        title=redactor.text(finding.title),
        endpoint=redactor.text(finding.endpoint),
        endpoints=tuple(map(redactor.text, finding.endpoints)),
        where=tuple(map(redactor.text, finding.where)),
        why=redactor.text(finding.why),
        edits=tuple(map(redactor.text, finding.edits)),
        control=redactor.value(finding.control),
        answer=redactor.value(finding.answer),
        baseline=redactor.value(finding.baseline),
        reproduce=redactor.value(finding.reproduce),
    )


def _message[M: (Request, Response)](redactor: Redactor, message: M) -> M:
    return msgspec.structs.replace(
        message,
        headers=redactor.fields(message.headers),
        body=redactor.body(message.body, message.headers),
        trailers=redactor.fields(message.trailers),
    )


def _plain_name(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _compiled(pattern: str) -> re.Pattern[bytes]:
    try:
        return re.compile(pattern.encode())
    except (re.error, UnicodeEncodeError) as error:
        raise ConfigError(f"redaction pattern {pattern!r} is no regular expression: {error}") from error


def _within(found: re.Match[bytes], group: int, mask: _Mask) -> bytes:
    """The match with one group masked; a group that took no part leaves it as it is."""
    start, end = (at - found.start() for at in found.span(group))
    return found[0] if found[group] is None else found[0][:start] + mask(found[group]) + found[0][end:]


def _masked_field(name: bytes, value: bytes, mask: _Mask) -> bytes:
    match name.lower():
        case b"cookie":
            return b";".join(_masked_cookie(pair, mask) for pair in value.split(b";"))
        case b"set-cookie":
            pair, semicolon, attributes = value.partition(b";")
            return _masked_cookie(pair, mask) + semicolon + attributes
    scheme, space, credentials = value.partition(b" ")
    return scheme + space + mask(credentials) if space and scheme.lower() in SCHEMES else mask(value)


def _masked_cookie(pair: bytes, mask: _Mask) -> bytes:
    name, equals, value = pair.partition(b"=")
    return name + equals + mask(value) if equals else mask(pair)


def _masked_leaf(found: re.Match[bytes], mask: _Mask) -> bytes:
    """One token of JSON: keys and brackets stay, numbers become strings."""
    if found[0] in b"[]{}" or found[2] is not None:
        return found[0]
    if found[1] is None:
        return b'"' + mask(found[0]) + b'"'
    return b'"' + mask(found[1]) + found[0][len(found[1]) + 1 :]


def _value_end(raw: bytes, start: int) -> int:
    """Where the JSON value that begins at `start` ends; the end of `raw` where it never does."""
    depth = 0
    for token in JSON_LEAF.finditer(raw, start):
        depth += (token[0] in (b"[", b"{")) - (token[0] in (b"]", b"}"))
        if depth <= 0:
            return token.end(1) + 1 if token[2] is not None else token.end()
    return len(raw)


def _unbase64(text: str) -> bytes | None:
    if len(text) < 16 or len(text) % 4:  # no secret with its name fits into less
        return None
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
