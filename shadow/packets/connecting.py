"""A TCP connection to a target whose numbers we know, and on which the system says nothing of its own.

The system's socket asks for the connection; a filter then keeps everything from it that the target says, so
that it neither completes the connection nor resets it. What the target says is read beside it. One socket
serves all connections: to attach a filter may need a privilege, to connect again does not.
"""

import asyncio
import ctypes
import socket
import struct
from contextlib import suppress
from random import Random

import msgspec

from mutators._packet import Ends, Job, Seed, Stream
from shadow.errors import TargetError
from shadow.replay.guard import Address

_SO_ATTACH_FILTER = 26
_DROP_ALL = struct.pack("=HBBI", 0x06, 0, 0, 0)  # BPF: keep 0 bytes of every packet
_SYN, _RST, _ACK = 0x02, 0x04, 0x10
_TCP_BYTES, _IP4_BYTES = 20, 20
_NOWHERE = struct.pack("=H14x", socket.AF_UNSPEC)
"""An address; who connects to it is connected no more (connect(2))."""
_libc = ctypes.CDLL(None, use_errno=True)
_QUIET_SECONDS = 0.03
"""For which an answer is waited before a connection is given up."""


class Heard(msgspec.Struct, frozen=True):
    """What the target said in one segment."""

    seq: int
    ack: int
    flags: int


class SegmentSocket:
    """Reads the TCP segments that come from one target. Whoever opened it closes it."""

    def __init__(self, address: Address) -> None:
        """Raises OSError without the privilege."""
        self.address = address
        self._socket = socket.socket(address.family, socket.SOCK_RAW, socket.IPPROTO_TCP)
        self._socket.setblocking(False)

    async def next(self, port: int) -> Heard:
        """The next segment to our `port`; waits without limit."""
        loop = asyncio.get_running_loop()
        while True:
            found = self._read(await loop.sock_recv(self._socket, 65_535), port)
            if found is not None:
                return found

    def drain(self) -> None:
        """Forget what has come so far: it is of connections that are over."""
        with suppress(BlockingIOError):
            while True:
                self._socket.recv(65_535)

    def close(self) -> None:
        self._socket.close()

    def _read(self, packet: bytes, port: int) -> Heard | None:
        at = 0
        if self.address.family is socket.AF_INET:  # of IPv6 the system gives no header
            if len(packet) < _IP4_BYTES or packet[12:16] != socket.inet_aton(self.address.ip):
                return None
            at = (packet[0] & 15) * 4
        if len(packet) < at + _TCP_BYTES:
            return None
        source, target, seq, ack, _, flags = struct.unpack_from("!HHIIBB", packet, at)
        return Heard(seq, ack, flags) if (source, target) == (self.address.port, port) else None


class Connections:
    """Connections to one target, one after the other. Whoever opened it closes it."""

    def __init__(self, address: Address) -> None:
        """Raises OSError without the privilege, which is needed here and no longer."""
        self._address = address
        self._reader = SegmentSocket(address)
        self._socket = _deaf(address.family)
        self._port = 0

    async def open(self, timeout_seconds: float = 1.0) -> Stream:
        """The numbers of a connection that the target has answered, and that nobody has acknowledged yet.

        `end` it before the next. Raises TargetError where the target does not answer, or refuses.
        """
        self._reader.drain()
        place = f"{self._address.ip} port {self._address.port}"
        self._socket.connect_ex((self._address.ip, self._address.port))  # in progress is what it says
        self._port = self._socket.getsockname()[1]
        try:
            async with asyncio.timeout(timeout_seconds):
                heard = await self._reader.next(self._port)
                while heard.flags & (_SYN | _RST) == 0:
                    heard = await self._reader.next(self._port)
        except TimeoutError as error:
            raise TargetError(f"{place} does not answer") from error
        if heard.flags & _RST:
            raise TargetError(f"{place} takes no connection")
        return Stream(self._port, heard.ack, (heard.seq + 1) & 0xFFFF_FFFF)

    async def quiet(self, stream: Stream) -> Stream:
        """Wait until the target has said what it has to say; the connection with the number that the target
        expects next."""
        while True:
            try:
                async with asyncio.timeout(_QUIET_SECONDS):
                    heard = await self._reader.next(self._port)
            except TimeoutError:
                return stream
            if heard.flags & _RST:
                return stream
            stream = stream._replace(seq=heard.ack)

    def end(self) -> None:
        """Have the system forget the connection, without a word to the target."""
        _libc.connect(self._socket.fileno(), _NOWHERE, len(_NOWHERE))

    def close(self) -> None:
        self._socket.close()
        self._reader.close()


def plain(ends: Ends, stream: Stream, flags: str) -> bytes:
    """A segment without content in its place."""
    job = Job(Seed("tcp", b""), ends, Random(0), stream)
    return bytes(job.ip / job.segment(0, flags))


def _deaf(family: socket.AddressFamily) -> socket.socket:
    """A socket of TCP that hears nothing."""
    made = socket.socket(family, socket.SOCK_STREAM)
    program = ctypes.create_string_buffer(_DROP_ALL)
    made.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", 1, ctypes.addressof(program)))
    made.setblocking(False)
    return made
