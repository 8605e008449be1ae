"""What kind of thing a value is: a timestamp, an id, a token. Two of one kind may mean the same."""

import re
from collections.abc import Collection
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import pairwise
from typing import Any

import msgspec

from shadow.judge.written import WRITTEN, written

_ISO = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)(?P<join>[T t])(?P<clock>\d\d:\d\d:\d\d)"
    r"(?:(?P<point>[.,])(?P<fraction>\d{1,9}))?"
    r" ?(?P<zone>Z|z|[+-]\d\d:?\d\d|UTC)?"
)
_FILED = re.compile(r"\d{4}(-?)\d\d(\1)\d\d([-_T])\d\d([-_]?)\d\d(\4)\d\d")
"""As names of files have it, where a colon may not stand."""
_UNIX_TEXT = re.compile(r"\d{10}(?:(\.)\d{1,9})?|\d{13}")
_BASIC = re.compile(r"(\d{8})T(\d{6})Z")
_HTTP_DATE = re.compile(
    r"[A-Z][a-z]{2}, \d\d[ -][A-Z][a-z]{2}[ -]\d{2,4} \d\d:\d\d:\d\d (?P<zone>GMT|UTC|[+-]\d{4})"
)
_JWT = re.compile(r"(eyJ[0-9A-Za-z_-]{8,})\.[0-9A-Za-z_-]+\.[0-9A-Za-z_-]*")
_TOKEN = re.compile(r"(?P<prefix>(?:[A-Za-z0-9]{1,16}[-_:.]){0,3})(?P<random>[0-9A-Za-z]{8,})")
_BASE64 = re.compile(r"(?=.*[a-z])(?=.*[A-Z])(?=.*[0-9])[0-9A-Za-z_+/-]{20,}={0,2}")
_EARLIEST, _LATEST = 946_684_800, 4_102_444_800
"""2000 and 2100: a number outside is no time of an answer."""

_VOLATILE_NAMES = re.compile(
    r".*(request|trace|correlation|span|invocation|event|message|session|transaction|process|thread)[-_]?id"
    r"|.*nonce|.*etag|.*csrf.*|.*xsrf.*|jti|rid|reqid|p?pid|tid|ident"
    r"|.*(took|elapsed|uptime|latency|(response|processing|process|service)[-_]?time)([-_]?(ms|us|ns|s|secs?|seconds|millis))?",
)
_ID_NAMES = re.compile(r"_?id|.*[_-]id|[a-z]+[a-z0-9]*Id|location|content-location|href|self|next|prev")
_TIME_NAMES = re.compile(
    r".*([_-]at|time|timestamp|date|expires|expiry|created|updated|modified|joined|since|day|[_-]on)"
    r"|.*(Time|Timestamp|Date|Expires|Expiry|Created|Updated|Modified)|ts|exp|iat|nbf|.*At|now"
)
_DIGITS = re.compile(r"\d+")
_MIN_LOWER_CHARS, _MIN_MIXED_CHARS = 12, 10
"""Shorter runs of letters and digits are often names that people chose ("m5large2x")."""
_PARTS = re.compile(r"([^0-9A-Za-z_.:-]+)")
_IN_TEXT = re.compile(
    r"(?P<uuid>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
    r"|(?P<UUID>[0-9A-F]{8}(?:-[0-9A-F]{4}){3}-[0-9A-F]{12})"
    r"|(?P<iso>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?)"
    r"|(?P<filed>(?<![0-9A-Za-z])\d{4}-?\d\d-?\d\d[-_T]\d\d[-_]?\d\d[-_]?\d\d(?!\d))"
    r"|(?P<http>[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT)"
    rf"|(?P<written>{WRITTEN})"
    r"|(?P<jwt>eyJ[0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]+\.[0-9A-Za-z_-]*)"
    r"|(?P<hex>(?<![0-9A-Za-z])(?:0x)?(?=[0-9a-f]*[0-9])(?=[0-9]*[a-f])[0-9a-f]{8,}(?![0-9A-Za-z]))"
    r"|(?P<token>(?<![0-9A-Za-z])[0-9A-Za-z]{20,}={0,2})"
)

