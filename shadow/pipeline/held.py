"""What one identity that logs in holds at one target, and until when."""

import asyncio
from collections.abc import Iterable

import msgspec

from shadow.auth.login import Grant, Login
from shadow.model import Headers, Identity

_MARGIN_SECONDS = 30.0
_MARGIN_SHARE = 0.25
"""So long before its end a credential is renewed, or for this share of its life, whichever is less."""
RENEWAL_SECONDS = (0.1, 64.0)
"""After a refusal, the next login for the same reason: at least this much later, twice as much each time that
a new credential was refused too, at most so much."""
_MAX_VALUES = 64
"""Of one identity; the oldest are forgotten."""


class Held:
    """What one identity that logs in has."""

    def __init__(self, login: Login) -> None:
        self.login = login
        self.grant: Grant | None = None
        self.trouble = ""
        """Why the latest login failed; empty where it did not."""
        self.lock = asyncio.Lock()
        self.retry_at = 0.0
        self.renewal_at = 0.0
        self.pause_seconds = RENEWAL_SECONDS[0]
        self.names: frozenset[bytes] = frozenset()
        self.parameters: frozenset[bytes] = frozenset()
        self.ours: dict[bytes, None] = {}
        """Values that this target gave, oldest first."""
        self._values: dict[bytes, None] = {}
        """Those, and what live gave."""
        self._due_at: float | None = None

    def is_due(self, now: float) -> bool:
        """Whether the credential is to be renewed."""
        return self._due_at is not None and now >= self._due_at

    def take(self, grant: Grant, now: float) -> None:
        self.grant, self.trouble = grant, ""
        self.names = frozenset(name.lower() for name, _ in grant.headers) - {b"authorization", b"cookie"}
        self.parameters = frozenset(name for name, _ in grant.query)
        life = None if grant.expires_at is None else grant.expires_at - now
        is_known = life is not None and life > 0  # a clock that is far off says nothing
        self._due_at = now + life - min(_MARGIN_SECONDS, life * _MARGIN_SHARE) if life and is_known else None
        self.remember(grant.values, is_ours=True)

    def knows(self, value: bytes) -> bool:
        """Whether the target or live gave it."""
        return value in self._values

    def remember(self, values: Iterable[bytes], *, is_ours: bool) -> None:
        for store in (self._values, self.ours) if is_ours else (self._values,):
            store.update(dict.fromkeys(values))
            while len(store) > _MAX_VALUES:
                del store[next(iter(store))]

    def dress(self, who: Identity) -> Identity:
        """The identity with its credential of now."""
        if self.grant is None:
            return msgspec.structs.replace(who, tokens=tuple(self._values))
        return msgspec.structs.replace(
            who,
            headers=_over(who.headers, self.grant.headers),
            query=who.query + self.grant.query,
            tokens=tuple(self._values),
        )


def _over(below: Headers, above: Headers) -> Headers:
    """Fields of both, those of `above` in place of the same names; cookies are joined."""
    taken = {name.lower() for name, _ in above}
    crumbs = [value for name, value in (*below, *above) if name.lower() == b"cookie"]
    kept = [line for line in below if line[0].lower() not in taken | {b"cookie"}]
    kept += [line for line in above if line[0].lower() != b"cookie"]
    return (*kept, *(((b"Cookie", b"; ".join(crumbs)),) if crumbs else ()))
