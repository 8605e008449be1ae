"""HTTP Message Signatures (RFC 9421): Signature-Input edited, and its labels, while the signature stays."""

from random import Random

from mutators._contract import mutator
from mutators._covered import input_of
from mutators._signed import Signed, replaced, signed
from shadow.auth.encoding import encode
from shadow.auth.place import put_field
from shadow.auth.structured import InnerList, Parameter, dictionary, quoted
from shadow.model import Edit, Expect, Known, Level, Request, fields

_YEARS_SECONDS = 315_360_000
_NEEDED = (
    b"@method",
    b"@path",
    b"@target-uri",
    b"@request-target",
    b"@query",
    b"content-digest",
    b"@authority",
)
"""What a verifier ought to want covered (RFC 9421 §7.2.1)."""


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def signature_parameters_changed(request: Request, rng: Random, known: Known) -> Edit | None:
    """The parameters of a signature are its last line, and signed with all others (RFC 9421 §2.3): a later
    expiry, another nonce or tag, or one more of them makes it wrong."""
    it, label, covers = _messaged(request, known)
    if it is None:
        return None
    name, raw = rng.choice(_changed_parameters(covers, rng))
    return it.kept(
        _with_input(it.request, label, covers.with_parameter(name, raw)),
        f"set the signature's parameter {name.decode()!r} to {raw.decode('latin-1')}",
    )


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def signature_parameter_dropped(request: Request, rng: Random, known: Known) -> Edit | None:
    """Without a parameter that was signed the signature is another one's (RFC 9421 §2.3); without "expires"
    it would hold for ever."""
    it, label, covers = _messaged(request, known)
    droppable = [each for each in covers.parameters if each.name != b"keyid"]
    if it is None or not droppable:
        return None
    gone = rng.choice(droppable)
    kept = covers._replace(parameters=tuple(each for each in covers.parameters if each != gone))
    return it.kept(
        _with_input(it.request, label, kept), f"dropped the signature's parameter {gone.name.decode()!r}"
    )


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def signature_component_dropped(request: Request, rng: Random, known: Known) -> Edit | None:
    """The list of covered components is signed itself (RFC 9421 §2.3): nobody can take one away, and then
    change it."""
    it, label, covers = _messaged(request, known)
    if it is None or not covers.items:
        return None
    gone = rng.choice(covers.items)
    kept = covers._replace(items=tuple(each for each in covers.items if each != gone))
    return it.kept(_with_input(it.request, label, kept), f"took {gone.text().decode('latin-1')} off the list")


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def signature_components_emptied(request: Request, _rng: Random, known: Known) -> Edit | None:
    """A signature over another list is not one over none (RFC 9421 §2.3)."""
    it, label, covers = _messaged(request, known)
    if it is None or not covers.items:
        return None
    return it.kept(
        _with_input(it.request, label, covers._replace(items=())), "emptied the list of components"
    )


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def signature_components_reordered(request: Request, _rng: Random, known: Known) -> Edit | None:
    """The signature base has its lines in the order of the list (RFC 9421 §2.5), so another order is another
    base."""
    it, label, covers = _messaged(request, known)
    turned = covers._replace(items=covers.items[::-1])
    if it is None or turned == covers:
        return None
    return it.kept(_with_input(it.request, label, turned), "turned the list of components round")


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def signature_label_unmatched(request: Request, _rng: Random, known: Known) -> Edit | None:
    """A signature belongs to the input of its own label; one without the other is an error (RFC 9421
    §3.2)."""
    it, label, covers = _messaged(request, known)
    if it is None:
        return None
    return it.kept(
        _with_input(it.request, label + b"-other", covers), "gave Signature-Input a label of its own"
    )


@mutator(level=Level.AUTH, expect=Expect.AGREE)
def signature_label_doubled(request: Request, rng: Random, known: Known) -> Edit | None:
    """Of two members of one key the last counts (RFC 8941 §4.2.2); parsers that take the first must not be
    replaced unnoticed by others."""
    it, label, _ = _messaged(request, known)
    if it is None:
        return None
    wrong = label + b"=:" + encode(rng.randbytes(max(len(it.value) * 3 // 4, 32)), "base64") + b":"
    right = b", ".join(fields(it.request.headers, b"signature"))
    is_last = rng.random() < 0.5
    value = right + b", " + wrong if is_last else wrong + b", " + right
    order = "after" if is_last else "before"
    return it.kept(
        _with_field(it.request, b"signature", value), f"put a wrong signature of the same label {order} it"
    )


@mutator(level=Level.AUTH, expect=Expect.AGREE)
def signature_label_added(request: Request, rng: Random, known: Known) -> Edit | None:
    """Whether a second, wrong signature spoils the first is the verifier's own affair (RFC 9421 §3.2), but
    both versions must decide alike."""
    it, label, covers = _messaged(request, known)
    if it is None:
        return None
    signature = b", ".join(fields(it.request.headers, b"signature"))
    both = signature + b", zz=:" + encode(rng.randbytes(32), "base64") + b":"
    inputs = label + b"=" + covers.text() + b", zz=" + covers.text()
    made = _with_field(_with_field(it.request, b"signature", both), b"signature-input", inputs)
    return it.kept(made, "added a second signature, a wrong one")


@mutator(level=Level.AUTH, expect=Expect.REJECT, is_stated=False)
def signature_over_less(request: Request, rng: Random, known: Known) -> Edit | None:
    """A valid signature that leaves out what the service acts upon must not be enough: a verifier has to
    demand its components (RFC 9421 §7.2.1)."""
    it, label, covers = _messaged(request, known)
    there = [item for item in covers.items if item.value in _NEEDED]
    if it is None or not there:
        return None
    gone = rng.choice(there)
    kept = covers._replace(items=tuple(each for each in covers.items if each != gone))
    made = it.signer.sign(_with_input(it.request, label, kept))
    if made is None or it.signer.verifies(made) is not True:
        return None
    return it.kept(made, f"signed without {gone.text().decode('latin-1')}")


def _messaged(request: Request, known: Known) -> tuple[Signed | None, bytes, InnerList]:
    """The signed request, label and components of its only signature; None first where it has not one."""
    it = signed(request, known)
    found = input_of(it.request) if it is not None and it.name("signature") == b"signature" else None
    if it is None or found is None:
        return None, b"", InnerList(())
    members = dictionary(b", ".join(fields(it.request.headers, b"signature")))
    return (it, *found) if list(members) == [found[0]] else (None, *found)


def _changed_parameters(covers: InnerList, rng: Random) -> list[tuple[bytes, bytes]]:
    """Parameters with another value each than the signed one."""
    expires = covers.parameter(b"expires") or covers.parameter(b"created") or b""
    found = [
        (b"nonce", quoted(rng.randbytes(12).hex().encode())),
        (b"tag", quoted(b"other")),
        (b"x", b"1"),
    ]
    if expires.isdigit() and len(expires) < 16:
        found.append((b"expires", b"%d" % (int(expires) + _YEARS_SECONDS)))
    wanted = {each.name: each for each in covers.parameters}
    return [pair for pair in found if wanted.get(pair[0]) != Parameter(*pair)]


def _with_input(request: Request, label: bytes, covers: InnerList) -> Request:
    return _with_field(request, b"signature-input", label + b"=" + covers.text())


def _with_field(request: Request, name: bytes, value: bytes) -> Request:
    """`request` with `value` as all there is of the field `name` (lower case)."""
    headers = put_field(request.headers, name.decode(), value)
    return Request(
        request.method,
        request.target,
        request.version,
        replaced(headers, name, value),
        request.body,
        request.trailers,
    )