_NANOID = re.compile(r"[0-9A-Za-z_-]{16,64}")
_MIN_NANOID_MIXES = 5
_WHOLE_BASE64 = re.compile(r"(?:[0-9A-Za-z+/]{4}){4,128}(?:[0-9A-Za-z+/]{2}==|[0-9A-Za-z+/]{3}=)?")
_LONG_NAMES = re.compile(r".*(token|csrf|xsrf|nonce|session|(trace|span|request|correlation)[-_]?id).*")
_HEX = re.compile(r"[0-9a-f]+|[0-9A-F]+")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_MADE_UP = re.compile(r"[0-9A-Za-z_-]+")
_MIN_MADE_UP_CHARS, _MIN_MIXES = 6, 3
_PORT_DIGITS_MIN = 4
"""A shorter number may count anything."""
_STAMPS = frozenset({"filed", "iso", "http", "written"})
_SIGNED = re.compile(
    r"[0-9A-Za-z_-]{4,}(?:[.:][0-9A-Za-z_-]{4,}){0,2}[.:](?P<signature>[0-9A-Za-z_-]{16,})=*"
)
"""What was signed, when, and the signature: each in base64, of lengths that may vary."""


class Moment(msgspec.Struct, frozen=True):
    """A timestamp and the way in which it is written."""

    at: float
    """Unix time in seconds; without a stated zone, UTC is taken."""
    form: str


def moment(value: Any, name: str = "") -> Moment | None:
    """`value` as a timestamp, or None. A number or a day counts where its `name` speaks of
    time."""
    if isinstance(value, int | float):
        return _from_number(value) if _TIME_NAMES.fullmatch(name) else None
    if not isinstance(value, str) or not 8 <= len(value) <= 48:
        return None
    try:
        if _DAY.fullmatch(value):
            return _from_day(value) if _TIME_NAMES.fullmatch(name) else None
        found = _from_text(value)
        if found is None and _UNIX_TEXT.fullmatch(value) and _TIME_NAMES.fullmatch(name):
            found = _from_number(float(value))
    except (ValueError, OverflowError):
        return None
    if found is None and (by_hand := written(value)):
        return Moment(by_hand.at, by_hand.form)
    return found


def token_shape(text: str) -> str | None:
    """What two random tokens of one source share: prefix, alphabet and length; None for anything else.

    A text counts as random only when letters and digits are mixed as no word or version number mixes them.
    """
    if found := _JWT.fullmatch(text):
        return f"jwt:{found[1]}"
    if found := _TOKEN.fullmatch(text):
        random = found["random"]
        if _looks_random(random) and not (_is_long_mixed(random) and not found["prefix"]):
            return f"{_DIGITS.sub('0', found['prefix'])}{_alphabet(random)}:{len(random)}"
    if _BASE64.fullmatch(text) and (_turns(text) >= 3 or text.startswith("eyJ") or text.endswith("=")):
        return "base64"
    return f"nanoid:{len(text)}" if _is_nanoid(text) else None


def is_alike(left: Any, right: Any, name: str, *, window_seconds: float | None, own: Collection[str]) -> bool:
    """Whether two unequal scalars are as good as equal: of one kind that differs from answer to answer.

    `name` is the member's or field's own. Two timestamps must be written in one form and, unless
    `window_seconds` is None, lie that close together. `own` holds the targets' addresses (``host:port``).
    """
    ours, theirs = moment(left, name), moment(right, name)
    if ours is not None and theirs is not None:
        is_near = window_seconds is None or abs(ours.at - theirs.at) <= window_seconds
        return ours.form == theirs.form and is_near
    if isinstance(left, str) and isinstance(right, str):
        if ours is not None or theirs is not None:
            return False
        return _are_alike_texts(left, right, name, own) and _are_near(left, right, window_seconds)
    if isinstance(left, str) or isinstance(right, str):
        return False
    is_id = isinstance(left, int) and isinstance(right, int) and is_id_name(name)
    return bool(is_id or _VOLATILE_NAMES.fullmatch(name.lower()))


def is_fixed_in_length(text: str, name: str, *, has_baseline: bool) -> bool:
    """Whether tokens like this one, called `name`, should keep their length: what is signed or encoded varies
    with what is in it, and what another release hashes otherwise is opaque all the same.

    Without a baseline only such are sure as are of hexadecimal digits alone, or mixed as what is random.
    """
    if not _LONG_NAMES.fullmatch(name.lower()) or text.startswith("eyJ") or "." in text or ":" in text:
        return False
    return has_baseline or bool(_HEX.fullmatch(text)) or _is_nanoid(text)


