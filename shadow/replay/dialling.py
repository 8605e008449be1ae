"""A connection to one of the addresses that the guard gave, for protocols of any kind."""

import asyncio
import os
import socket
import ssl
from collections.abc import Callable, Sequence

from shadow.replay.guard import Address

UNTRUSTED = "its TLS certificate is not trusted"


class Dialled(asyncio.Protocol):
    """What can be connected."""

    __slots__ = ()

    def abort(self) -> None:
        """Close at once."""
        raise NotImplementedError


async def dial[Spoken: Dialled](
    addresses: Sequence[Address],
    speak: Callable[[], Spoken],
    *,
    tls: ssl.SSLContext | None = None,
    host: str = "",
) -> Spoken:
    """What `speak` made, connected to the first of `addresses` that takes a connection.

    Raises OSError of the last that did not. The addresses are used as they are: nothing is resolved here. The
    caller sets the time limit.
    """
    return await dial_any(addresses, lambda _: speak(), tls=tls, host=host)


async def dial_any[Spoken: Dialled](
    addresses: Sequence[Address],
    speak: Callable[[socket.socket], Spoken],
    *,
    tls: ssl.SSLContext | None = None,
    host: str = "",
) -> Spoken:
    """As `dial`, where the socket is to be known; it belongs to the loop, and may only be looked at."""
    trouble: OSError = ConnectionRefusedError("no address to connect to")
    for address in addresses:
        try:
            return await _dial(address, speak, tls, host)
        except OSError as error:
            trouble = error
    raise trouble


async def _dial[Spoken: Dialled](
    address: Address, speak: Callable[[socket.socket], Spoken], tls: ssl.SSLContext | None, host: str
) -> Spoken:
    loop = asyncio.get_running_loop()
    sock = socket.socket(address.family, socket.SOCK_STREAM)
    inode = os.fstat(sock.fileno()).st_ino
    made: list[Spoken] = []

    def spoken() -> Spoken:
        made.append(speak(sock))
        return made[-1]

    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await loop.sock_connect(sock, (address.ip, address.port))
        server_hostname = host if tls else None
        await loop.create_connection(spoken, sock=sock, ssl=tls, server_hostname=server_hostname)
    except BaseException:
        for each in made:
            _forsake(each)
        _let_go(sock, inode)
        raise
    return made[0]


def why_refused(error: BaseException) -> str:
    """What to say of a connection that was not to be had."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"{UNTRUSTED} ({error.verify_message}): SSL_CERT_FILE can name a file of those to trust"
    return str(error) or type(error).__name__


def _forsake(spoken: Dialled) -> None:
    """Tell `spoken` that its connection is gone: uvloop does not, where it is cancelled while it is made."""
    spoken.abort()
    spoken.connection_lost(None)


def _let_go(sock: socket.socket, inode: int) -> None:
    """Close `sock`, unless its number stands for another file by now.

    uvloop closes the descriptor of a connection that is cancelled while it is made, and tells neither the
    socket nor the protocol.
    """
    try:
        is_ours = os.fstat(sock.fileno()).st_ino == inode
    except OSError:
        is_ours = False
    if is_ours:
        sock.close()
    else:
        sock.detach()
