"""From a recorded request to one that this target will take: ids, host, marks, a fresh signature."""

import hashlib
import re
import uuid
from collections.abc import Callable

import msgspec

from shadow.model import Exchange, Identity, Request, Signs, field, with_field, without_field
from shadow.replay import RUN_FIELD, TRIAL_FIELD, Correlation, Target

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_ABSOLUTE = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")

_NONCE = "0f" * 16
"""Of what form the nonces of requests are that were never recorded."""


class Preparation:
    """Prepares requests for one target."""

    def __init__(
        self,
        target: Target,
        correlation: Correlation,
        signer: Signs | None,
        *,
        run: str,
        keeps_host: bool,
        clock: Callable[[], float],
    ) -> None:
        self._target = target
        self._correlation = correlation
        self._signer = signer
        self._run = run
        self._keeps_host = keeps_host
        self._clock = clock
        self._pass = ""
        self._checked: tuple[Request | None, bool] = None, False
        """The latest recorded request whose signature was looked at, and whether it was a stranger's."""

    def of(
        self,
        exchange: Exchange,
        session: str,
        *,
        trial: int,
        salt: str = "",
        use: int = 0,
        request: Request | None = None,
    ) -> Request:
        """The exchange's request (or `request`, which was made of it) as it is to be sent: translated
        for the target, with its Host, marked, and signed anew.

        A signature is renewed only where it was genuine under a configured key; the distance between the
        time it states and the time it was seen is kept, so an expired request stays expired. Without that,
        the request goes out as recorded: a change would break a signature that nobody here can make.

        One recorded nonce becomes one new nonce for each `salt` and `use`, so that a nonce that was
        replayed live is replayed here. With a `salt`, one Idempotency-Key becomes one new key: what it had
        stood for is done again.
        """
        request = exchange.request if request is None else request
        if self._is_strange(exchange):
            return self.marked(request, trial)
        translated = self._with_host(self._correlation.translate(request, session))
        if salt or self._pass:
            translated = self._with_fresh_idempotency_key(translated, salt)
        return self.signed(self.marked(translated, trial), seen_at=exchange.seen_at, salt=f"{salt}:{use}")

    def own(self, request: Request, trial: int, identity: Identity | None = None) -> Request:
        """A request that the configuration has, below the target's prefix, with its Host, marked, and with
        the credentials of `identity`."""
        prefix = self._target.path_prefix.encode()
        headers = with_field(request.headers, b"Host", self._target.authority.encode())
        headers = (*headers, *identity.headers) if identity else headers
        made = self.marked(
            msgspec.structs.replace(request, target=prefix + request.target, headers=headers), trial
        )
        if identity is None or not identity.key or self._signer is None:
            return made
        nonce = _like(_NONCE, f"{self._run}:own:{trial}")
        return self._signer.sign(made, key=identity.key, at=self._clock(), nonce=nonce) or made

    def begin_pass(self, number: int) -> None:
        """From now on one recorded nonce or Idempotency-Key becomes another than before, once more."""
        self._pass = f"pass {number}:"

    def edited(self, request: Request, session: str, *, salt: str) -> Request:
        """A prepared request after an edit: live values that the edit brought in translated, signed anew."""
        prefix = self._target.path_prefix.encode()
        bare = msgspec.structs.replace(request, target=request.target.removeprefix(prefix))
        return self.signed(self._correlation.translate(bare, session), salt=salt)

    def signed(self, request: Request, *, seen_at: float | None = None, salt: str = "") -> Request:
        """`request` with a fresh signature where it bears one of a configured key, else `request` itself."""
        if self._signer is None or self._signer.key_id(request) is None:
            return request
        now = self._clock()
        stated = self._signer.stated_time(request)
        skew = 0.0 if stated is None or seen_at is None else stated - seen_at
        at = None if stated is None else now + skew
        return self._signer.sign(request, at=at, nonce=self._nonce(request, salt)) or request

    def marked(self, request: Request, trial: int) -> Request:
        """`request` with the fields that tell everyone it is ours."""
        headers = without_field(without_field(request.headers, RUN_FIELD), TRIAL_FIELD)
        marks = ((RUN_FIELD, self._run.encode()), (TRIAL_FIELD, b"%d" % trial))
        return msgspec.structs.replace(request, headers=(*headers, *marks))

    def _is_strange(self, exchange: Exchange) -> bool:
        """Whether the request bears a signature that the configured keys did not make."""
        request = exchange.request
        if self._signer is None or self._signer.key_id(request) is None:
            return False
        if self._checked[0] is not request:  # its mutants ask again and again
            self._checked = request, self._signer.sign(request) != request
        return self._checked[1]

    def _with_host(self, request: Request) -> Request:
        if self._keeps_host:
            return request
        authority = self._target.authority.encode()
        headers = with_field(request.headers, b"Host", authority)
        if not request.target.startswith(b"/") and (absolute := _ABSOLUTE.match(request.target)):
            target = b"%b://%b%b" % (
                self._target.scheme.encode(),
                authority,
                request.target[absolute.end() :],
            )
            return msgspec.structs.replace(request, headers=headers, target=target)
        return msgspec.structs.replace(request, headers=headers)

    def _with_fresh_idempotency_key(self, request: Request, salt: str) -> Request:
        key = field(request.headers, b"idempotency-key")
        if key is None:
            return request
        fresh = _like(key.decode("latin-1"), f"{self._run}:{self._pass}{salt}").encode()
        return msgspec.structs.replace(
            request, headers=with_field(request.headers, b"Idempotency-Key", fresh)
        )

    def _nonce(self, request: Request, salt: str) -> str | None:
        name = self._signer.places().get("nonce") if self._signer else None
        if name is None:
            return None
        recorded = field(request.headers, name.lower().encode())
        return (
            None if recorded is None else _like(recorded.decode("latin-1"), f"{self._run}:{self._pass}{salt}")
        )


def _like(nonce: str, salt: str) -> str:
    """Another nonce of the same form: a UUID, digits, or else hexadecimal of the same length."""
    digest = hashlib.blake2b(f"{salt}:{nonce}".encode()).digest()
    if _UUID.fullmatch(nonce):
        return str(uuid.UUID(bytes=digest[:16], version=4))
    if nonce.isdigit():
        return str(int.from_bytes(digest)).zfill(len(nonce))[-len(nonce) :]
    return (digest.hex() * (len(nonce) // 128 + 1))[: max(len(nonce), 1)]
