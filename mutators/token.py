"""Credentials that are carried as they are: bearer tokens, JWTs, Basic, API keys, session cookies.

That a service asks for a credential is known only where a configured identity owns the request. So each way
to spoil one expects a denial there alone, and `credential_spoiled` tries all of them everywhere else, where
no more is expected than that both versions agree.
"""

from random import Random
from urllib.parse import quote_from_bytes

from mutators._contract import mutator
from mutators._forging import FORGERIES, forging, parts_added
from mutators._message import with_headers, with_target
from mutators._signed import replaced, signed
from mutators._spoils import Spoil, emptied, garbled, is_opaque, owned, spoiled, truncated
from shadow.auth.basic import read_basic, write_basic
from shadow.auth.credentials import authorization, credential_names
from shadow.content.entity import with_raw_body
from shadow.model import Edit, Expect, Known, Level, Request, field, without_field

_URL_SAFE = bytes.maketrans(b"+/", b"-_")
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


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def basic_as_other_user(request: Request, rng: Random, known: Known) -> Edit | None:
    """A password goes with its own user and nobody else's name (RFC 7617 §2, CWE-287)."""
    return owned(_other_user, request, rng, known)


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def credential_word(request: Request, rng: Random, known: Known) -> Edit | None:
    """What stands where a client forgot its credential was never issued, nor are wild cards (CWE-287)."""
    return owned(_worded, request, rng, known)


@mutator(level=Level.AUTH, expect=Expect.AGREE)
def credential_written_otherwise(request: Request, rng: Random, known: Known) -> Edit | None:
    """Scheme names have no case (RFC 9110 §11.1), and what else is forgiven in writing is the service's own
    affair: space, padding, alphabet, quotes. Both versions must forgive alike."""
    if signed(request, known) is not None:
        return None
    value = field(request.headers, b"authorization")
    scheme, mark, credential = (value or b"").partition(b" ")
    if not mark or not credential:
        return None
    forms = [
        (scheme.lower() + b" " + credential, "wrote the scheme in lower case"),
        (scheme.upper() + b" " + credential, "wrote the scheme in capitals"),
        (scheme + b"  " + credential, "put two spaces after the scheme"),
        (scheme + b"\t" + credential, "put a tab after the scheme"),
        (scheme + b" " + credential + b" ", "put a space after the credential"),
        (scheme + b' "' + credential + b'"', "put the credential into quotes"),
        (scheme + b": " + credential, "put a colon after the scheme"),
        (credential, "left out the scheme"),
        (scheme + b" " + credential + b", " + scheme + b" x", "added a second credential"),
    ]
    if scheme.lower() == b"basic":
        bare = credential.rstrip(b"=")
        forms += [
            (scheme + b" " + bare, "left out the padding"),
            (scheme + b" " + credential + b"==", "added padding"),
            (scheme + b" " + credential.translate(_URL_SAFE), "wrote it in the other alphabet"),
        ]
    text, what = rng.choice([form for form in forms if form[0] != value])
    return Edit(
        with_headers(request, replaced(request.headers, b"authorization", text)), what, signs_again=False
    )


@mutator(level=Level.AUTH, expect=Expect.AGREE)
def bearer_moved(request: Request, rng: Random, known: Known) -> Edit | None:
    """A token may come in the query or in a form (RFC 6750 §2.2, §2.3) where a service allows it, and it
    should not; both of its versions must be of one mind."""
    found = authorization(request.headers)
    if found is None or found[0] != b"bearer" or not found[1] or signed(request, known) is not None:
        return None
    bare = with_headers(request, without_field(request.headers, b"authorization"))
    token = quote_from_bytes(found[1], safe="-._~").encode()
    is_form = b"x-www-form-urlencoded" in (field(request.headers, b"content-type") or b"")
    if is_form and field(request.headers, b"content-encoding") is None and rng.random() < 0.5:
        body = request.body + (b"&" if request.body else b"") + b"access_token=" + token
        return Edit(with_raw_body(bare, body), "moved the token into the form", signs_again=False)
    mark = b"&" if b"?" in request.target else b"?"
    is_doubled = rng.random() < 0.3
    moved = with_target(request if is_doubled else bare, request.target + mark + b"access_token=" + token)
    what = "said the token in the query too" if is_doubled else "moved the token into the query"
    return Edit(moved, what, signs_again=False)


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


def _other_user(name: bytes, value: bytes, rng: Random) -> tuple[bytes, str] | None:
    basic = read_basic(((name, value),))
    if basic is None:
        return None
    user, password = basic
    others = [word for word in (b"admin", b"root", b"", user + b"2", b"*") if word != user]
    return write_basic(rng.choice(others), password), "put another user's name"


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
    _other_user,
    _worded,
    *map(forging, FORGERIES.values()),
    forging(parts_added),
)
