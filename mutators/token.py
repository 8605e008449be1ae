"""Credentials that are carried as they are: bearer tokens, JWTs, Basic, API keys, session cookies.

That a service asks for a credential is known only where a configured identity owns the request. So each way
to spoil one expects a denial there alone, and `credential_spoiled` tries all of them everywhere else, where
no more is expected than that both versions agree.
"""

from base64 import urlsafe_b64encode
from collections.abc import Callable
from random import Random

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mutators._contract import mutator
from mutators._signed import signed
from shadow.auth.basic import read_basic, write_basic
from shadow.auth.credentials import CREDENTIAL_FIELDS, credential_names, only_credential
from shadow.auth.identity import is_public
from shadow.auth.jwt import Jwt, bearer_jwt, signed_jwt, unsigned_jwt
from shadow.model import Edit, Expect, Headers, Known, Level, Request, field

type _Spoil = Callable[[bytes, bytes, Random], tuple[bytes, str] | None]
"""``spoil(field name, value, rng)`` gives the value to send instead and what was done, or None."""

WEAK_SECRETS = (b"", b"secret", b"password", b"changeme", b"your-256-bit-secret", b"key", b"jwt")
"""What keys of tokens are called in tutorials and left as in services."""


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def credential_emptied(request: Request, rng: Random, known: Known) -> Edit | None:
    """An empty credential proves nothing (OWASP API Security 2023, API2)."""
    return _owned(_emptied, request, rng, known)


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def credential_garbled(request: Request, rng: Random, known: Known) -> Edit | None:
    """A credential with one character changed is another one, which was never issued (CWE-287)."""
    return _owned(_garbled, request, rng, known)


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def credential_truncated(request: Request, rng: Random, known: Known) -> Edit | None:
    """A part of a credential is not the credential; a look-up by prefix would take it (CWE-187)."""
    return _owned(_truncated, request, rng, known)


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def basic_with_wrong_password(request: Request, rng: Random, known: Known) -> Edit | None:
    """A user's name is no secret: without the password it opens nothing (RFC 7617 §2)."""
    return _owned(_wrong_password, request, rng, known)


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def jwt_algorithm_none(request: Request, rng: Random, known: Known) -> Edit | None:
    """An unsecured token can be written by anybody and must not be taken (RFC 8725 §3.2)."""
    return _owned(_algorithm_none, request, rng, known)


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def jwt_signature_stripped(request: Request, rng: Random, known: Known) -> Edit | None:
    """A token that states an algorithm and carries no signature of it is not valid (RFC 7515 §5.2)."""
    return _owned(_signature_stripped, request, rng, known)


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def jwt_signature_flipped(request: Request, rng: Random, known: Known) -> Edit | None:
    """One wrong bit in a token's signature makes it invalid (RFC 7515 §5.2)."""
    return _owned(_signature_flipped, request, rng, known)


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def jwt_claims_edited(request: Request, rng: Random, known: Known) -> Edit | None:
    """Claims are what the signature is for; edited under the old one they are forged (RFC 7515 §5.2)."""
    return _owned(_claims_edited, request, rng, known)


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def jwt_signed_with_weak_secret(request: Request, rng: Random, known: Known) -> Edit | None:
    """A secret out of a tutorial can be guessed by all (RFC 8725 §3.5, CWE-1391)."""
    return _owned(_weak_secret, request, rng, known)


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def jwt_with_own_key_inside(request: Request, rng: Random, known: Known) -> Edit | None:
    """A token must not bring the key that it is verified with (CVE-2018-0114, RFC 8725 §3.10)."""
    return _owned(_own_key_inside, request, rng, known)


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def jwt_key_id_of_empty_file(request: Request, rng: Random, known: Known) -> Edit | None:
    """A key id is a name to look up, not a path to read a key from (RFC 8725 §3.10, CWE-22)."""
    return _owned(_key_id_of_empty_file, request, rng, known)


