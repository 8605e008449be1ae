"""One connection of a tap to the pipeline: frames out, acknowledgements in, and no long waits."""

import select
import socket
from pathlib import Path

from shadow.errors import FeedError
from shadow.feed.frames import Ack, Frame, FrameReader, encode
from shadow.model import Exchange

MAX_PATH_BYTES = 107  # sun_path has 108, of which one ends it
_CONNECT_SECONDS = 1.0  # a Unix connect waits only where the listener's backlog is full
_MAX_ACK_BYTES = 1024
_READ_BYTES = 1 << 16


class Link:
    """An open connection. Only the sender's thread touches it."""

    def __init__(self, sock: socket.socket) -> None:
        self.gone: str | None = None
        """Why nothing more can be sent; None while the connection lives."""
        self.put_count = 0
        """Exchanges given to `put`."""
        self.received_count = 0
        """Exchanges that the pipeline says it has received."""
        self._sock = sock
        self._out = bytearray()
        self._acks = FrameReader(max_frame_bytes=_MAX_ACK_BYTES)
        self._poll = select.poll()  # not select(), which cannot watch the 1025th file of a busy proxy

    @property
    def waiting_bytes(self) -> int:
        """What was put and the kernel has not yet taken."""
        return len(self._out)

    def put(self, frame: Frame) -> None:
        """Line up `frame`; `turn` writes it. Raises what `encode` raises, and then has changed nothing."""
        self._out += encode(frame)
        if isinstance(frame, Exchange):
            self.put_count += 1

    def turn(self, timeout_seconds: float) -> bool:
        """Whether the connection still lives, after writing and reading what is possible at once.

        Waits at most `timeout_seconds` for either.
        """
        self._poll.register(self._sock, select.POLLIN | (select.POLLOUT if self._out else 0))
        try:
            for _, events in self._poll.poll(timeout_seconds * 1000):
                if events & ~select.POLLOUT:
                    self._read()
                if events & select.POLLOUT:
                    self._write()
        except OSError as error:
            self.gone = self.gone or str(error)
        return self.gone is None

    def end(self) -> None:
        """Say that nothing more will come; the pipeline reads on to the end, then closes."""
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError as error:
            self.gone = str(error)

    def close(self) -> None:
        self._sock.close()

    def _write(self) -> None:
        try:
            sent = self._sock.send(self._out)
        except BlockingIOError:
            return
        del self._out[:sent]

    def _read(self) -> None:
        try:
            received = self._sock.recv(_READ_BYTES)
        except BlockingIOError:
            return
        if not received:
            self.gone = "the pipeline closed the connection"
        for frame in self._acks.feed(received):
            self._heed(frame)
        self.gone = self._acks.broken or self.gone

    def _heed(self, frame: Frame) -> None:
        if isinstance(frame, Ack) and self.received_count <= frame.received <= self.put_count:
            self.received_count = frame.received
        else:
            self.gone = f"the pipeline answered {frame!r} after {self.put_count} exchanges"


def connect(path: Path) -> Link | str:
    """A link to the pipeline that listens at `path`, or why there is none."""
    try:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    except OSError as error:  # no file descriptor is left: there may be one later
        return str(error)
    try:
        sock.settimeout(_CONNECT_SECONDS)
        sock.connect(str(path))
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        return str(error)
    return Link(sock)


def checked(path: Path) -> Path:
    """`path`, which a Unix socket can have. Raises FeedError where it is too long for the kernel."""
    length = len(bytes(path))
    if length > MAX_PATH_BYTES:
        raise FeedError(
            f"socket path of {length} bytes, the system allows {MAX_PATH_BYTES}: {str(path)!r}, "
            "choose a shorter folder"
        )
    return path
