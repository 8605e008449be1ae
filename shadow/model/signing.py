"""The contract of what signs requests, so that mutators can ask for it without knowing any scheme."""

from typing import Protocol, runtime_checkable

from shadow.model.exchange import Request


class Signs(Protocol):
    """A signing scheme with the keys that the configuration gave. Pure: the clock and dice come in.

    Every method returns None where it cannot do what is asked: the request is not signed under this
    scheme, the key is not configured, or the scheme has no such part.

    A signature's parts are ``signature``, ``key_id``, ``algorithm``, ``timestamp``, ``nonce`` and
    ``body_digest``; a scheme has some of them.
    """

    def key_id(self, request: Request) -> str | None:
        """The id of the key that `request` says it is signed with; None when it is not signed.

        Where the scheme names none, the configured key that made the signature, or else the first.
        """
        ...

    def keys(self) -> tuple[str, ...]:
        """Ids of the active keys whose secrets are configured."""
        ...

    def revoked_keys(self) -> tuple[str, ...]:
        """Ids of the configured keys that the service must no longer accept."""
        ...

    def sign(
        self, request: Request, *, key: str | None = None, at: float | None = None, nonce: str | None = None
    ) -> Request | None:
        """`request` signed anew, by its own key or by `key`.

        `at` is the Unix time to state; None keeps the one that the request states. `nonce` likewise.
        """
        ...

    def verifies(self, request: Request) -> bool | None:
        """Whether the signature was made by the configured key over this very request."""
        ...

    def stated_time(self, request: Request) -> float | None:
        """The Unix time that `request` says it was signed at."""
        ...

    def places(self, request: Request | None = None) -> dict[str, str]:
        """Where the parts of the request's signature stand, or else those of one to be made:
        ``{"signature": "x-signature", "nonce": "query:nonce", ...}``, names of fields or parameters."""
        ...

    def read(self, request: Request, part: str) -> bytes | None:
        """What the request states as `part`, as it is written."""
        ...

    def put(self, request: Request, part: str, value: bytes) -> Request | None:
        """`request` stating `value` as `part`, all else as it was, its signature not made anew."""
        ...

    def bare(self, request: Request) -> Request:
        """`request` without any part of a signature."""
        ...


@runtime_checkable
class TellsPublicKeys(Protocol):
    """What a scheme has besides whose keys have a public half."""

    def public_keys(self) -> tuple[bytes, ...]:
        """Its configured keys' public halves, in every form in which services publish them."""
        ...
