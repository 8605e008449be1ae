"""The catalogue of packet mutators. Only `shadow packets`, and what lists them, imports it: see `_packet`."""

from mutators import (
    packet_fragments,
    packet_ip,
    packet_ip6,
    packet_tcp,
    packet_tcp_stream,
    packet_udp,
)
from mutators._packet import PacketMutator
from mutators.packet_dns import DNS_PACKETS

_MODULES = (
    packet_ip,
    packet_ip6,
    packet_fragments,
    packet_tcp,
    packet_tcp_stream,
    packet_udp,
)

PACKET_CATALOG: tuple[PacketMutator, ...] = (
    tuple(
        member
        for module in _MODULES
        for name, member in vars(module).items()
        if isinstance(member, PacketMutator) and member.name == name
    )
    + DNS_PACKETS
)
"""Every mutator of packets, in the order of the modules above; those of DNS last."""