@mutator(level=Level.AUTH, expect=Expect.AGREE)
def credential_spoiled(request: Request, rng: Random, known: Known) -> Edit | None:
    """Whether this request needs its credential is not known, but both versions must be of one mind."""
    if known.owner is not None or signed(request, known) is not None:
        return None
    names = credential_names(request)
    if not names:
        return None
    spoils = list(_SPOILS)
    rng.shuffle(spoils)
    name = rng.choice(names)
    edits = (_spoiled(spoil, request, name, rng, known) for spoil in spoils)
    return next((edit for edit in edits if edit is not None), None)


def _owned(spoil: _Spoil, request: Request, rng: Random, known: Known) -> Edit | None:
    """The request with its owner's credential spoiled and any other credential gone; None where no
    configured identity owns it, where it is signed, and where anybody may make it."""
    owner = known.owner
    if owner is None or signed(request, known) is not None or is_public(request, known.identities):
        return None
    own = {name.lower() for name, _ in owner.headers} or {b"authorization"}
    names = [name for name in own if name in CREDENTIAL_FIELDS or len(own) == 1]
    usable = sorted(name for name in names if field(request.headers, name))
    return _spoiled(spoil, request, rng.choice(usable), rng, known) if usable else None


def _spoiled(spoil: _Spoil, request: Request, name: bytes, rng: Random, known: Known) -> Edit | None:
    value = field(request.headers, name)
    spoiled = spoil(name, value, rng) if value else None
    if value is None or spoiled is None or spoiled[0] == value:
        return None
    also = [key for key, _ in known.owner.headers] if known.owner else []
    mutant = only_credential(request, name, spoiled[0], known.signer, also)
    return Edit(mutant, f"{spoiled[1]} in {name.decode('latin-1')!r}", signs_again=False)


def _emptied(name: bytes, value: bytes, _rng: Random) -> tuple[bytes, str] | None:
    if name == b"cookie":
        emptied = b"; ".join(pair.strip().partition(b"=")[0] + b"=" for pair in value.split(b";"))
        return emptied, "emptied every cookie"
    scheme, mark, _ = value.partition(b" ")
    return (scheme if mark else b""), "emptied the credential"


def _garbled(name: bytes, value: bytes, rng: Random) -> tuple[bytes, str] | None:
    if not _is_opaque(name, value):
        return None
    garbled = b";".join(_garbled_word(part, rng) for part in value.split(b";"))
    return garbled, "changed one character of the credential"


def _garbled_word(word: bytes, rng: Random) -> bytes:
    """`word` with one character changed: a later one than the cookie's name or the scheme, never the last,
    whose low bits base64 may leave unused, and not to the same letter in the other case."""
    start = max(word.rfind(b" "), word.find(b"=") if word.rstrip(b"=").count(b"=") else -1) + 1
    places = [at for at in range(start, len(word)) if word[at : at + 1].isalnum()][:-1]
    if not places:
        return word
    at = rng.choice(places)
    other = rng.choice([letter for letter in b"bcdfghjkmz0123456789" if letter != word[at] | 0x20])
    return word[:at] + bytes([other]) + word[at + 1 :] if other != word[at] else word


def _truncated(name: bytes, value: bytes, rng: Random) -> tuple[bytes, str] | None:
    start = value.rfind(b" ") + 1
    if name == b"cookie" or not _is_opaque(name, value) or len(value) - start < 8:
        return None
    kept = rng.randrange(4, len(value) - start - 3)
    return value[: start + kept], f"kept the first {kept} characters of the credential"


def _is_opaque(name: bytes, value: bytes) -> bool:
    """Whether every character of the credential counts, unlike in Basic, Digest and their like."""
    words = value.split()
    return name != b"authorization" or (
        1 <= len(words) <= 2 and b"," not in value and words[0].lower() != b"basic"
    )


def _wrong_password(name: bytes, value: bytes, rng: Random) -> tuple[bytes, str] | None:
    basic = read_basic(((name, value),))
    if basic is None:
        return None
    user, password = basic
    wrong = rng.choice([word for word in (b"", b"password", user, password + b"x", b"*") if word != password])
    return write_basic(user, wrong), "put a wrong password"


