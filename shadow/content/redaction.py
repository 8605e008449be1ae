"""Secrets out of what is stored, logged or shown: each is replaced by a short keyed digest of itself.

Works on bytes as they stand, well formed or not, so a truncated JSON body or a malformed request is masked
like a good one, and all that is no secret stays byte for byte.
"""

import binascii
import json
from base64 import b64decode, b64encode
from collections.abc import Iterator
from functools import lru_cache
from hashlib import blake2s
from typing import Any
from urllib.parse import quote_from_bytes

import msgspec

from shadow.content.coding import codings, redo, undo
from shadow.content.secret_search import SecretSearch, masked_field
from shadow.content.secret_shapes import CODING, FORM, MARK
from shadow.content.told_values import masked_values
from shadow.model import Exchange, Finding, Headers, Request, Response, field
from shadow.model.remembering import by_headers

_MAX_KNOWN_FIELD_BYTES = 256
"""Most fields say the same in every message: those are looked through once."""
_MAX_PASSES = 5
"""A mask may close what it stands in, so that more shows as secret; text without secrets takes one pass."""
_MIN_LEARNED_BYTES = 8
_MAX_LEARNED = 256
"""Besides what was configured. Each is looked for in every text; the oldest is forgotten first."""
_MAX_DEPTH = 100
"""Values nested deeper are left out: a recursive walk must not meet the interpreter's limit."""


