"""The part of the inline tap that hears conversations: WebSocket, TCP, UDP and DNS."""

from collections.abc import Callable
from time import monotonic, perf_counter, time
from typing import Any

import msgspec
from mitmproxy import dns, flow, http, tcp, udp
from wsproto.frame_protocol import CloseReason, Opcode

from shadow.model import Exchange, Request
from shadow.taps.mitm_outlet import Outlet, session_of
from shadow.taps.mitm_talk import Talk

_TALK = "_shadow_talk"
_QUIET_SECONDS = 0.5
_KINDS = {Opcode.TEXT: "text", Opcode.BINARY: "binary"}


class Conversations:
    """Copies each message as it passes and hands the conversation on when it ends, or has no more room.

    The methods named as mitmproxy's events are its hooks: none waits, none raises.
    """

    def __init__(
        self, outlet: Outlet, *, keeps_messages: bool, only: Callable[[flow.Flow], object] | None
    ) -> None:
        """`keeps_messages` leaves each flow its messages, which pile up without end in mitmproxy.

        `only` chooses the flows that are tapped; None takes all.
        """
        self._outlet = outlet
        self._only = only
        self._keeps_messages = keeps_messages
        self._open: dict[str, dict[str, Talk]] = {}
        """By client connection, then by flow."""
        self._spoke_at = -_QUIET_SECONDS

    @property
    def is_quiet(self) -> bool:
        """Whether nothing has been said over TCP or UDP for a moment: nothing says when an answer is over."""
        return monotonic() - self._spoke_at >= _QUIET_SECONDS

    def begin_websocket(self, flow: http.HTTPFlow, handshake: Exchange) -> None:
        """What `flow` says from here on is a conversation that follows `handshake`."""
        begun = Exchange(
            self._outlet.next_index(),
            handshake.tap,
            handshake.session,
            handshake.seen_at,
            handshake.request,
            handshake.response,
            handshake.latency_seconds,
            handshake.live,
            "websocket",
        )
        self._register(flow, begun)

    def client_gone(self, client_id: str) -> None:
        """What was still open on the client's connection has ended with it."""
        for talk in self._open.pop(client_id, {}).values():
            talk.end()

    def finish(self) -> None:
        """Hand on all that is open, as far as it came."""
        talks = [talk for each in self._open.values() for talk in each.values()]
        self._open.clear()
        for talk in talks:
            talk.end(is_complete=False)

    def websocket_message(self, flow: http.HTTPFlow) -> None:
        self._guard(self._hear_websocket, flow)

    def websocket_end(self, flow: http.HTTPFlow) -> None:
        self._guard(self._close_websocket, flow)

    def tcp_start(self, flow: tcp.TCPFlow) -> None:
        self._guard(self._begin, flow)

    def tcp_message(self, flow: tcp.TCPFlow) -> None:
        self._guard(self._hear_tcp, flow)

    def tcp_end(self, flow: tcp.TCPFlow) -> None:
        self._guard(self._end, flow)

    tcp_error = tcp_end

    def udp_start(self, flow: udp.UDPFlow) -> None:
        self._guard(self._begin, flow)

    def udp_message(self, flow: udp.UDPFlow) -> None:
        self._guard(self._hear_udp, flow)

    def udp_end(self, flow: udp.UDPFlow) -> None:
        self._guard(self._end, flow)

    udp_error = udp_end

    def dns_request(self, flow: dns.DNSFlow) -> None:
        self._guard(self._ask, flow)

    def dns_response(self, flow: dns.DNSFlow) -> None:
        self._guard(self._answer, flow)

    def dns_error(self, flow: dns.DNSFlow) -> None:
        self._guard(self._fail, flow)

    def _guard(self, step: Callable[[Any], None], flow: flow.Flow) -> None:
        """Take `step` and its time. A bug of ours is counted and told once; live traffic never meets it."""
        began = perf_counter()
        try:
            step(flow)
            self._outlet.taker.time(perf_counter() - began)
        except Exception:  # noqa: BLE001 - an addon that raises must not touch live traffic
            self._outlet.broke()

    def _begin(self, flow: tcp.TCPFlow | udp.UDPFlow) -> None:
        if self._only is None or self._only(flow):
            self._register(flow, self._blank(flow, flow.timestamp_created))

    def _hear_websocket(self, flow: http.HTTPFlow) -> None:
        if flow.websocket is None:
            return
        said, talk = flow.websocket.messages[-1], _talk(flow)
        if not self._keeps_messages:
            flow.websocket.messages.clear()
        # What another addon has made up or held back was not said, or not heard.
        if talk is not None and not said.injected and not said.dropped:
            kind = _KINDS.get(said.type, "")
            talk.keep(is_from_client=said.from_client, body=said.content, seen_at=said.timestamp, kind=kind)

    def _close_websocket(self, flow: http.HTTPFlow) -> None:
        talk, socket = _talk(flow), flow.websocket
        if talk is not None and socket is not None and socket.close_code is not None:
            code, ended_at = socket.close_code, socket.timestamp_end or talk.begun.seen_at
            is_ours = bool(socket.closed_by_client)
            if code == CloseReason.NO_STATUS_RCVD:
                talk.keep(is_from_client=is_ours, body=b"", seen_at=ended_at, kind="close")
            elif code != CloseReason.ABNORMAL_CLOSURE:  # stands for a connection that ended without a word
                said = code.to_bytes(2) + (socket.close_reason or "").encode()
                talk.keep(is_from_client=is_ours, body=said, seen_at=ended_at, kind="close")
        self._end(flow)

    def _hear_tcp(self, flow: tcp.TCPFlow) -> None:
        said, talk = flow.messages[-1], _talk(flow)
        self._spoke_at = monotonic()
        if not self._keeps_messages:
            flow.messages.clear()
        if talk is not None:
            talk.keep_bytes(is_from_client=said.from_client, body=said.content, seen_at=said.timestamp)

    def _hear_udp(self, flow: udp.UDPFlow) -> None:
        said, talk = flow.messages[-1], _talk(flow)
        self._spoke_at = monotonic()
        if not self._keeps_messages:
            flow.messages.clear()
        if talk is not None:
            talk.keep(is_from_client=said.from_client, body=said.content, seen_at=said.timestamp)

    def _ask(self, flow: dns.DNSFlow) -> None:
        talk = _talk(flow)
        if talk is not None and talk.answer is not None:
            # The number was used before, and mitmproxy would give the old answer again.
            flow.response = None if flow.response is talk.answer else flow.response
            flow.error = None if flow.error is talk.answer else flow.error
        if talk is None or talk.is_over:
            if self._only is not None and not self._only(flow):
                return
            talk = self._register(flow, self._blank(flow, _seen_at(flow.request)))
        talk.keep(is_from_client=True, body=flow.request.packed, seen_at=_seen_at(flow.request))

    def _answer(self, flow: dns.DNSFlow) -> None:
        talk, said = _talk(flow), flow.response
        if talk is None or said is None:
            return
        if not talk.is_over:
            talk.begun = msgspec.structs.replace(
                talk.begun, latency_seconds=max(_seen_at(said) - talk.begun.seen_at, 0.0)
            )
        talk.answer = said
        talk.keep(is_from_client=False, body=said.packed, seen_at=_seen_at(said))
        self._end(flow)

    def _fail(self, flow: dns.DNSFlow) -> None:
        talk = _talk(flow)
        if talk is not None:
            talk.answer = flow.error
        self._end(flow)

    def _end(self, flow: flow.Flow) -> None:
        talk = _talk(flow)
        if talk is not None:
            self._open.get(flow.client_conn.id, {}).pop(flow.id, None)
            talk.end()

    def _blank(self, flow: flow.Flow, began_at: float) -> Exchange:
        """What a conversation without a request of HTTP begins as."""
        outlet = self._outlet
        return Exchange(
            outlet.next_index(),
            outlet.name,
            session_of(flow),
            began_at,
            Request(b"", b"", b""),
            live=outlet.live_of(flow),
            protocol=flow.type,
        )

    def _register(self, flow: flow.Flow, begun: Exchange) -> Talk:
        talk = Talk(self._outlet, begun)
        vars(flow)[_TALK] = talk
        self._open.setdefault(flow.client_conn.id, {})[flow.id] = talk
        return talk


def _talk(flow: flow.Flow) -> Talk | None:
    """What is remembered of `flow`: not in its metadata, which mitmproxy would write to files with it."""
    talk: Talk | None = vars(flow).get(_TALK)
    return talk


def _seen_at(message: dns.DNSMessage) -> float:
    """Unix time in seconds; an addon's own message has none."""
    return message.timestamp or time()
