"""AWS Signature Version 4: what is signed, for where and for how long, edited; with the signature kept or
made anew.

After Amazon's "Create a signed AWS API request" and "Authenticating Requests: Using Query Parameters".
"""

import re
from random import Random

import msgspec

from mutators._contract import mutator
from mutators._covered import is_amazon, signed_names
from mutators._signed import Signed, replaced, signed
from shadow.model import Edit, Expect, Known, Level, Request, field

_SCOPE = re.compile(
    rb"(Credential=[^/,&\s]+?(?:/|%2[Ff]))(\d{8})(/|%2[Ff])([^/%,&\s]+)(?:/|%2[Ff])([^/%,&\s]+)"
)
_LIFETIME = re.compile(rb"(?<=[?&]X-Amz-Expires=)\d{1,9}")
_LIFETIME_SECONDS_MAX = 604_800
"""Seven days: no longer may a presigned address last."""
_PAYLOAD = b"x-amz-content-sha256"


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def signed_headers_reduced(request: Request, rng: Random, known: Known) -> Edit | None:
    """SignedHeaders is a line of the canonical request: a name taken off it after signing makes the signature
    wrong (SigV4, canonical request)."""
    it = _amazon(request, known)
    names = signed_names(request)
    if it is None or len(names) < 2:
        return None
    gone = rng.choice(names)
    made = _with_names(it.request, [name for name in names if name != gone])
    return it.kept(made, f"took {gone.decode('latin-1')!r} off SignedHeaders")


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def signed_without_host(request: Request, _rng: Random, known: Known) -> Edit | None:
    """The host must be among the signed headers (SigV4, canonical headers), or the request would do at any
    service of the region."""
    it = _amazon(request, known)
    names = signed_names(request)
    if it is None or b"host" not in names:
        return None
    made = it.signer.sign(_with_names(it.request, [name for name in names if name != b"host"]))
    return None if made is None else it.kept(made, "signed without the host")


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def signature_scope_changed(request: Request, rng: Random, known: Known) -> Edit | None:
    """Day, region and service enter the signing key: with another scope stated, the signature is wrong
    (SigV4, signing key)."""
    it = _amazon(request, known)
    found = _scope_of(it.request) if it else None
    if it is None or found is None:
        return None
    part, value = rng.choice(((2, _day_after(found[2])), (4, found[4] + b"-1"), (5, found[5] + b"x")))
    return it.kept(
        _with_scope(it.request, found, part, value), f"stated {value.decode('latin-1')!r} in the scope"
    )


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def signed_for_other_scope(request: Request, rng: Random, known: Known) -> Edit | None:
    """A signature is good for one region and one service (SigV4, credential scope), though validly made."""
    it = _amazon(request, known)
    found = _scope_of(it.request) if it else None
    if it is None or found is None:
        return None
    part, value = rng.choice(((4, found[4] + b"-1"), (5, found[5] + b"x")))
    made = it.signer.sign(_with_scope(it.request, found, part, value))
    return None if made is None else it.kept(made, f"signed for {value.decode('latin-1')!r}")


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def presigned_lifetime_raised(request: Request, _rng: Random, known: Known) -> Edit | None:
    """A presigned address's lifetime is part of the signed query: its bearer cannot make it longer (SigV4,
    X-Amz-Expires)."""
    it = _amazon(request, known)
    found = _LIFETIME.search(request.target)
    if it is None or found is None:
        return None
    longer = b"%d" % (int(found[0]) + 3_600)
    target = _LIFETIME.sub(longer, it.request.target)
    return it.kept(
        msgspec.structs.replace(it.request, target=target), f"set X-Amz-Expires to {longer.decode()}"
    )


@mutator(level=Level.AUTH, expect=Expect.REJECT, is_stated=False)
def presigned_for_too_long(request: Request, _rng: Random, known: Known) -> Edit | None:
    """No presigned address may last for more than seven days, however it is signed (SigV4, X-Amz-Expires)."""
    it = _amazon(request, known)
    if it is None or _LIFETIME.search(request.target) is None:
        return None
    target = _LIFETIME.sub(b"%d" % (_LIFETIME_SECONDS_MAX + 1), it.request.target)
    made = it.signer.sign(msgspec.structs.replace(it.request, target=target))
    return None if made is None else it.kept(made, "presigned for a second more than seven days")


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def payload_declared_unsigned(request: Request, _rng: Random, known: Known) -> Edit | None:
    """The payload's stated hash is signed: it cannot be exchanged for UNSIGNED-PAYLOAD, to free the body
    (SigV4, x-amz-content-sha256)."""
    it = _amazon(request, known)
    stated = field(request.headers, _PAYLOAD)
    if it is None or stated is None or stated.startswith((b"UNSIGNED", b"STREAMING")):
        return None
    headers = replaced(it.request.headers, _PAYLOAD, b"UNSIGNED-PAYLOAD")
    return it.kept(msgspec.structs.replace(it.request, headers=headers), "declared the payload unsigned")


@mutator(level=Level.AUTH, expect=Expect.AGREE)
def payload_signed_as_unsigned(request: Request, _rng: Random, known: Known) -> Edit | None:
    """Whether a service takes a payload that is not signed is its own affair (S3 does), but both of its
    versions must decide alike."""
    it = _amazon(request, known)
    stated = field(request.headers, _PAYLOAD)
    if it is None or stated is None or stated.startswith((b"UNSIGNED", b"STREAMING")):
        return None
    headers = replaced(it.request.headers, _PAYLOAD, b"UNSIGNED-PAYLOAD")
    made = it.signer.sign(msgspec.structs.replace(it.request, headers=headers))
    return None if made is None else it.kept(made, "signed with the payload left out")


def _amazon(request: Request, known: Known) -> Signed | None:
    it = signed(request, known)
    return it if it is not None and is_amazon(it) else None


def _with_names(request: Request, names: list[bytes]) -> Request:
    value = field(request.headers, b"authorization") or b""
    made = re.sub(rb"(SignedHeaders=)[^,\s]*", lambda found: found[1] + b";".join(names), value)
    headers = replaced(request.headers, b"authorization", made)
    return msgspec.structs.replace(request, headers=headers)


def _scope_of(request: Request) -> re.Match[bytes] | None:
    return _SCOPE.search(field(request.headers, b"authorization") or b"") or _SCOPE.search(request.target)


def _with_scope(request: Request, found: re.Match[bytes], part: int, value: bytes) -> Request:
    """`request` with one part of the scope that was `found` set to `value`."""
    made = found.string[: found.start(part)] + value + found.string[found.end(part) :]
    if found.string is request.target or found.string == request.target:
        return msgspec.structs.replace(request, target=made)
    return msgspec.structs.replace(request, headers=replaced(request.headers, b"authorization", made))


def _day_after(day: bytes) -> bytes:
    """Another day of the same month."""
    number = int(day[6:])
    return day[:6] + b"%02d" % (number + 1 if number < 28 else number - 1)
