"""HTTP Message Signatures (RFC 9421): Signature-Input and Signature, with Content-Digest (RFC 9530)."""

from collections.abc import Mapping
from functools import lru_cache
from math import isfinite
from typing import NamedTuple

import msgspec

from shadow.auth.algorithms import ALGORITHMS
from shadow.auth.encoding import decode, encode
from shadow.auth.keyring import Keyring
from shadow.auth.keys import check_keys, loaded
from shadow.auth.message_base import component, digest_is_right, signature_base, with_digest
from shadow.auth.place import put_field
from shadow.auth.settings import SigningSettings
from shadow.auth.structured import InnerList, Item, Parameter, dictionary, inner_list, quoted
from shadow.model import Request, fields

_PARAMETERS = {"key_id": b"keyid", "algorithm": b"alg", "nonce": b"nonce"}
_PLACES = {
    "key_id": "Signature-Input",
    "algorithm": "Signature-Input",
    "timestamp": "Signature-Input",
    "nonce": "Signature-Input",
    "body_digest": "Content-Digest",
    "signature": "Signature",
}
_TIMES = (b"created", b"expires")
_MAX_KNOWN = 256


class _Labelled(NamedTuple):
    """One signature of a request."""

    label: bytes
    covered: InnerList
    signature: bytes
    """As written, with its colons."""

    def time(self) -> int | None:
        """When it was made, or else when it expires."""
        for name in _TIMES:
            said = self.covered.parameter(name)
            if said is not None and said.lstrip(b"-").isdigit() and len(said) < 16:
                return int(said)
        return None


