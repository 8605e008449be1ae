"""The admin endpoint: looks at a run, pauses it, and stops it. Closed to browsers, taps and strangers."""

import asyncio
import contextlib
import hmac
import ipaddress
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import msgspec

from shadow.config import Settings, parse_address
from shadow.errors import ConfigError, SinkError
from shadow.model import Request, authority, field
from shadow.replay import is_own
from shadow.wire.http1 import RequestReader

TOKEN_VARIABLE = "SHADOW_ADMIN_TOKEN"  # noqa: S105  # the name of a variable
_HEAD_BYTES_MAX = 16_384
_BODY_BYTES_MAX = 4_096
_PATIENCE_SECONDS = 10.0
_CONNECTIONS_MAX = 32


class Controls(msgspec.Struct, frozen=True):
    """What may be done to a run. The last three are told why."""

    state: Callable[[], Mapping[str, Any]]
    """As JSON."""
    stop: Callable[[str], None]
    pause: Callable[[str], None]
    resume: Callable[[str], None]


class AdminSettings(msgspec.Struct, frozen=True):
    """Where the endpoint is, and who may use it."""

    host: str
    port: int
    token: str = ""
    """Asked for as ``Authorization: Bearer``; empty where everyone on this machine may."""


def admin_settings(settings: Settings, environment: Mapping[str, str]) -> AdminSettings | None:
    """Where the endpoint is to be; None for none.

    Raises ConfigError where others than this machine could reach it without a token.
    """
    if not settings.admin:
        return None
    host, port = parse_address("admin", settings.admin)
    token = environment.get(TOKEN_VARIABLE, "").strip()
    if not token and not _is_loopback(host):
        raise ConfigError(
            f"admin {settings.admin!r} can be reached by others: set {TOKEN_VARIABLE} to a token, or give a"
            " loopback address such as 127.0.0.1:9465"
        )
    return AdminSettings(host, port, token)


@asynccontextmanager
async def administered(settings: AdminSettings | None, controls: Controls) -> AsyncIterator[str]:
    """Serve the endpoint inside, where there are settings for one; its URL. Raises SinkError if it cannot."""
    if settings is None:
        yield ""
        return
    admin = Admin(settings, controls)
    try:
        server = await asyncio.start_server(admin.serve, settings.host, settings.port, limit=_HEAD_BYTES_MAX)
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or error
        where = authority(settings.host, settings.port)
        raise SinkError(
            f"cannot serve the admin endpoint on {where}: {why}; choose another --admin"
        ) from error
    try:
        yield f"http://{authority(settings.host, server.sockets[0].getsockname()[1])}"
    finally:
        server.close()
        admin.close()
        await server.wait_closed()


class Admin:
    """Answers one request on each connection."""

    def __init__(self, settings: AdminSettings, controls: Controls) -> None:
        self._settings = settings
        self._controls = controls
        self._writers: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take one connection; whatever comes, it ends soon."""
        if len(self._writers) >= _CONNECTIONS_MAX:
            writer.transport.abort()
            return
        self._writers.add(writer)
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                request = await _request(reader)
                writer.write(self.answer(request))
                await writer.drain()
        except (OSError, TimeoutError):
            writer.transport.abort()
        finally:
            self._writers.discard(writer)
            writer.close()

    def close(self) -> None:
        """Hang up on whoever is still there."""
        for writer in tuple(self._writers):
            writer.transport.abort()

    def answer(self, request: Request | str) -> bytes:
        """The bytes that answer `request`, once it was done; a text is what is wrong with it."""
        if isinstance(request, str):
            return _answer(HTTPStatus.BAD_REQUEST, {"error": request})
        if refusal := self._refusal(request):
            return refusal
        path = request.target.partition(b"?")[0]
        if path == b"/state":
            return self._state() if request.method == b"GET" else _not_allowed("GET")
        acts = {
            b"/stop": self._controls.stop,
            b"/pause": self._controls.pause,
            b"/resume": self._controls.resume,
        }
        if path not in acts:
            return _answer(
                HTTPStatus.NOT_FOUND, {"error": "there are GET /state, POST /stop, /pause and /resume"}
            )
        if request.method != b"POST":
            return _not_allowed("POST")
        acts[path](f"asked to by POST {path.decode()}")
        return self._state()

    def _state(self) -> bytes:
        return _answer(HTTPStatus.OK, self._controls.state())

    def _refusal(self, request: Request) -> bytes:
        """What to say to a request that must not have its way; empty for one that may."""
        if not self._is_named(request):
            return _answer(HTTPStatus.FORBIDDEN, {"error": "the Host field names another place"})
        if field(request.headers, b"origin") is not None or is_own(request):
            return _answer(HTTPStatus.FORBIDDEN, {"error": "not for browsers, and not for replayed requests"})
        given = field(request.headers, b"authorization") or b""
        expected = f"Bearer {self._settings.token}".encode()
        if self._settings.token and not hmac.compare_digest(given, expected):
            return _answer(
                HTTPStatus.UNAUTHORIZED, {"error": f"send the token: Authorization: Bearer ${TOKEN_VARIABLE}"}
            )
        return b""

    def _is_named(self, request: Request) -> bool:
        """Whether the one Host field has an address or the configured name.

        A page in a browser can have any name of its own lead here, but cannot say another Host than that.
        """
        hosts = [value.decode("latin-1") for name, value in request.headers if name.lower() == b"host"]
        if len(hosts) != 1 or not request.target.startswith(b"/"):
            return False
        name = hosts[0].rsplit(":", 1)[0] if not hosts[0].endswith("]") else hosts[0]
        return name.lower() in ("localhost", self._settings.host.lower()) or _ip(name) is not None


async def _request(reader: asyncio.StreamReader) -> Request | str:
    parser = RequestReader(max_head_bytes=_HEAD_BYTES_MAX, max_body_bytes=_BODY_BYTES_MAX)
    taken = 0
    while taken <= _HEAD_BYTES_MAX + _BODY_BYTES_MAX:
        text = await reader.read(_BODY_BYTES_MAX)
        taken += len(text)
        request = parser.feed(text) if text else None
        if request is not None:
            return request
        if parser.error is not None or not text:
            return parser.error or "the request is not whole"
    return "the request is too long"


def _answer(status: HTTPStatus, body: Mapping[str, Any], *more: str) -> bytes:
    text = msgspec.json.encode(body) + b"\n"
    lines = [
        f"HTTP/1.1 {status.value} {status.phrase}",
        "Content-Type: application/json",
        f"Content-Length: {len(text)}",
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
        "Connection: close",
        *more,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + text


def _not_allowed(method: str) -> bytes:
    return _answer(HTTPStatus.METHOD_NOT_ALLOWED, {"error": f"use {method}"}, f"Allow: {method}")


def _ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(text.strip("[]"))
    return None


def _is_loopback(host: str) -> bool:
    ip = _ip(host)
    return host.lower() == "localhost" or (ip is not None and ip.is_loopback)
