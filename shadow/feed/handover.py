"""How a run and its worker processes talk: frames over a pair of sockets that both were born with.

A frame is a 4-byte big-endian length, then that many bytes: one byte for the kind, the rest its content.
Exchanges go as msgpack; all else is pickled, for both ends are one program, forked from one process, and only
they hold the sockets.
"""

import asyncio
import pickle
import socket
from collections.abc import Callable
from struct import Struct
from typing import Any, cast

import msgspec

from shadow.model import Exchange

_LENGTH = Struct(">I")
_EXCHANGES, _WORD = b"X", b"W"
_ENCODER = msgspec.msgpack.Encoder()


class Handing(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One exchange for a worker."""

    number: int
    """Counts what was handed out, over all workers."""
    is_held: bool
    """Whether it must wait for a `Release`."""
    exchange: Exchange
    due_at: float | None = None
    """When it was to leave, in monotonic seconds, the same in all processes; None without a schedule."""


class Release(msgspec.Struct, frozen=True):
    """These held exchanges may go on."""

    numbers: list[int]


class Wanted(msgspec.Struct, frozen=True):
    """Others wait for these exchanges: say at once when they were sent."""

    numbers: list[int]


class Stop(msgspec.Struct, frozen=True):
    """Begin nothing new, and end soon."""

    why: str


class Halt(msgspec.Struct, frozen=True):
    """Send nothing any more."""

    why: str


class Pause(msgspec.Struct, frozen=True):
    """Send nothing until the same is said with `is_over`."""

    is_over: bool = False


class EndPass(msgspec.Struct, frozen=True):
    """The same exchanges will come again: work off all, and forget what the next pass is to find out anew."""


class BeginPass(msgspec.Struct, frozen=True):
    """All workers are through with a pass: forget what others told of it since this one was."""


class End(msgspec.Struct, frozen=True):
    """No more exchanges will follow."""


_DECODER = msgspec.msgpack.Decoder(list[Handing])


class Handover(asyncio.Protocol):
    """One end: `hear` is given lists of `Handing`, and words; `gone` is called once the other has gone."""

    def __init__(self, hear: Callable[[Any], None], gone: Callable[[], None]) -> None:
        self._hear = hear
        self._gone = gone
        self._buffer = bytearray()
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)  # other loops have classes of their own

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        at, size = 0, len(self._buffer)
        frames = []
        while size - at >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer, at)
            start, end = at + _LENGTH.size, at + _LENGTH.size + length
            if end > size:
                break
            frames.append(bytes(memoryview(self._buffer)[start:end]))
            at = end
        del self._buffer[:at]
        for frame in frames:
            body = memoryview(frame)[1:]
            is_word = frame[:1] == _WORD
            self._hear(pickle.loads(body) if is_word else _DECODER.decode(body))  # noqa: S301  # our own process

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # the protocol's name
        self._gone()

    def hand(self, handings: list[Handing]) -> None:
        """Hand exchanges over."""
        self._write(_EXCHANGES, _ENCODER.encode(handings))

    def say(self, word: object) -> None:
        """Send a word."""
        self._write(_WORD, pickle.dumps(word, pickle.HIGHEST_PROTOCOL))

    def close(self) -> None:
        """Close once all is sent; `gone` is called then."""
        if self._transport is not None:
            self._transport.close()

    def _write(self, kind: bytes, body: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"".join((_LENGTH.pack(len(body) + 1), kind, body)))


async def join(sock: socket.socket, hear: Callable[[Any], None], gone: Callable[[], None]) -> Handover:
    """This process's end of the pair that `sock` is of."""
    loop = asyncio.get_running_loop()
    _, handover = await loop.create_unix_connection(lambda: Handover(hear, gone), sock=sock)
    return handover
