"""Several signing schemes as one: each request is left to the first that knows it."""

from collections.abc import Mapping
from itertools import chain

from shadow.auth.scheme import CanonicalScheme, SigningSettings
from shadow.auth.token_scheme import TokenScheme, TokenSettings
from shadow.model import Request, Signs


class Schemes:
    """Implements `shadow.model.Signs` over the schemes it was given, in their order."""

    def __init__(self, *schemes: Signs) -> None:
        self._schemes = schemes

    def key_id(self, request: Request) -> str | None:
        scheme = self._of(request)
        return scheme.key_id(request) if scheme else None

    def keys(self) -> tuple[str, ...]:
        return tuple(chain.from_iterable(scheme.keys() for scheme in self._schemes))

    def revoked_keys(self) -> tuple[str, ...]:
        return tuple(chain.from_iterable(scheme.revoked_keys() for scheme in self._schemes))

    def sign(
        self, request: Request, *, key: str | None = None, at: float | None = None, nonce: str | None = None
    ) -> Request | None:
        """As the contract has it; also None for a key of another scheme than the request's own: a second
        signature beside the first would replace nothing."""
        own = self._of(request)
        scheme = own if key is None else self._with(key)
        if own is not None and scheme is not own:
            return None
        return scheme.sign(request, key=key, at=at, nonce=nonce) if scheme else None

    def stated_time(self, request: Request) -> float | None:
        scheme = self._of(request)
        return scheme.stated_time(request) if scheme else None

    def places(self) -> dict[str, str]:
        """The places of the first scheme that has any."""
        return next((places for scheme in self._schemes if (places := scheme.places())), {})

    def _of(self, request: Request) -> Signs | None:
        return next((scheme for scheme in self._schemes if scheme.key_id(request) is not None), None)

    def _with(self, key: str) -> Signs | None:
        return next((s for s in self._schemes if key in (*s.keys(), *s.revoked_keys())), None)


def signer_of(
    signing: SigningSettings | None,
    tokens: TokenSettings | None = None,
    secrets: Mapping[str, str] | None = None,
) -> Signs | None:
    """What signs under the configured schemes; None where none is configured.

    `secrets` maps key ids to secrets as text, for keys whose secret stands in the environment or a file.
    Raises ConfigError.
    """
    schemes: list[Signs] = []
    if signing is not None:
        schemes.append(CanonicalScheme(signing, secrets))
    if tokens is not None:
        schemes.append(TokenScheme(tokens, secrets))
    return Schemes(*schemes) if len(schemes) > 1 else next(iter(schemes), None)