def _algorithm_none(name: bytes, value: bytes, rng: Random) -> tuple[bytes, str] | None:
    token = _token(name, value)
    if token is None or not token.signature:
        return None
    word = rng.choice(("none", "none", "None", "NONE", "nOnE"))
    bare = unsigned_jwt({**token.header, "alg": word}, token.claims)
    return _bearer(bare), f"put algorithm {word!r} and no signature"


def _signature_stripped(name: bytes, value: bytes, rng: Random) -> tuple[bytes, str] | None:
    token = _token(name, value)
    if token is None or not token.signature:
        return None
    bare = token._replace(signature=b"")
    text = rng.choice((bare.text(), bare.signing_input))
    return b"Bearer " + text, "stripped the token's signature"


def _signature_flipped(name: bytes, value: bytes, rng: Random) -> tuple[bytes, str] | None:
    token = _token(name, value)
    if token is None or len(token.signature) < 2:
        return None
    at = rng.randrange(len(token.signature) - 1)  # the last character may have unused bits
    other = b"B" if token.signature[at : at + 1] == b"A" else b"A"
    signature = token.signature[:at] + other + token.signature[at + 1 :]
    return _bearer(token._replace(signature=signature)), f"changed character {at} of the token's signature"


def _claims_edited(name: bytes, value: bytes, rng: Random) -> tuple[bytes, str] | None:
    token = _token(name, value)
    if token is None:
        return None
    edits = [("admin", True), ("role", "admin"), ("scope", "*"), ("exp", 4_102_444_800), ("sub", "0")]
    claim, content = rng.choice([(name, new) for name, new in edits if token.claims.get(name) != new])
    forged = unsigned_jwt(token.header, {**token.claims, claim: content})
    return _bearer(
        forged._replace(signature=token.signature)
    ), f"changed the claim {claim!r} under its signature"


def _weak_secret(name: bytes, value: bytes, rng: Random) -> tuple[bytes, str] | None:
    token = _token(name, value)
    if token is None:
        return None
    secret = rng.choice(WEAK_SECRETS)
    forged = signed_jwt({**token.header, "alg": "HS256"}, token.claims, secret)
    return None if forged is None else (_bearer(forged), f"signed the token with the secret {secret!r}")


def _own_key_inside(name: bytes, value: bytes, rng: Random) -> tuple[bytes, str] | None:
    token = _token(name, value)
    if token is None:
        return None
    key = Ed25519PrivateKey.from_private_bytes(rng.randbytes(32))
    point = urlsafe_b64encode(key.public_key().public_bytes_raw()).rstrip(b"=").decode()
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": point}
    forged = unsigned_jwt({**token.header, "alg": "EdDSA", "jwk": jwk}, token.claims)
    signature = urlsafe_b64encode(key.sign(forged.signing_input)).rstrip(b"=")
    return _bearer(forged._replace(signature=signature)), "signed the token with a key that it brings along"


def _key_id_of_empty_file(name: bytes, value: bytes, _rng: Random) -> tuple[bytes, str] | None:
    token = _token(name, value)
    if token is None:
        return None
    header = {**token.header, "alg": "HS256", "kid": "../../../../../../dev/null"}
    forged = signed_jwt(header, token.claims, b"")
    return None if forged is None else (_bearer(forged), "named an empty file as the token's key")


def _token(name: bytes, value: bytes) -> Jwt | None:
    headers: Headers = ((name, value),)
    return bearer_jwt(headers) if name == b"authorization" else None


def _bearer(token: Jwt) -> bytes:
    return b"Bearer " + token.text()


def _dropped(_name: bytes, _value: bytes, _rng: Random) -> tuple[bytes, str] | None:
    return b"", "emptied the field"


_SPOILS: tuple[_Spoil, ...] = (
    _dropped,
    _emptied,
    _garbled,
    _truncated,
    _wrong_password,
    _algorithm_none,
    _signature_stripped,
    _signature_flipped,
    _claims_edited,
    _weak_secret,
    _own_key_inside,
    _key_id_of_empty_file,
)
