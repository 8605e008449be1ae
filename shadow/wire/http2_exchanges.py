"""What both sides of an HTTP/2 connection say on its streams, and the exchanges that these become."""

from typing import NamedTuple

from shadow.model import Exchange
from shadow.wire.http1 import Limits
from shadow.wire.http2_fields import Field
from shadow.wire.http2_shape import END_STREAM, PUSH_PROMISE
from shadow.wire.http2_stream import Stream
from shadow.wire.http2_streams import Streams
from shadow.wire.listener import Link, Listener

_STREAM_BYTES = 1024
_FIELD_BYTES = 64
"""What a stream, and each of its fields, costs besides its text."""

_NOT_CAPTURED = "bytes of the request were not captured"
_CUT = "the connection ended inside the request"
_RESET = "the request was reset before its end"
_USED = "a stream number that was used before"
_NEITHER = "fields that do not tell who is the client"
_TRAILERS = "trailers of a response that was not captured"
_TOO_MUCH = "more is unfinished than may be kept"


class Block(NamedTuple):
    """A field block that was read."""

    kind: int
    """HEADERS or PUSH_PROMISE."""
    flags: int
    number: int
    """Of the stream, or of the one that is promised."""
    fields: list[Field]
    """Those that are known."""
    why: str
    """Why these are not all; empty where they are."""
    time: float
    size_bytes: int


