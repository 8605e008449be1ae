"""Several signing schemes as one, and the schemes that the settings ask for."""

from collections.abc import Mapping, Sequence
from itertools import chain

import msgspec

from shadow.auth.algorithms import ALGORITHMS, JWS_ALGORITHMS
from shadow.auth.callable_scheme import CallableScheme, Tell, imported
from shadow.auth.keys import SigningKey, TokenKey, check_keys, one_of
from shadow.auth.message_signature import MessageScheme
from shadow.auth.scheme import CanonicalScheme
from shadow.auth.settings import SCHEMES, SigningSettings, TokenSettings
from shadow.auth.sigv4 import SigV4Scheme
from shadow.auth.token_scheme import TokenScheme
from shadow.errors import ConfigError
from shadow.model import Request, Signs
from shadow.model.signing import TellsPublicKeys

_PRESETS: Mapping[str, tuple[SigningSettings, ...]] = {
    "github": (
        SigningSettings(signature="X-Hub-Signature-256", signature_prefix="sha256=", canonical=("body",)),
        SigningSettings(signature="X-Hub-Signature", signature_prefix="sha1=", canonical=("body",)),
    ),
    "slack": (
        SigningSettings(
            signature="X-Slack-Signature",
            signature_prefix="v0=",
            timestamp="X-Slack-Request-Timestamp",
            canonical=("'v0'", "timestamp", "body"),
            separator=":",
        ),
    ),
    "stripe": (
        SigningSettings(
            signature="Stripe-Signature",
            signature_format="t={timestamp},v1={signature}",
            canonical=("timestamp", "body"),
            separator=".",
        ),
    ),
}
"""Of GitHub, the older SHA-1 field stands beside the newer one, and is kept right too."""


class Schemes:
    """Implements `shadow.model.Signs` over the schemes it was given, in their order.

    A request is left to the first that knows it; what others know of the same request, a bearer token above
    all, is made anew along with it.
    """

    def __init__(self, *schemes: Signs, begins: bool = True) -> None:
        """`begins` tells whether a request without a signature may be given one: not where the scheme would
        have to be guessed."""
        self._schemes = schemes
        self._begins = begins
        self._marks = tuple(_mark(scheme) for scheme in schemes)

    def key_id(self, request: Request) -> str | None:
        scheme = self._of(request)
        return scheme.key_id(request) if scheme else None

    def keys(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(chain.from_iterable(scheme.keys() for scheme in self._schemes)))

    def public_keys(self) -> tuple[bytes, ...]:
        telling = (scheme for scheme in self._schemes if isinstance(scheme, TellsPublicKeys))
        return tuple(chain.from_iterable(scheme.public_keys() for scheme in telling))

    def revoked_keys(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(chain.from_iterable(scheme.revoked_keys() for scheme in self._schemes)))

    def sign(
        self, request: Request, *, key: str | None = None, at: float | None = None, nonce: str | None = None
    ) -> Request | None:
        """As the contract has it; also None for a key of another scheme than the request's own: a second
        signature beside the first would replace nothing."""
        own = self._of(request)
        if own is None:
            scheme = self._with(key) if key is not None and self._begins else None
            return scheme.sign(request, key=key, at=at, nonce=nonce) if scheme else None
        if key is not None and key not in (*own.keys(), *own.revoked_keys()):
            return None
        stated = own.stated_time(request)
        moved = 0.0 if at is None or stated is None else at - stated
        return own.sign(self._besides(own, request, moved), key=key, at=at, nonce=nonce)

    def verifies(self, request: Request) -> bool | None:
        scheme = self._of(request)
        return scheme.verifies(request) if scheme else None

    def stated_time(self, request: Request) -> float | None:
        scheme = self._of(request)
        return scheme.stated_time(request) if scheme else None

    def places(self, request: Request | None = None) -> dict[str, str]:
        """Without a signed request, the places of the first scheme that has any."""
        own = self._of(request) if request else None
        if own is not None:
            return own.places(request)
        return next((places for scheme in self._schemes if (places := scheme.places())), {})

    def read(self, request: Request, part: str) -> bytes | None:
        scheme = self._of(request)
        return scheme.read(request, part) if scheme else None

    def put(self, request: Request, part: str, value: bytes) -> Request | None:
        scheme = self._of(request)
        return scheme.put(request, part, value) if scheme else None

    def bare(self, request: Request) -> Request:
        for scheme in self._schemes:
            request = scheme.bare(request)
        return request

    def _besides(self, own: Signs, request: Request, moved: float) -> Request:
        """`request` with what all other schemes know of it made anew: before its own signature, which may
        cover it. What is not genuine stays as it is, save what an edit of the body has made wrong."""
        for scheme in self._schemes:
            if scheme is own or scheme.key_id(request) is None:
                continue
            if not scheme.places(request) and not scheme.verifies(request):
                continue  # a token speaks for itself alone
            stated = scheme.stated_time(request)
            at = None if stated is None or not moved else stated + moved
            request = scheme.sign(request, at=at) or request
        return request

    def _of(self, request: Request) -> Signs | None:
        names = {name.lower() for name, _ in request.headers}
        for scheme, mark in zip(self._schemes, self._marks, strict=True):
            if (mark is None or mark in names) and scheme.key_id(request) is not None:
                return scheme
        return None

    def _with(self, key: str) -> Signs | None:
        return next((s for s in self._schemes if key in (*s.keys(), *s.revoked_keys())), None)


