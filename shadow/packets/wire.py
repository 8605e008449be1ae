"""Where packets leave: a raw socket on the way to one target, opened once, as that needs a privilege."""

import socket
import struct
import time
from contextlib import suppress
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import NamedTuple

from shadow.errors import ConfigError, TargetError, UnsafeError
from shadow.replay.guard import Address, is_own_address

_IP = 0x0800
_LOOPBACK = "lo"
_ARP_TABLE = Path("/proc/net/arp")
_ROUTES = Path("/proc/net/route")
_ARP_SECONDS = 0.05


class Route(NamedTuple):
    """How a target is reached."""

    interface: str
    source: str
    """Our address there."""
    hardware: bytes
    """Of whoever is next on the way; zeros on loopback. Of IPv6 the system finds interface and neighbour."""


class PacketSocket:
    """Sends IP packets to one target, as they are. Whoever opened it closes it.

    To this machine itself they go by the system's own way out, for what comes in on loopback by another is
    taken for forged: there the system mends the total length and the checksum of the IP header. Packets of
    IPv6 go that way wherever they go, and nothing of them is mended.
    """

    def __init__(self, address: Address) -> None:
        """Raises ConfigError without the privilege, TargetError where there is no way to `address`."""
        self.address = address
        self.route = route_to(address)
        is_ip6 = address.family is socket.AF_INET6
        self.is_mended = self.route.interface == _LOOPBACK and not is_ip6
        """Whether the system sets length and checksum of IP headers itself."""
        self._to: tuple[object, ...] = (self.route.interface, _IP, 0, 1, self.route.hardware)
        try:
            if is_ip6:
                self._to = (address.ip, 0)
                self._socket = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW)
            elif self.is_mended:
                self._to = (address.ip, 0)
                self._socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
            else:
                self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM)
        except PermissionError as error:
            raise ConfigError(
                "cannot send raw packets: run as root or with CAP_NET_RAW, best in a network namespace"
            ) from error
        self._socket.setblocking(False)
        self.unsent = 0
        """Packets that the system did not take: too short for it, too long for the interface, too many."""

    def send(self, packet: bytes) -> bool:
        """Whether `packet` left."""
        try:
            self._socket.sendto(packet, self._to)
        except OSError:
            self.unsent += 1
            return False
        return True

    def close(self) -> None:
        self._socket.close()


def check_place(address: Address, *, allow: tuple[str, ...], is_namespaced: bool) -> None:
    """Raises UnsafeError where malformed packets must not be sent to `address`.

    Loopback and a namespace of one's own are safe: nobody else is there. All else must have been allowed by
    name; that it is, the guard has checked.
    """
    ip = ip_address(address.ip)
    if ip.is_multicast or ip == IPv4Address("255.255.255.255") or ip.is_unspecified:
        raise UnsafeError(f"malformed packets are not sent to {address.ip}, which is many: name one host")
    if not (ip.is_loopback or is_namespaced or allow):
        raise UnsafeError(
            "malformed packets are sent to loopback, within a network namespace, or to what --allow lists:"
            f" {address.ip} is none of these"
        )


def is_namespaced() -> bool:
    """Whether this process is in a network namespace made for it: a process above it is in another."""
    own = _namespace("self")
    seen = {"self"}
    above = _parent("self")
    while above not in seen and above not in ("", "0"):
        theirs = _namespace(above)
        if own and theirs and theirs != own:
            return True
        seen.add(above)
        above = _parent(above)
    return False


def _namespace(process: str) -> int:
    """The number of a process's network namespace; 0 where we may not look."""
    try:
        return Path(f"/proc/{process}/ns/net").stat().st_ino
    except OSError:
        return 0


def _parent(process: str) -> str:
    try:
        status = Path(f"/proc/{process}/status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return next((line.split()[1] for line in status.splitlines() if line.startswith("PPid:")), "")


def route_to(address: Address) -> Route:
    """How `address` is reached. Raises TargetError where it is not."""
    with socket.socket(address.family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((address.ip, address.port))
            source: str = probe.getsockname()[0]
            if is_own_address(ip_address(address.ip)):
                return Route(_LOOPBACK, source, bytes(6))
            if address.family is socket.AF_INET6:
                return Route("", source, b"")
            with suppress(OSError):
                probe.send(b"")  # has the system find its neighbour
        except OSError as error:
            raise TargetError(f"there is no way to {address.ip}: {error.strerror}") from error
    interface, gateway = _interface(address.ip)
    hardware = _neighbour(gateway or address.ip)
    if not hardware:
        raise TargetError(f"nobody answers for {gateway or address.ip} on {interface!r}: is the target up?")
    return Route(interface, source, hardware)


def _interface(ip: str) -> tuple[str, str]:
    """Interface and gateway (or none) of the most special route to `ip`."""
    number = int(IPv4Address(ip))
    best = (-1, "", "")
    for line in _ROUTES.read_text(encoding="ascii").splitlines()[1:]:
        name, network, gateway, _, _, _, _, mask, *_ = line.split()
        bits = _little(mask)
        if number & bits == _little(network) and bits.bit_count() > best[0]:
            way = _little(gateway)
            best = (bits.bit_count(), name, str(IPv4Address(way)) if way else "")
    if best[0] < 0:
        raise TargetError(f"there is no route to {ip}")
    return best[1], best[2]


def _little(text: str) -> int:
    """The number in the table's hexadecimal, which is in this machine's byte order."""
    return int.from_bytes(struct.pack("=I", int(text, 16)))


def _neighbour(ip: str) -> bytes:
    """The hardware address of a neighbour; empty where it is not known."""
    for _ in range(20):
        for line in _ARP_TABLE.read_text(encoding="ascii").splitlines()[1:]:
            fields = line.split()
            if fields[0] == ip and fields[3] != "00:00:00:00:00:00":
                return bytes.fromhex(fields[3].replace(":", ""))
        time.sleep(_ARP_SECONDS)
    return b""
