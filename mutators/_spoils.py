"""A request with its credential spoiled: the one that its owner is known by, or any that it carries."""

from collections.abc import Callable
from random import Random

from mutators._signed import signed
from shadow.auth.credentials import CREDENTIAL_FIELDS, only_credential
from shadow.auth.identity import is_public
from shadow.model import Edit, Known, Request, field

type Spoil = Callable[[bytes, bytes, Random], tuple[bytes, str] | None]
"""``spoil(field name, value, rng)`` gives the value to send instead and what was done, or None."""


def owned(spoil: Spoil, request: Request, rng: Random, known: Known) -> Edit | None:
    """The request with its owner's credential spoiled and any other credential gone; None where no
    configured identity owns it, where it is signed, and where anybody may make it."""
    owner = known.owner
    if owner is None or signed(request, known) is not None or is_public(request, known.identities):
        return None
    own = {name.lower() for name, _ in owner.headers} or {b"authorization"}
    names = [name for name in own if name in CREDENTIAL_FIELDS or len(own) == 1]
    usable = sorted(name for name in names if field(request.headers, name))
    return spoiled(spoil, request, rng.choice(usable), rng, known) if usable else None


def spoiled(spoil: Spoil, request: Request, name: bytes, rng: Random, known: Known) -> Edit | None:
    value = field(request.headers, name)
    spoiled = spoil(name, value, rng) if value else None
    if value is None or spoiled is None or spoiled[0] == value:
        return None
    also = [key for key, _ in known.owner.headers] if known.owner else []
    mutant = only_credential(request, name, spoiled[0], known.signer, also)
    return Edit(mutant, f"{spoiled[1]} in {name.decode('latin-1')!r}", signs_again=False)


def emptied(name: bytes, value: bytes, _rng: Random) -> tuple[bytes, str] | None:
    if name == b"cookie":
        emptied = b"; ".join(pair.strip().partition(b"=")[0] + b"=" for pair in value.split(b";"))
        return emptied, "emptied every cookie"
    scheme, mark, _ = value.partition(b" ")
    return (scheme if mark else b""), "emptied the credential"


def garbled(name: bytes, value: bytes, rng: Random) -> tuple[bytes, str] | None:
    if not is_opaque(name, value):
        return None
    garbled = b";".join(_changed_word(part, rng) for part in value.split(b";"))
    return garbled, "changed one character of the credential"


def _changed_word(word: bytes, rng: Random) -> bytes:
    """`word` with one character changed: a later one than the cookie's name or the scheme, never the last,
    whose low bits base64 may leave unused, and not to the same letter in the other case."""
    start = max(word.rfind(b" "), word.find(b"=") if word.rstrip(b"=").count(b"=") else -1) + 1
    places = [at for at in range(start, len(word)) if word[at : at + 1].isalnum()][:-1]
    if not places:
        return word
    at = rng.choice(places)
    other = rng.choice([letter for letter in b"bcdfghjkmz0123456789" if letter != word[at] | 0x20])
    return word[:at] + bytes([other]) + word[at + 1 :] if other != word[at] else word


def truncated(name: bytes, value: bytes, rng: Random) -> tuple[bytes, str] | None:
    start = value.rfind(b" ") + 1
    if name == b"cookie" or not is_opaque(name, value) or len(value) - start < 8:
        return None
    kept = rng.randrange(4, len(value) - start - 3)
    return value[: start + kept], f"kept the first {kept} characters of the credential"


def is_opaque(name: bytes, value: bytes) -> bool:
    """Whether every character of the credential counts, unlike in Basic, Digest and their like."""
    words = value.split()
    return name != b"authorization" or (
        1 <= len(words) <= 2 and b"," not in value and words[0].lower() != b"basic"
    )
