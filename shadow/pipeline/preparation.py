"""From a recorded request to one that this target will take: ids, host, marks, a fresh signature."""

import hashlib
import re
import uuid
from collections.abc import Callable

from shadow.model import Request, with_field, without_field
from shadow.model.signing import Signs
from shadow.replay import RUN_FIELD, TRIAL_FIELD, Correlation, Target

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


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

    def of(self, request: Request, *, seen_at: float, session: str, trial: int, salt: str = "") -> Request:
        """`request` as it is to be sent: translated for the target, with its Host, marked, and signed anew.

        A signature is renewed only where it was genuine under a configured key; the distance between the time it
        states and the time it was seen is kept, so an expired request stays expired. Without that, the request goes out
        as recorded: a change would break a signature that nobody here can make. One recorded nonce becomes one
        new nonce per `salt`, so that a replayed nonce stays a replay.
        """
        if self._is_signed_by_stranger(request):
            return self.marked(request, trial)
        translated = self._with_host(self._correlation.translate(request, session))
        return self.signed(self.marked(translated, trial), seen_at=seen_at, salt=salt)

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
        return Request(
            request.method,
            request.target,
            request.version,
            (*headers, *marks),
            request.body,
            request.trailers,
        )

    def _is_signed_by_stranger(self, request: Request) -> bool:
        """Whether the request bears a signature that the configured keys did not make."""
        if self._signer is None or self._signer.key_id(request) is None:
            return False
        return self._signer.sign(request) != request

    def _with_host(self, request: Request) -> Request:
        if self._keeps_host:
            return request
        headers = with_field(request.headers, b"Host", self._target.authority.encode())
        return Request(
            request.method, request.target, request.version, headers, request.body, request.trailers
        )

    def _nonce(self, request: Request, salt: str) -> str | None:
        name = self._signer.places().get("nonce") if self._signer else None
        if name is None:
            return None
        wanted = name.lower().encode()
        recorded = next((value for key, value in request.headers if key.lower() == wanted), None)
        return None if recorded is None else _like(recorded.decode("latin-1"), f"{self._run}:{salt}")


def _like(nonce: str, salt: str) -> str:
    """Another nonce of the same form: a UUID, digits, or else hexadecimal of the same length."""
    digest = hashlib.blake2b(f"{salt}:{nonce}".encode()).digest()
    if _UUID.fullmatch(nonce):
        return str(uuid.UUID(bytes=digest[:16], version=4))
    if nonce.isdigit():
        return str(int.from_bytes(digest)).zfill(len(nonce))[-len(nonce) :]
    return (digest.hex() * (len(nonce) // 128 + 1))[: max(len(nonce), 1)]