_MASK = b"<redacted:"


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
        self._search = SecretSearch(settings.names, settings.patterns, settings.keep)

        @lru_cache(maxsize=4096)
        def clean_field(value: bytes) -> bytes:
            return self.raw(value)

        @lru_cache(maxsize=4096)
        def clean_line(line: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
            return line[0], self.field(*line)

        self._clean_field = clean_field
        self._clean_line = clean_line
        self._kept: tuple[bytes, ...] = ()
        self._learned: tuple[bytes, ...] = ()
        """Replaced, never changed: whoever masks may be another thread."""

    def learn(self, secret: bytes, *, for_good: bool = False) -> None:
        """Mask `secret` from now on wherever it stands: as it is, or as queries, forms and JSON write it.
        Words so short that they may be no secret elsewhere are left to their names.

        Of many the oldest is forgotten, unless it was learned `for_good`: what was configured.
        """
        if len(secret) < _MIN_LEARNED_BYTES:
            return
        texts = dict.fromkeys(_written(secret))
        if for_good:
            self._kept = (*texts, *(text for text in self._kept if text not in texts))
        known = [text for text in self._learned if text not in texts and text not in self._kept]
        granted = [text for text in texts if text not in self._kept]
        self._learned = (*self._kept, *[*granted, *known][:_MAX_LEARNED])
        self._clean_field.cache_clear()
        self._clean_line.cache_clear()

    def mask(self, secret: bytes, *, keeps_length: bool = False) -> bytes:
        """``b"<redacted:1a2b3c>"``; what is masked already, or empty, stays as it is.

        With `keeps_length` the mask is cut or filled up with ``*``, so that framing stays right.
        """
        if not secret or MARK.fullmatch(secret):
            return secret
        mark = _MASK + blake2s(secret, key=self._key, digest_size=3).hexdigest().encode() + b">"
        if not keeps_length:
            return mark
        return mark.ljust(len(secret), b"*") if len(secret) >= len(mark) else b"*" * len(secret)

    def text(self, text: str) -> str:
        """`text` with its secrets masked."""
        raw = text.encode("utf-8", "surrogatepass")
        clean = self.short(raw)
        if clean == raw:
            return text
        try:
            return clean.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:  # a configured pattern cut a character in two
            return clean.decode("utf-8", "replace")

    def told(self, why: str) -> str:
        """A finding's reason without the values that it quotes of a member whose name is a secret's."""
        return masked_values(why, self._search.is_secret, self.mask)

    def raw(self, raw: bytes, *, keeps_length: bool = False) -> bytes:
        """`raw`, whatever it holds, with its secrets masked: by name, and by their shape."""

        def mask(secret: bytes) -> bytes:
            return self.mask(secret, keeps_length=keeps_length)

        for secret in self._learned:
            if secret in raw:
                raw = raw.replace(secret, mask(secret))
        for _ in range(_MAX_PASSES):
            clean = self._search.once(raw, mask)
            if clean == raw:
                break
            raw = clean
        return raw

    def short(self, raw: bytes) -> bytes:
        """As `raw`, for what is short and comes again and again."""
        return self._clean_field(raw) if len(raw) <= _MAX_KNOWN_FIELD_BYTES else self.raw(raw)

    def fields(self, headers: Headers) -> Headers:
        """Header fields with the secret values masked; names, schemes and the names of cookies stay."""
        return tuple(
            [
                self._clean_line(line)
                if len(line[1]) <= _MAX_KNOWN_FIELD_BYTES >= len(line[0])
                else (line[0], self.field(*line))
                for line in headers
            ]
        )

    def field(self, name: bytes, value: bytes) -> bytes:
        """The value of one header field, masked where it is or holds a secret."""
        if self._search.is_secret(name):
            return masked_field(name, value, self.mask)
        return self.short(value)

    def target(self, target: bytes) -> bytes:
        """A request target with the secrets of its query masked."""
        path, mark, query = target.partition(b"?")
        if not query:
            return self.raw(target)
        return self.raw(path + mark + self._search.pairs(query, *FORM, self.mask))

    def body(self, body: bytes, headers: Headers) -> bytes:
        """A message's body, masked within its content coding; masked whole where that cannot be undone."""
        if not body:
            return body
        coding = b", ".join([value for name, value in headers if name.lower() == b"content-encoding"])
        undone = undo(body, coding)
        if undone.fault is not None and (undone.body or not body):
            return self.mask(body)
        plain = body if undone.fault is not None else undone.body
        clean = plain
        if (field(headers, b"content-type") or b"").lower().startswith(b"application/x-www-form-urlencoded"):
            clean = self._search.pairs(clean, *FORM, self.mask)
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
                masked = masked_field(_utf8(name), _utf8(inner), self.mask)
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
        return isinstance(key, str) and self._search.is_secret(_utf8(key)[:256])


def is_masked(request: Request) -> bool:
    """Whether a mask stands in `request`: it was recorded without its secrets, and cannot be what it was."""
    return _MASK in request.target or _MASK in request.body or _has_masked_field(request.headers)


@by_headers
def _has_masked_field(headers: Headers) -> bool:
    return any(_MASK in value for _, value in headers)


def is_talk_masked(exchange: Exchange) -> bool:
    """The same of a conversation, both sides."""
    return is_masked(exchange.request) or any(_MASK in each.body for each in exchange.messages)


def redact_exchange(redactor: Redactor, exchange: Exchange) -> Exchange:
    """`exchange` with the secrets of its messages masked."""
    request, response = exchange.request, exchange.response
    return msgspec.structs.replace(
        exchange,
        session=redactor.text(exchange.session),
        request=msgspec.structs.replace(
            _message(redactor, request),
            method=redactor.short(request.method),
            target=redactor.target(request.target),
        ),
        response=None if response is None else _message(redactor, response),
        messages=tuple(
            msgspec.structs.replace(each, body=redactor.raw(each.body)) for each in exchange.messages
        ),
    )


def redact_finding(redactor: Redactor, finding: Finding) -> Finding:
    """`finding` with the secrets in its texts, places and messages masked; its id stays.

    A title says how a place changed, ``field token: missing``: that is no value of the member.
    """
    return msgspec.structs.replace(
        finding,
        title=": ".join(map(redactor.text, finding.title.split(": "))),
        endpoint=redactor.text(finding.endpoint),
        endpoints=tuple(map(redactor.text, finding.endpoints)),
        where=tuple(map(redactor.text, finding.where)),
        why=redactor.text(redactor.told(finding.why)),
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


def _written(secret: bytes) -> Iterator[bytes]:
    """`secret` in the ways in which messages write it."""
    escaped = quote_from_bytes(secret, safe="").encode()
    yield from (secret, escaped, escaped.replace(b"%20", b"+"))
    text = secret.decode("utf-8", "replace")
    yield from (json.dumps(text, ensure_ascii=is_plain)[1:-1].encode() for is_plain in (True, False))


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _unbase64(text: str) -> bytes | None:
    if len(text) < 16 or len(text) % 4:  # no secret with its name fits into less
        return None
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
