"""Header and trailer fields: sets as sets, directives by name, volatile fields by their presence."""

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Iterator

import msgspec

from comparators import _addresses, _cookies, _directives, _lifetimes, _tree
from comparators._bounded import bounded_pair
from comparators._contract import comparator
from comparators._header_names import (
    CASE_SENSITIVE,
    CHALLENGES,
    DIGESTS,
    DIRECTIVES,
    LIMITS,
    NOT_COMPARED,
    OF_THE_SENDER,
    POLICIES,
    SETS,
    is_digest,
    is_volatile,
)
from comparators._protobuf import values_of
from comparators._web_call import is_web
from shadow.content.coding import codings
from shadow.content.entity import content_encoding
from shadow.model import Change, Difference, Headers, Response, field, without_field
from shadow.wire.grpc_status import is_call

_ALGORITHM_CHARS = 20
_CALL_DETAILS = b"grpc-status-details-bin"


class Beside(msgspec.Struct, frozen=True):
    """What else of both answers a field is read with."""

    dates: tuple[str, str]
    """Their Date fields."""
    is_same_body: bool


@comparator
def headers(control: Response, other: Response) -> Iterator[Difference]:
    """Field names have no case, and fields of different names no order (RFC 9110 §5.1, §5.3). Of fields that
    are new in every answer (Date, Server, request ids, counters of limits) the presence counts.
    """
    if control.headers != other.headers or control.trailers != other.trailers:
        beside = Beside((_date(control), _date(other)), control.body == other.body)
        if control.headers != other.headers:
            yield from _compared("header", _head(control), _head(other), beside)
        if control.trailers != other.trailers:
            yield from _compared("trailer", _trailers(control), _trailers(other), beside)


def is_free(name: bytes) -> bool:
    """Whether the value of field `name`, in lower case, is not compared."""
    return name in NOT_COMPARED or is_volatile(name)


def _date(response: Response) -> str:
    return (field(response.headers, b"date") or b"").decode("latin-1")


def _head(response: Response) -> Headers:
    """Without a Content-Encoding that changes nothing."""
    coding = content_encoding(response.headers)
    if coding is None or codings(coding):
        return response.headers
    return without_field(response.headers, b"content-encoding")


def _trailers(response: Response) -> Headers:
    """Without the status of a gRPC call, which is compared as the answer's."""
    if not is_call(response) and not is_web(response):
        return response.trailers
    return without_field(response.trailers, b"grpc-status")


def _compared(part: str, left: Headers, right: Headers, beside: Beside) -> Iterator[Difference]:
    ours, theirs = _values(left), _values(right)
    for name, values in ours.items():
        found = theirs.get(name)
        where = f"{part}:{name.decode('latin-1')}"
        if found is None:
            yield Difference(where, Change.MISSING, _joined(values)[:2048], None)
        elif found != values:
            yield from _field(name, where, values, found, beside)
    for name, values in theirs.items():
        if name not in ours and name not in OF_THE_SENDER:
            where = f"{part}:{name.decode('latin-1')}"
            yield Difference(where, Change.ADDED, None, _joined(values)[:2048])


def _values(lines: Headers) -> dict[bytes, list[bytes]]:
    found: dict[bytes, list[bytes]] = {}
    for name, value in lines:
        key = name.lower()
        if key not in NOT_COMPARED:
            found.setdefault(key, []).append(value)
    return found


def _field(
    name: bytes, where: str, left: list[bytes], right: list[bytes], beside: Beside
) -> Iterator[Difference]:
    if is_volatile(name):
        return
    if name == b"set-cookie":
        yield from _cookies.compared(where, left, right, beside.dates)
    elif name in _addresses.FIELDS:
        yield from _addresses.compared(name, where, _joined(left), _joined(right))
    elif name in SETS:
        yield from _sets(where, _tokens(name, left), _tokens(name, right))
    elif name.endswith(b"-bin"):
        yield from _binary(name, where, b",".join(left), b",".join(right))
    else:
        yield from _text(name, where, _joined(left), _joined(right), beside)


