"""What a signature covers, changed while the signature stays: needs no key, only a scheme that shows."""

from random import Random

import msgspec

from mutators._contract import mutator
from mutators._covered import covered
from mutators._signed import signed
from shadow.auth.credentials import CREDENTIAL_FIELDS
from shadow.model import Edit, Expect, Known, Level, Request, field

_NOT_TO_CHANGE = CREDENTIAL_FIELDS | {
    b"host",
    b"date",
    b"x-amz-date",
    b"x-amz-content-sha256",
    b"content-length",
    b"content-digest",
    b"content-encoding",
    b"transfer-encoding",
    b"connection",
    b"expect",
}
"""Without these as they are the request goes elsewhere, or is refused for another reason."""
_NEAR_SECONDS = (-60, -7, -1, 1, 7, 60)
"""Within every tolerance in use."""


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def query_changed_after_signing(request: Request, rng: Random, known: Known) -> Edit | None:
    """A signature that covers the query is wrong once a parameter was added to it, even one that nobody
    reads (RFC 9421 §7.2.1, SigV4's canonical query string)."""
    it = signed(request, known)
    if it is None or not covered(it).query or b"#" in request.target:
        return None
    mark = b"&" if b"?" in request.target else b"?"
    more = b"%b_=%d" % (mark, rng.randrange(10, 100))
    changed = msgspec.structs.replace(it.request, target=request.target + more)
    return it.kept(changed, f"added {more[1:].decode()!r} to the query after signing")


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def field_changed_after_signing(request: Request, rng: Random, known: Known) -> Edit | None:
    """A field that the signature names as covered cannot have another value (RFC 9421 §2.1, SigV4's
    SignedHeaders)."""
    it = signed(request, known)
    names = sorted(covered(it).fields - _NOT_TO_CHANGE) if it else []
    usable = [name for name in names if field(request.headers, name)]
    if it is None or not usable:
        return None
    name = rng.choice(usable)
    more = b"; v=1" if name in (b"content-type", b"accept") else b"0"
    at = next(at for at, (key, _) in enumerate(it.request.headers) if key.lower() == name)
    key, value = it.request.headers[at]
    headers = (*it.request.headers[:at], (key, value + more), *it.request.headers[at + 1 :])
    changed = msgspec.structs.replace(it.request, headers=headers)
    return it.kept(changed, f"changed the covered field {name.decode('latin-1')!r} after signing")


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def field_added_after_signing(request: Request, _rng: Random, known: Known) -> Edit | None:
    """A second line of a covered field is part of its value (RFC 9110 §5.3), and was not signed (RFC 9421
    §2.1, SigV4's canonical headers)."""
    it = signed(request, known)
    names = covered(it).fields if it else frozenset()
    usable = sorted(name for name in names if name.startswith(b"x-") and name not in _NOT_TO_CHANGE)
    if it is None or not usable or not field(request.headers, usable[0]):
        return None
    changed = msgspec.structs.replace(it.request, headers=(*it.request.headers, (usable[0], b"1")))
    return it.kept(changed, f"added a second {usable[0].decode('latin-1')!r} after signing")


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def time_changed_after_signing(request: Request, rng: Random, known: Known) -> Edit | None:
    """A stated time that can be changed under the signature lets an old request pass for a new one (RFC 9421
    §7.2.2)."""
    it = signed(request, known)
    at = it.signer.stated_time(it.request) if it and covered(it).time else None
    if it is None or at is None:
        return None
    by = rng.choice(_NEAR_SECONDS)
    text = _moved(it.stated("timestamp") or b"", int(at) + by)
    return None if text is None else it.edit("timestamp", text, f"moved the stated time by {by:+d} s")


def _moved(text: bytes, seconds: int) -> bytes | None:
    """`seconds` written as `text` writes a time: as Unix time, or as Amazon does."""
    if text.lstrip(b"-").isdigit():
        return b"%d" % seconds
    clock = text[9:15]
    if len(text) != 16 or not clock.isdigit():
        return None
    minute_second = seconds % 3600  # the day and the hour stay, and with them the scope
    moved = b"%b%02d%02d" % (clock[:2], minute_second // 60, minute_second % 60)
    return None if moved == clock else text[:9] + moved + text[15:]
