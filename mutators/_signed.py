"""A signed request with what its mutators need to know of it."""

from typing import NamedTuple

import msgspec

from shadow.auth.identity import is_public
from shadow.auth.shown import SHOWN, may_show
from shadow.model import Edit, Headers, Known, Request, Signs, field, without_field

_NEWER, _OLDER = b"x-hub-signature-256", b"x-hub-signature"
"""GitHub's two signatures of one body: the older one is left out of mutants of the newer."""


class Signed(NamedTuple):
    """A request that carries one signature, under the known scheme."""

    request: Request
    signer: Signs
    key: str
    """Id of the key that it states."""
    value: bytes
    """The signature as it is written, with the prefix that the scheme gives it."""
    is_stated: bool = True
    """Whether the settings tell of the scheme; else it is one that requests show by themselves."""

    def name(self, part: str) -> bytes | None:
        """The lower-case name of the field that carries `part`, alone or with others; None where the scheme
        has none, or another place for it."""
        name = self.signer.places(self.request).get(part, "query:")
        return None if name.startswith("query:") else name.lower().encode("latin-1")

    def stated(self, part: str) -> bytes | None:
        """What the request states as `part`; None where it does not."""
        return self.signer.read(self.request, part)

    def has_whole_field(self) -> bool:
        """Whether the signature is all that its field holds, so that it may be had twice."""
        name = self.name("signature")
        return name is not None and field(self.request.headers, name) == self.value

    def signing_names(self) -> frozenset[bytes]:
        places = self.signer.places(self.request).values()
        return frozenset(name.lower().encode("latin-1") for name in places)

    def edit(self, part: str, value: bytes, what: str) -> Edit:
        """The request with `part` set to `value`, and the signature not made anew."""
        return self.kept(self.signer.put(self.request, part, value) or self.request, what)

    def kept(self, request: Request, what: str) -> Edit:
        """An edit to `request` that must reach the target as it is."""
        return Edit(request, what, signs_again=False, is_stated=self.is_stated)

    def without_signature(self) -> Request:
        """The request without the signature, but with all that it states besides."""
        name = self.name("signature")
        if name is None or not self.has_whole_field():
            return self.signer.bare(self.request)
        return msgspec.structs.replace(self.request, headers=without_field(self.request.headers, name))

    def own_signature(self) -> bytes | None:
        """The request's valid signature; None where its key's secret is not known."""
        return self.signature_of(self.signer.sign(self.request))

    def signature_over(self, variant: Request) -> bytes | None:
        """The signature of `variant` by the key it states; None where it would do for the request too."""
        value = self.signature_of(self.signer.sign(variant))
        return None if value is None or self.is_right(value) else value

    def is_right(self, value: bytes) -> bool:
        """Whether the request is genuine with `value` for its signature."""
        tried = self.signer.put(self.request, "signature", value)
        return value == self.own_signature() or (tried is not None and self.signer.verifies(tried) is True)

    def signature_of(self, made: Request | None) -> bytes | None:
        return self.signer.read(made, "signature") if made else None


def signed(request: Request, known: Known) -> Signed | None:
    """`request` as a signed one, under the configured scheme or else under one that it shows; None where it
    is not, and where the configuration lets anybody make it."""
    signer = known.signer
    key = signer.key_id(request) if signer else None
    is_stated = signer is not None and key is not None
    if not is_stated and may_show(request):
        signer, key = SHOWN, SHOWN.key_id(request)
    if signer is None or key is None or is_public(request, known.identities):
        return None
    if field(request.headers, _NEWER) is not None:  # a service may be content with either
        request = msgspec.structs.replace(request, headers=without_field(request.headers, _OLDER))
    value = signer.read(request, "signature")
    return None if value is None else Signed(request, signer, key, value, is_stated)


def kept_signature(request: Request, what: str) -> Edit:
    """An edit that must reach the target as it is."""
    return Edit(request, what, signs_again=False)


def replaced(headers: Headers, name: bytes, value: bytes) -> Headers:
    """`headers` with every field called `name` (lower case) set to `value`, each in its place."""
    return tuple((key, value if key.lower() == name else old) for key, old in headers)
