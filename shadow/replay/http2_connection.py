"""One HTTP/2 connection to a target: many requests at a time, each on a stream. The home of `h2`.

The library keeps the state, the windows and the tables of fields. Frames are handed to it one by one, so
that one that breaks the rules does not take with it what came before, and so that it is known whose it was.
GOAWAY is taken here: after it the library takes nothing more, while the peer goes on with what it has begun
(RFC 9113 §6.8).
"""

import asyncio
import contextlib
from collections.abc import Iterable
from time import monotonic
from typing import cast

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    DataReceived,
    Event,
    PingAckReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from h2.exceptions import H2Error
from h2.settings import SettingCodes, Settings
from hpack.exceptions import HPACKError
from hyperframe.exceptions import HyperframeError

from shadow.model import Headers, Silence
from shadow.replay.dialling import Dialled
from shadow.replay.http2_stream import Stream
from shadow.wire.http2_answer import MAX_LIST_BYTES, code_name
from shadow.wire.http2_shape import GOAWAY, HEAD_BYTES, SETTINGS, USUAL_FRAME_BYTES, unpack_head

_CONFIGURATION = H2Configuration(
    client_side=True,
    header_encoding=None,
    validate_outbound_headers=False,  # they were looked at before; more would only be changed
    normalize_outbound_headers=False,
    validate_inbound_headers=False,  # an answer that breaks the rules is a finding, not the connection's end
    normalize_inbound_headers=False,
)
_STREAM_WINDOW = 1 << 20
_CONNECTION_WINDOW = 1 << 24
_UNREAD_BYTES_MAX = 1 << 19
"""More waits for no peer that reads: requests stop at a quarter of it. The rest answers what it asks."""
_FLUSH_BYTES = 65_536
_STREAM_MASK = 0x7FFF_FFFF
_STREAMS_MAX = 1 << 20
"""After so many a connection is given up: numbers are used up one day."""
_PING = b"shadow\0\0"

_FAULTS = (H2Error, HyperframeError, HPACKError, ValueError, KeyError, IndexError)
"""What the library may raise on bytes that nobody thought of."""


