"""Credentials that are carried as they are: bearer tokens, JWTs, Basic, API keys, session cookies.

That a service asks for a credential is known only where a configured identity owns the request. So each way
to spoil one expects a denial there alone, and `credential_spoiled` tries all of them everywhere else, where
no more is expected than that both versions agree.
"""

from random import Random

from mutators._contract import mutator
from mutators._forging import FORGERIES, forging, parts_added
from mutators._signed import signed
from mutators._spoils import Spoil, emptied, garbled, is_opaque, owned, spoiled, truncated
from shadow.auth.basic import read_basic, write_basic
from shadow.auth.credentials import credential_names
from shadow.model import Edit, Expect, Known, Level, Request

_WORDS = (b"null", b"undefined", b"*", b"%", b"0", b"' OR '1'='1", b"true", b"[object Object]", b"none")
"""What stands where a credential was forgotten, and what a look-up may take for any."""


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def credential_emptied(request: Request, rng: Random, known: Known) -> Edit | None:
    """An empty credential proves nothing (OWASP API Security 2023, API2)."""
    return owned(emptied, request, rng, known)


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def credential_garbled(request: Request, rng: Random, known: Known) -> Edit | None:
    """A credential with one character changed is another one, which was never issued (CWE-287)."""
    return owned(garbled, request, rng, known)


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def credential_truncated(request: Request, rng: Random, known: Known) -> Edit | None:
    """A part of a credential is not the credential; a look-up by prefix would take it (CWE-187)."""
    return owned(truncated, request, rng, known)


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def basic_with_wrong_password(request: Request, rng: Random, known: Known) -> Edit | None:
    """A user's name is no secret: without the password it opens nothing (RFC 7617 §2)."""
    return owned(_wrong_password, request, rng, known)


@mutator(level=Level.AUTH, expect=Expect.AGREE)
def credential_spoiled(request: Request, rng: Random, known: Known) -> Edit | None:
    """Whether this request needs its credential is not known, but both versions must be of one mind."""
    if known.owner is not None or signed(request, known) is not None:
        return None
    names = credential_names(request)
    if not names:
        return None
    spoils = list(SPOILS)
    rng.shuffle(spoils)
    name = rng.choice(names)
    edits = (spoiled(spoil, request, name, rng, known) for spoil in spoils)
    return next((edit for edit in edits if edit is not None), None)


def _wrong_password(name: bytes, value: bytes, rng: Random) -> tuple[bytes, str] | None:
    basic = read_basic(((name, value),))
    if basic is None:
        return None
    user, password = basic
    wrong = rng.choice([word for word in (b"", b"password", user, password + b"x", b"*") if word != password])
    return write_basic(user, wrong), "put a wrong password"


def _dropped(_name: bytes, _value: bytes, _rng: Random) -> tuple[bytes, str] | None:
    return b"", "emptied the field"


def _worded(name: bytes, value: bytes, rng: Random) -> tuple[bytes, str] | None:
    if name == b"cookie" or not is_opaque(name, value):
        return None
    scheme = value[: value.rfind(b" ") + 1]
    word = rng.choice(_WORDS)
    return scheme + word, f"put {word!r} for the credential"


SPOILS: tuple[Spoil, ...] = (
    _dropped,
    emptied,
    garbled,
    truncated,
    _wrong_password,
    _worded,
    *map(forging, FORGERIES.values()),
    forging(parts_added),
)
