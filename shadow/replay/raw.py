"""The byte-exact transport, which is also the lean one: HTTP/1 on connections that are wholly ours."""

import asyncio
import re
import ssl
from collections.abc import Sequence

import msgspec

from shadow.errors import TargetError, UnsafeError
from shadow.model import Ending, NoReply, Outcome, Reply, Request, Silence, Wire
from shadow.replay._contract import Sending, Target
from shadow.replay.attempt import Attempt
from shadow.replay.connection import IDEMPOTENT, Connection, connect, tls_context
from shadow.replay.dialling import why_refused
from shadow.replay.guard import Guard
from shadow.replay.idle import IdleConnections
from shadow.replay.last_byte import complete_together
from shadow.wire.http1 import serialise_request

_OVERHEAD_BYTES_MAX = 1 << 20  # heads, chunk sizes, and what is cheaper read to its end than cut
_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_CLEAN_HEAD = re.compile(
    _TOKEN + rb" [!-~\x80-\xff]+ HTTP/1\.1\r\n(?:" + _TOKEN + rb": [^\r\n\x00]*\r\n)*\r\n"
)
_FRAMING = re.compile(rb"\n(?:content-length|transfer-encoding|connection):", re.IGNORECASE)


class RawSettings(msgspec.Struct, frozen=True):
    """Limits of the raw transport."""

    connect_timeout_seconds: float = 5.0
    idle_connections_max: int = 256
    """Kept open over all lanes; the one unused for longest goes first."""
    idle_seconds_max: float = 4.0
    """A kept connection is not used again after this; many servers close theirs after 5."""
    idle_seconds_max_unsafe: float = 1.0
    """The same for methods that cannot be sent again."""
    body_bytes_max: int = 16 << 20
    """Of a longer body this much is kept, and the response is marked incomplete; it is not read to its end
    when there is much more."""
    surplus_wait_seconds: float = 0.02
    """After a wire sending, and after an answer that can have no body, how long to look for more bytes."""
    listen_seconds: float = 0.1
    """The same after a wire sending that listens on, each time that more has come; then FIN."""
    patience_seconds: float = 1.0
    """How long such a sending waits for the first byte of an answer before it closes our side, and after the
    answer for the peer to close its own."""
    verify_tls: bool = True


