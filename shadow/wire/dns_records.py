"""DNS messages in words: names of types and codes (IANA's), and records as zone files write them."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from shadow.wire.dns_data import data_text
from shadow.wire.dns_message import DnsMessage, Question, read_name

_TYPES = {
    1: "A", 2: "NS", 5: "CNAME", 6: "SOA", 10: "NULL", 11: "WKS", 12: "PTR", 13: "HINFO", 15: "MX", 16: "TXT",
    17: "RP", 18: "AFSDB", 24: "SIG", 25: "KEY", 28: "AAAA", 29: "LOC", 33: "SRV", 35: "NAPTR", 37: "CERT",
    39: "DNAME", 41: "OPT", 43: "DS", 44: "SSHFP", 45: "IPSECKEY", 46: "RRSIG", 47: "NSEC", 48: "DNSKEY",
    49: "DHCID", 50: "NSEC3", 51: "NSEC3PARAM", 52: "TLSA", 53: "SMIMEA", 55: "HIP", 59: "CDS", 60: "CDNSKEY",
    61: "OPENPGPKEY", 62: "CSYNC", 63: "ZONEMD", 64: "SVCB", 65: "HTTPS", 99: "SPF", 108: "EUI48",
    109: "EUI64", 249: "TKEY", 250: "TSIG", 251: "IXFR", 252: "AXFR", 255: "ANY", 256: "URI", 257: "CAA",
}  # fmt: skip
_OPCODES = {0: "QUERY", 1: "IQUERY", 2: "STATUS", 4: "NOTIFY", 5: "UPDATE", 6: "DSO"}
_CODES = (
    "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET",
    "NOTAUTH", "NOTZONE", "DSOTYPENI",
)  # fmt: skip
_MORE_CODES = {16: "BADVERS", 17: "BADKEY", 18: "BADTIME", 19: "BADMODE", 20: "BADNAME", 21: "BADALG"}
_MORE_CODES |= {22: "BADTRUNC", 23: "BADCOOKIE"}
_FLAGS = ((0x0400, "aa"), (0x0200, "tc"), (0x0100, "rd"), (0x0080, "ra"), (0x0020, "ad"), (0x0010, "cd"))
_OPT = 41


class Record(NamedTuple):
    """One record of an answer."""

    name: str
    type: str
    ttl: int
    """In seconds."""
    data: str
    """As a zone file has it; in hexadecimal where its type is not one of those known here."""


def type_name(kind: int) -> str:
    """``"AAAA"``; ``"TYPE123"`` (RFC 3597) where it has no name here."""
    return _TYPES.get(kind, f"TYPE{kind}")


def opcode_name(message: DnsMessage) -> str:
    return _OPCODES.get(message.opcode, f"OPCODE{message.opcode}")


def flag_names(message: DnsMessage) -> list[str]:
    """Those that are set, of ``"aa", "tc", "rd", "ra", "ad", "cd"``."""
    return [name for bit, name in _FLAGS if message.flags & bit]


def code_name(message: DnsMessage, text: bytes) -> str:
    """How the answer went, its extension in an OPT record (RFC 6891 §6.1.3) included."""
    code = message.flags & 15
    for kind, _, ttl, _ in _raw_records(message, text, sum(message.sections)):
        if kind == _OPT:
            code |= ttl >> 24 << 4
            break
    return _code_name(code)


def code_name_of(text: bytes) -> str:
    """How an answer went of which no more than its header can be read; empty where not even that can."""
    return _code_name(text[3] & 15) if len(text) >= 4 else ""


def _code_name(code: int) -> str:
    if code < len(_CODES):
        return _CODES[code]
    return _MORE_CODES.get(code, f"RCODE{code}")


def answers(message: DnsMessage, text: bytes) -> list[Record]:
    """The records of the answer section of `message`, which was read from `text`, up to a broken one."""
    return [
        Record(name, type_name(kind), ttl, data_text(kind, text, start, end))
        for kind, name, ttl, (start, end) in _raw_records(message, text, message.sections.answers)
    ]


def sections(message: DnsMessage, text: bytes) -> tuple[tuple[Record, ...], ...]:
    """The records of the answer, the authority and the additional section, up to a broken one."""
    read = [
        Record(name, type_name(kind), ttl, data_text(kind, text, start, end))
        for kind, name, ttl, (start, end) in _raw_records(message, text, sum(message.sections))
    ]
    found = []
    for count in message.sections:
        found.append(tuple(read[:count]))
        read = read[count:]
    return tuple(found)


def answered(message: DnsMessage, text: bytes) -> Iterator[Question]:
    """What the records of the answer section are answers to."""
    for kind, name, _, _ in _raw_records(message, text, message.sections.answers):
        yield Question(name, kind, 1)


def _raw_records(
    message: DnsMessage, text: bytes, count: int
) -> Iterator[tuple[int, str, int, tuple[int, int]]]:
    """Type, name, TTL, and where the data begins and ends, of the first `count` records."""
    at = message.records_at
    for _ in range(count):
        found = read_name(text, at)
        if found is None or found[1] + 10 > len(text):
            return
        name, at = found
        kind, _, ttl, size = struct.unpack_from("!HHIH", text, at)
        at += 10
        if at + size > len(text):
            return
        yield kind, name, ttl, (at, at + size)
        at += size
