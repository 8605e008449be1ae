"""What taps that are connected to have in common: where they listen, and what is open."""

import asyncio
import gc
import resource
import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress

from shadow.errors import TapError
from shadow.model import authority

_BACKLOG = 1024


class Crowd[T]:
    """What is open at the moment."""

    def __init__(self) -> None:
        self._members: set[T] = set()
        self._is_empty = asyncio.Event()

    def __len__(self) -> int:
        return len(self._members)

    def __iter__(self) -> Iterator[T]:
        """Those of this moment, however many leave meanwhile."""
        return iter(tuple(self._members))

    def add(self, member: T) -> None:
        self._members.add(member)

    def leave(self, member: T) -> None:
        """`member` is not open any more; it may have been told before."""
        self._members.discard(member)
        if not self._members:
            self._is_empty.set()

    async def goes_empty(self, seconds: float) -> bool:
        """Wait until nothing is open, but no longer than this; whether it came so."""
        self._is_empty.clear()
        if self._members:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._is_empty.wait()
        return not self._members


async def listen(
    accept: Callable[[], asyncio.BaseProtocol], host: str, port: int, *, tls: ssl.SSLContext | None = None
) -> asyncio.Server:
    """A server that is bound and does not serve yet. Raises TapError where it cannot be.

    It raises this process's limit of open files as far as it may be: many systems give it 1024.
    """
    _raise_file_limit()
    try:
        return await asyncio.get_running_loop().create_server(
            accept, host, port, backlog=_BACKLOG, ssl=tls, start_serving=False
        )
    except OSError as error:
        where = authority(host, port)
        why = error.strerror or error
        raise TapError(f"cannot listen on {where!r}: {why}; choose another address with --listen") from error


async def serve(server: asyncio.Server, ready: Callable[[str, int], object], stop: asyncio.Event) -> None:
    """Lets clients in, tells `ready` the address, and lets no more in after `stop`.

    Meanwhile the garbage collector leaves alone what was imported: it runs often where connections are many.
    """
    await server.start_serving()
    gc.freeze()
    try:
        ready(*address_of(server))
        await stop.wait()
    finally:
        gc.unfreeze()
        server.close()


def address_of(server: asyncio.Server) -> tuple[str, int]:
    """Where clients reach it."""
    host, port = server.sockets[0].getsockname()[:2]
    return host, port


def _raise_file_limit() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
