"""The mitmproxy addon that sees each flow and hands it on, without ever being in the way of it.

Facts about mitmproxy 12 that shape this file: hooks run in the event loop that carries all live traffic, so
none may wait; a `stream` callable that raises leaves its client hanging; a body that is not streamed reaches
the other side only when it is complete, which holds back every event stream, so all but small requests is
streamed and copied as it passes; what stands in a flow's metadata is written to files with it.
"""

from collections.abc import Callable, Mapping
from time import perf_counter, time

from mitmproxy import connection, http
from mitmproxy.flow import Error, Flow

from shadow.taps.mitm_body import BodyCopy
from shadow.taps.mitm_conversations import Conversations
from shadow.taps.mitm_outlet import Outlet
from shadow.taps.mitm_sight import Sight, is_unseen
from shadow.taps.taker import TakesExchanges
from shadow.wire.grpc import is_grpc_type

_MARK = b"shadow-run"
_SIGHT = "_shadow_sight"
# Small uploads go out whole, as mitmproxy does by default: a live service that is down, or that answers
# before it has read, then still leaves a complete request to tap.
_BUFFERED_REQUEST_BYTES = 1 << 16
_UNFINISHED_MAX = 64
"""Answered requests of one connection whose rest is waited for; HTTP/2 drops some without a word."""

type Chooses = Callable[[Flow], object]
"""Whether a flow is tapped; mitmproxy's filters are such."""

type _Step = Callable[[http.HTTPFlow, Sight | None], None]


