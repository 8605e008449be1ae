"""The transport over aiohttp, for where a full client is wanted. No other file imports its client."""

import asyncio
import socket
import ssl
from time import monotonic
from types import SimpleNamespace

import aiohttp
import msgspec
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.http_exceptions import TransferEncodingError
from yarl import URL

from shadow.errors import TargetError, UnsafeError
from shadow.model import NoReply, Outcome, Reply, Request, Response, Silence, Timing
from shadow.replay._contract import Sending, Target
from shadow.replay.attempt import is_endless
from shadow.replay.connection import IDEMPOTENT, tls_context
from shadow.replay.dialling import why_refused
from shadow.replay.guard import Guard
from shadow.replay.sayable import is_sayable

_NAME = "target.invalid"
"""Stands for the target in every URL, so that the resolver, and with it the guard, is always asked: aiohttp
resolves no literal. The Host field and the TLS server name are given separately."""
_SKIPPED = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
_IDLE_SECONDS_MAX = 4.0  # many servers close theirs after 5
_FIELD_BYTES_MAX = 262_144
_READ_BYTES = 65_536


class HttpSettings(msgspec.Struct, frozen=True):
    """Limits of the aiohttp transport."""

    connect_timeout_seconds: float = 5.0
    body_bytes_max: int = 16 << 20
    """Of a longer answer this much is kept, and the response is marked incomplete."""
    verify_tls: bool = True


class HttpTransport:
    """Sends to one target through aiohttp: no redirects, no cookies, no decoding, no field added.

    It cannot tell trailers, nor bytes after the answer. Where a kept connection turns out dead, an idempotent
    request is sent once more if the guard admits it; any other request always gets a new connection.
    """

    name = "aiohttp"

    def __init__(self, target: Target, guard: Guard, settings: HttpSettings | None = None) -> None:
        self.target = target
        self.settings = settings or HttpSettings()
        self._guard = guard
        self._sessions: dict[bool, aiohttp.ClientSession] = {}
        """By whether connections are kept; made when first needed, inside the loop."""

    def can_send(self, sending: Sending) -> bool:
        """Whether aiohttp puts exactly these bytes on the wire; see `is_sayable`."""
        return sending.wire is None and is_sayable(sending.request)

    async def send(self, sending: Sending) -> Outcome:
        """The answer to `sending`."""
        if not self.can_send(sending):
            return NoReply(Silence.UNSENT, "aiohttp cannot say this request as it is")
        refusal = await self._guard.turn(sending, self.target)
        if refusal:
            return NoReply(Silence.UNSENT, refusal)
        clock = _Clock()
        answer = _Answer()
        try:
            async with asyncio.timeout(sending.timeout_seconds):
                await self._ask_twice(sending, clock, answer)
        except (TimeoutError, aiohttp.ClientError, OSError, UnsafeError, TargetError) as error:
            return answer.cut(clock) if answer.can_be_cut(error) else _no_reply(error, clock)
        return answer.reply(clock)

    async def close(self) -> None:
        """Close every connection."""
        for session in self._sessions.values():
            await session.close()

    async def _ask_twice(self, sending: Sending, clock: "_Clock", answer: "_Answer") -> None:
        """Ask, and once more where a kept connection was lost before an answer: the server had closed it."""
        try:
            await self._ask(sending.request, clock, answer)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            was_kept = clock.is_reused and answer.head is None and sending.request.method in IDEMPOTENT
            if not was_kept or self._guard.admit(sending, self.target):
                raise
            await self._ask(sending.request, clock, answer)

    async def _ask(self, request: Request, clock: "_Clock", answer: "_Answer") -> None:
        session = self._session(keeps_open=request.method in IDEMPOTENT)
        headers = [(name.decode("ascii"), value.decode("utf-8")) for name, value in request.headers]
        async with session.request(
            request.method.decode("ascii"),
            _url(self.target.scheme, request.target),
            headers=headers,
            data=request.body or None,
            allow_redirects=False,
            skip_auto_headers=_SKIPPED,
            server_hostname=self.target.host,
            trace_request_ctx=clock,
        ) as reply:
            clock.first_byte_seconds = clock.now()
            answer.head = _head(reply)
            if reply.status == 101:
                reply.close()
                return
            async for part in reply.content.iter_chunked(_READ_BYTES):
                if not answer.add(part, self.settings.body_bytes_max):
                    reply.close()
                    return

    def _session(self, *, keeps_open: bool) -> aiohttp.ClientSession:
        if keeps_open not in self._sessions:
            self._sessions[keeps_open] = self._new_session(keeps_open=keeps_open)
        return self._sessions[keeps_open]

    def _new_session(self, *, keeps_open: bool) -> aiohttp.ClientSession:
        is_tls = self.target.scheme == "https"
        tls: ssl.SSLContext | bool = tls_context(verify=self.settings.verify_tls) if is_tls else True
        connector = aiohttp.TCPConnector(
            resolver=_GuardedResolver(self._guard, self.target),
            use_dns_cache=False,
            limit=0,
            # not force_close, which would add a Connection field
            keepalive_timeout=_IDLE_SECONDS_MAX if keeps_open else 0.0,
            ssl=tls,
        )
        session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None, connect=self.settings.connect_timeout_seconds),
            trace_configs=[_tracing()],
            max_line_size=_FIELD_BYTES_MAX,
            max_field_size=_FIELD_BYTES_MAX,
        )
        # By itself it would send again whatever the guard says, and uncounted. There is no other switch.
        session._retry_connection = False  # noqa: SLF001
        return session


