"""The mitmproxy addon that sees each flow and hands it on, without ever being in the way of it.

Facts about mitmproxy 12 that shape this file: hooks run in the event loop that carries all live traffic, so
none may wait; a `stream` callable that raises leaves its client hanging; a body that is not streamed reaches
the other side only when it is complete, which holds back every event stream, so all but small requests is
streamed and copied as it passes; WebSocket and TCP flows keep all their messages unless these are cleared.
"""

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from time import perf_counter
from typing import Protocol

from mitmproxy import connection, http, tcp

from shadow.model import Exchange, Headers, Request, Response, authority
from shadow.taps.mitm_body import Allowance, BodyCopy

_MARK = b"shadow-run"
_SIGHT = "shadow"
# Small uploads go out whole, as mitmproxy does by default: a live service that is down, or that answers
# before it has read, then still leaves a complete request to tap.
_BUFFERED_REQUEST_BYTES = 1 << 16

_log = logging.getLogger(__name__)


class TakesExchanges(Protocol):
    """Where a tap's exchanges go. Nothing here waits or raises."""

    def offer(self, exchange: Exchange) -> bool: ...

    def skip(self, why: str) -> None: ...

    def time(self, seconds: float) -> None: ...


class MitmTap:
    """Taps every flow that does not bear Shadow's own mark. All hooks belong to one event loop.

    Besides `shadow proxy`, it works in anyone's mitmdump, from a script of three lines::

        from pathlib import Path
        from shadow.feed.frames import Hello
        from shadow.feed.sender import Sender
        from shadow.taps.mitm import MitmTap

        addons = [MitmTap(Sender(Path("/run/shadow/feed.sock"), Hello("mitm")), live="10.0.0.7:80")]
    """

    def __init__(
        self,
        taker: TakesExchanges,
        *,
        live: str = "",
        name: str = "mitm",
        max_body_bytes: int = 1 << 20,
        max_held_bytes: int = 64 << 20,
    ) -> None:
        """`max_held_bytes` bounds the copies of all bodies that are on their way through at one moment."""
        self.open_count = 0
        """Flows that have begun and not ended."""
        self._taker = taker
        self._live = live
        self._name = name
        self._max_body_bytes = max_body_bytes
        self._held = Allowance(max_held_bytes)
        self._next_index = 0
        self._unfinished: dict[str, list[_Sight]] = {}
        """By client connection: answered before their request had ended."""
        self._has_broken = False

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        self._guard(self._begin, flow)

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        self._guard(self._answer, flow)

    def request(self, flow: http.HTTPFlow) -> None:
        """A streamed request may end after its response."""
        sight = flow.metadata.get(_SIGHT)
        if sight is not None and sight.is_answered:
            self._guard(self._end, flow)

    def response(self, flow: http.HTTPFlow) -> None:
        self._guard(self._end, flow)

    def error(self, flow: http.HTTPFlow) -> None:
        self._guard(self._fail, flow)

    def client_disconnected(self, client: connection.Client) -> None:
        for sight in self._unfinished.pop(client.id, ()):
            if not sight.is_over:
                self._skip(sight, "incomplete_request")

    def websocket_message(self, flow: http.HTTPFlow) -> None:
        if flow.websocket is not None:
            flow.websocket.messages.clear()

    def tcp_message(self, flow: tcp.TCPFlow) -> None:
        flow.messages.clear()

    def _guard(self, step: "Callable[[http.HTTPFlow, _Sight | None], None]", flow: http.HTTPFlow) -> None:
        """Take `step` and its time. A bug of ours is counted and told once; live traffic never meets it."""
        began = perf_counter()
        sight = flow.metadata.get(_SIGHT)
        try:
            step(flow, sight)
            sight = flow.metadata.get(_SIGHT)  # the first step makes it
            if sight is not None:
                sight.spent_seconds += perf_counter() - began
                if sight.is_over:
                    self._taker.time(sight.spent_seconds)
        except Exception:  # noqa: BLE001 - an addon that raises must not touch live traffic
            self._break(flow)

    def _begin(self, flow: http.HTTPFlow, _: "_Sight | None") -> None:
        fields = flow.request.data.headers.fields
        names = {name.lower(): value for name, value in fields}
        if _MARK in names:
            _stream(flow.request, None)
            return
        # Taken now: `Expect` and hop-by-hop fields are gone from the flow by the time it ends.
        sight = _Sight(self._next_index, fields, self._held, self._max_body_bytes)
        self._next_index += 1
        self.open_count += 1
        flow.metadata[_SIGHT] = sight
        if not _is_small(names):
            _stream(flow.request, sight.request_body)

    def _answer(self, flow: http.HTTPFlow, sight: "_Sight | None") -> None:
        if flow.response is not None:
            _stream(flow.response, None if sight is None else sight.response_body)

    def _end(self, flow: http.HTTPFlow, sight: "_Sight | None") -> None:
        if sight is None or sight.is_over:
            return
        if flow.request.data.timestamp_end is None:
            sight.is_answered = True
            self._unfinished.setdefault(flow.client_conn.id, []).append(sight)
            return
        self._settle(flow, sight)

    def _fail(self, flow: http.HTTPFlow, sight: "_Sight | None") -> None:
        if sight is None or sight.is_over:
            return
        if flow.request.data.timestamp_end is not None:
            self._settle(flow, sight)
        elif flow.error is not None and "refusing" in flow.error.msg:
            self._skip(sight, "malformed_request")
        else:
            self._skip(sight, "incomplete_request")

    def _settle(self, flow: http.HTTPFlow, sight: "_Sight") -> None:
        if sight.is_answered and (waiting := self._unfinished.get(flow.client_conn.id)):
            waiting.remove(sight)
        if sight.request_body.is_cut:
            self._skip(sight, "too_large")
            return
        exchange = self._exchange(flow, sight)
        self._close(sight)
        self._taker.offer(exchange)

    def _exchange(self, flow: http.HTTPFlow, sight: "_Sight") -> Exchange:
        request, response = flow.request.data, flow.response
        latency = None
        if response is not None:
            latency = max(response.data.timestamp_start - request.timestamp_start, 0.0)
        return Exchange(
            index=sight.index,
            tap=self._name,
            session=_session(flow.client_conn.peername),
            seen_at=request.timestamp_start,
            request=Request(
                request.method,
                _target(request),
                request.http_version,
                _with_host(sight.fields, request),
                _body(request.content, sight.request_body),
                _fields(request.trailers),
            ),
            response=None if response is None else _response(flow, response.data, sight),
            latency_seconds=latency,
            live=self._live,
        )

    def _skip(self, sight: "_Sight", why: str) -> None:
        self._close(sight)
        self._taker.skip(why)

    def _close(self, sight: "_Sight") -> None:
        if not sight.is_over:
            sight.is_over = True
            self.open_count -= 1
            sight.request_body.close()
            sight.response_body.close()

    def _break(self, flow: http.HTTPFlow) -> None:
        sight = flow.metadata.get(_SIGHT)
        if sight is not None:
            self._close(sight)
        if not self._has_broken:
            self._has_broken = True
            _log.exception("the tap failed on a flow; live traffic goes on, further ones are only counted")
        with suppress(Exception):  # the taker may be what failed
            self._taker.skip("tap_failed")


