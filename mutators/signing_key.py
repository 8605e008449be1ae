"""Validly made signatures that must not count: the wrong time, a revoked key, another's key, no algorithm."""

from random import Random

from mutators._contract import mutator
from mutators._signed import Signed, kept_signature, signed
from shadow.auth.credentials import query_pairs
from shadow.auth.encoding import written
from shadow.auth.identity import is_public
from shadow.auth.jwt import bearer_jwt
from shadow.model import Edit, Expect, Known, Level, Request

_DAY_SECONDS = 86_400
_FAR_SECONDS = (2 * _DAY_SECONDS, 30 * _DAY_SECONDS, 3_650 * _DAY_SECONDS)
"""Beyond any tolerance in use: AWS takes 15 minutes, webhooks 5; longer are only pre-signed addresses."""
_NEAR_SECONDS = (30, 120, 290, 310, 600, 890, 910, 3_590, 3_610)
"""On both sides of the tolerances in use: 1, 5, 15 and 60 minutes."""


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def expired_timestamp(request: Request, rng: Random, known: Known) -> Edit | None:
    """A validly signed request that states a time days ago is a replay (RFC 9421 §7.2.2, RFC 7519 §4.1.4)."""
    return _signed_at(request, known, -rng.choice(_FAR_SECONDS) - _lifetime_seconds(request))


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def future_timestamp(request: Request, rng: Random, known: Known) -> Edit | None:
    """A stated time days ahead makes a request that stays valid for days (RFC 9421 §7.2.2)."""
    if signed(request, known) is None:
        return None  # of a token only exp must be heeded, not iat
    return _signed_at(request, known, rng.choice(_FAR_SECONDS))


@mutator(level=Level.AUTH, expect=Expect.AGREE)
def timestamp_near_tolerance(request: Request, rng: Random, known: Known) -> Edit | None:
    """How much skew a service allows is its own affair, but both of its versions must draw the same line."""
    return _signed_at(request, known, rng.choice((-1, 1)) * rng.choice(_NEAR_SECONDS))


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def revoked_key(request: Request, rng: Random, known: Known) -> Edit | None:
    """What a revoked key signs is worth nothing, however valid (NIST SP 800-57 part 1 §8.3.5)."""
    if not _is_signed(request, known) or known.signer is None:
        return None
    revoked = list(known.signer.revoked_keys())
    rng.shuffle(revoked)
    for key in revoked:
        made = known.signer.sign(request, key=key)
        if made is not None:
            return kept_signature(made, f"signed by the revoked key {key!r}")
    return None


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def unknown_key(request: Request, rng: Random, known: Known) -> Edit | None:
    """Nothing can be verified under a key that does not exist; a failed look-up is a denial (CWE-636)."""
    it = signed(request, known)
    stated = it.stated("key_id") if it else None
    if it is None or not stated:
        return None
    return it.edit("key_id", _unlike(stated, rng), "stated a key that does not exist")


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def key_of_another_stated(request: Request, rng: Random, known: Known) -> Edit | None:
    """A signature verifies under the key that made it alone; stating another's must fail (CWE-347)."""
    it = signed(request, known)
    if it is None or it.stated("key_id") is None:
        return None
    for key in _other_keys(it, rng):
        theirs = it.signer.sign(request, key=key)
        value = it.signer.read(theirs, "key_id") if theirs else None
        if theirs is not None and value is not None and it.signature_of(theirs) != it.value:
            return it.edit("key_id", value, f"stated the key {key!r} over a signature by {it.key!r}")
    return None


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def signed_by_key_of_another(request: Request, rng: Random, known: Known) -> Edit | None:
    """The stated key must have made the signature; no other valid key of the service will do (CWE-347)."""
    it = signed(request, known)
    own = it.signer.sign(request) if it else None
    if it is None or own is None or it.stated("key_id") is None:
        return None
    made = [(key, theirs) for key in _other_keys(it, rng) if (theirs := it.signer.sign(request, key=key))]
    differing = [(key, theirs) for key, theirs in made if not it.is_right(it.signature_of(theirs) or b"")]
    if not differing:
        return None
    # one of the same algorithm gets past the check of the stated one
    key, theirs = min(differing, key=lambda pair: _algorithm(it, pair[1]) != _algorithm(it, own))
    value = it.signature_of(theirs) or b""
    return it.edit("signature", value, f"signed by {key!r} while stating {it.key!r}")


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def algorithm_none(request: Request, rng: Random, known: Known) -> Edit | None:
    """The sender must not choose to be unchecked: "none" with a wrong signature must fail (RFC 8725 §3.1)."""
    it = signed(request, known)
    seen = written(it.value) if it else None
    if it is None or seen is None or it.stated("algorithm") is None:
        return None
    wrong = it.edit("signature", seen.text(rng.randbytes(len(seen.raw))), "")
    word = rng.choice((b"none", b"none", b"None", b"NONE", b"null"))
    return it._replace(request=wrong.request).edit(
        "algorithm", word, f"algorithm {word!r} and a wrong signature"
    )


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def algorithm_none_unsigned(request: Request, _rng: Random, known: Known) -> Edit | None:
    """Algorithm "none" with an empty signature is the unsecured form, never to be taken (RFC 8725 §3.2)."""
    it = signed(request, known)
    if it is None or it.stated("algorithm") is None:
        return None
    bare = it.edit("signature", b"", "").request
    return it._replace(request=bare).edit("algorithm", b"none", "algorithm 'none' and an empty signature")


