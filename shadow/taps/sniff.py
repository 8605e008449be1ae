"""The passive tap: frames of an interface, seen beside the traffic. Home of scapy, with `packets/craft.py`.

scapy finds the interface, compiles the filter and opens the socket; frames are taken from it as raw bytes,
for dissecting them with scapy would lose most of a busy interface's.
"""

# mypy: allow-untyped-calls
# (scapy's sockets have no types)

import ctypes
import logging
import os
import select
import socket
import struct
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import count
from types import MappingProxyType
from typing import Protocol

import msgspec

from shadow.errors import TapError
from shadow.model import Exchange, Settled
from shadow.taps.keylog import KeyLogFile, decryption
from shadow.taps.reasons import Reasons
from shadow.wire.extraction import Extraction
from shadow.wire.pcap import Record
from shadow.wire.protocols import Spoken
from shadow.wire.remarks import Remarks
from shadow.wire.succession import Decrypting

_MAX_FRAME_BYTES = 1 << 18
"""More than any frame that segmentation offload leaves whole."""
_RECEIVE_BUFFER_BYTES = 64 << 20
_POLL_MILLISECONDS = 100
_BATCH = 512
"""Frames between two looks at what has come of them."""
_LAST_SECONDS = 1.0
"""How long what still waits in the kernel is taken once the end has come."""
_MAX_LEFT = 1 << 20
"""Frames; more than the buffer holds."""
_LOOPBACK = 772  # ARPHRD_LOOPBACK of linux/if_arp.h
_OUTGOING = 4  # PACKET_OUTGOING of linux/if_packet.h
_SO_RCVBUFFORCE = 33
_SOL_PACKET, _PACKET_STATISTICS, _PACKET_IGNORE_OUTGOING = 263, 6, 23
_PR_SET_NO_NEW_PRIVS = 38
_LINUX_CAPABILITY_VERSION_3 = 0x20080522


class TakesSniffed(Protocol):
    """Where exchanges go, and who counts frames; the feed's sender is one."""

    def offer(self, exchange: Exchange) -> bool: ...

    def skip(self, why: str) -> None: ...

    def frames(self, taken: int, lost: int) -> None: ...


class SniffSettings(msgspec.Struct, frozen=True):
    """What is listened to."""

    interface: str
    ports: tuple[int, ...]
    """TCP ports of the live service; fragments and tunnels hide ports from the filter."""
    protocols: Mapping[int, Spoken] = MappingProxyType({})
    """What is spoken at other ports, which are listened to as well."""
    keylog: str = ""
    """The key log that the secrets of TLS connections are written to, now and later; empty for none."""


class Sniffer:
    """Listens from when it is made; needs CAP_NET_RAW then and never again. Whoever made it closes it."""

    def __init__(self, settings: SniffSettings) -> None:
        """Raises TapError where the interface cannot be listened to."""
        self.frame_count = 0
        self.lost_count = 0
        """Frames that the kernel dropped because they were not taken in time: its own figure; and those that
        it still held when time was over."""
        self._key_log = KeyLogFile(settings.keylog, is_growing=True) if settings.keylog else None
        try:
            self._socket, self._is_loopback = _listen(settings)
        except TapError:
            self._close_key_log()
            raise
        self._reasons = Reasons()
        self._link = _link_type(self._socket)
        indexes = count()
        self.decryption: Decrypting | None = decryption(self._key_log.keys) if self._key_log else None
        """None without a key log."""
        self._extraction = Extraction(
            "sniff",
            lambda _: next(indexes),
            ports=frozenset(settings.ports),
            protocols=settings.protocols,
            decryption=self.decryption,
        )

    def run(self, taker: TakesSniffed, stop: threading.Event) -> None:
        """Hand exchanges to `taker` until `stop`; then what is complete, and what was cut."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        while not stop.is_set():
            if poll.poll(_POLL_MILLISECONDS):
                self._take_batch()
            self._extraction.tick(time.time())
            self._hand_on(taker)
        ends_at = time.monotonic() + _LAST_SECONDS
        while self._take_batch() and time.monotonic() < ends_at:
            pass
        self.lost_count += _leave(self._socket)
        self._extraction.finish()
        self._count_lost()
        self._hand_on(taker)

    def remarks(self) -> Remarks:
        """What was passed over so far."""
        return self._extraction.remarks()

    def close(self) -> None:
        self._socket.close()
        self._close_key_log()

    def _close_key_log(self) -> None:
        if self._key_log is not None:
            self._key_log.close()

    def _take_batch(self) -> bool:
        """Take what waits, at most a batch of it; whether more may wait."""
        is_more = True
        records: list[Record] = []
        for _ in range(_BATCH):
            try:
                frame, (_, _, kind, *_) = self._socket.recvfrom(_MAX_FRAME_BYTES, socket.MSG_DONTWAIT)
            except BlockingIOError:
                is_more = False
                break
            except OSError:  # the interface went down, and may come up again
                is_more = False
                break
            if self._is_loopback and kind == _OUTGOING:
                continue  # the same frame comes in once more
            records.append((time.time(), self._link, frame))
        self.frame_count += len(records)
        self._extraction.take_all(records)
        self._count_lost()
        return is_more

    def _hand_on(self, taker: TakesSniffed) -> None:
        for item in self._extraction.found:
            if isinstance(item, Settled):
                for _ in range(item.count):
                    taker.skip(self._reasons.brief(item.why))
            else:
                taker.offer(item)
        self._extraction.found.clear()
        taker.frames(self.frame_count, self.lost_count)

    def _count_lost(self) -> None:
        """The kernel's counters are read, and set to zero by reading."""
        _, lost = struct.unpack("II", self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))
        self.lost_count += lost