class _Sight:
    """What the tap remembers of one flow."""

    __slots__ = (
        "fields",
        "index",
        "is_answered",
        "is_over",
        "request_body",
        "response_body",
        "spent_seconds",
    )

    def __init__(self, index: int, fields: Headers, allowance: Allowance, max_body_bytes: int) -> None:
        self.index = index
        self.fields = fields
        self.request_body = BodyCopy(allowance, max_body_bytes)
        self.response_body = BodyCopy(allowance, max_body_bytes)
        self.spent_seconds = 0.0
        self.is_answered = False
        self.is_over = False


def _stream(message: http.Message, copy: BodyCopy | None) -> None:
    """Let the body pass as it comes, unless another addon already does something with it."""
    if not callable(message.stream):
        message.stream = copy or True


def _is_small(names: Mapping[bytes, bytes]) -> bool:
    """Whether the request says that its body is short; `names` are its fields by lower-case name."""
    length = names.get(b"content-length", b"")
    return (
        length.isdigit() and int(length[:9]) <= _BUFFERED_REQUEST_BYTES and b"transfer-encoding" not in names
    )


def _response(flow: http.HTTPFlow, response: http.ResponseData, sight: _Sight) -> Response:
    return Response(
        status=response.status_code,
        reason=response.reason,
        version=response.http_version,
        headers=response.headers.fields,
        body=_body(response.content, sight.response_body),
        trailers=_fields(response.trailers),
        is_complete=flow.error is None and not sight.response_body.is_cut,
    )


def _body(content: bytes | None, copy: BodyCopy) -> bytes:
    """The body: mitmproxy's own where it buffered one, else our copy."""
    return content or copy.content()


def _fields(headers: http.Headers | None) -> Headers:
    return () if headers is None else headers.fields


def _target(request: http.RequestData) -> bytes:
    """The target as it was sent: some clients send HTTP/1 the whole URL."""
    if request.authority and request.http_version.startswith(b"HTTP/1"):
        return b"%s://%s%s" % (request.scheme, request.authority, request.path)
    return request.path


def _with_host(fields: Headers, request: http.RequestData) -> Headers:
    """`fields`, with HTTP/2's ``:authority`` as the Host field that HTTP/1 would have had."""
    if not request.authority or request.http_version.startswith(b"HTTP/1"):
        return fields
    if any(name.lower() == b"host" for name, _ in fields):
        return fields
    return ((b"host", request.authority), *fields)


def _session(peername: tuple[str, int] | None) -> str:
    """One client connection."""
    if peername is None:
        return ""
    return authority(peername[0], peername[1])
