"""What texts hold: JSON, signed tokens, and either in base64. Asked only of texts that differ."""

import re
from base64 import urlsafe_b64decode
from typing import Any

import msgspec
import orjson

_MAX_CHARS = 1 << 20
_MIN_BASE64_CHARS = 16
"""Random text so long is hardly ever the base64 of something readable."""
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")
_TOKEN = re.compile(r"(eyJ[A-Za-z0-9_-]{8,})\.([A-Za-z0-9_-]{2,})\.([A-Za-z0-9_-]*)")
"""RFC 7519 §3.1, RFC 7515 §3.1: header, claims, signature."""
_TO_URL_SAFE = str.maketrans("+/", "-_")
_CURSOR = re.compile(
    r"(?i)(?:cursor|token|next|prev|previous|after|before|continuation|continue|bookmark|marker|start_?key)\"?\]?$"
)
_DIGITS = re.compile(r"\d+")
_MAX_CURSOR_DEPTH = 20
_UNREADABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_OF_THE_MOMENT = ("iat", "nbf", "exp", "auth_time")
"""Claims that tell a time (RFC 7519 §4.1, OpenID Connect Core §2)."""
_STEP_SECONDS = 2
"""Two readings of a clock for one token may lie so far apart."""
_LATEST = 1 << 50
_UNIQUE = ("jti", "nonce", "sid", "at_hash", "c_hash", "kid")
"""Members that are another in every token, or in every environment: only their presence counts."""


class Inside(msgspec.Struct, frozen=True):
    """What both of two texts hold."""

    kind: str
    """``"json"``, ``"jwt"`` or ``"base64"``, as places have it in angle brackets."""
    left: Any
    right: Any


def inside(left: str, right: str, where: str = "") -> Inside | None:
    """What two texts at `where` hold, of one kind; None where they are no more than texts.

    Positions within the cursor of a list are ids of an environment, and left out.
    """
    if max(len(left), len(right)) > _MAX_CHARS:
        return None
    if left[:1] in _OPENING or right[:1] in _OPENING or left[:1].isspace() or right[:1].isspace():
        return _both("json", _document(left), _document(right))
    if min(len(left), len(right)) < _MIN_BASE64_CHARS:
        return None
    if left.startswith("eyJ") and right.startswith("eyJ"):
        ours, theirs = token(left), token(right)
        if ours is not None and theirs is not None:
            return Inside("jwt", *_without_chance(ours, theirs))
    one, other = _unpacked(left), _unpacked(right)
    if one is None or other is None:
        return None
    if _CURSOR.search(where):
        one, other = _without_positions(one), _without_positions(other)
    return Inside("base64", one, other)


def token(text: str) -> dict[str, Any] | None:
    """A signed token: its header, its claims, and whether there is a signature. None where it is none."""
    found = _TOKEN.fullmatch(text)
    if found is None:
        return None
    header, claims = (_document(_decoded(part) or "") for part in found.groups()[:2])
    if not isinstance(header, dict) or not isinstance(claims, dict) or "alg" not in header:
        return None
    return {"header": header, "claims": claims, "signed": bool(found[3])}


def _without_positions(value: Any, depth: int = 0) -> Any:
    """`value`, in which all whole numbers, in texts too, are the same."""
    if depth > _MAX_CURSOR_DEPTH:
        return value
    match value:
        case bool() | float() | None:
            return value
        case int():
            return 0
        case str():
            return _DIGITS.sub("0", value)
        case list():
            return [_without_positions(each, depth + 1) for each in value]
    return {name: _without_positions(each, depth + 1) for name, each in value.items()}


def _both(kind: str, left: Any, right: Any) -> Inside | None:
    return None if left is None or right is None else Inside(kind, left, right)


_OPENING = ("{", "[")


def _document(text: str) -> Any:
    """The object or array that `text` is as JSON; None for all else."""
    if text.lstrip()[:1] not in _OPENING:
        return None
    try:
        return orjson.loads(text)
    except (orjson.JSONDecodeError, UnicodeEncodeError):  # lone surrogates
        return None


def _unpacked(text: str) -> Any:
    """The document, or else the text, of which `text` is the base64."""
    plain = _decoded(text) if _BASE64.fullmatch(text) else None
    if plain is None:
        return None
    document = _document(plain)
    if document is not None:
        return document
    return None if not plain or _UNREADABLE.search(plain) else plain


def _decoded(text: str) -> str | None:
    bare = text.rstrip("=")
    if len(bare) % 4 == 1:
        return None
    try:
        return urlsafe_b64decode(bare.translate(_TO_URL_SAFE) + "=" * (-len(bare) % 4)).decode()
    except ValueError:
        return None


def _without_chance(left: dict[str, Any], right: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Both without what differs from token to token; lifetimes stand in the place of times."""
    ours, theirs = _settled(left), _settled(right)
    for part in ("header", "claims"):
        one, other = ours[part], theirs[part]
        for name in _UNIQUE:
            if name in one and name in other and type(one[name]) is type(other[name]):
                one[name] = other[name]
        if _is_counted(one.get("sub")) and _is_counted(other.get("sub")):
            one["sub"] = other["sub"]
        for name in _OF_THE_MOMENT:
            if name in one and name in other and _is_as_long(one[name], other[name]):
                one[name] = other[name]
    return ours, theirs


def _settled(token: dict[str, Any]) -> dict[str, Any]:
    claims = dict(token["claims"])
    start: Any = claims.get("iat", claims.get("nbf"))
    for name in _OF_THE_MOMENT:
        at: Any = claims.get(name)
        if _is_time(at):
            is_end = name == "exp" and _is_time(start)
            claims[name] = f"{round(at - start)} seconds after its issue" if is_end else "a time"
    return {**token, "header": dict(token["header"]), "claims": claims}


def _is_counted(value: Any) -> bool:
    """Whether it is an id that a database counts up, each its own."""
    return isinstance(value, str) and value.isdigit()


def _is_time(value: Any) -> bool:
    return isinstance(value, int | float) and 0 < value < _LATEST


def _is_as_long(left: Any, right: Any) -> bool:
    """Whether two lifetimes differ by no more than the clock's step between two readings."""
    if not (isinstance(left, str) and isinstance(right, str)):
        return False
    ours, theirs = left.partition(" ")[0], right.partition(" ")[0]
    return ours.isdigit() and theirs.isdigit() and abs(int(ours) - int(theirs)) <= _STEP_SECONDS
