"""JSON Web Tokens forged without their key, where a configured identity owns the request; see `forgery` for
where none does."""

from random import Random

from mutators._contract import mutator
from mutators._forging import (
    FORGERIES,
    Forge,
    forging,
    key_confused,
    parts_added,
    public_texts,
    recorded_tokens,
    signature_of_other_token,
    token_in,
)
from mutators._spoils import owned
from shadow.auth.jwt import Jwt
from shadow.model import Edit, Expect, Known, Level, Request


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def jwt_algorithm_none(request: Request, rng: Random, known: Known) -> Edit | None:
    """An unsecured token can be written by anybody and must not be taken (RFC 8725 §3.2)."""
    return _forged("none", request, rng, known)


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def jwt_algorithm_missing(request: Request, rng: Random, known: Known) -> Edit | None:
    """A token must state its algorithm (RFC 7515 §4.1.1); none stated is not none needed."""
    return _forged("no algorithm", request, rng, known)


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def jwt_signature_stripped(request: Request, rng: Random, known: Known) -> Edit | None:
    """A token that states an algorithm and carries no signature of it is not valid (RFC 7515 §5.2)."""
    return _forged("stripped", request, rng, known)


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def jwt_signature_flipped(request: Request, rng: Random, known: Known) -> Edit | None:
    """One wrong bit in a token's signature makes it invalid (RFC 7515 §5.2)."""
    return _forged("flipped", request, rng, known)


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def jwt_signature_zeroed(request: Request, rng: Random, known: Known) -> Edit | None:
    """r = s = 0 is out of range (RFC 7515 §5.2); verifiers that did not look took it for any token's
    (CVE-2022-21449)."""
    return _forged("zeroed", request, rng, known)


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def jwt_signature_of_other_token(request: Request, rng: Random, known: Known) -> Edit | None:
    """A signature holds for the token it was made for alone, be it the same principal's (RFC 7515 §5.2)."""
    others = recorded_tokens(known)
    return _by(lambda token, dice: signature_of_other_token(token, dice, others), request, rng, known)


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def jwt_claims_edited(request: Request, rng: Random, known: Known) -> Edit | None:
    """Claims are what the signature is for; edited under the old one they are forged (RFC 7515 §5.2)."""
    return _forged("claims", request, rng, known)


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def jwt_claim_dropped(request: Request, rng: Random, known: Known) -> Edit | None:
    """Nobody can take a claim away under the signature, an expiry least of all (RFC 7515 §5.2)."""
    return _forged("claim dropped", request, rng, known)


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def jwt_claim_doubled(request: Request, rng: Random, known: Known) -> Edit | None:
    """A second value for a claim was not signed, whichever of the two a parser would take (RFC 7519 §4)."""
    return _forged("claim doubled", request, rng, known)


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def jwt_header_edited(request: Request, rng: Random, known: Known) -> Edit | None:
    """The header is signed along with the claims (RFC 7515 §5.1), and "crit" with what nobody understands is
    a reason of its own to refuse (RFC 7515 §4.1.11)."""
    return _forged("header", request, rng, known)


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def jwt_looks_encrypted(request: Request, rng: Random, known: Known) -> Edit | None:
    """Encryption proves nothing of who encrypted (RFC 8725 §3.2): a JWE of random bytes around an unsecured
    token opens nothing."""
    return _forged("encrypted", request, rng, known)


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def jwt_signed_with_weak_secret(request: Request, rng: Random, known: Known) -> Edit | None:
    """A secret out of a tutorial can be guessed by all (RFC 8725 §3.5, CWE-1391)."""
    return _forged("weak secret", request, rng, known)


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def jwt_with_own_key_inside(request: Request, rng: Random, known: Known) -> Edit | None:
    """A token must not bring the key that it is verified with (CVE-2018-0114, RFC 8725 §3.10)."""
    return _forged("jwk", request, rng, known)


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def jwt_with_own_certificate(request: Request, rng: Random, known: Known) -> Edit | None:
    """A certificate that nobody trusted vouches for is worth nothing (RFC 7515 §4.1.6, CWE-295)."""
    return _forged("x5c", request, rng, known)


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def jwt_with_own_key_elsewhere(request: Request, rng: Random, known: Known) -> Edit | None:
    """Keys are not to be fetched from where the token says (RFC 8725 §3.10, CWE-918); the address that is
    named never answers (RFC 2606 §2)."""
    return _forged("jku", request, rng, known)


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def jwt_key_id_of_empty_file(request: Request, rng: Random, known: Known) -> Edit | None:
    """A key id is a name to look up, not a path to read a key from (RFC 8725 §3.10, CWE-22)."""
    return _forged("kid of a file", request, rng, known)


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def jwt_key_id_injected(request: Request, rng: Random, known: Known) -> Edit | None:
    """A key id is looked up and never run as SQL or by a shell (RFC 8725 §3.10, CWE-89, CWE-78)."""
    return _forged("kid injected", request, rng, known)


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def jwt_key_id_of_wrong_type(request: Request, rng: Random, known: Known) -> Edit | None:
    """A key id is a string (RFC 7515 §4.1.4): under any other value there is no key, and so no pass."""
    return _forged("kid of another type", request, rng, known)


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def jwt_key_confused(request: Request, rng: Random, known: Known) -> Edit | None:
    """Everybody has the public key, so it must not do for an HMAC's secret (CVE-2015-9256, RFC 8725 §3.1)."""
    found = next((found for _, value in request.headers if (found := token_in(value))), None)
    public = public_texts(found[2], known) if found is not None and _is_asymmetric(found[2]) else ()
    return _by(lambda token, dice: key_confused(token, dice, public), request, rng, known) if public else None


@mutator(level=Level.AUTH, expect=Expect.AGREE)
def jwt_with_other_parts(request: Request, rng: Random, known: Known) -> Edit | None:
    """A compact token has exactly two periods (RFC 7515 §7.1); some verifiers read no further, and both
    versions must do alike."""
    return _by(parts_added, request, rng, known)


def _forged(name: str, request: Request, rng: Random, known: Known) -> Edit | None:
    return _by(FORGERIES[name], request, rng, known)


def _by(forge: Forge, request: Request, rng: Random, known: Known) -> Edit | None:
    return owned(forging(forge), request, rng, known) if known.owner is not None else None


def _is_asymmetric(token: Jwt) -> bool:
    return str(token.header.get("alg"))[:2] in ("RS", "PS", "ES")
