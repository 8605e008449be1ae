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


@session_mutator(level=Level.AUTH, expect=Expect.REJECT)
def forged_token_taken(session: Session, rng: Random, known: Known) -> Script | None:
    """Where a request is refused without its token, and with one letter of the token's signature changed, no
    token may be taken that anybody can write (RFC 8725 §3, RFC 7515 §5.2)."""
    found = _carrying(session, known, is_token=True)
    if not found:
        return None
    at, name = rng.choice(found)
    seen = token_in(field(session[at].request.headers, name) or b"")
    public = public_texts(seen[2], known) if seen is not None else ()
    ways = [way for way in FORGERIES if way != "flipped"]
    if public and seen is not None and str(seen[2].header.get("alg"))[:2] in ("RS", "PS", "ES"):
        ways += ["public key"] * 4  # told of in one recording of many
    forged = Spoiling(name, rng.choice(ways), rng.getrandbits(32), public)
    return _gated(session, at, Spoiling(name, "one bit", rng.getrandbits(32)), forged)


@session_mutator(level=Level.AUTH, expect=Expect.REJECT)
def odd_credential_taken(session: Session, rng: Random, known: Known) -> Script | None:
    """Where a request is refused without its credential, and with one letter of it changed, neither a part of
    it nor a word that stands for none may be taken (CWE-187, CWE-287)."""
    found = _carrying(session, known, is_token=False)
    if not found:
        return None
    at, name = rng.choice(found)
    odd = Spoiling(name, rng.choice(("truncated", "word")), rng.getrandbits(32))
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


def _gated(session: Session, at: int, wrong: Spoiling, forged: Spoiling) -> Script | None:
    request = session[at].request
    then: Sequence[Step] = (
        Step(request, at, "without its credential", edit=Spoiling(wrong.field, "dropped", 0)),
        Step(request, at, "with one letter of it changed", edit=wrong),
        Step(request, at, f"with a forged one: {forged.way}", edit=forged),
    )
    return script(session, needed(session, at), then, f"forged a credential: {forged.way}", refused=2)
