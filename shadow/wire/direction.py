"""One direction of a TCP connection: how far it was read, and the segments that wait for missing bytes."""

from enum import Enum
from typing import Protocol

_MASK = 0xFFFF_FFFF
_HALF = 0x8000_0000


class End(Enum):
    """How a direction ended."""

    CLOSED = "closed"
    """FIN: everything was sent."""
    RESET = "reset"
    LOST = "lost"
    """The capture ended, or nothing was seen for long."""


class Conversation(Protocol):
    """Hears what both sides of one connection said. Side 0 is the one whose segment was seen first."""

    def take(self, side: int, payload: bytes, time: float, seq: int, ack: int) -> int:
        """The next bytes of `side`, with the sequence number of the first; time and ack are the last one's.

        False: it need hear no more. True: it hears what comes next. More than one: the next so many bytes
        begin nothing new, and may come late and in one piece.
        """
        ...

    def skip(self, side: int, count: int, time: float) -> int:
        """`count` bytes of `side` were not captured. False: it need hear no more."""
        ...

    def end(self, side: int, how: End) -> None: ...


class Direction:
    """What one side of a connection sends."""

    __slots__ = (
        "ack", "conversation", "fin", "hole_packets", "hole_time", "is_finished", "isn", "lacks", "next_seq",
        "peer", "position", "resumes_at", "side", "time", "waiting", "waiting_bytes", "withheld",
        "withheld_seq",
    )  # fmt: skip

    def __init__(self, side: int) -> None:
        self.side = side
        self.peer: Direction
        self.conversation: Conversation | None
        """None once nobody wants to hear more."""
        self.time = 0.0
        """When its last packet was seen."""
        self.isn: int | None = None
        self.next_seq: int | None = None
        self.position = 0
        """How many bytes were delivered or skipped: `next_seq` without wrapping around."""
        self.ack: int | None = None
        self.fin: int | None = None
        """The position at which the direction ends, once its FIN was seen."""
        self.is_finished = False
        self.resumes_at = -1
        """After a reset, the sequence number of the next byte that was not sent yet."""
        self.waiting: list[tuple[int, int, bytes, float, int, int]] = []
        """A heap: position, order of arrival, payload, time, ack, bytes lost after the payload."""
        self.waiting_bytes = 0
        self.hole_time = 0.0
        self.hole_packets = 0
        self.withheld: list[bytes] = []
        """In order, but not handed on yet: the conversation can do nothing before `lacks` more have come."""
        self.withheld_seq = 0
        self.lacks = 0

    def is_continued_by(self, seq: int) -> bool:
        """Whether a SYN numbered `seq` belongs to the connection that is known, not to a new one."""
        if self.isn is not None:
            return self.isn == seq
        if self.is_finished:
            return False
        if self.next_seq is None:
            return True
        return distance(seq, self.next_seq) - 1 == self.position


def distance(origin: int, seq: int) -> int:
    """How far `seq` is after `origin`, modulo 2^32; negative where it is before."""
    ahead = (seq - origin) & _MASK
    return ahead if ahead < _HALF else ahead - _MASK - 1
