"""From a recorded request to one that this target will take: ids, host, marks, a fresh signature."""

import hashlib
import re
import uuid
from collections.abc import Callable

import msgspec

from shadow.auth.identity import with_credentials
from shadow.model import Exchange, Headers, Identity, Request, Signs, field, with_field, without_field
from shadow.model.remembering import by_headers
from shadow.pipeline.logins import Logins
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
        logins: Logins | None = None,
    ) -> None:
        """`logins` holds the credentials of identities that have some of their own at this target."""
        self._target = target
        self._correlation = correlation
        self._signer = signer
        self._run = run
        self._keeps_host = keeps_host
        self._clock = clock
        self._dressed = by_headers(self._with_host_and_run)
        self._pass = ""
        self._logins = logins
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
        if self._logins is not None:
            self._logins.note(exchange)
            request = self._logins.own_login(exchange) if request in (None, exchange.request) else request
        request = exchange.request if request is None else request
        if self.is_strange(exchange):
            return self.marked(request, trial)
        made = self._correlation.translate(request, session)
        if self._logins is not None:
            made = self._logins.dressed(made, self._logins.claim(exchange, request))
        if salt or self._pass:
            made = self._with_fresh_idempotency_key(made, salt)
        headers = (*self._dressed(made.headers), (TRIAL_FIELD, b"%d" % trial))
        target = self._aimed(made.target)
        dressed = Request(made.method, target, made.version, headers, made.body, made.trailers)
        if self._signer is None:
            return dressed
        return self.signed(dressed, seen_at=exchange.seen_at, salt=f"{salt}:{use}", before=exchange.request)

    def own(self, request: Request, trial: int, identity: Identity | None = None) -> Request:
        """A request that the configuration has, below the target's prefix, with its Host, marked, and with
        the credentials of `identity`."""
        prefix = self._target.path_prefix.encode()
        headers = with_field(request.headers, b"Host", self._target.authority.encode())
        made = self.marked(
            msgspec.structs.replace(request, target=prefix + request.target, headers=headers), trial
        )
        if identity is not None:
            made = with_credentials(made, self._logins.here(identity) if self._logins else identity)
        if identity is None or not identity.key or self._signer is None:
            return made
        nonce = _like(_NONCE, f"{self._run}:own:{trial}")
        return self._signer.sign(made, key=identity.key, at=self._clock(), nonce=nonce) or made

    def is_salted(self, request: Request) -> bool:
        """Whether the salt shows in what is made of `request`, or may."""
        is_idempotent = field(request.headers, b"idempotency-key") is not None
        return self._signer is not None or self._logins is not None or is_idempotent

    def begin_pass(self, number: int) -> None:
        """From now on one recorded nonce or Idempotency-Key becomes another than before, once more."""
        self._pass = f"pass {number}:"

    def edited(self, request: Request, session: str, *, salt: str, before: Request) -> Request:
        """A prepared request, `before`, after an edit: live values that the edit brought in translated, and
        signed anew."""
        made = self._correlation.translate_edit(request, before, session)
        return self.signed(made, salt=salt, before=before)

    def signed(
        self,
        request: Request,
        *,
        seen_at: float | None = None,
        salt: str = "",
        before: Request | None = None,
    ) -> Request:
        """`request` with a fresh signature where it bears one of a configured key, else `request` itself.

        `before` is what it was made of: where the request does not name its key, that tells it.
        """
        if self._signer is None or self._signer.key_id(request) is None:
            return request
        now = self._clock()
        stated = self._signer.stated_time(request)
        skew = 0.0 if stated is None or seen_at is None else stated - seen_at
        at = None if stated is None else now + skew
        key = None if before is None else self._unnamed_key(request, before)
        return self._signer.sign(request, key=key, at=at, nonce=self._nonce(request, salt)) or request

    def renewed(self, request: Request, fresh: Request) -> Request:
        """`fresh`, which is `request` with newer credentials, signed anew where `request` bore a signature
        that was right."""
        if fresh is request or self._signer is None or not self._signer.verifies(request):
            return fresh
        return self._signer.sign(fresh) or fresh

    def _unnamed_key(self, request: Request, before: Request) -> str | None:
        """The key of a signature that names none and was true `before`; None where there is no doubt."""
        signer = self._signer
        if signer is None or len(signer.keys()) < 2 or signer.read(request, "key_id") is not None:
            return None
        return None if signer.verifies(request) else signer.key_id(before)

    def marked(self, request: Request, trial: int) -> Request:
        """`request` with the fields that tell everyone it is ours."""
        headers = (*self._with_run(request.headers), (TRIAL_FIELD, b"%d" % trial))
        return msgspec.structs.replace(request, headers=headers)

    def is_strange(self, exchange: Exchange) -> bool:
        """Whether the request bears a signature that the configured keys did not make."""
        request = exchange.request
        if self._signer is None or self._signer.key_id(request) is None:
            return False
        if self._checked[0] is not request:  # its mutants ask again and again
            self._checked = request, self._signer.verifies(request) is not True
        return self._checked[1]

    def _with_host_and_run(self, headers: Headers) -> Headers:
        """All that is changed in the fields of every request, but for the number of the trial."""
        if not self._keeps_host:
            headers = with_field(headers, b"Host", self._target.authority.encode())
        return self._with_run(headers)

    def _with_run(self, headers: Headers) -> Headers:
        bare = without_field(without_field(headers, RUN_FIELD), TRIAL_FIELD)
        return (*bare, (RUN_FIELD, self._run.encode()))

    def _aimed(self, target: bytes) -> bytes:
        """A request target in absolute form with the target's authority; any other as it is."""
        if self._keeps_host or target.startswith(b"/") or not (absolute := _ABSOLUTE.match(target)):
            return target
        authority = self._target.authority.encode()
        return b"%b://%b%b" % (self._target.scheme.encode(), authority, target[absolute.end() :])

    def _with_fresh_idempotency_key(self, request: Request, salt: str) -> Request:
        key = field(request.headers, b"idempotency-key")
        if key is None:
            return request
        fresh = _like(key.decode("latin-1"), f"{self._run}:{self._pass}{salt}").encode()
        return msgspec.structs.replace(
            request, headers=with_field(request.headers, b"Idempotency-Key", fresh)
        )

    def _nonce(self, request: Request, salt: str) -> str | None:
        recorded = self._signer.read(request, "nonce") if self._signer else None
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
