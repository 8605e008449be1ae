"""What recorded clients sent to a service: the payloads that malformed packets are made of."""

import struct
from collections.abc import Iterable

from mutators._packet import Seed
from shadow.wire.link import network_layer
from shadow.wire.pcap import Record

SEEDS_MAX = 512
_PAYLOAD_BYTES_MAX = 1400
"""More would not fit into one packet of an ordinary network."""
_TCP, _UDP = 6, 17
_TAGS = frozenset({0x8100, 0x88A8})


def seeds_in(records: Iterable[Record], ports: frozenset[int]) -> list[Seed]:
    """What went to one of `ports` (where empty, to the lower of the two), each once, at most SEEDS_MAX."""
    found: dict[Seed, None] = {}
    for _, link, frame in records:
        try:
            seed = _seed(link, frame, ports)
        except (IndexError, struct.error):
            continue
        if seed is not None:
            found[seed] = None
        if len(found) >= SEEDS_MAX:
            break
    return list(found)


def made_up(scheme: str, host: str) -> list[Seed]:
    """What may be said where nothing was recorded."""
    if scheme in ("http", "https"):
        return [Seed("tcp", f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())]
    if scheme == "dns":
        return [Seed("dns", b"")]
    return [Seed("udp" if scheme == "udp" else "tcp", b"hello\n")]


def _seed(link: int, frame: bytes, ports: frozenset[int]) -> Seed | None:
    layer = network_layer(link, frame)
    while layer is not None and layer[0] in _TAGS:
        layer = int.from_bytes(frame[layer[1] + 2 : layer[1] + 4]), layer[1] + 4
    if layer is None:
        return None
    kind, at = layer
    if kind == 0x0800:
        end = at + int.from_bytes(frame[at + 2 : at + 4])
        is_fragment = bool(int.from_bytes(frame[at + 6 : at + 8]) & 0x3FFF)
        protocol, at = frame[at + 9], at + (frame[at] & 15) * 4
    elif kind == 0x86DD:
        end = at + 40 + int.from_bytes(frame[at + 4 : at + 6])
        protocol, at, is_fragment = frame[at + 6], at + 40, False
    else:
        return None
    if is_fragment or protocol not in (_TCP, _UDP):
        return None
    return _of_transport(protocol, frame[at:end], ports)


def _of_transport(protocol: int, segment: bytes, ports: frozenset[int]) -> Seed | None:
    source, destination = struct.unpack_from("!HH", segment)
    if destination not in ports and (ports or destination > source):
        return None
    if protocol == _TCP:
        payload = segment[(segment[12] >> 4) * 4 :]
        return Seed("tcp", payload[:_PAYLOAD_BYTES_MAX]) if payload else None
    return Seed("dns" if destination == 53 else "udp", segment[8 : 8 + _PAYLOAD_BYTES_MAX])
