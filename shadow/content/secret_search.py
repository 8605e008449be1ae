"""Secrets in raw bytes, found by name and by shape: well formed or not, and wherever they stand."""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from shadow.content.secret_shapes import (
    ENDS,
    FIELD_IN_PROSE,
    FIELD_VALUES,
    HINTS,
    JSON_LEAF,
    OPEN,
    OPEN_FIELD,
    OPEN_JSON,
    PAIRS,
    SCHEMES,
    SHAPES,
    WHOLE,
)
from shadow.errors import ConfigError

type Mask = Callable[[bytes], bytes]
"""What stands in the place of a secret."""


class SecretSearch:
    """Replaces the secrets in raw bytes, and leaves every other byte.

    Further secret names, patterns (the first group is the secret, or all where there is no group) and names
    that are no secrets add to what is known. Raises ConfigError for a pattern that is no regular expression.
    """

    def __init__(self, names: tuple[str, ...], patterns: tuple[str, ...], keep: tuple[str, ...]) -> None:
        self._shapes = (*SHAPES, *((b"", _compiled(pattern)) for pattern in patterns))
        whole = WHOLE | {_plain_name(name) for name in names}
        kept = OPEN | {_plain_name(name) for name in keep}
        self._hint = _any_of(HINTS if not names else (b"",))
        self._mark = _any_of(literal for literal, _ in self._shapes)

        @lru_cache(maxsize=4096)
        def is_secret(name: bytes) -> bool:
            plain = _plain_name(name.decode("latin-1"))
            return plain not in kept and (plain in whole or plain.endswith(ENDS))

        self.is_secret: Callable[[bytes], bool] = is_secret
        """Whether a field, parameter, cookie or key of the given name holds a secret."""

    def once(self, raw: bytes, mask: Mask) -> bytes:
        """`raw` with what shows as secret masked; a mask may close what it stands in, so that more shows."""
        if not raw:
            return raw
        if self._hint.search(raw.lower()):
            raw = self._fields(raw, mask)
            raw = self._json(raw, mask)
            for opener, value in PAIRS:
                raw = self.pairs(raw, opener, value, mask)
        if not self._mark.search(raw):
            return raw
        for literal, shape in self._shapes:
            if literal in raw:
                raw = shape.sub(lambda found: _within(found, min(1, found.re.groups), mask), raw)
        return raw

    def pairs(self, raw: bytes, opener: re.Pattern[bytes], value: re.Pattern[bytes], mask: Mask) -> bytes:
        """`raw` with the secret values masked that `opener` leads to and `value` matches."""
        parts: list[bytes] = []
        done = 0
        for found in self._opened(raw, opener):
            if found.end() < done or not (secret := value.match(raw, found.end())):
                continue
            start, end = secret.span(secret.lastindex or 0)
            parts += raw[done:start], mask(raw[start:end])
            done = end
        return b"".join((*parts, raw[done:])) if parts else raw

    def _opened(self, raw: bytes, opener: re.Pattern[bytes]) -> Iterator[re.Match[bytes]]:
        """Where secret names open values. Goes on one byte later after any other: names may overlap."""
        at = 0
        while found := opener.search(raw, at):
            at = found.start() + 1
            name = unquote_to_bytes(found[1]) if b"%" in found[1] else found[1]
            if self.is_secret(name.rsplit(b":", 1)[-1]):
                at = found.end()
                yield found

    def _fields(self, raw: bytes, mask: Mask) -> bytes:
        """Header lines, wherever they stand: in a raw message, or in a command line."""
        parts: list[bytes] = []
        done = 0
        for found in self._opened(raw, OPEN_FIELD):
            before = raw[found.start() - 1 : found.start()] if found.start() else b""
            value = FIELD_VALUES.get(before, FIELD_IN_PROSE).match(raw, found.end())
            if found.end() < done or not value:
                continue
            parts += raw[done : found.end()], masked_field(found[1], value[0], mask)
            done = value.end()
        return b"".join((*parts, raw[done:])) if parts else raw

    def _json(self, raw: bytes, mask: Mask) -> bytes:
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


def masked_field(name: bytes, value: bytes, mask: Mask) -> bytes:
    """The value of a header field that is a secret: its scheme, and the names of cookies, stay."""
    match name.lower():
        case b"cookie":
            return b";".join(_masked_cookie(pair, mask) for pair in value.split(b";"))
        case b"set-cookie":
            pair, semicolon, attributes = value.partition(b";")
            return _masked_cookie(pair, mask) + semicolon + attributes
    scheme, space, credentials = value.partition(b" ")
    return scheme + space + mask(credentials) if space and scheme.lower() in SCHEMES else mask(value)


def _any_of(literals: Iterable[bytes]) -> re.Pattern[bytes]:
    """One search is several times cheaper than to look for each: most bodies are short."""
    return re.compile(b"|".join(re.escape(each) for each in literals))


def _plain_name(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _compiled(pattern: str) -> re.Pattern[bytes]:
    try:
        return re.compile(pattern.encode())
    except (re.error, UnicodeEncodeError) as error:
        raise ConfigError(f"redaction pattern {pattern!r} is no regular expression: {error}") from error


def _within(found: re.Match[bytes], group: int, mask: Mask) -> bytes:
    """The match with one group masked; a group that took no part leaves it as it is."""
    start, end = (at - found.start() for at in found.span(group))
    return found[0] if found[group] is None else found[0][:start] + mask(found[group]) + found[0][end:]


def _masked_cookie(pair: bytes, mask: Mask) -> bytes:
    name, equals, value = pair.partition(b"=")
    return name + equals + mask(value) if equals else mask(pair)


def _masked_leaf(found: re.Match[bytes], mask: Mask) -> bytes:
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
