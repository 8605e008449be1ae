"""Which values a service makes up to name things, and what kind of thing a key or a path names."""

import re
from collections.abc import Callable
from functools import lru_cache

TOKEN_CHARS_MAX = 8192
"""Longer than any JWT that a header carries."""
_CACHED_CHARS_MAX = 128
"""Longer texts are judged anew each time, so that hostile ones cannot fill the memory."""
_KEY_CHARS_MAX = 64

_ALPHABET = re.compile(r"[A-Za-z0-9._~+/=:%|@!$-]+", re.ASCII)
_UUID = re.compile(r"[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}")
_ID_KEY = re.compile(
    r"(?i:(?:.*[_.-])?(?:ids?|uuids?|guids?|tokens?|cursors?|sid|nonce|csrf|xsrf|secret|etag|handle))"
    r"|.*[a-z0-9](?:Ids?|IDs?|Uuids?|UUIDs?|Guids?|Tokens?|Cursors?|Nonce|Secret|Etag|Handle)"
    r"|(?:.*[_.-])?(?:session|continuation|confirmation)(?:[_.-]?(?:key|code))?"
)
_NOT_MADE_UP = re.compile(
    r"\d{4}-\d\d(?:-\d\d)?(?:[T ].*)?"  # dates and times
    r"|\d{1,2}:\d\d(?::\d\d(?:\.\d+)?)?Z?"
    r"|[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?"  # numbers
    r"|[+-]?\d+(?:\.\d+)?[A-Za-z%]{1,5}(?:/[a-z]+)?"  # quantities
    r"|P(?:\d+[YMWD])*(?:T(?:\d+(?:\.\d+)?[HMS])+)?"  # durations
    r"|v?\d+(?:\.\d+)+(?:[-+.][A-Za-z0-9.]+)?"  # versions, IPv4
    r"|(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{0,4}"  # IPv6
    r"|(?:text|application|image|audio|video|multipart|font|message)/.*",
)
_PREFIX = re.compile(r"(?:[A-Za-z]+[-_:.|])+(?=.)")
_WORD = re.compile(r"[A-Z]?[a-z]{6,}|[A-Z]{7,}|[a-z]{7,}")
_UNSPEAKABLE = re.compile(r"(?i:[b-df-hj-np-tv-xz]{4})")
_BASE64 = re.compile(r"[A-Za-z0-9_-]+")
_LOW_TO_HIGH = re.compile(r"[a-z][A-Z]")
_HEX = re.compile(r"(?:0x)?[0-9a-fA-F]+")
_RUN = re.compile(r"[A-Za-z]+|[0-9]+")
_ID_SUFFIX = re.compile(
    r"(?i:(?:^|[_.-])(?:ids?|uuids?|guids?|ref))$|(?<=[a-z0-9])(?:Ids?|IDs?|Uuids?|UUIDs?|Guids?|Ref)$"
)
_WRAPPERS = frozenset(
    {"data", "item", "result", "record", "list", "value", "entry", "edge", "node", "attribute", "hit"}
    | {"payload", "response", "content", "object", "resource"}
)
"""Keys that hold things of any kind, so that they say nothing about the kind."""


def is_id_key(key: str) -> bool:
    """Whether a member, parameter or cookie called `key` holds an identifier or a token."""
    return len(key) <= _KEY_CHARS_MAX and _is_id_key(key)


def is_token(text: str, *, has_id_key: bool = False) -> bool:
    """Whether `text` was made up by a machine so that it can stand for one thing alone, wherever it stands.

    Words, numbers, dates, quantities, addresses, versions and names of algorithms are not. Under a key that
    announces an identifier the look matters less: six characters with a digit will do.
    """
    if not 6 <= len(text) <= TOKEN_CHARS_MAX:
        return False
    return (_is_token if len(text) <= _CACHED_CHARS_MAX else _is_token.__wrapped__)(text, has_id_key)


def is_plain(text: str) -> bool:
    """Whether `text` is a date, number, quantity, version, address or media type, and so names nothing."""
    return len(text) <= _KEY_CHARS_MAX and _NOT_MADE_UP.fullmatch(text) is not None