@mutator(level=Level.AUTH, expect=Expect.AGREE)
def algorithm_swapped(request: Request, rng: Random, known: Known) -> Edit | None:
    """A service may go by the key and not by the stated algorithm, but both of its versions alike."""
    it = signed(request, known)
    stated = it.stated("algorithm") if it else None
    if it is None or stated is None:
        return None
    words = (b"hmac-sha256", b"hmac-sha1", b"ed25519", b"rsa-sha256", b"HS256", b"", stated.upper())
    word = rng.choice([word for word in words if word != stated])
    return it.edit("algorithm", word, f"stated the algorithm {word!r}")


def _signed_at(request: Request, known: Known, offset_seconds: int) -> Edit | None:
    """`request` signed validly at another time; None where it states none or that time cannot be stated."""
    if not _is_signed(request, known) or known.signer is None:
        return None
    at = known.signer.stated_time(request)
    made = None if at is None else known.signer.sign(request, at=at + offset_seconds)
    if made is None:
        return None
    # that a token is there does not tell that it is asked for
    is_stated = known.owner is not None or signed(request, known) is not None
    return Edit(made, f"signed {offset_seconds:+d} s from now", signs_again=False, is_stated=is_stated)


def _lifetime_seconds(request: Request) -> int:
    """How long after its stated time the request's bearer token, or its presigned address, may still be
    valid; 0 without one."""
    presigned = dict(query_pairs(request.target)).get(b"X-Amz-Expires", b"")
    if presigned.isdigit() and len(presigned) < 10:
        return int(presigned)
    token = bearer_jwt(request.headers)
    expiry, issued = (token.claims.get(name) for name in ("exp", "iat")) if token else (None, None)
    if isinstance(expiry, int | float) and isinstance(issued, int | float) and abs(expiry - issued) < 1e12:
        return int(max(0, expiry - issued))
    return 0 if token is None else _FAR_SECONDS[-1]


def _is_signed(request: Request, known: Known) -> bool:
    is_signed = known.signer is not None and known.signer.key_id(request) is not None
    return is_signed and not is_public(request, known.identities)


def _other_keys(it: Signed, rng: Random) -> list[str]:
    active = it.signer.keys()
    keys = [key for key in active if key != it.key]
    rng.shuffle(keys)
    return keys


def _algorithm(it: Signed, request: Request) -> bytes | None:
    return it.signer.read(request, "algorithm")


def _unlike(key: bytes, rng: Random) -> bytes:
    """An id that looks like `key`: digits for digits, letters for letters, at least 12 of them drawn."""
    drawn = bytes(
        rng.choice(b"0123456789")
        if 48 <= byte <= 57
        else rng.choice(b"abcdef")
        if chr(byte).isalpha()
        else byte
        for byte in key
    )
    return drawn + bytes(rng.choice(b"0123456789abcdef") for _ in range(12 - min(len(drawn), 12) or 4))