def is_address(name: str, text: str) -> bool:
    """Whether a value called `name` is the address of a resource, whose parts may be ids of any look."""
    return text.startswith(("http://", "https://", "/")) or name.lower() in (
        "location",
        "content-location",
        "href",
    )


def is_id_name(name: str) -> bool:
    """Whether a value called `name` is an id, or an address that may hold one."""
    return _ID_NAMES.fullmatch(name) is not None


def masked(text: str, own: Collection[str] = ()) -> str:
    """`text` with own addresses, ids, tokens and timestamps replaced by what kind of thing they are."""
    for address in sorted(own, key=len, reverse=True):
        text = text.replace(address, "<own>")
        port = address.rpartition(":")[2]
        if port.isdigit() and len(port) >= _PORT_DIGITS_MIN and port in text:
            text = re.sub(rf"(?<!\d){port}(?!\d)", "<port>", text)
    return _IN_TEXT.sub(_mask, text)


def _are_alike_texts(left: str, right: str, name: str, own: Collection[str]) -> bool:
    if _VOLATILE_NAMES.fullmatch(name.lower()):
        return bool(left) == bool(right)
    if _are_alike_tokens(left, right):
        return True
    ours, theirs = masked(left, own), masked(right, own)
    if is_id_name(name):  # counted up, as in "vm-41" or "/v1/orders/41"
        if _are_made_up(ours, theirs):
            return True
        ours, theirs = _DIGITS.sub("0", ours), _DIGITS.sub("0", theirs)
    return ours == theirs or _are_alike_in_parts(left, right)


def _are_made_up(left: str, right: str) -> bool:
    """Whether two ids, or ends of addresses, are as long and one mixes letters as no word does: "jjeJnJl"."""
    (head, _, ours), (other_head, _, theirs) = left.rpartition("/"), right.rpartition("/")
    is_one_kind = head == other_head and len(ours) == len(theirs) >= _MIN_MADE_UP_CHARS
    fits = all(_MADE_UP.fullmatch(each) for each in (ours, theirs))
    return is_one_kind and fits and max(_mixes(ours), _mixes(theirs)) >= _MIN_MIXES


def _mixes(text: str) -> int:
    """How often letters of one case, of the other and the rest follow each other."""
    kinds = ["a" if each.islower() else "A" if each.isupper() else "0" for each in text]
    return sum(before != after for before, after in pairwise(kinds))


def _are_near(left: str, right: str, window_seconds: float | None) -> bool:
    """Whether the timestamps within two texts lie close together, one by one."""
    if window_seconds is None:
        return True
    ours, theirs = _moments(left), _moments(right)
    return len(ours) != len(theirs) or all(
        abs(one - other) <= window_seconds for one, other in zip(ours, theirs, strict=True)
    )


def _moments(text: str) -> list[float]:
    found = (moment(each[0]) for each in _IN_TEXT.finditer(text) if each.lastgroup in _STAMPS)
    return [each.at for each in found if each is not None]


def _are_alike_tokens(left: str, right: str) -> bool:
    """Whether both may come from one source of tokens; one may lack digits or letters by chance."""
    ours, theirs = token_shape(left), token_shape(right)
    if ours is not None and ours == theirs:
        return True
    if _are_signed(left, right):
        return True
    if len(left) == len(right) and _are_base64(left, right):
        return True
    if len(left) == len(right) and (_is_nanoid(left) or _is_nanoid(right)):
        return bool(_NANOID.fullmatch(left) and _NANOID.fullmatch(right))
    one, other = _TOKEN.fullmatch(left), _TOKEN.fullmatch(right)
    if one is None or other is None or (ours is None and theirs is None):
        return False
    random = one["random"] if ours is not None else other["random"]
    is_one_source = _DIGITS.sub("0", one["prefix"]) == _DIGITS.sub("0", other["prefix"])
    fits = len(one["random"]) == len(other["random"])
    return is_one_source and fits and _alphabet(one["random"] + other["random"]) == _alphabet(random)


def _are_signed(left: str, right: str) -> bool:
    """Whether both end in a signature and have as many parts, as signed cookies and form tokens do."""
    one, other = _SIGNED.fullmatch(left), _SIGNED.fullmatch(right)
    if one is None or other is None or len(one["signature"]) != len(other["signature"]):
        return False
    is_random = all(
        _alphabet(each["signature"]) == "mixed" and _turns(each["signature"]) >= 3 for each in (one, other)
    )
    return is_random and [c for c in left if c in ".:"] == [c for c in right if c in ".:"]


