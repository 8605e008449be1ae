"""A share of all connections: how several readers of one capture divide it among themselves."""

import struct
from collections.abc import Sequence

import msgspec

from shadow.wire.packet import ETHERNET
from shadow.wire.pcap import Record

_PORTS = struct.Struct("!12xHB5xHxB10xBBBB")
"""Of an Ethernet frame: type, version and header length, fragment, protocol, each byte of both ports."""


class Shard(msgspec.Struct, frozen=True):
    """Share `number` of `count`. Both directions of a connection fall into one share, by their ports."""

    number: int
    count: int

    def has(self, ports: bytes) -> bool:
        """Whether a flow between these ports, two bytes each, is in this share."""
        return (ports[0] ^ ports[1] ^ ports[2] ^ ports[3]) % self.count == self.number

    def of(self, records: Sequence[Record]) -> list[Record]:
        """The records that may be in this share: those that are plainly in another are left out."""
        number, count, unpack, least = self.number, self.count, _PORTS.unpack_from, _PORTS.size
        found = []
        for record in records:
            if record[1] == ETHERNET and len(record[2]) >= least:
                kind, version, fragment, protocol, a, b, c, d = unpack(record[2])
                if (
                    protocol == 6
                    and kind == 0x0800
                    and version == 0x45
                    and not fragment & 0x3FFF
                    and (a ^ b ^ c ^ d) % count != number
                ):
                    continue
            found.append(record)
        return found
