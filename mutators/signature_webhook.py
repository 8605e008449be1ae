"""Signatures of webhooks as GitHub, Stripe and Slack make them: their versions, and several of them."""

from random import Random

import msgspec

from mutators._contract import mutator
from mutators._covered import WEBHOOKS
from mutators._signed import Signed, replaced, signed
from shadow.auth.place import put_field
from shadow.model import Edit, Expect, Known, Level, Request, field, without_field

_STRIPE = b"stripe-signature"
_GITHUB, _OLDER = b"x-hub-signature-256", "X-Hub-Signature"
_VERSIONS = {
    b"stripe-signature": (b"v1=", (b"v0=", b"v2=")),
    b"x-slack-signature": (b"v0=", (b"v1=", b"v2=")),
    b"x-hub-signature-256": (b"sha256=", (b"sha1=", b"sha512=", b"md5=", b"plain=")),
    b"x-hub-signature": (b"sha1=", (b"sha256=", b"md5=", b"plain=")),
}
"""How a signature is marked, and how it must not be, by the field it stands in."""


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def signature_version_changed(request: Request, rng: Random, known: Known) -> Edit | None:
    """A signature under another version's mark is none: v0 of Stripe is made up for tests, and verifiers must
    ignore all schemes but the one in force, or a downgrade is open (CWE-757)."""
    it, name, value = _webhook(request, known)
    if it is None or _VERSIONS[name][0] not in value:
        return None
    own, others = _VERSIONS[name]
    other = rng.choice(others)
    return _with(it, name, value.replace(own, other), f"marked the signature {other.decode()!r}")


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def older_signature_alone(request: Request, rng: Random, known: Known) -> Edit | None:
    """Where the newer signature is missing, the older field must not be believed unread: a wrong one is
    wrong (CWE-757)."""
    it, name, _ = _webhook(request, known)
    if it is None or name != _GITHUB:
        return None
    headers = put_field(
        without_field(it.request.headers, _GITHUB), _OLDER, b"sha1=" + rng.randbytes(20).hex().encode()
    )
    return it.kept(
        msgspec.structs.replace(it.request, headers=headers), "sent a wrong SHA-1 signature in place of it"
    )


@mutator(level=Level.AUTH, expect=Expect.AGREE)
def signature_among_several(request: Request, rng: Random, known: Known) -> Edit | None:
    """While a secret is rolled over a webhook carries several signatures, of which one is right (Stripe);
    both versions must read such a list alike."""
    it, name, value = _webhook(request, known)
    if it is None or name != _STRIPE:
        return None
    wrong = b"v1=" + rng.randbytes(32).hex().encode()
    first, _, rest = value.partition(b",")
    made = rng.choice((b",".join((first, wrong, rest)), value + b"," + wrong))
    return _with(it, name, made, "put a wrong signature beside the right one")


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def signatures_all_wrong(request: Request, rng: Random, known: Known) -> Edit | None:
    """Several wrong signatures are as wrong as one: trying a list must not end in having tried (CWE-347)."""
    it, name, value = _webhook(request, known)
    if it is None or name != _STRIPE:
        return None
    time = value.partition(b",")[0]
    wrong = (b"v1=" + rng.randbytes(32).hex().encode() for _ in range(rng.randint(2, 5)))
    return _with(
        it, name, b",".join((time, *wrong)), "put several wrong signatures in place of the right one"
    )


def _webhook(request: Request, known: Known) -> tuple[Signed | None, bytes, bytes]:
    """The signed request, and name and value of its signature's field; None first for other schemes."""
    it = signed(request, known)
    name = it.name("signature") if it else None
    value = field(request.headers, name) if name in WEBHOOKS else None
    return (it, name or b"", value or b"") if value else (None, b"", b"")


def _with(it: Signed, name: bytes, value: bytes, what: str) -> Edit:
    headers = replaced(it.request.headers, name, value)
    return it.kept(msgspec.structs.replace(it.request, headers=headers), what)