class MessageScheme:
    """Signs and recognises requests under RFC 9421. Implements `shadow.model.Signs`.

    Of several signatures, the first by a configured key speaks for the request; all of configured keys are
    made anew, a stranger's stays as it is. Parts are read and put in the first; the signature itself only
    where it stands alone, for a service may be content with any of several.
    """

    def __init__(
        self, settings: SigningSettings, secrets: Mapping[str, str] | None = None, *, url_scheme: str = "http"
    ) -> None:
        """`secrets` as for `CanonicalScheme`; `url_scheme` is the target's. Raises ConfigError."""
        check_keys("signing.keys", settings.keys, ALGORITHMS)
        self._ring = Keyring(settings.keys, loaded(settings.keys, secrets or {}, is_text=True))
        self._url_scheme = settings.url_scheme or url_scheme
        self._label = settings.label.encode()
        self._labelled = lru_cache(maxsize=_MAX_KNOWN)(_labelled)
        """One request is asked about many times over."""
        self._components = tuple(Item(name.lower().encode()) for name in settings.components)

    def key_id(self, request: Request) -> str | None:
        first = self._first(request)
        return None if first is None else self._key_of(request, first)

    def keys(self) -> tuple[str, ...]:
        return self._ring.with_status("active")

    def revoked_keys(self) -> tuple[str, ...]:
        return self._ring.with_status("revoked")

    def places(self, request: Request | None = None) -> dict[str, str]:
        if request is None or self._first(request) is None:
            return dict(_PLACES)
        return {part: name for part, name in _PLACES.items() if self.read(request, part) is not None}

    def stated_time(self, request: Request) -> float | None:
        first = self._first(request)
        at = first.time() if first else None
        return None if at is None else float(at)

    def read(self, request: Request, part: str) -> bytes | None:
        if part == "body_digest":
            return b", ".join(fields(request.headers, b"content-digest")) or None
        first = self._first(request)
        if first is None:
            return None
        if part == "signature":
            return first.signature.strip(b":") if len(self._all(request)) == 1 else None
        if part == "timestamp":
            at = first.time()
            return None if at is None else b"%d" % at
        return first.covered.parameter(_PARAMETERS[part]) if part in _PARAMETERS else None

    def put(self, request: Request, part: str, value: bytes) -> Request | None:
        first = self._first(request)
        if first is None or self.read(request, part) is None:
            return None
        if part == "body_digest":
            return _with_field(request, "Content-Digest", value)
        if part == "signature":
            return _with(request, first._replace(signature=b":" + value + b":"))
        name, raw = (b"created", value) if part == "timestamp" else (_PARAMETERS[part], quoted(value))
        return _with(request, first._replace(covered=first.covered.with_parameter(name, raw)))

    def bare(self, request: Request) -> Request:
        gone = (b"signature", b"signature-input")
        headers = tuple(line for line in request.headers if line[0].lower() not in gone)
        return msgspec.structs.replace(request, headers=headers)

    def verifies(self, request: Request) -> bool | None:
        first = self._first(request)
        key = self._key_of(request, first) if first else None
        if first is None or key is None or self._ring.key(key) is None:
            return None
        return self._is_made_by(request, first, key) and digest_is_right(request)

    def sign(
        self, request: Request, *, key: str | None = None, at: float | None = None, nonce: str | None = None
    ) -> Request | None:
        first = self._first(request)
        if first is None:
            return self._begun(request, key, at, nonce)
        signing = key or self._key_of(request, first)
        if self._ring.key(signing) is None or (at is not None and not isfinite(at)):
            return None
        stated = first.time()
        moved = 0 if at is None or stated is None else int(at) - stated
        request = with_digest(request)
        for each in self._all(request):
            own = signing if each.label == first.label else self._key_of(request, each)
            if own is not None and self._ring.key(own) is not None:
                request = self._signed(request, each, own, moved, nonce)
        return request

    def _begun(
        self, request: Request, key: str | None, at: float | None, nonce: str | None
    ) -> Request | None:
        """An unsigned request, signed by `key` as the settings have it."""
        if key is None or self._ring.key(key) is None or at is None or not isfinite(at):
            return None
        there = self._present(request, self._components)
        told = [Parameter(b"created", b"%d" % int(at)), Parameter(b"keyid", quoted(key.encode()))]
        told += [Parameter(b"nonce", quoted(nonce.encode()))] if nonce is not None else []
        return self._signed(request, _Labelled(self._label, InnerList(there, tuple(told)), b""), key, 0, None)

    def _signed(self, request: Request, each: _Labelled, key: str, moved: int, nonce: str | None) -> Request:
        """`request` with this one signature made anew."""
        covered = InnerList(self._present(request, each.covered.items), each.covered.parameters)
        for parameter in each.covered.parameters:
            raw = self._parameter(parameter, key, moved, nonce)
            covered = covered.with_parameter(parameter.name, raw)
        made_with = self._ring.key(key)
        base = signature_base(request, covered, self._url_scheme)
        if made_with is None or base is None:
            return request
        signature = made_with.sign(base)
        if covered == each.covered and self._is_made_by(request, each, key):
            return request  # a random salt would make another one of the same
        return _with(request, _Labelled(each.label, covered, b":" + encode(signature, "base64") + b":"))

    def _present(self, request: Request, items: tuple[Item, ...]) -> tuple[Item, ...]:
        """Those components that the request has: an edit may have taken one away."""
        return tuple(each for each in items if component(request, each, self._url_scheme) is not None)

    def _parameter(self, parameter: Parameter, key: str, moved: int, nonce: str | None) -> bytes:
        match parameter.name:
            case b"keyid":
                return quoted(key.encode("latin-1", "replace"))
            case b"alg":
                return quoted(self._ring.algorithm(key).encode())
            case b"nonce" if nonce is not None:
                return quoted(nonce.encode())
            case b"created" | b"expires" if parameter.raw.lstrip(b"-").isdigit() and len(parameter.raw) < 16:
                return b"%d" % (int(parameter.raw) + moved)
        return parameter.raw

    def _all(self, request: Request) -> tuple[_Labelled, ...]:
        """The request's signatures, in the order of Signature-Input."""
        inputs = b", ".join(fields(request.headers, b"signature-input"))
        return self._labelled(inputs, b", ".join(fields(request.headers, b"signature"))) if inputs else ()

    def _first(self, request: Request) -> _Labelled | None:
        """The signature that speaks for the request: the first whose key is configured, or else the first."""
        found = self._all(request)
        of_ours = (each for each in found if self._key_of(request, each) in self._ring.ids)
        return next(of_ours, found[0] if found else None)

    def _key_of(self, request: Request, each: _Labelled) -> str | None:
        stated = each.covered.parameter(b"keyid")
        if stated is not None:
            return stated.decode("latin-1")
        ids = [id_ for id_ in self._ring.ids if self._fits(each, id_)]
        made_it = (id_ for id_ in ids if self._is_made_by(request, each, id_)) if len(ids) > 1 else ()
        return next(iter(made_it), None) or next(iter(ids), None)

    def _fits(self, each: _Labelled, key: str) -> bool:
        stated = each.covered.parameter(b"alg")
        return stated is None or stated == self._ring.algorithm(key).encode()

    def _is_made_by(self, request: Request, each: _Labelled, id_: str) -> bool:
        key = self._ring.key(id_)
        raw = decode(each.signature.strip(b":"), "base64")
        if key is None or raw is None or not self._fits(each, id_):
            return False
        bases = (signature_base(request, each.covered, one) for one in self._url_schemes())
        return any(base is not None and key.verify(base, raw) for base in bases)

    def _url_schemes(self) -> tuple[str, ...]:
        """The target's first: the recorded service may have been behind TLS where the target is not."""
        return (self._url_scheme, "https" if self._url_scheme == "http" else "http")


def _labelled(inputs: bytes, values: bytes) -> tuple[_Labelled, ...]:
    """The signatures of the two fields, in the order of the first."""
    signatures = dictionary(values)
    read = ((label, inner_list(text)) for label, text in dictionary(inputs).items())
    return tuple(
        _Labelled(label, covered, signatures[label])
        for label, covered in read
        if covered is not None and label in signatures
    )


def _with(request: Request, made: _Labelled) -> Request:
    """`request` with the signature of that label replaced, or added."""
    for name, raw in (("Signature-Input", made.covered.text()), ("Signature", made.signature)):
        members = dictionary(b", ".join(fields(request.headers, name.lower().encode())))
        members[made.label] = raw
        value = b", ".join(label + b"=" + text for label, text in members.items())
        request = _with_field(request, name, value)
    return request


def _with_field(request: Request, name: str, value: bytes) -> Request:
    return msgspec.structs.replace(request, headers=put_field(request.headers, name, value))
