"""The pipeline's end of the feed: a Unix socket at which taps come and go, always read, never held up."""

import asyncio
import logging
import os
import socket
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import msgspec

from shadow.errors import FeedError
from shadow.feed.frames import VERSION, Ack, Bye, FrameReader, Hello, Ledger, encode
from shadow.feed.link import checked
from shadow.model import Exchange

_BACKLOG = 16
_OPEN_TO_OTHERS = stat.S_IWGRP | stat.S_IWOTH

_log = logging.getLogger(__name__)


class Gone(msgspec.Struct, frozen=True):
    """A tap's connection ended: in order, or for a reason."""

    tap: str
    """Empty where it never said its name."""
    is_in_order: bool
    why: str = ""


def _ignore(*_: object) -> None:
    pass


class Listener(msgspec.Struct, frozen=True):
    """Whom the receiver tells. Called in the event loop, in the order of arrival; none may block or raise."""

    on_exchange: Callable[[Exchange], object]
    """Takes it or drops it and counts, at once; what it returns is not looked at."""
    on_ledger: Callable[[Hello, Ledger], object] = _ignore
    on_hello: Callable[[Hello], object] = _ignore
    on_gone: Callable[[Gone], object] = _ignore


async def receive(
    path: Path, listener: Listener, *, stop: asyncio.Event, ready: Callable[[], object] = _ignore
) -> None:
    """Serve taps at `path` until `stop`. Raises FeedError where it cannot listen there."""
    async with receiving(path, listener):
        ready()
        await stop.wait()


@asynccontextmanager
async def receiving(path: Path, listener: Listener) -> AsyncIterator[None]:
    """Taps are served at `path` inside, and cut off after. Raises FeedError where it cannot listen there."""
    listening, inode = _listen(checked(path))
    connections: set[_Connection] = set()
    loop = asyncio.get_running_loop()
    try:
        server = await loop.create_unix_server(
            lambda: _Connection(listener, connections), sock=listening, backlog=_BACKLOG
        )
        try:
            yield
        finally:
            server.close()
            for connection in tuple(connections):
                connection.abort()
            await asyncio.sleep(0)  # an aborted connection is let go in the loop's next round
    finally:
        listening.close()
        _remove(path, inode)


class _Connection(asyncio.Protocol):
    """One tap's connection."""

    def __init__(self, listener: Listener, connections: "set[_Connection]") -> None:
        self._listener = listener
        self._connections = connections
        self._reader = FrameReader()
        self._hello: Hello | None = None
        self._received = 0
        self._bye: Bye | None = None
        self._broken = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # which uvloop's does not inherit from
        self._connections.add(self)

    def data_received(self, data: bytes) -> None:
        received_before = self._received
        for frame in self._reader.feed(data):
            self._hear(frame)
            if self._broken:
                break
        if self._received > received_before:
            self._transport.write(encode(Ack(self._received)))
        self._broken = self._broken or self._reader.broken or ""
        if self._broken:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        why = self._broken or (str(exc) if exc else "")
        is_in_order = self._bye is not None and not self._broken  # what follows a Bye is no loss
        name = self._hello.tap if self._hello else ""
        if not is_in_order:
            _log.warning("lost tap %r: %s", name, why or "it left without a word")
        self._listener.on_gone(Gone(name, is_in_order, why))

    def abort(self) -> None:
        self._transport.abort()

    def _hear(self, frame: object) -> None:
        match frame:
            case Hello():
                self._greet(frame)
            case _ if self._hello is None:
                self._broken = f"began with {type(frame).__name__}, not with Hello"
            case Exchange():
                self._received += 1
                self._listener.on_exchange(frame)
            case Ledger():
                self._listener.on_ledger(self._hello, frame)
            case Bye():
                self._bye = frame
            case _:
                self._broken = f"sent {type(frame).__name__}, which only the pipeline sends"

    def _greet(self, hello: Hello) -> None:
        if hello.version != VERSION:
            self._broken = f"speaks version {hello.version} of the feed, this is {VERSION}"
            return
        self._hello = hello
        self._listener.on_hello(hello)


def _listen(path: Path) -> tuple[socket.socket, int]:
    """A socket bound to `path`, mode 0600, in a folder that nobody else may write to, and its inode."""
    _prepare_folder(path)
    _make_way(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # The mode must hold from the first moment on: chmod alone would leave a gap.
    mask = os.umask(0o177)
    try:
        sock.bind(str(path))
    except OSError as error:
        sock.close()
        raise FeedError(f"cannot listen at {str(path)!r}: {error.strerror}, choose another path") from error
    finally:
        os.umask(mask)
    return sock, path.lstat().st_ino


def _prepare_folder(path: Path) -> None:
    folder = path.parent
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = folder.stat().st_mode
    except OSError as error:
        raise FeedError(f"cannot use the folder {str(folder)!r}: {error.strerror}, choose another") from error
    if mode & _OPEN_TO_OTHERS:
        raise FeedError(
            f"others may write to {str(folder)!r}, so the feed is not safe there; use a folder of mode 0700"
        )


def _make_way(path: Path) -> None:
    """Remove the socket that a dead pipeline left at `path`; nothing else is ever removed."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise FeedError(f"{str(path)!r} exists and is no socket, choose another path")
    if _is_served(path):
        raise FeedError(f"another pipeline listens at {str(path)!r}, stop it or choose another path")
    path.unlink(missing_ok=True)


def _is_served(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.setblocking(False)
        try:
            sock.connect(str(path))
        except BlockingIOError:  # its backlog is full: busy, but alive
            return True
        except OSError:
            return False
        return True


def _remove(path: Path, inode: int) -> None:
    """Remove our own socket, and not that of a successor."""
    try:
        if path.lstat().st_ino == inode:
            path.unlink()
    except FileNotFoundError:
        pass