def kind_of_key(key: str) -> str:
    """What a key names: ``"instance"`` for instance_id, instanceId, instances; empty for a bare id."""
    return _kind_of_key(key) if len(key) <= _KEY_CHARS_MAX else ""


def kind_of_word(word: str) -> str:
    """The same for a segment of a path or a wrapping key; empty where it names no kind."""
    if not word or len(word) > _KEY_CHARS_MAX or not word[0].isalpha() or is_token(word):
        return ""
    kind = _singular(word)
    return "" if kind in _WRAPPERS else kind


def kind_of_path(segments: list[str], find: Callable[[str, str | None], object | None] | None = None) -> str:
    """What kind of thing a path is about: that of its last word, so ``/v1/instances/7`` → instance.

    A word of which `find` knows that it names a thing of the kind before it says no kind: ids may be words.
    """
    for at in range(len(segments) - 1, -1, -1):
        kind = kind_of_word(segments[at])
        if kind and not (find is not None and at and _is_name(segments[at], segments[at - 1], find)):
            return kind
    return ""


def _is_name(word: str, before: str, find: Callable[[str, str | None], object | None]) -> bool:
    kind = kind_of_word(before)
    return bool(kind) and find(word, kind) is not None


def are_drawn(one: str, other: str) -> bool:
    """Whether two texts of letters alone are as long and look drawn by lot, as no two words do."""
    fits = len(one) == len(other) and one.isalpha() and other.isalpha() and one.isascii() and other.isascii()
    return fits and any(_UNSPEAKABLE.search(each) is not None for each in (one, other))


def are_base64(one: str, other: str) -> bool:
    """Whether two texts are as long and may be base64 of bytes drawn by lot, digits or none: in one of them
    letters of both cases stand as no name of several words has them."""
    fits = 10 <= len(one) == len(other) <= _CACHED_CHARS_MAX
    if not fits or not all(_BASE64.fullmatch(each) for each in (one, other)):
        return False
    return any(_UNSPEAKABLE.search(each) and _LOW_TO_HIGH.search(each) for each in (one, other))


@lru_cache(maxsize=4096)
def _is_id_key(key: str) -> bool:
    return _ID_KEY.fullmatch(key) is not None


@lru_cache(maxsize=4096)
def _kind_of_key(key: str) -> str:
    return _singular(_ID_SUFFIX.sub("", key))


@lru_cache(maxsize=16_384)
def _is_token(text: str, has_id_key: bool) -> bool:
    if _ALPHABET.fullmatch(text) is None:
        return False
    if _UUID.fullmatch(text):
        return True
    if has_id_key and any(map(str.isdigit, text)):
        return not _is_date(text)
    if is_plain(text):
        return False
    prefix = _PREFIX.match(text)
    core = text[prefix.end() :] if prefix else text
    return _is_random(core if len(core) >= 6 else text, is_prefixed=core != text)


def _is_date(text: str) -> bool:
    return len(text) >= 8 and text[4:5] == "-" and text[7:8] in ("-", "") and text[:4].isdigit()


def _is_random(text: str, *, is_prefixed: bool) -> bool:
    digits = sum(map(str.isdigit, text))
    if digits == len(text):
        return is_prefixed  # bare digits may be an amount or a time
    if _HEX.fullmatch(text) and digits:
        return len(text) >= 8 or is_prefixed
    if _WORD.search(text) and len(text) < 32:
        return False
    if not digits and text.isalpha() and (text.islower() or text.isupper()):
        return len(text) >= 32 and _UNSPEAKABLE.search(text) is not None
    if not digits:
        upper = sum(map(str.isupper, text))
        return len(text) >= 20 and 5 <= upper <= len(text) - 5 and not _WORD.search(text)
    runs = len(_RUN.findall(text))
    return runs >= 4 and len(text) >= (6 if is_prefixed else 12)


@lru_cache(maxsize=4096)
def _singular(word: str) -> str:
    word = re.sub(r"[^a-z0-9]", "", word.lower())
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "ches", "shes")):
        return word[:-2]
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word
