"""What a signature covers, as far as the request itself tells: no key is needed for that."""

from typing import NamedTuple

from mutators._signed import Signed
from shadow.auth.structured import InnerList, dictionary, inner_list
from shadow.model import Request, field, fields

AMAZON = b"AWS4-HMAC-SHA256"
WEBHOOKS = frozenset({b"x-hub-signature-256", b"x-hub-signature", b"x-slack-signature", b"stripe-signature"})
_OF_QUERY = frozenset({b"@query", b"@target-uri", b"@request-target"})
_UNSIGNED_PAYLOADS = (b"UNSIGNED-PAYLOAD", b"STREAMING-")


class Covered(NamedTuple):
    """Parts of a request that cannot be changed without the signature, or its digest, being wrong."""

    query: bool = False
    body: bool = False
    fields: frozenset[bytes] = frozenset()
    """Lower-case names."""
    time: bool = False
    """The time that is stated."""


def covered(it: Signed) -> Covered:
    """What the scheme is known to cover; nothing where the request does not tell the scheme."""
    name = it.name("signature")
    if name in WEBHOOKS:
        return Covered(body=True, time=True)
    if is_amazon(it):
        return _by_amazon(it.request)
    members = input_of(it.request)
    return _by_components(members[1]) if members is not None and name == b"signature" else Covered()


def is_amazon(it: Signed) -> bool:
    """Whether it is signed under SigV4."""
    return it.stated("algorithm") == AMAZON


def input_of(request: Request) -> tuple[bytes, InnerList] | None:
    """Label and covered components of the only signature under RFC 9421; None where there is not one."""
    members = dictionary(b", ".join(fields(request.headers, b"signature-input")))
    if len(members) != 1:
        return None
    label, text = next(iter(members.items()))
    covers = inner_list(text)
    return None if covers is None else (label, covers)


def signed_names(request: Request) -> list[bytes]:
    """SignedHeaders of SigV4 in the Authorization field; empty where it is presigned."""
    value = field(request.headers, b"authorization") or b""
    return [name for name in value.partition(b"SignedHeaders=")[2].partition(b",")[0].split(b";") if name]


def _by_amazon(request: Request) -> Covered:
    names = signed_names(request)
    payload = field(request.headers, b"x-amz-content-sha256") or b""
    is_body_signed = bool(names) and not payload.startswith(_UNSIGNED_PAYLOADS)
    return Covered(query=True, body=is_body_signed, fields=frozenset(names), time=True)


def _by_components(covers: InnerList) -> Covered:
    plain = {item.value for item in covers.items if not item.parameters}
    names = frozenset(name for name in plain if not name.startswith(b"@"))
    return Covered(query=bool(plain & _OF_QUERY), body=b"content-digest" in plain, fields=names, time=True)
