"""Signatures that are valid, but for something else: what is not covered by the signature shows here.

Mostly the mutant stays the request that the service would accept, and its signature is made over a variant
that differs in one part. So nothing but the signature can be a reason to deny it, and a part that the service
does not cover lets it pass. Where the scheme's own canonical string leaves a part out, both signatures are
equal and there is nothing to expect.
"""

import re
from collections.abc import Callable
from random import Random

import msgspec

from mutators._contract import mutator
from mutators._covered import covered
from mutators._signed import Signed, replaced, signed
from shadow.auth.canonical import path_of
from shadow.model import Edit, Expect, Known, Level, Request, field

_OVERRIDES = (b"x-original-url", b"x-rewrite-url", b"x-forwarded-uri")
"""Fields by which proxies tell what was asked for, in lower case."""

_VALUE_END = re.compile(rb'(?<=[:\[,=])\s*"[^"\\]*[A-Za-z0-9](?="\s*(?:[,}\]]|$))|(?<=[:\[,=])\s*-?[0-9]{2,}')
"""Up to the last letter or digit of a string or number that is a value: keys are left alone."""

type _Variant = Callable[[Request], Request]


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
def body_extended_after_signing(request: Request, _rng: Random, known: Known) -> Edit | None:
    """A signed body's length is bound too, even by white space that a parser skips (RFC 9421 §7.2.8)."""
    it = signed(request, known)
    is_form = b"urlencoded" in (field(request.headers, b"content-type") or b"")
    longer = request.body + (b"&_=1" if is_form else b" ")
    return _after_signing(it, longer, "lengthened the body after signing") if request.body else None


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def body_changed_after_signing(request: Request, rng: Random, known: Known) -> Edit | None:
    """Whoever changes a signed body on the way changes what was signed, be it one letter (CWE-354)."""
    places = [found.end() - 1 for found in _VALUE_END.finditer(request.body)]
    if not places:
        return None
    at = rng.choice(places[-3:])  # late, for a digest may stop early
    body = request.body[:at] + _neighbour(request.body[at : at + 1]) + request.body[at + 1 :]
    return _after_signing(signed(request, known), body, f"changed the body's byte {at} after signing")


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def signature_for_path_in_override(request: Request, _rng: Random, known: Known) -> Edit | None:
    """The signature must be checked over the path that is served, not over one that a field such as
    X-Original-URL claims (CWE-436)."""
    path = path_of(request.target)
    if not request.target.startswith(path) or any(key.lower() in _OVERRIDES for key, _ in request.headers):
        return None
    claimed = path.rstrip(b"/") + b"0" + request.target[len(path) :]
    edit = _for_variant(
        signed(request, known),
        lambda it: msgspec.structs.replace(it, target=claimed),
        "signed for the path that override fields claim",
    )
    if edit is None:
        return None
    headers = (*edit.request.headers, *((name, claimed) for name in _OVERRIDES))
    return msgspec.structs.replace(edit, request=msgspec.structs.replace(edit.request, headers=headers))


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def digest_of_other_body(request: Request, rng: Random, known: Known) -> Edit | None:
    """A stated digest must be checked against the body that came (RFC 9530 §6.3): digest and signature are
    both valid, and for another body."""
    it = signed(request, known)
    if it is None or it.name("body_digest") is None:
        return None
    body = _changed(request.body, rng.randrange(len(request.body)) if request.body else 0)
    made = it.signer.sign(msgspec.structs.replace(request, body=body))
    digest = it.signer.read(made, "body_digest") if made else None
    if made is None or digest is None or digest == it.stated("body_digest"):
        return None
    return it.kept(msgspec.structs.replace(made, body=request.body), "digest and signature of another body")


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
    value = it.signature_of(other)
    return None if value is None or it.is_right(value) else it.edit("signature", value, what)


def _after_signing(it: Signed | None, body: bytes, what: str) -> Edit | None:
    """The request with another body under its own signature; None where the scheme does not cover it."""
    if it is None:
        return None
    is_known = (
        covered(it).body or it.signature_over(msgspec.structs.replace(it.request, body=body)) is not None
    )
    if not is_known:
        return None
    return it.kept(msgspec.structs.replace(it.request, body=body), what)


def _neighbour(letter: bytes) -> bytes:
    """Another letter of the same kind; a digit stays a digit other than zero."""
    return {b"9": b"1", b"z": b"a", b"Z": b"A"}.get(letter, bytes([letter[0] + 1]))


def _changed(body: bytes, at: int) -> bytes:
    """`body` with another byte at `at`; an empty one becomes ``{}``."""
    return body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :] if body else b"{}"
