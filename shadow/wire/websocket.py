"""The messages of a WebSocket (RFC 6455), read beside the connection. It never refuses what peers may."""

import msgspec

from shadow.model import Exchange
from shadow.wire.direction import End
from shadow.wire.http1 import Limits
from shadow.wire.listener import Listener
from shadow.wire.transcript import Transcript
from shadow.wire.websocket_deflate import Inflater, inflaters
from shadow.wire.websocket_frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Frame,
    FrameReader,
)

_KINDS = {TEXT: "text", BINARY: "binary", CLOSE: "close", PING: "ping", PONG: "pong"}

_NOT_CAPTURED = "bytes of a WebSocket message were not captured"
_NOT_INFLATED = "a WebSocket message cannot be inflated, or what it refers to was not captured"
_NOT_AGREED = "a WebSocket message is compressed, which the handshake did not agree on"
_NOT_ENDED = "a WebSocket message begins inside another"
_NOT_BEGUN = "a WebSocket message goes on that never began"


class WebSocket:
    """One connection after its handshake, in the sense of `shadow.wire.direction.Conversation`.

    It is told as one exchange when it ends, or when its bounds are reached: the most that is kept of a body,
    for all messages together, and their number.
    """

    def __init__(self, client: int, handshake: Exchange, listener: Listener, limits: Limits) -> None:
        """`client` is the side that asked in the `handshake`."""
        self._client = client
        self._listener = listener
        index = listener.begin(handshake.seen_at + (handshake.latency_seconds or 0.0))
        exchange = msgspec.structs.replace(handshake, index=index, protocol="websocket")
        self._transcript = Transcript(exchange, listener, limits)
        headers = () if handshake.response is None else handshake.response.headers
        of_client, of_server = inflaters(headers) or (None, None)
        sides = (_Side(of_client, is_client=True), _Side(of_server, is_client=False))
        self._sides = sides if client == 0 else sides[::-1]

    def take(self, side: int, payload: bytes, time: float, seq: int, ack: int) -> bool:  # noqa: ARG002 - theirs
        speaker = self._sides[side]
        if speaker.is_lost:
            self._listener.passed(len(payload))
            return True
        self._transcript.hold(-speaker.counted_bytes)
        frames = speaker.reader.feed(payload)
        for at, frame in enumerate(frames):
            if not self._read(speaker, frame, time):
                return self._stop(sum(len(each.payload or b"") for each in frames[at:]))
        speaker.counted_bytes = speaker.held_bytes
        if not self._transcript.hold(speaker.counted_bytes):
            return self._stop(speaker.counted_bytes)
        return speaker.reader.error is None or self._lose(speaker)

    def skip(self, side: int, count: int, time: float) -> bool:
        speaker = self._sides[side]
        self._transcript.is_complete = False
        if speaker.is_lost:
            return True
        frame = speaker.reader.skip(count)
        if frame is not None:
            self._read(speaker, frame, time)
        return speaker.reader.error is None or self._lose(speaker)

    def end(self, side: int, how: End) -> None:  # noqa: ARG002  # an end is an end
        speaker = self._sides[side]
        speaker.has_ended = True
        if speaker.is_within:
            self._transcript.is_complete = False
        if all(each.has_ended for each in self._sides):
            self._transcript.tell()

    def _read(self, speaker: "_Side", frame: Frame, time: float) -> bool:
        """Reads a frame; False where there is no room for the message that it completes."""
        if frame.opcode >= CLOSE:
            if frame.payload is None:
                self._leave_out(_NOT_CAPTURED)
                return True
            return self._add(frame.opcode, frame.payload, time, speaker)
        if frame.opcode == CONTINUATION:
            if not speaker.opcode:
                self._leave_out(_NOT_BEGUN)
                return True
        elif speaker.opcode:
            self._leave_out(_NOT_ENDED)
            speaker.give_up()
        body = speaker.assembled(frame)
        if body is None:
            return True
        opcode, is_compressed = speaker.opcode, speaker.is_compressed
        speaker.reset()
        if isinstance(body, str):
            self._leave_out(body)
            return True
        if is_compressed:
            inflated = speaker.inflated(body, self._transcript.room_bytes)
            if isinstance(inflated, str):
                self._leave_out(inflated)
                return True
            body = inflated
        return self._add(opcode, body, time, speaker)

    def _add(self, opcode: int, body: bytes, time: float, speaker: "_Side") -> bool:
        return self._transcript.add(body, time, _KINDS[opcode], is_from_client=speaker.is_client)

    def _leave_out(self, why: str) -> None:
        self._transcript.is_complete = False
        self._listener.unread(why)

    def _lose(self, speaker: "_Side") -> bool:
        """Where this side's next frame begins is not known; whether the other's still is."""
        speaker.is_lost = True
        self._transcript.is_complete = False
        self._listener.unread(speaker.reader.error or "")
        self._listener.passed(speaker.reader.unread_bytes)
        if not all(each.is_lost for each in self._sides):
            return True
        self._transcript.tell()
        return False

    def _stop(self, count: int) -> bool:
        """The bounds are reached: the conversation ends here; `count` more bytes were not kept."""
        self._transcript.is_complete = False
        self._listener.passed(count)
        self._transcript.tell()
        return False


class _Side:
    """What one side says."""

    def __init__(self, inflater: Inflater | None, *, is_client: bool) -> None:
        self.is_client = is_client
        self.reader = FrameReader()
        self.counted_bytes = 0
        """How many of the bytes held are counted in the transcript."""
        self.is_lost = False
        self.has_ended = False
        self.opcode = 0
        """Of the message whose fragments are being read; 0 where none is."""
        self.is_compressed = False
        self._inflater = inflater
        self._fragments = bytearray()
        self._has_gap = False

    @property
    def held_bytes(self) -> int:
        return self.reader.held_bytes + len(self._fragments)

    @property
    def is_within(self) -> bool:
        """Whether a message has begun and is not complete."""
        return bool(self.opcode) or self.reader.is_within

    def assembled(self, frame: Frame) -> bytes | str | None:
        """The message that the data frame `frame` completes, or why it is none; None where it goes on."""
        if frame.opcode != CONTINUATION:
            self.opcode, self.is_compressed = frame.opcode, frame.is_compressed
            if frame.is_final and frame.payload is not None:
                return frame.payload
        if frame.payload is None:
            self._has_gap = True
            self._fragments.clear()
        elif not self._has_gap:
            self._fragments += frame.payload
        if not frame.is_final:
            return None
        if self._has_gap:
            self._miss()
            return _NOT_CAPTURED
        return bytes(self._fragments)

    def inflated(self, body: bytes, max_bytes: int) -> bytes | str:
        """What the compressed message `body` says, or why that is not known."""
        if self._inflater is None:
            return _NOT_AGREED
        inflated = self._inflater.inflate(body, max_bytes)
        return _NOT_INFLATED if inflated is None else inflated

    def give_up(self) -> None:
        """The message that is being read goes on no more."""
        self._miss()
        self.reset()

    def reset(self) -> None:
        """The next data frame begins a message."""
        self.opcode = 0
        self.is_compressed = self._has_gap = False
        self._fragments.clear()

    def _miss(self) -> None:
        if self.is_compressed and self._inflater is not None:
            self._inflater.miss()