class Exchanges:
    """The streams of one connection, told to the listener as they end."""

    def __init__(self, link: Link, listener: Listener, limits: Limits) -> None:
        self.client: int | None = None
        """The client's side, once it is known."""
        self._link = link
        self._listener = listener
        self._streams = Streams(limits.max_body_bytes, self._settle)

    def upgrade(self, exchange: Exchange) -> None:
        """The first stream is the answer to the request of `exchange`."""
        stream = self._begin(1, exchange.seen_at)
        if stream is not None:
            stream.hear_upgrade(exchange.request)
            self._keep(stream, _STREAM_BYTES + len(exchange.request.body))

    def may_be(self, side: int, kind: int, number: int) -> bool:
        """Whether a frame of that kind is to be expected on that stream."""
        return self.client is None or self._streams.may_be(kind, number, is_client=side == self.client)

    def miss(self, side: int, count: int) -> None:
        """`count` bytes of a side were not heard."""
        if side == self.client or self.client is None:
            self._streams.miss(count)

    def begin_request(self, side: int, number: int, time: float) -> None:
        """A field block has begun; where it is that of a new request, that has its turn now."""
        stream = self._streams.get(number)
        if side == self.client and (stream is None or not stream.is_begun):
            self._begin(number, time)

    def take_block(self, side: int, block: Block) -> None:
        """A side said `block`: the head or the trailers of a request, or of an answer."""
        if self.client is None:
            self.client = _client(side, block)
        if self.client is None:
            self._listener.unread(block.why or _NEITHER)
        elif side == self.client or block.kind == PUSH_PROMISE:
            self._take_request(block)
        else:
            self._take_answer(block)

    def take_data(self, side: int, flags: int, number: int, payload: bytes | str, time: float) -> None:
        """A piece of a body; or that one is missing."""
        stream = self._streams.get(number)
        is_client = side == self.client
        if is_client and number % 2:
            self._streams.know(number)
        said = None if stream is None else stream.ask if is_client else stream.answer
        if stream is None or said is None or said.is_ended:
            self._listener.passed(len(payload) if isinstance(payload, bytes) else 0)
            return
        if isinstance(payload, bytes):
            if not is_client and said.fields is None:
                self._miss_head(stream)
                self._listener.passed(len(payload))
            elif payload:
                self._keep(stream, said.add(payload, time))
        elif is_client:
            stream.fail(_NOT_CAPTURED)
        else:
            said.cut()
        if flags & END_STREAM:
            self._end_answer(stream) if not is_client else self._end_request(stream)
        if stream.is_over:
            self._streams.close(number)

    def reset(self, number: int) -> None:
        """Either side broke the stream off (RFC 9113 §5.4.2)."""
        stream = self._streams.get(number)
        if stream is None:
            return
        _cut_answer(stream)
        stream.answer.is_ended = True
        if stream.is_begun and not stream.ask.is_ended:
            stream.fail(_RESET)
        if stream.is_over:  # if not, its request is still to be read
            self._streams.close(number, is_early=True)

    def lose(self, side: int) -> None:
        """Frames of a side are missing: any stream that it had not ended may have had some."""
        for number, stream in self._streams.items():
            if side != self.client:
                _cut_answer(stream)
            elif stream.is_begun and not stream.ask.is_ended:
                stream.fail(_NOT_CAPTURED)
            if stream.is_over:
                self._streams.close(number, is_early=True)

    def end(self, side: int) -> None:
        """A side says nothing more."""
        for number, stream in self._streams.items():
            if side != self.client:
                _cut_answer(stream)
            elif stream.is_begun and not stream.ask.is_ended:
                stream.fail(_CUT)
            if stream.is_over:
                self._streams.close(number)

    def end_all(self) -> None:
        """Neither side says anything more."""
        self._streams.close_all()

    def _begin(self, number: int, time: float) -> Stream | None:
        """The stream of a request that begins at Unix time `time`; None where there can be none."""
        stream = self._streams.open(number)
        if stream is not None:
            stream.index = self._listener.begin(time)
            stream.time = time
            stream.is_begun = True
        return stream

    def _take_request(self, block: Block) -> None:
        stream = self._streams.get(block.number)
        if stream is None or not stream.is_begun:
            stream = self._begin(block.number, block.time) if block.number else None
            if stream is None:
                if any(name == b":method" for name, _ in block.fields):
                    self._listener.unparsed(_USED, 0)
                return
        if stream.ask.is_ended:
            return
        if block.why:
            stream.fail(block.why)
        else:
            stream.hear_request(block.fields)
        if not self._keep(stream, _cost(block)):
            stream.fail(_TOO_MUCH)
            self._streams.close(block.number, is_early=True)
            return
        if block.flags & END_STREAM or stream.is_tunnel or block.kind == PUSH_PROMISE:
            self._end_request(stream)
        if stream.is_over:
            self._streams.close(block.number)

    def _take_answer(self, block: Block) -> None:
        number = block.number
        stream = self._streams.get(number)
        if stream is None:
            if self._streams.is_closed(number):
                return
            if not any(name == b":status" for name, _ in block.fields):
                self._listener.unread(block.why or _TRAILERS)
                return
            stream = self._streams.open_answered(number)
        if stream.answer.is_ended:
            return
        if unread := stream.hear_answer(block.fields, block.why, block.time):
            self._listener.unread(unread)
        if not self._keep(stream, _cost(block)):
            self._miss_head(stream, _TOO_MUCH)
        if block.flags & END_STREAM:
            self._end_answer(stream)
        elif stream.opens_tunnel:
            stream.answer.is_ended = True
        if stream.is_over:
            self._streams.close(number)

    def _end_request(self, stream: Stream) -> None:
        stream.ask.is_ended = True
        if stream.opens_tunnel:
            stream.answer.is_ended = True

    def _end_answer(self, stream: Stream) -> None:
        stream.answer.is_ended = True
        if stream.answer.fields is None:
            self._miss_head(stream)

    def _miss_head(self, stream: Stream, why: str = "") -> None:
        if unread := stream.miss_head(why):
            self._listener.unread(unread)

    def _keep(self, stream: Stream, count: int) -> bool:
        """Counts what the stream keeps. Where all keep too much, this one keeps no more, and it is False."""
        stream.kept_bytes += count
        if self._listener.keep(count) or count <= 0:
            return True
        stream.stop_keeping()
        return False

    def _settle(self, stream: Stream) -> None:
        """Tells the listener what became of a stream."""
        self._listener.keep(-stream.kept_bytes)
        result = stream.exchange(self._link, self.client or 0)
        if isinstance(result, Exchange):
            self._listener.found(result)
        else:
            self._listener.unparsed(result, stream.index)


def _client(side: int, block: Block) -> int | None:
    """Which side the client is, as far as the fields of a message tell it."""
    names = {name for name, _ in block.fields}
    if block.kind == PUSH_PROMISE or b":status" in names:
        return 1 - side
    return side if b":method" in names else None


def _cost(block: Block) -> int:
    return _STREAM_BYTES + 2 * block.size_bytes + _FIELD_BYTES * len(block.fields)


def _cut_answer(stream: Stream) -> None:
    """No more will be heard of an answer that has begun."""
    answer = stream.answer
    if not answer.is_ended and (answer.fields is not None or stream.is_headless):
        answer.cut()
        answer.is_ended = True
