"""A connection to one of the addresses that the guard gave, for protocols of any kind."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence

from shadow.replay.guard import Address


async def dial[Spoken: asyncio.Protocol](
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
    trouble: OSError = ConnectionRefusedError("no address to connect to")
    for address in addresses:
        try:
            return await _dial(address, speak, tls, host)
        except OSError as error:
            trouble = error
    raise trouble


async def _dial[Spoken: asyncio.Protocol](
    address: Address, speak: Callable[[], Spoken], tls: ssl.SSLContext | None, host: str
) -> Spoken:
    loop = asyncio.get_running_loop()
    sock = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await loop.sock_connect(sock, (address.ip, address.port))
        server_hostname = host if tls else None
        _, spoken = await loop.create_connection(speak, sock=sock, ssl=tls, server_hostname=server_hostname)
    except BaseException:
        sock.close()
        raise
    return spoken