class MitmTap:
    """Taps every flow that does not bear Shadow's own mark. All hooks belong to one event loop."""

    def __init__(
        self,
        taker: TakesExchanges,
        *,
        live: str = "",
        name: str = "mitm",
        max_body_bytes: int = 1 << 20,
        max_held_bytes: int = 64 << 20,
        is_alone: bool = True,
        streams: bool = True,
        only: Chooses | None = None,
        first_index: int = 0,
    ) -> None:
        """`max_held_bytes` bounds the copies of all bodies that are on their way through at one moment.

        `is_alone` holds where no other addon looks at flows or edits them: then messages of long connections
        are let go once they are copied. `streams` lets bodies pass as they come, which other addons could
        then not edit. `only` chooses the flows that are tapped; None takes all. Exchanges are counted from
        `first_index`.
        """
        self.open_count = 0
        """Flows that have begun and not ended."""
        self._outlet = Outlet(
            taker,
            live=live,
            name=name,
            max_body_bytes=max_body_bytes,
            max_held_bytes=max_held_bytes,
            first_index=first_index,
        )
        self._taker = taker
        self._is_alone = is_alone
        self._streams = streams
        self._unfinished: dict[str, list[tuple[http.HTTPFlow, Sight]]] = {}
        """By client connection: answered before their request had ended."""
        talks = self._talks = Conversations(self._outlet, keeps_messages=not is_alone, only=only)
        self._only = only
        self.websocket_message, self.websocket_end = talks.websocket_message, talks.websocket_end
        self.tcp_start, self.tcp_message, self.tcp_end = talks.tcp_start, talks.tcp_message, talks.tcp_end
        self.udp_start, self.udp_message, self.udp_end = talks.udp_start, talks.udp_message, talks.udp_end
        self.tcp_error, self.udp_error = talks.tcp_error, talks.udp_error
        self.dns_request, self.dns_response, self.dns_error = (
            talks.dns_request,
            talks.dns_response,
            talks.dns_error,
        )

    @property
    def is_quiet(self) -> bool:
        """Whether the proxy could stop now without cutting anything short that will end."""
        return self.open_count == 0 and self._talks.is_quiet

    def refused(self) -> None:
        """Count a request that mitmproxy refused before it made a flow of it."""
        try:
            self._taker.skip("malformed_request")
        except Exception:  # noqa: BLE001 - as in _guard
            self._outlet.broke()

    def finish(self) -> None:
        """Hand on the conversations that are still open, as far as they came. They are not copied further."""
        try:
            self._talks.finish()
        except Exception:  # noqa: BLE001 - as in _guard
            self._outlet.broke()

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        self._guard(self._begin, flow)

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        self._guard(self._answer, flow)

    def request(self, flow: http.HTTPFlow) -> None:
        """A streamed request may end after its response."""
        sight = vars(flow).get(_SIGHT)
        if sight is not None and sight.is_answered:
            self._guard(self._end, flow)

    def response(self, flow: http.HTTPFlow) -> None:
        self._guard(self._end, flow)

    def error(self, flow: http.HTTPFlow) -> None:
        self._guard(self._fail, flow)

    def client_disconnected(self, client: connection.Client) -> None:
        try:
            for _, sight in self._unfinished.pop(client.id, ()):
                self._give_up(sight)
            self._talks.client_gone(client.id)
        except Exception:  # noqa: BLE001 - as in _guard
            self._outlet.broke()

    def _guard(self, step: _Step, flow: http.HTTPFlow) -> None:
        """Take `step` and its time. A bug of ours is counted and told once; live traffic never meets it."""
        began = perf_counter()
        sight = vars(flow).get(_SIGHT)
        try:
            step(flow, sight)
            sight = vars(flow).get(_SIGHT)  # the first step makes it
            if sight is not None:
                sight.spent_seconds += perf_counter() - began
                if sight.is_over:
                    self._taker.time(sight.spent_seconds)
        except Exception:  # noqa: BLE001 - an addon that raises must not touch live traffic
            self._break(flow)

    def _begin(self, flow: http.HTTPFlow, _: Sight | None) -> None:
        fields = flow.request.data.headers.fields
        names = {name.lower(): value for name, value in fields}
        if _MARK in names:
            self._stream(flow.request, None)
            return
        # Taken now: `Expect` and hop-by-hop fields are gone from the flow by the time it ends.
        sight = Sight(self._outlet, fields, is_grpc=is_grpc_type(names.get(b"content-type", b"")))
        if flow.is_replay:
            sight.began_at = time()  # its own time is that of the flow that is sent again
        self.open_count += 1
        vars(flow)[_SIGHT] = sight
        if flow.request.stream or sight.is_grpc or not _is_small(names):
            self._stream(flow.request, sight.request_body)

    def _answer(self, flow: http.HTTPFlow, sight: Sight | None) -> None:
        if flow.response is None:
            return
        if sight is not None and flow.live and flow.response.data.content is not None:
            # The body of a live answer is yet to come.
            self._skip(sight, "answered_by_addon")
            return
        self._stream(flow.response, None if sight is None else sight.response_body)

    def _end(self, flow: http.HTTPFlow, sight: Sight | None) -> None:
        if sight is None or sight.is_over:
            return
        # A call of gRPC is over with its answer, whatever its client still says.
        if flow.request.data.timestamp_end is None and not sight.is_grpc:
            sight.is_answered = True
            self._await_request(flow, sight)
            return
        self._settle(flow, sight)

    def _fail(self, flow: http.HTTPFlow, sight: Sight | None) -> None:
        if sight is None or sight.is_over or flow.error is None:
            return
        if flow.error.msg == Error.KILLED_MESSAGE:
            self._skip(sight, "killed")
        elif flow.request.data.timestamp_end is not None or sight.is_grpc:
            self._settle(flow, sight)
        else:
            self._skip(sight, "malformed_request" if "refusing" in flow.error.msg else "incomplete_request")

    def _await_request(self, flow: http.HTTPFlow, sight: Sight) -> None:
        """The rest of a request that was answered early comes, or its connection ends, or nobody tells."""
        waiting = self._unfinished.setdefault(flow.client_conn.id, [])
        while len(waiting) >= _UNFINISHED_MAX or (waiting and not waiting[0][0].live):
            self._give_up(waiting.pop(0)[1])
        waiting.append((flow, sight))

    def _give_up(self, sight: Sight) -> None:
        if not sight.is_over:
            self._skip(sight, "incomplete_request")

    def _settle(self, flow: http.HTTPFlow, sight: Sight) -> None:
        if sight.is_answered and (waiting := self._unfinished.get(flow.client_conn.id)):
            waiting.remove((flow, sight))
        if self._only is not None and not self._only(flow):
            self._close(sight)
            return
        is_cut = sight.request_body.is_cut or is_unseen(flow.request, sight.request_body)
        if is_cut and not sight.is_grpc:
            self._skip(sight, "too_large")
            return
        if not self._is_alone:
            # Other addons may have edited it; the live service answered what it was sent.
            sight.fields = flow.request.data.headers.fields
        exchange = sight.exchange(flow)
        self._close(sight)
        self._taker.offer(exchange)
        if flow.websocket is not None:
            self._talks.begin_websocket(flow, exchange)

    def _skip(self, sight: Sight, why: str) -> None:
        self._close(sight)
        self._taker.skip(why)

    def _close(self, sight: Sight) -> None:
        if not sight.is_over:
            self.open_count -= 1
            sight.close()

    def _break(self, flow: http.HTTPFlow) -> None:
        sight = vars(flow).get(_SIGHT)
        if sight is not None:
            self._close(sight)
        self._outlet.broke()

    def _stream(self, message: http.Message, copy: BodyCopy | None) -> None:
        """Let the body pass as it comes, unless another addon already does something with it."""
        if message.stream is True or (self._streams and not callable(message.stream)):
            message.stream = copy or True


def _is_small(names: Mapping[bytes, bytes]) -> bool:
    """Whether the request says that its body is short; `names` are its fields by lower-case name."""
    length = names.get(b"content-length", b"")
    return (
        length.isdigit() and int(length[:9]) <= _BUFFERED_REQUEST_BYTES and b"transfer-encoding" not in names
    )