class RawTransport:
    """Sends to one target byte for byte, over plain TCP or TLS."""

    name = "raw"

    def __init__(
        self,
        target: Target,
        guard: Guard,
        settings: RawSettings | None = None,
        *,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.target = target
        self.settings = settings or RawSettings()
        self._guard = guard
        self._tls: ssl.SSLContext | None = None
        if target.scheme == "https":
            self._tls = tls or tls_context(verify=self.settings.verify_tls)
        self._answer_bytes_max = self.settings.body_bytes_max + _OVERHEAD_BYTES_MAX
        self._open: set[Connection] = set()
        self._idle = IdleConnections(self.settings.idle_connections_max)

    @property
    def open_connections(self) -> int:
        """Connections that hold a socket now, idle ones among them."""
        return len(self._open)

    def can_send(self, sending: Sending) -> bool:
        """All but frames of HTTP/2, and half a close of TLS, which asyncio does not have."""
        wire = sending.wire
        if wire is None:
            return True
        return wire.protocol == "http1" and (self._tls is None or wire.ending is not Ending.HALF_CLOSE)

    async def send(self, sending: Sending) -> Outcome:
        """The answer to `sending`. A `Wire` gets a connection of its own, a `Request` may use its lane's.

        Sent once more, on a new connection, only if it was a request with an idempotent method on a kept
        connection that was lost before the first byte of an answer: the server had closed it meanwhile.
        """
        if not self.can_send(sending):
            return NoReply(Silence.UNSENT, "half a close is not to be had over TLS, nor are frames of HTTP/2")
        refusal = await self._guard.turn(sending, self.target)
        if refusal:
            return NoReply(Silence.UNSENT, refusal)
        attempt = Attempt(sending, self.settings.body_bytes_max, self._answer_bytes_max)
        try:
            payload = b"" if sending.wire is not None else serialise_request(sending.request)
            if not await self._ask_kept(attempt, payload):
                await self._try(attempt, payload)
            return await self._conclude(attempt)
        finally:
            attempt.drop()

    async def send_together(self, sendings: Sequence[Sending]) -> list[Outcome]:
        """The outcomes of `sendings`, of which all but the last byte is sent ahead, each on a connection of
        its own; then the last bytes go out together, as near to one moment as connections allow.

        A wire's pauses and ending are left out. What a safety rule holds back is not sent.
        """
        outcomes: dict[int, Outcome] = {}
        attempts: dict[int, Attempt] = {}
        for at, sending in enumerate(sendings):
            refusal = "" if self.can_send(sending) else "it cannot be said over HTTP/1.1"
            refusal = refusal or await self._guard.turn(sending, self.target)
            if refusal:
                outcomes[at] = NoReply(Silence.UNSENT, refusal)
            else:
                attempts[at] = Attempt(sending, self.settings.body_bytes_max, self._answer_bytes_max)
        try:
            await complete_together(list(attempts.values()), self._connect)
            outcomes |= {at: attempt.outcome() for at, attempt in attempts.items()}
        finally:
            for attempt in attempts.values():
                attempt.drop()
        return [outcomes[at] for at in range(len(sendings))]

    async def close(self) -> None:
        """Close every connection, and return when their sockets are gone."""
        self._idle.clear()
        for connection in list(self._open):
            connection.abort()
            await connection.closed()

    async def _ask_kept(self, attempt: Attempt, payload: bytes) -> bool:
        """Whether a connection kept for the lane has settled the attempt."""
        sending = attempt.sending
        request = sending.request
        attempt.may_keep = sending.wire is None and is_self_contained(request, payload)
        kept = self._take(sending.lane, request.method) if attempt.may_keep else None
        if kept is None:
            return False
        attempt.begin(kept, is_kept=True)
        attempt.timed_out = not await kept.ask(payload, attempt.answer, sending.timeout_seconds)
        if (
            not attempt.died_unheard()
            or request.method not in IDEMPOTENT
            or self._guard.admit(sending, self.target)
        ):
            return True
        attempt.again()
        return False

    async def _try(self, attempt: Attempt, payload: bytes) -> None:
        """Send on a connection of the attempt's own."""
        sending = attempt.sending
        try:
            async with asyncio.timeout(attempt.seconds_left()):
                connection = await self._connect(attempt)
                if sending.wire is not None:
                    await self._send_wire(attempt, connection, sending.wire)
                else:
                    is_heard = await connection.ask(payload, attempt.answer, sending.timeout_seconds)
                    attempt.timed_out = not is_heard
        except TimeoutError:
            attempt.timed_out = True
        except UnsafeError as error:
            attempt.trouble = NoReply(Silence.UNSENT, str(error))
        except (TargetError, OSError) as error:
            attempt.trouble = NoReply(Silence.REFUSED, why_refused(error))

    async def _send_wire(self, attempt: Attempt, connection: Connection, wire: Wire) -> None:
        connection.expect(attempt.answer)
        await connection.write(wire)
        if wire.ending is Ending.RESET:
            attempt.trouble = NoReply(Silence.RESET, "reset by us, as asked")
        elif wire.ending is Ending.LISTEN:
            await connection.answered_or_ended(self.settings.patience_seconds)
        else:
            await connection.answered()

    async def _connect(self, attempt: Attempt) -> Connection:
        try:
            async with asyncio.timeout(self.settings.connect_timeout_seconds):
                addresses = await self._guard.addresses(self.target)
                connection = await connect(addresses, self._open, tls=self._tls, host=self.target.host)
        except TimeoutError as error:
            raise ConnectionRefusedError(str(error) or "no connection within the time limit") from error
        attempt.begin(connection)
        return connection

    async def _conclude(self, attempt: Attempt) -> Outcome:
        """The outcome, with what still followed a complete answer; the connection is kept if it may be."""
        outcome = attempt.outcome()
        connection = attempt.connection
        if connection is None or not isinstance(outcome, Reply):
            return outcome
        if connection.is_open and _should_look_on(attempt.sending, outcome.response.status):
            if attempt.sending.wire is not None and attempt.sending.wire.ending is Ending.LISTEN:
                await connection.rest_until_quiet(
                    self.settings.listen_seconds, self.settings.patience_seconds
                )
            else:
                await connection.rest(self.settings.surplus_wait_seconds)
            outcome = msgspec.structs.replace(outcome, surplus=connection.surplus)
        is_clean = connection.is_open and not outcome.surplus and connection.stays_open
        if attempt.may_keep and is_clean:
            attempt.connection = None
            self._idle.put(connection, attempt.sending.lane)
        return outcome

    def _take(self, lane: str, method: bytes) -> Connection | None:
        if method in IDEMPOTENT:
            seconds = self.settings.idle_seconds_max
            return self._idle.take(lane, idle_seconds_max=seconds, is_careful=False)
        seconds = self.settings.idle_seconds_max_unsafe
        return self._idle.take(lane, idle_seconds_max=seconds, is_careful=True)


def is_self_contained(request: Request, payload: bytes) -> bool:
    """Whether `payload`, the bytes of `request`, is one whole request to any server, and leaves it open.

    What is not gets a connection of its own, so that a server which reads it otherwise cannot take its rest
    for the beginning of the next request, nor the next request for its rest.
    """
    head_end = payload.find(b"\r\n\r\n") + 4
    if payload.count(b"\n", 0, head_end) != len(request.headers) + 2 or request.method == b"CONNECT":
        return False
    if _CLEAN_HEAD.fullmatch(payload, 0, head_end) is None:
        return False
    if not request.body and _FRAMING.search(payload, 0, head_end) is None:
        return True
    lengths: list[bytes] = []
    codings: list[bytes] = []
    for name, value in request.headers:
        key = name.lower()
        if key == b"content-length":
            lengths.append(value)
        elif key == b"transfer-encoding":
            codings.append(value)
        elif key == b"connection" and b"close" in value.lower():
            return False
    if codings:
        return not lengths and len(codings) == 1 and codings[0].lower() == b"chunked"
    if lengths:
        return len(lengths) == 1 and lengths[0] == b"%d" % len(request.body)
    return not request.body


def _should_look_on(sending: Sending, status: int) -> bool:
    """Whether bytes after a complete answer are likely enough, and bad enough, to wait for them."""
    return sending.wire is not None or sending.request.method == b"HEAD" or status in (101, 204, 304)
