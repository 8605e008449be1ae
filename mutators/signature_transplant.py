"""Signatures that are valid where they were taken from: another recorded request, another principal's."""

from random import Random

import msgspec

from mutators._contract import mutator
from mutators._signed import Signed, signed
from shadow.auth.canonical import path_of
from shadow.model import Edit, Exchange, Expect, Known, Level, Request


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def signature_of_other_request(request: Request, rng: Random, known: Known) -> Edit | None:
    """A signature binds one request: one made by the same key for another recorded request proves nothing
    about this one (CWE-345)."""
    it = signed(request, known)
    if it is None:
        return None
    for other in _others(it, rng, known, is_own=True):
        variant = _content_of(request, other.request)
        value = it.signature_over(variant) or _recorded(it, other.request)
        if value is not None and value != it.value:
            return it.edit("signature", value, f"took the signature of {_title(other.request)}")
    return None


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def signature_of_other_principal(request: Request, rng: Random, known: Known) -> Edit | None:
    """Every signing field of another principal's request, valid there, is a transplant here (CWE-345)."""
    it = signed(request, known)
    place = it.name("signature") if it else None
    if it is None or place is None:
        return None
    names = it.signing_names()
    for other in _others(it, rng, known, is_own=False):
        donor = _valid_there(it, other.request)
        if donor is None or it._replace(request=donor).name("signature") != place:
            continue
        own = tuple(pair for pair in request.headers if pair[0].lower() not in names)
        taken = tuple(pair for pair in donor.headers if pair[0].lower() in names)
        mutant = msgspec.structs.replace(request, headers=own + taken)
        return it.kept(mutant, f"took every signing field of {_title(other.request)}")
    return None


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


def _recorded(it: Signed, other: Request) -> bytes | None:
    """The signature that `other` was recorded with, where the key's secret is not known to make one with."""
    is_usable = it.own_signature() is None and _differs_throughout(it.request, other)
    return it.signature_of(other) if is_usable else None


def _valid_there(it: Signed, other: Request) -> Request | None:
    """`other` with a signature that holds for it and not for the request; None where there is none."""
    fresh = _signed_alike(it, other)
    if fresh is None:
        return other if _differs_throughout(it.request, other) else None
    here = it.signer.sign(it.request, key=it.signer.key_id(other))
    return None if here and it.signature_of(here) == it.signature_of(fresh) else fresh


def _signed_alike(it: Signed, other: Request) -> Request | None:
    """`other` signed anew by its own key, at the time and with the nonce of the request."""
    nonce = it.stated("nonce")
    return it.signer.sign(
        other, at=it.signer.stated_time(it.request), nonce=None if nonce is None else nonce.decode("latin-1")
    )


def _differs_throughout(request: Request, other: Request) -> bool:
    """Whether any scheme that signs path or body tells the two apart."""
    return path_of(request.target) != path_of(other.target) and request.body != other.body


def _content_of(request: Request, other: Request) -> Request:
    """`request` asking for what `other` asks for."""
    return msgspec.structs.replace(request, method=other.method, target=other.target, body=other.body)


def _title(request: Request) -> str:
    return f"{request.method.decode('latin-1')} {path_of(request.target).decode('latin-1')}"[:80]
