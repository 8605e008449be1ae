"""Signatures that are valid, but for something else: what is not covered by the signature shows here.

The mutant stays the request that the service would accept; its signature is made over a variant that differs
in one part. So nothing but the signature can be a reason to deny it, and a part that the service does not
cover lets it pass. Where the scheme's own canonical string leaves a part out, both signatures are equal and
there is nothing to expect.
"""

from collections.abc import Callable
from random import Random

import msgspec

from mutators._contract import mutator
from mutators._signed import Signed, kept_signature, replaced, signed
from shadow.auth.canonical import path_of
from shadow.model import Edit, Exchange, Expect, Known, Level, Request, field

type _Variant = Callable[[Request], Request]


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def signature_of_other_request(request: Request, rng: Random, known: Known) -> Edit | None:
    """A signature binds one request: one made by the same key for another recorded request proves nothing
    about this one (CWE-345)."""
    it = signed(request, known)
    if it is None:
        return None
    for other in _others(it, rng, known, is_own=True):
        variant = _content_of(request, other.request)
        value = _made_over(it, variant) or _recorded(it, other.request)
        if value is not None and value != it.value:
            return it.edit("signature", value, f"took the signature of {_title(other.request)}")
    return None


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def signature_of_other_principal(request: Request, rng: Random, known: Known) -> Edit | None:
    """Every signing field of another principal's request, valid there, is a transplant here (CWE-345)."""
    it = signed(request, known)
    if it is None:
        return None
    names = it.signing_names()
    for other in _others(it, rng, known, is_own=False):
        donor = _valid_there(it, other.request)
        if donor is None:
            continue
        own = tuple(pair for pair in request.headers if pair[0].lower() not in names)
        taken = tuple(pair for pair in donor.headers if pair[0].lower() in names)
        mutant = msgspec.structs.replace(request, headers=own + taken)
        return kept_signature(mutant, f"took every signing field of {_title(other.request)}")
    return None


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def signature_for_other_method(request: Request, rng: Random, known: Known) -> Edit | None:
    """Where the scheme signs the method, a signature for a read must not carry a write (RFC 9421 §7.2.1)."""
    methods = [m for m in (b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE") if m != request.method]
    method = rng.choice(methods)
    return _for_variant(
        signed(request, known),
        lambda it: msgspec.structs.replace(it, method=method),
        f"signed for the method {method.decode()}",
    )


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def signature_for_other_path(request: Request, _rng: Random, known: Known) -> Edit | None:
    """Where the scheme signs the path, one resource's signature must not open another (RFC 9421 §7.2.1)."""
    path = path_of(request.target)
    other = (path + b"0" if path != b"/" else b"/other") + request.target[len(path) :]
    if not request.target.startswith(path):
        return None
    return _for_variant(
        signed(request, known),
        lambda it: msgspec.structs.replace(it, target=other),
        "signed for another path",
    )


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def signature_for_other_query(request: Request, _rng: Random, known: Known) -> Edit | None:
    """Where the scheme signs the query, its parameters cannot be changed after signing (RFC 9421 §7.2.1)."""
    path, mark, _ = request.target.partition(b"?")
    other = path if mark else path + b"?limit=1"
    return _for_variant(
        signed(request, known),
        lambda it: msgspec.structs.replace(it, target=other),
        "signed for another query",
    )


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def signature_for_other_body(request: Request, rng: Random, known: Known) -> Edit | None:
    """Where the scheme signs the body, any byte of it is bound by the signature (RFC 9421 §7.2.8)."""
    body = _changed(request.body, rng.randrange(len(request.body)) if request.body else 0)
    return _for_variant(
        signed(request, known), lambda it: msgspec.structs.replace(it, body=body), "signed for another body"
    )


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def signature_for_other_body_end(request: Request, _rng: Random, known: Known) -> Edit | None:
    """The body's last byte is bound like its first; a digest of its beginning is not one of it (CWE-354)."""
    if not request.body:
        return None
    body = _changed(request.body, len(request.body) - 1)
    return _for_variant(
        signed(request, known),
        lambda it: msgspec.structs.replace(it, body=body),
        "signed for a body with another last byte",
    )


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def digest_of_other_body(request: Request, rng: Random, known: Known) -> Edit | None:
    """A stated digest must be checked against the body that came (RFC 9530 §6.3): digest and signature are
    both valid, and for another body."""
    it = signed(request, known)
    if it is None or it.name("body_digest") is None:
        return None
    body = _changed(request.body, rng.randrange(len(request.body)) if request.body else 0)
    made = it.signer.sign(msgspec.structs.replace(request, body=body))
    digest = field(made.headers, it.name("body_digest") or b"") if made else None
    if made is None or digest is None or digest == it.stated("body_digest"):
        return None
    return kept_signature(
        msgspec.structs.replace(made, body=request.body), "digest and signature of another body"
    )


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def signature_for_other_host(request: Request, _rng: Random, known: Known) -> Edit | None:
    """Where the scheme signs the host, what was signed for one service must not serve at another
    (RFC 9421 §7.2.1)."""
    headers = replaced(request.headers, b"host", b"other.invalid")
    return _for_variant(
        signed(request, known),
        lambda it: msgspec.structs.replace(it, headers=headers),
        "signed for another host",
    )


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def signature_for_other_time(request: Request, _rng: Random, known: Known) -> Edit | None:
    """Where the scheme signs the stated time, an old request cannot be given a new one (RFC 9421 §7.2.2)."""
    it = signed(request, known)
    at = it.signer.stated_time(request) if it else None
    if it is None or at is None:
        return None
    return _with_signature_of(it, it.signer.sign(request, at=at - 1), "signed for a second earlier")


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def signature_for_other_nonce(request: Request, rng: Random, known: Known) -> Edit | None:
    """Where the scheme signs the nonce, a request cannot be sent again under a new one (RFC 9421 §7.2.2)."""
    it = signed(request, known)
    if it is None or it.stated("nonce") is None:
        return None
    nonce = rng.randbytes(16).hex()
    return _with_signature_of(it, it.signer.sign(request, nonce=nonce), "signed for another nonce")


def _for_variant(it: Signed | None, vary: _Variant, what: str) -> Edit | None:
    return None if it is None else _with_signature_of(it, it.signer.sign(vary(it.request)), what)


def _with_signature_of(it: Signed, other: Request | None, what: str) -> Edit | None:
    """The request with the signature of `other`; None where it would be the request's own."""
    value = field(other.headers, it.name("signature") or b"") if other else None
    return None if value is None or value == _own(it) else it.edit("signature", value, what)


def _made_over(it: Signed, variant: Request) -> bytes | None:
    """The signature of `variant` by the request's key, if it differs from that of the request."""
    made = it.signer.sign(variant)
    value = field(made.headers, it.name("signature") or b"") if made else None
    return None if value == _own(it) else value


def _own(it: Signed) -> bytes | None:
    """The request's own valid signature; None where the key's secret is not known."""
    own = it.signer.sign(it.request)
    return field(own.headers, it.name("signature") or b"") if own else None


def _recorded(it: Signed, other: Request) -> bytes | None:
    """The signature that `other` was recorded with, where the key's secret is not known to make one with."""
    is_usable = _own(it) is None and _differs_throughout(it.request, other)
    return field(other.headers, it.name("signature") or b"") if is_usable else None


def _valid_there(it: Signed, other: Request) -> Request | None:
    """`other` with a signature that holds for it and not for the request; None where there is none."""
    fresh = _signed_alike(it, other)
    if fresh is None:
        return other if _differs_throughout(it.request, other) else None
    here = it.signer.sign(it.request, key=it.signer.key_id(other))
    name = it.name("signature") or b""
    return None if here and field(here.headers, name) == field(fresh.headers, name) else fresh


def _differs_throughout(request: Request, other: Request) -> bool:
    """Whether any scheme that signs path or body tells the two apart."""
    return path_of(request.target) != path_of(other.target) and request.body != other.body


def _others(it: Signed, rng: Random, known: Known, *, is_own: bool) -> list[Exchange]:
    """Recorded exchanges signed by the same key, or by others, that ask for something else; shuffled."""
    asked = (it.request.method, it.request.target, it.request.body)
    found = [
        other
        for other in known.others
        if (key := it.signer.key_id(other.request)) is not None
        and (key == it.key) is is_own
        and (other.request.method, other.request.target, other.request.body) != asked
    ]
    rng.shuffle(found)
    return found


def _content_of(request: Request, other: Request) -> Request:
    """`request` asking for what `other` asks for."""
    return msgspec.structs.replace(request, method=other.method, target=other.target, body=other.body)


def _signed_alike(it: Signed, other: Request) -> Request | None:
    """`other` signed anew by its own key, at the time and with the nonce of the request."""
    nonce = it.stated("nonce")
    return it.signer.sign(
        other, at=it.signer.stated_time(it.request), nonce=None if nonce is None else nonce.decode("latin-1")
    )


def _changed(body: bytes, at: int) -> bytes:
    """`body` with another byte at `at`; an empty one becomes ``{}``."""
    return body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :] if body else b"{}"


def _title(request: Request) -> str:
    return f"{request.method.decode('latin-1')} {path_of(request.target).decode('latin-1')}"[:80]