class Http2Connection(Dialled):
    """Owned by whoever dialled; it closes by itself once it is retired and its last stream has ended."""

    def __init__(self, loop: asyncio.AbstractEventLoop, open_connections: set["Http2Connection"]) -> None:
        self.loop = loop
        self.is_open = False
        self.is_retired = False
        """Nothing new is begun on it."""
        self.idle_since = 0.0
        self.served = 0
        """Requests that were begun on it."""
        self.alpn: str | None = None
        self.has_settings = False
        """Whether the peer has said its settings, as it must first of all (RFC 9113 §3.4)."""
        self._settled = loop.create_future()
        """Done with the peer's first settings, or with the end of the connection."""
        self._open = open_connections
        self._h2 = H2Connection(_CONFIGURATION)
        self._transport: asyncio.Transport | None = None
        self._streams: dict[int, Stream] = {}
        self._queued = 0
        """Requests that wait for their turn."""
        self._rest = b""
        self._has_heard = False
        self._fault = ""
        """Why what the peer says is no HTTP/2."""
        self._why = ""
        """Why the peer goes: ``"GOAWAY NO_ERROR"``."""
        self._changed: set[asyncio.Future[None]] = set()
        self._pongs: list[asyncio.Future[None]] = []
        self._is_full = False
        """Whether the network takes no more for now."""
        self._lost: asyncio.Future[None] = loop.create_future()

    @property
    def is_usable(self) -> bool:
        """Whether a request may be begun."""
        return self.is_open and not self.is_retired

    @property
    def is_idle(self) -> bool:
        """Whether nothing is asked on it, nor about to be."""
        return not (self._streams or self._queued)

    @property
    def streams_max(self) -> int:
        """How many requests the peer takes at a time."""
        return int(self._h2.remote_settings.max_concurrent_streams)

    async def ask(self, stream: Stream, fields: Headers, body: bytes, trailers: Headers) -> None:
        """Say a request; return when its answer is complete, or can no longer come."""
        await self._say(stream, fields, body, trailers, holds_end=False)
        await stream.done

    async def hold(self, stream: Stream, fields: Headers, body: bytes, trailers: Headers) -> None:
        """Say all of a request but its end, which `release` says."""
        await self._say(stream, fields, body, trailers, holds_end=True)

    def release(self, streams: Iterable[Stream]) -> None:
        """Say the ends of requests that were held, in one write."""
        for stream in streams:
            if stream.held is None or stream.is_done:
                continue
            (rest, trailers), stream.held = stream.held, None
            with contextlib.suppress(*_FAULTS):  # it was reset meanwhile, which is its outcome
                self._h2.send_data(stream.number, rest, end_stream=not trailers)
                if trailers:
                    self._h2.send_headers(stream.number, trailers, end_stream=True)
        self._flush()

    def give_up(self, stream: Stream) -> None:
        """Nobody waits for its answer any more; nor is the connection used for anything new."""
        self.is_retired = True
        self._cancel(stream)
        self._finish(stream)

    async def settled(self) -> None:
        """Return when the peer's settings have come, or the connection is lost."""
        await asyncio.shield(self._settled)

    async def answers_ping(self, seconds: float) -> bool:
        """Whether the peer has heard all that was said so far, and says so in time."""
        if not self.is_open:
            return False
        pong = self.loop.create_future()
        self._pongs.append(pong)
        try:
            self._h2.ping(_PING)
            self._flush()
            async with asyncio.timeout(seconds):
                await pong
        except (TimeoutError, H2Error):
            return False
        finally:
            if pong in self._pongs:
                self._pongs.remove(pong)
        return self.is_open

    def retire(self) -> None:
        """Begin nothing more on it, and close it once it is idle."""
        self.is_retired = True
        if self.is_idle:
            self.abort()

    def abort(self) -> None:
        """Close at once. The socket is gone one turn of the loop later."""
        self.is_open = False
        if self._transport is not None:
            self._transport.abort()

    async def closed(self) -> None:
        """Return when the socket is gone."""
        await asyncio.shield(self._lost)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # which uvloop's does not inherit from
        self.is_open = True
        self.idle_since = self.loop.time()
        self._open.add(self)
        tls = transport.get_extra_info("ssl_object")
        if tls is not None:
            self.alpn = tls.selected_alpn_protocol()
            if self.alpn != "h2":
                return  # whoever dialled looks at that: it must hear no frame
        self._h2.local_settings = Settings(
            client=True,
            initial_values={
                SettingCodes.ENABLE_PUSH: 0,
                SettingCodes.INITIAL_WINDOW_SIZE: _STREAM_WINDOW,
                SettingCodes.MAX_HEADER_LIST_SIZE: MAX_LIST_BYTES,
            },
        )
        self._h2.decoder.max_header_list_size = MAX_LIST_BYTES
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(_CONNECTION_WINDOW)
        self._flush()

    def data_received(self, data: bytes) -> None:
        if not self._has_heard and data.startswith(b"HTTP/"):
            self._break("answered in HTTP/1, not in HTTP/2", 0)
            return
        self._has_heard = True
        data, at, size = (self._rest + data if self._rest else data), 0, len(self._rest) + len(data)
        while self.is_open and size - at >= HEAD_BYTES:
            high, low, kind, _, word = unpack_head(data, at)
            length = high << 8 | low
            if length > USUAL_FRAME_BYTES:
                self._break("a frame larger than was allowed", word & _STREAM_MASK)
                return
            end = at + HEAD_BYTES + length
            if end > size:
                break
            self._take(kind, word & _STREAM_MASK, data[at:end])
            at = end
        self._rest = data[at:]
        self._flush()

    def eof_received(self) -> None:
        self._lose(None)
        self.abort()

    def pause_writing(self) -> None:
        self._is_full = True

    def resume_writing(self) -> None:
        self._is_full = False
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        self._is_full = False
        self._open.discard(self)
        self._lose(exc)
        if not self._lost.done():
            self._lost.set_result(None)

    def _take(self, kind: int, number: int, frame: bytes) -> None:
        """Takes one whole frame."""
        if kind == GOAWAY and number == 0 and len(frame) >= HEAD_BYTES + 8:
            self._take_goaway(frame[HEAD_BYTES:])
            return
        try:
            events = self._h2.receive_data(frame)
        except _FAULTS as error:
            self._break(f"no HTTP/2: {str(error) or type(error).__name__}", number)
            return
        if kind == SETTINGS and not self._settled.done():
            self.has_settings = True
            self._settled.set_result(None)
        for event in events:
            self._hear(event)
        self._wake()

    def _take_goaway(self, payload: bytes) -> None:
        """Streams beyond the last that the peer names were not worked on, and may be asked again."""
        last = int.from_bytes(payload[:4]) & _STREAM_MASK
        self._why = f"GOAWAY {code_name(int.from_bytes(payload[4:8]))}"
        self.is_retired = True
        for stream in [each for each in self._streams.values() if each.number > last]:
            stream.may_retry = True
            stream.lose(Silence.CLOSED, self._why)
            self._finish(stream)
        self._wake()

    def _hear(self, event: Event) -> None:
        match event:
            case DataReceived():
                self._hear_data(event)
            case ResponseReceived():
                self._hear_head(event)
            case TrailersReceived():
                if stream := self._streams.get(event.stream_id):
                    stream.add_trailers(_fields(event.headers))
            case StreamEnded():
                if stream := self._streams.get(event.stream_id):
                    stream.end(stream.trailers)
                    self._cancel(stream)  # of a request that was answered before its end
                    self._finish(stream)
            case StreamReset():
                self._hear_reset(event)
            case PingAckReceived():
                if self._pongs and not self._pongs[0].done():
                    self._pongs.pop(0).set_result(None)
            case _:
                pass

    def _hear_head(self, event: ResponseReceived) -> None:
        stream = self._streams.get(event.stream_id)
        if stream is None:
            return
        if state := self._h2.streams.get(event.stream_id):
            # the library would end the connection for a length that is not the body's, 304's too
            state._expected_content_length = None  # noqa: SLF001
        stream.begin_answer(_fields(event.headers), monotonic())
        if stream.fault:
            self._cancel(stream)
            self._finish(stream)

    def _hear_data(self, event: DataReceived) -> None:
        if event.flow_controlled_length:
            with contextlib.suppress(*_FAULTS):  # of a stream that was closed meanwhile
                self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        stream = self._streams.get(event.stream_id)
        if stream is not None and not stream.add(event.data or b""):
            stream.lose(Silence.CLOSED, "longer than may be kept")
            self._cancel(stream)
            self._finish(stream)

    def _hear_reset(self, event: StreamReset) -> None:
        stream = self._streams.get(event.stream_id)
        if stream is None:
            return
        code = int(event.error_code or 0)
        if event.remote_reset:
            stream.may_retry = code == ErrorCodes.REFUSED_STREAM
            stream.lose(Silence.RESET, f"RST_STREAM {code_name(code)}")
        else:
            stream.fault = stream.fault or f"a stream that broke the rules: {code_name(code)}"
        self._finish(stream)

    async def _say(
        self, stream: Stream, fields: Headers, body: bytes, trailers: Headers, *, holds_end: bool
    ) -> None:
        if not await self._has_turn(stream):
            return
        has_more = bool(body or trailers or holds_end)
        try:
            stream.number = self._h2.get_next_available_stream_id()
            self._h2.send_headers(stream.number, fields, end_stream=not has_more)
        except H2Error as error:
            self.is_retired = stream.may_retry = True
            stream.lose(Silence.CLOSED, f"no stream to be had: {error}")
            stream.settle()
            return
        self._streams[stream.number] = stream
        self.served += 1
        self.is_retired |= self.served >= _STREAMS_MAX
        if has_more:
            at_once = body[:-1] if holds_end else body
            held = body[-1:] if holds_end else b""
            await self._say_body(stream, at_once, ends=not (trailers or holds_end))
            if holds_end:
                stream.held = held, trailers
            elif trailers and not stream.is_done:
                self._h2.send_headers(stream.number, trailers, end_stream=True)
        self._flush()

    async def _has_turn(self, stream: Stream) -> bool:
        """Wait until the peer has said its settings and takes one more; False where the connection ends.

        Some peers hold us to settings that they have said and we have not heard.
        """
        self._queued += 1
        try:
            if not self._settled.done():
                await self.settled()
            while self.is_usable and len(self._streams) >= self.streams_max:
                await self._change()
        finally:
            self._queued -= 1
        if self.is_usable:
            return True
        stream.fault = self._fault
        stream.may_retry = not self._fault
        stream.lose(Silence.CLOSED, self._why or "closed before a stream was to be had")
        stream.settle()
        return False

    async def _say_body(self, stream: Stream, body: bytes, *, ends: bool) -> None:
        """Say as much as windows and the network take, and go on when they take more."""
        at, unsaid = 0, 0
        while at < len(body):
            if stream.is_done:
                return
            room = min(self._h2.local_flow_control_window(stream.number), self._h2.max_outbound_frame_size)
            if room <= 0 or self._is_full or unsaid >= _FLUSH_BYTES:
                self._flush()
                if room <= 0 or self._is_full:
                    await self._change()
                unsaid = 0
                continue
            piece = body[at : at + room]
            at += len(piece)
            unsaid += len(piece)
            self._h2.send_data(stream.number, piece, end_stream=ends and at == len(body))

    def _cancel(self, stream: Stream) -> None:
        """Tell the peer that a stream is over, where it is not over by itself."""
        if self.is_open and stream.number in self._h2.streams:
            with contextlib.suppress(*_FAULTS):  # closed on both sides: there is nothing to tell
                if not self._h2.streams[stream.number].closed:
                    self._h2.reset_stream(stream.number, ErrorCodes.CANCEL)
                    self._flush()

    def _finish(self, stream: Stream) -> None:
        """Its outcome can be told."""
        self._streams.pop(stream.number, None)
        stream.settle()
        self._wake()
        if self.is_idle:
            self.idle_since = self.loop.time()
            if self.is_retired:
                self._flush()
                self.abort()

    def _break(self, why: str, number: int) -> None:
        """The peer broke the rules of the connection; the stream of the frame in question is to blame."""
        guilty = self._streams.get(number)
        for stream in list(self._streams.values()):
            stream.fault = why
            stream.is_bystander = guilty is not None and stream is not guilty
        self.is_retired, self._fault = True, why
        self._flush()
        for stream in list(self._streams.values()):
            self._finish(stream)
        self.abort()

    def _lose(self, exc: Exception | None) -> None:
        """No more will be heard."""
        self.is_retired = True
        silence = Silence.CLOSED if exc is None else Silence.RESET
        if isinstance(exc, TimeoutError):
            silence = Silence.TIMED_OUT
        detail = str(exc or "closed without an answer")
        if self._why:
            detail = f"{detail} after {self._why}"
        for stream in list(self._streams.values()):
            stream.lost_connection = True
            stream.lose(silence, detail)
            self._finish(stream)
        if not self._settled.done():
            self._settled.set_result(None)
        for pong in self._pongs:
            if not pong.done():
                pong.set_result(None)
        self.is_open = False
        self._wake()

    def _flush(self) -> None:
        """Say what the library has ready."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if said := self._h2.data_to_send():
            transport.write(said)
            if transport.get_write_buffer_size() > _UNREAD_BYTES_MAX:
                self._lose(ConnectionResetError("the peer asks much and reads nothing"))
                self.abort()

    async def _change(self) -> None:
        """Return when windows, settings or streams have changed."""
        changed = self.loop.create_future()
        self._changed.add(changed)
        try:
            await changed
        finally:
            self._changed.discard(changed)

    def _wake(self) -> None:
        for each in self._changed:
            if not each.done():
                each.set_result(None)


def _fields(lines: Iterable[tuple[bytes, bytes]] | None) -> Headers:
    """The library's fields, which are of a class of its own."""
    return tuple((bytes(line[0]), bytes(line[1])) for line in lines or ())