def drop_privileges() -> None:
    """Give up every capability, for good, in this process and all that it starts. Raises TapError."""
    library = ctypes.CDLL(None, use_errno=True)
    header = struct.pack("Ii", _LINUX_CAPABILITY_VERSION_3, 0)
    nothing = struct.pack("6I", 0, 0, 0, 0, 0, 0)
    if library.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or library.capset(header, nothing):
        raise TapError(f"cannot give up privileges: {os.strerror(ctypes.get_errno())}")


def bpf(ports: Sequence[int], protocols: Mapping[int, Spoken] = MappingProxyType({})) -> str:
    """The filter expression: the ports, those of other `protocols`, and fragments, which name none; plain,
    and in a VLAN.

    After the word `vlan` every offset is that of a tagged frame, so it comes last (pcap-filter(7)).
    """
    spoken = (f"{'' if each == 'dns' else each + ' '}port {port}" for port, each in protocols.items())
    wanted = " or ".join((*(f"tcp port {port}" for port in ports), *spoken, "(ip[6:2] & 0x1fff != 0)"))
    return f"({wanted}) or (vlan and ({wanted}))"


def _listen(settings: SniffSettings) -> tuple[socket.socket, bool]:
    """The packet socket, and whether its interface is a loopback, which shows every frame twice."""
    if not sys.platform.startswith("linux"):
        raise TapError(
            f"sniffing needs Linux, this is {sys.platform!r}; record with tcpdump and replay the file"
        )
    names = [name for _, name in socket.if_nameindex()]
    if settings.interface not in names:
        raise TapError(f"no interface {settings.interface!r}; there are {', '.join(names)}")
    from scapy.arch.linux import L2ListenSocket  # noqa: PLC0415  # heavy, and GPL: for this command alone
    from scapy.error import Scapy_Exception  # noqa: PLC0415  # likewise

    logging.getLogger("scapy.runtime").setLevel(logging.ERROR)  # it cannot guess loopback's type: we can
    try:
        listener = L2ListenSocket(
            iface=settings.interface, filter=bpf(settings.ports, settings.protocols), promisc=True
        )
    except PermissionError as error:
        raise TapError(
            f"cannot listen to {settings.interface!r}: {error.strerror}; run as root or with CAP_NET_RAW"
        ) from error
    except (OSError, Scapy_Exception) as error:
        raise TapError(f"cannot listen to {settings.interface!r}: {error}") from error
    found: socket.socket = listener.ins.dup()  # scapy's own closes with the object around it
    listener.close()
    try:
        found.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BUFFER_BYTES)
    except PermissionError:  # without CAP_NET_ADMIN as much as the system allows everyone
        found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
    is_loopback = found.getsockname()[3] == _LOOPBACK
    if is_loopback:
        with suppress(OSError):  # kernels before 4.20 show both copies, and count both where they drop
            found.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
    _forget_what_came_before(found)
    return found, is_loopback


def _forget_what_came_before(listening: socket.socket) -> None:
    """Everything that arrived, and was dropped, before the filter and the large buffer were in place."""
    _leave(listening)
    listening.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)


def _leave(listening: socket.socket) -> int:
    """Empties the socket's buffer without looking; how many frames those were."""
    for count_ in range(_MAX_LEFT):
        try:
            listening.recv(1, socket.MSG_DONTWAIT | socket.MSG_TRUNC)
        except OSError:
            return count_
    return _MAX_LEFT


def _link_type(listening: socket.socket) -> int:
    """The link type, as in capture files, of the frames that the socket gives."""
    from scapy.data import ARPHRD_TO_DLT  # noqa: PLC0415  # heavy

    return int(ARPHRD_TO_DLT.get(listening.getsockname()[3], 1))