class _GuardedResolver(AbstractResolver):
    """Answers with the addresses that the guard has checked, on every connect anew."""

    def __init__(self, guard: Guard, target: Target) -> None:
        self._guard = guard
        self._target = target

    async def resolve(
        self,
        host: str,
        port: int = 0,  # noqa: ARG002 - the target knows its port
        family: socket.AddressFamily = socket.AF_UNSPEC,  # noqa: ARG002 - so do its addresses their family
    ) -> list[ResolveResult]:
        if host != _NAME:
            raise UnsafeError(f"{host!r} is not a configured target")
        return [
            ResolveResult(
                hostname=host,
                host=address.ip,
                port=address.port,
                family=address.family,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for address in await self._guard.addresses(self._target)
        ]

    async def close(self) -> None:
        pass


class _Clock:
    """When the steps of one request were reached, in seconds from its start."""

    def __init__(self) -> None:
        self._start = monotonic()
        self.is_connected = False
        self.is_reused = False
        """Whether the connection served others before."""
        self.connect_seconds = 0.0
        self.first_byte_seconds = 0.0

    def now(self) -> float:
        return monotonic() - self._start

    def timing(self) -> Timing:
        return Timing(self.connect_seconds, self.first_byte_seconds, self.now())


class _Answer:
    """A response while it comes in."""

    def __init__(self) -> None:
        self.head: Response | None = None
        self._parts: list[bytes] = []
        self._size = 0
        self._is_whole = True

    def add(self, part: bytes, size_max: int) -> bool:
        """Whether there is room for more after `part`."""
        room = size_max - self._size
        self._parts.append(part[:room])
        self._size += len(part)
        self._is_whole = len(part) <= room
        return self._is_whole

    def can_be_cut(self, error: BaseException) -> bool:
        """Whether the part that came before `error` is an answer, as `RawTransport` sees it."""
        if self.head is None or isinstance(error.__cause__, TransferEncodingError):
            return False
        return not isinstance(error, TimeoutError) or is_endless(self.head.headers)

    def cut(self, clock: _Clock) -> Reply:
        self._is_whole = False
        return self.reply(clock)

    def reply(self, clock: _Clock) -> Reply:
        assert self.head is not None
        body = b"".join(self._parts)
        return Reply(
            msgspec.structs.replace(self.head, body=body, is_complete=self._is_whole), clock.timing()
        )


def _url(scheme: str, target: bytes) -> URL:
    return URL(f"{scheme}://{_NAME}{target.decode('ascii')}", encoded=True)


def _head(reply: aiohttp.ClientResponse) -> Response:
    version = reply.version or aiohttp.HttpVersion11
    return Response(
        reply.status,
        (reply.reason or "").encode("utf-8", "surrogateescape"),
        b"HTTP/%d.%d" % (version.major, version.minor),
        tuple(reply.raw_headers),
    )


def _no_reply(error: BaseException, clock: _Clock) -> NoReply:
    """What `error` says about the target. The order matters: aiohttp's errors are of many kinds at once."""
    timing = clock.timing()
    text = _said(error)
    match error:
        case UnsafeError():
            return NoReply(Silence.UNSENT, text, timing)
        case TargetError() | aiohttp.ClientConnectorError() | aiohttp.ConnectionTimeoutError():
            return NoReply(Silence.REFUSED, text, timing)
        case TimeoutError() if clock.is_connected:
            return NoReply(Silence.TIMED_OUT, "no answer within the time limit", timing)
        case TimeoutError():
            return NoReply(Silence.REFUSED, "no connection within the time limit", timing)
        case aiohttp.ClientResponseError() | aiohttp.ClientPayloadError():
            return NoReply(Silence.MALFORMED, text, timing)
        case aiohttp.ServerDisconnectedError():
            return NoReply(Silence.CLOSED, text, timing)
        case _:
            return NoReply(Silence.RESET, text, timing)


def _said(error: BaseException) -> str:
    """What `error` says, without the name that stands for the target."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return why_refused(error.certificate_error)
        case aiohttp.ClientConnectorError():
            return why_refused(error.os_error)
    return why_refused(error)


def _tracing() -> aiohttp.TraceConfig:
    """Tells each request's clock when its connection stood."""
    tracing = aiohttp.TraceConfig()

    async def created(_: aiohttp.ClientSession, context: SimpleNamespace, __: object) -> None:
        clock = context.trace_request_ctx
        clock.connect_seconds = clock.now()
        clock.is_connected = True
        clock.is_reused = False

    async def reused(_: aiohttp.ClientSession, context: SimpleNamespace, __: object) -> None:
        clock = context.trace_request_ctx
        clock.is_connected = clock.is_reused = True

    tracing.on_connection_create_end.append(created)
    tracing.on_connection_reuseconn.append(reused)
    return tracing
