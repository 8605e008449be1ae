"""Credentials forged where no configuration tells whose they are: what a service refuses tells that it looks.

Each script first drops the credential, then changes one letter of it. Where both are refused, the request
needs its credential and the service checks it; a forged one that is taken then is taken for genuine.
"""

from collections.abc import Sequence
from random import Random

from mutators._contract import Session, session_mutator
from mutators._forging import FORGERIES, public_texts, token_in
from mutators._resource import succeeded
from mutators._session import needed, script
from mutators._signed import signed
from mutators._spoiling import Spoiling
from mutators._spoils import garbled, truncated
from shadow.auth.credentials import CREDENTIAL_FIELDS
from shadow.model import Expect, Known, Level, Script, Step, field

_SELF_SIGNED = {
    "weak secret": 4,
    "jwk": 1,
    "x5c": 1,
    "jku": 1,
    "kid of a file": 1,
    "kid injected": 3,
    "kid of another type": 1,
}
"""Ways to sign by a key that is nobody's secret, and how often each is drawn."""
_MAX_PUBLIC = 6
_MAX_NEEDED = 10


@session_mutator(level=Level.AUTH, expect=Expect.REJECT)
def forged_token_taken(session: Session, rng: Random, known: Known) -> Script | None:
    """Where a request is refused without its token, and with one bit of the token's signature changed, no
    token may be taken whose signature is missing or was made for something else (RFC 8725 §3, RFC 7515
    §5.2)."""
    found = _carrying(session, known, is_token=True)
    if not found:
        return None
    at, name = rng.choice(found)
    ways = [way for way in FORGERIES if way not in _SELF_SIGNED and way != "flipped"]
    forged = [Spoiling(name, way, rng.getrandbits(32)) for way in ("none", *ways)]
    return _gated(session, at, Spoiling(name, "one bit", rng.getrandbits(32)), forged)


@session_mutator(level=Level.AUTH, expect=Expect.REJECT)
def self_signed_token_taken(session: Session, rng: Random, known: Known) -> Script | None:
    """Where a request is refused without its token, and with one bit of the token's signature changed, no
    token may be taken that is signed by a key which anybody has: a tutorial's secret, a public key, one that
    the token brings or points at (RFC 8725 §3.1, §3.5, §3.10)."""
    found = _carrying(session, known, is_token=True)
    if not found:
        return None
    at, name = rng.choice(found)
    seen = token_in(field(session[at].request.headers, name) or b"")
    public = public_texts(seen[2], known) if seen is not None else ()
    is_asymmetric = seen is not None and str(seen[2].header.get("alg"))[:2] in ("RS", "PS", "ES")
    ways = [way for way, times in _SELF_SIGNED.items() for _ in range(times)]
    ways += ["public key"] * (len(public[:_MAX_PUBLIC]) if is_asymmetric else 0)
    forged = [Spoiling(name, way, rng.getrandbits(32), public) for way in ways]
    return _gated(session, at, Spoiling(name, "one bit", rng.getrandbits(32)), forged)


@session_mutator(level=Level.AUTH, expect=Expect.REJECT)
def odd_credential_taken(session: Session, rng: Random, known: Known) -> Script | None:
    """Where a request is refused without its credential, and with one letter of it changed, neither a part of
    it nor a word that stands for none may be taken (CWE-187, CWE-287)."""
    found = _carrying(session, known, is_token=False)
    if not found:
        return None
    at, name = rng.choice(found)
    odd = [Spoiling(name, way, rng.getrandbits(32)) for way in ("truncated", "truncated", "word", "word")]
    return _gated(session, at, Spoiling(name, "garbled", rng.getrandbits(32)), odd)


def _carrying(session: Session, known: Known, *, is_token: bool) -> list[tuple[int, bytes]]:
    """Successful requests whose only credential is a signed token, or is none, with its field."""
    found = []
    for at, one in enumerate(session):
        names = [name.lower() for name, _ in one.request.headers if name.lower() in CREDENTIAL_FIELDS]
        if not succeeded(one) or len(names) != 1 or signed(one.request, known) is not None:
            continue
        value = field(one.request.headers, names[0]) or b""
        seen = token_in(value)
        is_signed = seen is not None and len(seen[2].signature) > 1
        if is_signed if is_token else seen is None and _is_changeable(names[0], value):
            found.append((at, names[0]))
    return found


def _is_changeable(name: bytes, value: bytes) -> bool:
    return name != b"cookie" and all(spoil(name, value, Random(0)) for spoil in (garbled, truncated))


def _gated(session: Session, at: int, wrong: Spoiling, forged: Sequence[Spoiling]) -> Script | None:
    request = session[at].request
    then = [
        Step(request, at, "without its credential", edit=Spoiling(wrong.field, "dropped", 0)),
        Step(request, at, "with one letter of it changed", edit=wrong),
        *(Step(request, at, f"forged: {each.way}", edit=each) for each in forged),
    ]
    return script(session, needed(session, at)[-_MAX_NEEDED:], then, "forged a credential", refused=2)