def _text(name: bytes, where: str, left: str, right: str, beside: Beside) -> Iterator[Difference]:
    if left == right:
        return
    if name == b"etag":
        yield from _etag(where, left, right)
    elif name == b"expires":
        yield from _expires(where, left, right, beside.dates)
    elif name in DIGESTS:
        yield from _digests(where, left, right, beside)
    elif is_digest(name):
        if beside.is_same_body:
            yield Difference(where, Change.VALUE, *bounded_pair(left, right))
    elif name in POLICIES:
        yield from _directives.compared(where, _directives.policy(left), _directives.policy(right))
    elif name in CHALLENGES:
        yield from _directives.compared(where, _directives.challenges(left), _directives.challenges(right))
    elif name in LIMITS:
        yield from _directives.compared(where, _directives.limits(left), _directives.limits(right))
    elif separator := DIRECTIVES.get(name):
        parts = (_addresses.filename(_directives.named(each, separator)) for each in (left, right))
        yield from _directives.compared(where, *parts)
    else:
        yield from _tree.texts(left, right, where)


def _etag(where: str, left: str, right: str) -> Iterator[Difference]:
    """Weak and strong validators promise different things (RFC 9110 §8.8.1), so that is a change of type."""
    is_weakened = left.startswith("W/") != right.startswith("W/")
    yield Difference(where, Change.TYPE if is_weakened else Change.VALUE, *bounded_pair(left, right))


def _expires(where: str, left: str, right: str, dates: tuple[str, str]) -> Iterator[Difference]:
    """By how long after its Date an answer is stale (RFC 9111 §5.3)."""
    ours, theirs = (_lifetimes.lifetime(*each) for each in zip((left, right), dates, strict=True))
    if ours is None or theirs is None:
        yield Difference(where, Change.VALUE, *bounded_pair(left, right))
    elif not _lifetimes.are_one(ours, theirs):
        yield Difference(where, Change.VALUE, _lifetimes.words(ours), _lifetimes.words(theirs))


def _digests(where: str, left: str, right: str, beside: Beside) -> Iterator[Difference]:
    """Other bodies have other digests; the algorithms stay."""
    if beside.is_same_body:
        yield Difference(where, Change.VALUE, *bounded_pair(left, right))
    else:
        yield from _sets(where, _algorithms(left), _algorithms(right))


def _algorithms(text: str) -> set[str]:
    named = (piece.partition("=")[::2] for piece in _directives.split(text, ","))
    return {name.strip().lower()[:_ALGORITHM_CHARS] for name, value in named if value.strip("= ")}


def _binary(name: bytes, where: str, left: bytes, right: bytes) -> Iterator[Difference]:
    """Metadata in base64, padded or not (gRPC over HTTP/2, Custom-Metadata); of a status that explains
    itself, the messages.
    """
    ours, theirs = _unpacked(left), _unpacked(right)
    if ours is None or theirs is None:
        yield Difference(where, Change.VALUE, *bounded_pair(left.decode("latin-1"), right.decode("latin-1")))
    elif name == _CALL_DETAILS:
        one, two = values_of([ours, theirs])
        yield from _tree.walk(one, two, f"{where}<proto>")
    elif ours != theirs:
        yield Difference(where, Change.VALUE, *bounded_pair(f"0x{ours.hex()}", f"0x{theirs.hex()}"))


def _unpacked(value: bytes) -> bytes | None:
    bare = value.rstrip(b"=")
    try:
        return b64decode(bare + b"=" * (-len(bare) % 4), validate=True)
    except Base64Error:
        return None


def _tokens(name: bytes, values: list[bytes]) -> set[str]:
    text = _joined(values)
    text = text if name in CASE_SENSITIVE else text.lower()
    return {token for piece in text.split(",") if (token := piece.strip())}


def _sets(where: str, left: set[str], right: set[str]) -> Iterator[Difference]:
    for token in sorted(left - right):
        yield Difference(f"{where}[{token}]", Change.MISSING, token, None)
    for token in sorted(right - left):
        yield Difference(f"{where}[{token}]", Change.ADDED, None, token)


def _joined(values: list[bytes]) -> str:
    """Lines of one name are one comma-separated value (RFC 9110 §5.2)."""
    return b", ".join(values).decode("latin-1")
