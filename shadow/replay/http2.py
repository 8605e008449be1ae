"""The transport of HTTP/2, and of gRPC over it: with prior knowledge where there is no TLS, else by ALPN."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic

import msgspec

from shadow.errors import TargetError, UnsafeError
from shadow.model import Ending, Headers, NoReply, Outcome, Request, Silence, Wire
from shadow.replay._contract import Sending, Target
from shadow.replay.connection import IDEMPOTENT, tls_context
from shadow.replay.dialling import Dialled, dial, why_refused
from shadow.replay.guard import Guard
from shadow.replay.http2_connection import Http2Connection
from shadow.replay.http2_lanes import Lanes
from shadow.replay.http2_stream import Stream
from shadow.replay.http2_together import complete_together
from shadow.replay.http2_wire import say_wire
from shadow.wire.http2_form import in_http2, trailers_in_http2, unsayable
from shadow.wire.http2_writing import opening

_PROBE = Sending(Request(b"PRI", b"*"), Wire((opening(),), protocol="http2"))
"""About what a probe says: it counts as any sending does."""
NO_ALPN = "the target does not take HTTP/2 by ALPN"


class Http2Settings(msgspec.Struct, frozen=True):
    """Limits of the HTTP/2 transport."""

    connect_timeout_seconds: float = 5.0
    idle_connections_max: int = 256
    """Kept open over all lanes; the one unused for longest goes first."""
    idle_seconds_max: float = 30.0
    """An idle connection is not used again after this; servers say GOAWAY when they close theirs before."""
    ping_after_seconds: float = 1.0
    """Idle for longer than this, a connection is asked whether it lives before it carries anything that
    cannot be sent again."""
    ping_seconds_max: float = 1.0
    """How long an answer to that may take."""
    body_bytes_max: int = 16 << 20
    """Of a longer body this much is kept, and the response is marked incomplete; the rest is not taken."""
    verify_tls: bool = True


class Http2Transport:
    """Sends to one target over HTTP/2: a lane's requests share a connection, each on a stream of its own."""

    name = "http2"

    def __init__(
        self,
        target: Target,
        guard: Guard,
        settings: Http2Settings | None = None,
        *,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.target = target
        self.settings = settings or Http2Settings()
        self._guard = guard
        self._tls: ssl.SSLContext | None = None
        if target.scheme == "https":
            self._tls = tls or _tls_context(verify=self.settings.verify_tls)
        self._open: set[Http2Connection] = set()
        self._lanes = Lanes(self.settings.idle_connections_max, self.settings.idle_seconds_max)
        self._probing = asyncio.Lock()
        self._probed: str | None = None

    @property
    def open_connections(self) -> int:
        """Connections that hold a socket now, idle ones among them."""
        return len(self._open)

    def can_send(self, sending: Sending) -> bool:
        """Whether HTTP/2 says exactly what `sending` means; see `unsayable`."""
        wire = sending.wire
        if wire is None:
            return not unsayable(sending.request)
        return wire.protocol == "http2" and (self._tls is None or wire.ending is not Ending.HALF_CLOSE)

    async def send(self, sending: Sending) -> Outcome:
        """The answer to `sending`. A `Wire` gets a connection of its own, a `Request` shares its lane's.

        Sent once more, on a new connection, where the peer says that it has not worked on it (REFUSED_STREAM,
        or beyond the last stream of a GOAWAY), and where a kept connection was lost before any answer and the
        method is idempotent.
        """
        if refusal := await self._refusal(sending):
            return refusal
        if sending.wire is not None:
            return await say_wire(sending, sending.wire, self._dial, self.settings.body_bytes_max)
        stream = await self._try(sending)
        if self._should_retry(stream) and not self._guard.admit(sending, self.target):
            stream = await self._try(sending)
        self._lanes.cull()
        return stream.outcome()

    async def send_together(self, sendings: Sequence[Sending]) -> list[Outcome]:
        """The answers to `sendings`, all completed by one write.

        All but their last frames are said ahead, on one connection where the peer takes so many streams;
        once it has heard them, and says so, the last frames go out together, in one packet where they fit.
        What the transport cannot say, or a safety rule holds back, is left out. Those that the peer has not
        worked on are sent once more, together again.
        """
        outcomes: dict[int, Outcome] = {}
        streams: dict[int, Stream] = {}
        for at, sending in enumerate(sendings):
            refusal = await self._refusal(sending)
            if refusal is None and sending.wire is not None:
                refusal = NoReply(Silence.UNSENT, "exact bytes do not go together with others")
            if refusal is not None:
                outcomes[at] = refusal
            else:
                streams[at] = Stream(sending, self.settings.body_bytes_max, monotonic())
        if streams:
            await self._complete(list(streams.values()))
        again = {
            at: stream
            for at, stream in streams.items()
            if stream.may_retry and not self._guard.admit(stream.sending, self.target)
        }
        if again:
            renewed = {
                at: Stream(each.sending, self.settings.body_bytes_max, monotonic())
                for at, each in again.items()
            }
            await self._complete(list(renewed.values()))
            streams |= renewed
        return [outcomes[at] if at in outcomes else streams[at].outcome() for at in range(len(sendings))]

    async def refusal(self) -> str:
        """Why the target does not take HTTP/2; empty where it does, or where that cannot be told by now.

        Asked for once: by ALPN on TLS, else by the preface, to which a server answers with its settings.
        """
        async with self._probing:
            if self._probed is None:
                self._probed = await self._probe()
            return self._probed or ""

    async def close(self) -> None:
        """Close every connection, and return when their sockets are gone."""
        self._lanes.clear()
        for connection in list(self._open):
            connection.abort()
            await connection.closed()

    async def _complete(self, streams: list[Stream]) -> None:
        async def reach(stream: Stream) -> Http2Connection | None:
            return await self._reach(stream, self._connect)

        await complete_together(streams, reach, self._said, ping_seconds_max=self.settings.ping_seconds_max)

    async def _refusal(self, sending: Sending) -> NoReply | None:
        """Why `sending` is not sent; None where it has its turn."""
        if not self.can_send(sending):
            why = unsayable(sending.request) if sending.wire is None else "exact bytes of another protocol"
            return NoReply(Silence.UNSENT, f"HTTP/2 does not say {why}")
        refusal = await self._guard.turn(sending, self.target)
        return NoReply(Silence.UNSENT, refusal) if refusal else None

    async def _try(self, sending: Sending) -> Stream:
        """One attempt."""
        stream = Stream(sending, self.settings.body_bytes_max, monotonic())
        connection: Http2Connection | None = None
        try:
            async with asyncio.timeout(sending.timeout_seconds):
                connection = await self._lane(stream)
                if connection is not None:
                    await connection.ask(stream, *self._said(sending))
        except TimeoutError:
            stream.time_out(is_connected=connection is not None)
        finally:
            if connection is not None and not stream.is_done:
                connection.give_up(stream)
        return stream

    def _should_retry(self, stream: Stream) -> bool:
        if stream.may_retry:
            return True
        is_unheard = stream.lost_connection and stream.is_kept and not stream.first_byte_at
        is_repeatable = stream.sending.request.method in IDEMPOTENT
        return is_repeatable and (is_unheard or stream.is_bystander)

    async def _lane(self, stream: Stream) -> Http2Connection | None:
        """The connection of the stream's lane; None, and the stream knows why, where there is none."""
        sending = stream.sending

        async def is_well(connection: Http2Connection) -> bool:
            idle_seconds = connection.loop.time() - connection.idle_since
            if sending.request.method in IDEMPOTENT or idle_seconds < self.settings.ping_after_seconds:
                return True
            return await connection.answers_ping(self.settings.ping_seconds_max)

        return await self._reach(stream, lambda: self._lanes.connection(sending.lane, self._connect, is_well))

    async def _reach(
        self, stream: Stream, connect: Callable[[], Awaitable[Http2Connection]]
    ) -> Http2Connection | None:
        try:
            connection = await connect()
        except UnsafeError as error:
            stream.lose(Silence.UNSENT, str(error))
        except (TargetError, OSError) as error:
            stream.lose(Silence.REFUSED, why_refused(error))
        else:
            stream.is_kept = connection.served > 0
            if not stream.is_kept:
                stream.connected_at = monotonic()
            return connection
        stream.settle()
        return None

    async def _connect(self) -> Http2Connection:
        """A new connection. Raises OSError, TargetError or UnsafeError; a time-out is an OSError here."""
        loop = asyncio.get_running_loop()
        connection = await self._dial(lambda: Http2Connection(loop, self._open))
        if self._tls is not None and connection.alpn != "h2":
            connection.abort()
            raise ConnectionRefusedError(NO_ALPN)
        return connection

    async def _dial[Spoken: Dialled](self, speak: Callable[[], Spoken]) -> Spoken:
        try:
            async with asyncio.timeout(self.settings.connect_timeout_seconds):
                addresses = await self._guard.addresses(self.target)
                return await dial(addresses, speak, tls=self._tls, host=self.target.host)
        except TimeoutError as error:
            raise ConnectionRefusedError(str(error) or "no connection within the time limit") from error

    def _said(self, sending: Sending) -> tuple[Headers, bytes, Headers]:
        """Fields, body and trailers."""
        request = sending.request
        return in_http2(request, self.target.scheme), request.body, trailers_in_http2(request)

    async def _probe(self) -> str | None:
        """What `refusal` says; None where it must be asked again."""
        if await self._guard.turn(_PROBE, self.target):
            return None
        try:
            connection = await self._connect()
        except ssl.SSLError as error:  # any other may pass: a certificate, a handshake that was cut
            return NO_ALPN if "NO_APPLICATION_PROTOCOL" in (error.reason or "") else None
        except ConnectionRefusedError as error:
            return NO_ALPN if str(error) == NO_ALPN else None
        except (TargetError, UnsafeError, OSError):
            return None
        try:
            async with asyncio.timeout(self.settings.connect_timeout_seconds):
                await connection.settled()
        except TimeoutError:
            return "the target is silent when it is spoken to in HTTP/2"
        else:
            return "" if connection.has_settings else "the target does not speak HTTP/2"
        finally:
            connection.abort()


def _tls_context(*, verify: bool) -> ssl.SSLContext:
    context = tls_context(verify=verify)
    context.set_alpn_protocols(["h2"])
    return context
