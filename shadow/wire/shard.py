"""A share of all connections: how several readers of one capture divide it among themselves."""

import struct
from collections.abc import Sequence

import msgspec

from shadow.wire.packet import ETHERNET
from shadow.wire.pcap import Record

_ENDS = struct.Struct("!12xHB5xHxB5xB3xBBBBB")
"""Of an Ethernet frame: type, version and header length, fragment, protocol; of the ends, the last bytes of
both addresses, and those of both ports."""


class Shard(msgspec.Struct, frozen=True):
    """Share `number` of `count`. Both directions of a connection fall into one share, by their ends."""

    number: int
    count: int

    def has(self, ends: bytes) -> bool:
        """Whether a flow is in this share; `ends` is the first part of its key."""
        size = (len(ends) - 4) // 2
        a, b, c, d = ends[-4:]
        return (ends[size - 1] ^ ends[2 * size - 1] ^ a ^ b ^ c ^ d) % self.count == self.number

    def has_datagrams(self, ends: bytes) -> bool:
        """The same of datagrams, by their ports alone: what is asked by multicast is answered by others."""
        a, b, c, d = ends[-4:]
        return (a ^ b ^ c ^ d) % self.count == self.number

    def of(self, records: Sequence[Record]) -> list[Record]:
        """The records that may be in this share: those that are plainly in another are left out."""
        number, count, unpack, least = self.number, self.count, _ENDS.unpack_from, _ENDS.size
        found = []
        for record in records:
            if record[1] == ETHERNET and len(record[2]) >= least:
                kind, version, fragment, protocol, one, other, a, b, c, d = unpack(record[2])
                if (
                    protocol == 6
                    and kind == 0x0800
                    and version == 0x45
                    and not fragment & 0x3FFF
                    and (one ^ other ^ a ^ b ^ c ^ d) % count != number
                ):
                    continue
            found.append(record)
        return found
