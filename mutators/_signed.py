"""A signed request with what its mutators need to know of it."""

from typing import NamedTuple

import msgspec

from shadow.auth.identity import is_public
from shadow.model import Edit, Headers, Known, Request, Signs, field


class Signed(NamedTuple):
    """A request that carries a signature in a field of its own, under the known scheme."""

    request: Request
    signer: Signs
    key: str
    """Id of the key that it states."""
    value: bytes
    """The signature field's value."""

    def name(self, part: str) -> bytes | None:
        """The lower-case name of the field that carries `part`; None where the scheme has none."""
        name = self.signer.places().get(part)
        return name.lower().encode("latin-1") if name else None

    def stated(self, part: str) -> bytes | None:
        """What the request states as `part`; None where it does not."""
        name = self.name(part)
        return None if name is None else field(self.request.headers, name)

    def signing_names(self) -> frozenset[bytes]:
        return frozenset(name.lower().encode("latin-1") for name in self.signer.places().values())

    def edit(self, part: str, value: bytes, what: str) -> Edit:
        """The request with the field of `part` set to `value`, and the signature not made anew."""
        headers = replaced(self.request.headers, self.name(part) or b"", value)
        return kept_signature(msgspec.structs.replace(self.request, headers=headers), what)

    def own_signature(self) -> bytes | None:
        """The request's valid signature; None where its key's secret is not known."""
        return self._signature_of(self.signer.sign(self.request))

    def signature_over(self, variant: Request) -> bytes | None:
        """The signature of `variant` by the key it states; None where it would be the request's own too."""
        value = self._signature_of(self.signer.sign(variant))
        return None if value == self.own_signature() else value

    def _signature_of(self, made: Request | None) -> bytes | None:
        return field(made.headers, self.name("signature") or b"") if made else None


def signed(request: Request, known: Known) -> Signed | None:
    """`request` as a signed one; None where it is not, and where the configuration lets anybody make it."""
    signer = known.signer
    key = signer.key_id(request) if signer else None
    name = signer.places().get("signature") if signer else None
    if signer is None or key is None or name is None or is_public(request, known.identities):
        return None
    value = field(request.headers, name.lower().encode("latin-1"))
    return None if value is None else Signed(request, signer, key, value)


def kept_signature(request: Request, what: str) -> Edit:
    """An edit that must reach the target as it is."""
    return Edit(request, what, signs_again=False)


def replaced(headers: Headers, name: bytes, value: bytes) -> Headers:
    """`headers` with every field called `name` (lower case) set to `value`, each in its place."""
    return tuple((key, value if key.lower() == name else old) for key, old in headers)
