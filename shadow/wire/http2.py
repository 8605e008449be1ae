"""The conversation of one HTTP/2 connection (RFC 9113): frames and fields of both sides.

A connection seen from its middle, or with a gap in it, is read on as far as what follows is certain.
"""

from functools import partial

from shadow.model import Exchange
from shadow.wire.direction import End
from shadow.wire.http1 import Limits
from shadow.wire.http2_exchanges import Block, Exchanges
from shadow.wire.http2_fields import UNKNOWN_ENTRY, Field, FieldDecoder, HuffmanTexts
from shadow.wire.http2_frames import BEGUN, LOST, Frame, FrameReader
from shadow.wire.http2_shape import (
    ACK,
    DATA,
    HEADERS,
    PREFACE,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    is_malformed,
)
from shadow.wire.listener import Link, Listener

_MAX_FRAME_SIZE = 5
"""The one setting that matters to a listener (RFC 9113 §6.5.2)."""


class Http2:
    """One connection's conversation over HTTP/2, in the sense of `shadow.wire.direction.Conversation`."""

    def __init__(
        self,
        link: Link,
        listener: Listener,
        limits: Limits | None = None,
        texts: HuffmanTexts | None = None,
        *,
        upgrade: tuple[int, Exchange] | None = None,
    ) -> None:
        """`texts` may be shared among connections. `upgrade` is the client's side, and the exchange that
        switched to HTTP/2, whose request is the first stream's (RFC 7540 §3.2)."""
        limits = limits or Limits()
        self._listener = listener
        self._max_head_bytes = limits.max_head_bytes
        self._texts = texts or HuffmanTexts()
        self._exchanges = Exchanges(link, listener, limits)
        is_whole = link.is_whole or upgrade is not None
        self._sides = (self._side(0, is_whole=is_whole), self._side(1, is_whole=is_whole))
        self._ended: set[int] = set()
        if upgrade is not None:
            self._exchanges.client = upgrade[0]
            self._exchanges.upgrade(upgrade[1])

    def take(self, side: int, payload: bytes, time: float, seq: int, ack: int) -> bool:  # noqa: ARG002
        one = self._sides[side]
        if one.greeting is not None:
            payload = self._greet(side, one.greeting + payload)
        one.is_silent = False
        self._read(side, one.reader.take(payload, time))
        if one.reader.passed_bytes:
            self._pass_over(side, one.reader)
        return True

    def skip(self, side: int, count: int, time: float) -> bool:
        one = self._sides[side]
        if one.greeting:
            one.greeting = b""
        one.is_silent = one.is_silent and not count
        self._exchanges.miss(side, count)
        self._read(side, one.reader.skip(count, time))
        return True

    def end(self, side: int, how: End) -> None:  # noqa: ARG002  # a stream says itself where it ends
        one = self._sides[side]
        self._read(side, one.reader.cut())
        self._exchanges.end(side)
        self._ended.add(side)
        if len(self._ended) == 2:
            self._exchanges.end_all()
            for each in self._sides:
                each.decoder.lose()
                self._weigh(each)

    def _side(self, side: int, *, is_whole: bool) -> "_Side":
        may_be = partial(self._exchanges.may_be, side)
        return _Side(
            FrameReader(self._max_head_bytes, may_be, is_lost=not is_whole), self._decoder(is_whole=is_whole)
        )

    def _decoder(self, *, is_whole: bool) -> FieldDecoder:
        return FieldDecoder(self._max_head_bytes, self._texts, is_whole=is_whole)

    def _greet(self, side: int, text: bytes) -> bytes:
        """What follows the client's preface in the first bytes of a side; all of them where there is none."""
        one, other = self._sides[side], self._sides[1 - side]
        if text.startswith(PREFACE):
            one.greeting = None
            self._exchanges.client = side
            one.reader.is_lost = False
            one.decoder = self._decoder(is_whole=True)
            if other.is_silent:  # no fields are sent before the preface
                other.decoder = self._decoder(is_whole=True)
            return text[len(PREFACE) :]
        if PREFACE.startswith(text):
            one.greeting = text
            return b""
        one.greeting = None
        return text

    def _read(self, side: int, frames: list[Frame]) -> None:
        exchanges = self._exchanges
        for kind, flags, number, payload, time in frames:
            if kind == DATA:
                exchanges.take_data(side, flags, number, payload, time)
            elif kind in (HEADERS, PUSH_PROMISE):
                if not self._take_block(side, (kind, flags, number, payload, time)):
                    return
            elif kind == BEGUN:
                exchanges.begin_request(side, number, time)
            elif kind == RST_STREAM:
                exchanges.reset(number)
            elif kind == LOST:
                self._sides[side].decoder.lose()
                self._weigh(self._sides[side])
                exchanges.lose(side)
            elif kind == SETTINGS and not flags & ACK and isinstance(payload, bytes):
                self._take_settings(side, payload)

    def _take_block(self, side: int, frame: Frame) -> bool:
        """Takes the field block of a request or an answer. False where the frame was none: a wrong guess."""
        kind, flags, number, block, time = frame
        one = self._sides[side]
        fields: list[Field] = []
        if isinstance(block, str):
            why = block
            one.decoder.lose()
        else:
            fields, why = one.decoder.decode(block)
        self._weigh(one)
        if one.reader.is_guessed and not isinstance(block, str) and _is_doubtful(fields, why):
            lost: list[Frame] = []
            one.reader.lose(lost, time)
            self._read(side, lost)
            return False
        self._exchanges.take_block(side, Block(kind, flags, number, fields, why, time, len(block)))
        return True

    def _take_settings(self, side: int, payload: bytes) -> None:
        """Table sizes are no concern here: an encoder says in its field blocks what it makes of them."""
        for at in range(0, len(payload) - 5, 6):
            if int.from_bytes(payload[at : at + 2]) == _MAX_FRAME_SIZE:
                self._sides[1 - side].reader.max_frame_bytes = int.from_bytes(payload[at + 2 : at + 6])

    def _weigh(self, one: "_Side") -> None:
        """Counts what the table of fields takes; where all keep too much, it is forgotten."""
        grown = one.decoder.table_bytes - one.counted_bytes
        if grown:
            one.counted_bytes += grown
            if not self._listener.keep(grown) and grown > 0:
                one.decoder.lose()
                self._listener.keep(-one.counted_bytes)
                one.counted_bytes = 0

    def _pass_over(self, side: int, reader: FrameReader) -> None:
        self._listener.passed(reader.passed_bytes)
        self._exchanges.miss(side, reader.passed_bytes)
        reader.passed_bytes = 0


class _Side:
    """What one side sends, and how far it was read."""

    __slots__ = ("counted_bytes", "decoder", "greeting", "is_silent", "reader")

    def __init__(self, reader: FrameReader, decoder: FieldDecoder) -> None:
        self.reader = reader
        self.decoder = decoder
        self.greeting: bytes | None = b""
        """What may become the client's preface; None once it is clear whether it does."""
        self.counted_bytes = 0
        self.is_silent = True
        """Nothing was heard of it, and no gap."""


def _is_doubtful(fields: list[Field], why: str) -> bool:
    return why not in ("", UNKNOWN_ENTRY) or is_malformed(fields)