def _are_alike_in_parts(left: str, right: str) -> bool:
    """Whether texts, such as addresses, differ in nothing but tokens."""
    ours, theirs = _PARTS.split(left), _PARTS.split(right)
    return 1 < len(ours) == len(theirs) and all(
        mine == other or _are_alike_tokens(mine, other) for mine, other in zip(ours, theirs, strict=True)
    )


def _from_number(value: float) -> Moment | None:
    if _EARLIEST <= value <= _LATEST:
        return Moment(float(value), "seconds")
    if _EARLIEST <= value / 1000 <= _LATEST:
        return Moment(value / 1000, "milliseconds")
    return None


def _from_day(text: str) -> Moment:
    return Moment(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp(), "day")


def _from_text(text: str) -> Moment | None:
    if found := _ISO.fullmatch(text):
        return _from_iso(found)
    if _BASIC.fullmatch(text):
        return Moment(datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp(), "basic")
    if found := _FILED.fullmatch(text):
        at = datetime.strptime(re.sub(r"\D", "", text), "%Y%m%d%H%M%S").replace(tzinfo=UTC).timestamp()
        return Moment(at, f"filed:{'|'.join(found.groups())}")
    if found := _HTTP_DATE.fullmatch(text):
        return Moment(
            parsedate_to_datetime(text).timestamp(), f"http:{text[7]}:{text[-4:].strip(' 0123456789')}"
        )
    return None


def _from_iso(found: re.Match[str]) -> Moment:
    fraction = found["fraction"] or ""
    zone = found["zone"] or ""
    text = (
        f"{found['date']}T{found['clock']}.{fraction[:6] or '0'}{'Z' if zone in ('z', 'UTC', '') else zone}"
    )
    thirds = -(-len(fraction) // 3)  # writers that trim zeros give 4 to 6 digits for microseconds
    offset = "offset" if zone[:1] in "+-" and zone else zone
    colon = ":" if ":" in zone else ""
    form = f"iso:{found['join']}:{found['point'] or ''}{thirds}:{offset}{colon}"
    return Moment(datetime.fromisoformat(text).timestamp(), form)


def _is_nanoid(text: str) -> bool:
    """Letters of both cases and more, mixed throughout as only chance mixes them."""
    if not _NANOID.fullmatch(text) or text.upper() == text or text.lower() == text:
        return False
    return _mixes(text) * 3 >= len(text) and _mixes(text) >= _MIN_NANOID_MIXES


def _are_base64(*texts: str) -> bool:
    """The same of two texts of base64, either of which may lack digits, or be mixed less, by chance."""
    if not all(_WHOLE_BASE64.fullmatch(each) and not each.isupper() and not each.islower() for each in texts):
        return False
    shares = sorted(_mixes(each) / len(each) for each in texts)
    return shares[0] * 4 >= 1 and shares[-1] * 3 >= 1


def _looks_random(text: str) -> bool:
    """Letters and digits mixed as no word, version or size mixes them."""
    alphabet = _alphabet(text)
    if alphabet in ("hex", "HEX"):
        return text.isalnum() and not text.isdigit() and not text.isalpha()
    shortest = _MIN_MIXED_CHARS if alphabet == "mixed" else _MIN_LOWER_CHARS
    return len(text) >= shortest and _turns(text) >= 3


def _is_long_mixed(text: str) -> bool:
    """Whether this may be base64 of something whose length varies."""
    return len(text) >= 20 and _alphabet(text) == "mixed"


def _turns(text: str) -> int:
    """How often a digit and something else follow each other."""
    return sum(before.isdigit() != after.isdigit() for before, after in pairwise(text))


def _alphabet(text: str) -> str:
    if all(char in "0123456789abcdef" for char in text):
        return "hex"
    if all(char in "0123456789ABCDEF" for char in text):
        return "HEX"
    return "upper" if text.upper() == text else "lower" if text.lower() == text else "mixed"


def _mask(found: re.Match[str]) -> str:
    text = found[0]
    match found.lastgroup:
        case "iso" | "filed" | "written":
            stated = moment(text)
            return f"<{stated.form}>" if stated else text
        case "token":
            return "<token>" if _is_long_mixed(text) and _turns(text) >= 3 else text
        case "hex":
            return f"<hex:{len(text)}>"
        case kind:
            return f"<{kind}>"