def _mark(scheme: Signs) -> bytes | None:
    """The field without which the scheme knows no request, in lower case; None where there is no such one."""
    if isinstance(scheme, SigV4Scheme):
        return None  # it may all stand in the query
    place = scheme.places().get("signature", "authorization")
    return None if place.startswith("query:") else place.lower().encode("latin-1")


def signer_of(
    signing: SigningSettings | None,
    tokens: TokenSettings | None = None,
    secrets: Mapping[str, str] | None = None,
    *,
    url_scheme: str = "http",
    tell: Tell = lambda _: None,
) -> Signs | None:
    """What signs under the configured schemes; None where none is configured.

    `secrets` maps key ids to secrets as text, for keys whose secret stands in the environment or a file;
    `url_scheme` is the target's; `tell` hears what goes wrong with a callable. Raises ConfigError.
    """
    schemes: list[Signs] = []
    is_shown = signing is not None and not _scheme(signing)
    if signing is not None:
        schemes += _of_settings(signing, secrets, url_scheme, tell)
    if tokens is not None:
        schemes.append(TokenScheme(tokens, secrets))
    if not schemes:
        return None
    return Schemes(*schemes, begins=not is_shown) if len(schemes) > 1 or is_shown else schemes[0]


def presets(name: str, keys: Sequence[SigningKey], secrets: Mapping[str, str] | None = None) -> list[Signs]:
    """The schemes of the service called `name`, with these keys; `secrets` as for `signer_of`."""
    found: list[Signs] = []
    for preset in _PRESETS[name]:
        algorithm = "hmac-sha1" if preset.signature_prefix.startswith("sha1") else "hmac-sha256"
        own = tuple(msgspec.structs.replace(key, algorithm=algorithm) for key in keys)
        found.append(CanonicalScheme(msgspec.structs.replace(preset, keys=own), secrets, is_text=True))
    return found


def _scheme(signing: SigningSettings) -> str:
    """The scheme that is named, openly or by its parts; empty where the requests are to show it."""
    if signing.scheme:
        one_of("signing.scheme", signing.scheme, SCHEMES)
    is_bare = msgspec.structs.replace(signing, keys=()) == SigningSettings(url_scheme=signing.url_scheme)
    return signing.scheme or ("callable" if signing.callable else "" if is_bare else "canonical")


def _of_settings(
    signing: SigningSettings, secrets: Mapping[str, str] | None, url_scheme: str, tell: Tell
) -> list[Signs]:
    match _scheme(signing):
        case "canonical":
            return [CanonicalScheme(signing, secrets)]
        case "callable":
            if not signing.callable:
                raise ConfigError("signing.callable is empty; write it as 'package.module:function'")
            return [CallableScheme(signing, secrets, imported(signing.callable), tell)]
        case "sigv4":
            return [SigV4Scheme(signing, secrets)]
        case "rfc9421":
            return [MessageScheme(signing, secrets, url_scheme=url_scheme)]
        case "":
            return _shown(signing, secrets, url_scheme)
        case name:
            return presets(name, signing.keys, secrets)


def _shown(signing: SigningSettings, secrets: Mapping[str, str] | None, url_scheme: str) -> list[Signs]:
    """Every scheme that a request shows by itself, with the keys that fit it."""
    check_keys("signing.keys", signing.keys, (*ALGORITHMS, *JWS_ALGORITHMS))
    if not signing.keys:
        raise ConfigError("signing names neither keys nor a scheme; add [[signing.keys]], or take it out")
    plain = tuple(key for key in signing.keys if key.algorithm not in JWS_ALGORITHMS)
    of_hmac = tuple(key for key in plain if key.algorithm.startswith("hmac-"))
    of_amazon = tuple(key for key in plain if key.algorithm == "hmac-sha256")
    of_tokens = tuple(_token_key(key) for key in signing.keys if key.algorithm in JWS_ALGORITHMS)
    found: list[Signs] = []
    if plain:
        only = msgspec.structs.replace(signing, keys=plain)
        found.append(MessageScheme(only, secrets, url_scheme=url_scheme))
    if of_amazon:
        found.append(SigV4Scheme(msgspec.structs.replace(signing, keys=of_amazon), secrets))
    for name in _PRESETS if of_hmac else ():
        found += presets(name, of_hmac, secrets)
    if of_tokens:
        found.append(TokenScheme(TokenSettings(of_tokens), secrets))
    return found


def _token_key(key: SigningKey) -> TokenKey:
    encoding = key.secret_encoding or "utf-8"
    return TokenKey(key.id, key.algorithm, key.secret, key.secret_env, key.secret_file, encoding, key.status)
