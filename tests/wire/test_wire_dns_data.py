"""The data of records, in words and back to hexadecimal where there are none."""

import struct
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.wire.dns_data import data_text
from tests.wire.test_wire_dns_message import name

SVC = b"\0\x01" + name("svc.example")


def service(key: int, value: bytes) -> bytes:
    return struct.pack("!HH", key, len(value)) + value


@pytest.mark.parametrize(
    ("kind", "data", "text"),
    [
        (1, b"\x7f\0\0\x01", "127.0.0.1"),
        (28, ip_address("2001:db8::1").packed, "2001:db8::1"),
        (2, name("ns.example"), "ns.example"),
        (5, name("other.example"), "other.example"),
        (12, name("host.example"), "host.example"),
        (39, name("."), "."),
        (
            6,
            name("ns.a") + name("mail.a") + struct.pack("!5I", 1, 2, 3, 4, 2**32 - 1),
            "ns.a mail.a 1 2 3 4 4294967295",
        ),
        (15, b"\0\x0a" + name("mx.a"), "10 mx.a"),
        (33, struct.pack("!3H", 1, 2, 5060) + name("sip.a"), "1 2 5060 sip.a"),
        (16, b'\x05hello\x02"\\', '"hello" "\\"\\\\"'),
        (16, b"\x03\x00a\xff", '"\\000a\\255"'),
        (16, b"", ""),
        (257, b"\x80\x05issueca.example", '128 issue "ca.example"'),
        (65, b"\0\0" + name("alias.example"), "0 alias.example"),
        (
            64,
            SVC + service(1, b"\x02h2\x02h3") + service(3, b"\x20\xfb"),
            "1 svc.example alpn=h2,h3 port=8443",
        ),
        (65, SVC + service(4, b"\x01\x02\x03\x04" * 2), "1 svc.example ipv4hint=1.2.3.4,1.2.3.4"),
        (65, SVC + service(6, ip_address("::1").packed), "1 svc.example ipv6hint=::1"),
        (
            65,
            SVC + service(0, b"\0\x01\0\x63") + service(2, b""),
            "1 svc.example mandatory=alpn,key99 no-default-alpn",
        ),
        (
            65,
            SVC + service(5, b"\x01\x02") + service(99, b"\xab") + service(98, b""),
            "1 svc.example ech=AQI= key99=ab key98",
        ),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else "",
)
def test_data_is_written_as_zone_files_have_it(kind: int, data: bytes, text: str) -> None:
    assert data_text(kind, b"#" * 9 + data + b"#", 9, 9 + len(data)) == text


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (9999, b"\x01\x02"),
        (1, b"\x01\x02\x03"),
        (28, b"\x01\x02\x03\x04"),
        (2, name("ns.example") + b"more"),
        (5, b"\x09cut"),
        (6, name("ns.a") + name("mail.a") + b"\0" * 19),
        (15, b"\0"),
        (16, b"\x09cut"),
        (257, b"\0\x09cut"),
        (257, b"\0"),
        (257, b"\0\x02!!x"),
        (65, SVC + service(1, b"\x09h2")),
        (65, SVC + service(3, b"\x20")),
        (65, SVC + service(4, b"\x20")),
        (65, SVC + service(0, b"\x20")),
        (65, SVC + struct.pack("!HH", 1, 9)),
        (65, b"\0\x01\x09cut"),
    ],
)
def test_data_that_is_not_what_its_type_says_is_hexadecimal(kind: int, data: bytes) -> None:
    assert data_text(kind, data, 0, len(data)) == data.hex()


@given(
    kind=st.sampled_from([1, 2, 5, 6, 12, 15, 16, 28, 33, 39, 64, 65, 99, 257]), data=st.binary(max_size=80)
)
def test_random_data_never_raises(kind: int, data: bytes) -> None:
    assert isinstance(data_text(kind, b"\x01a\0" + data, 3, 3 + len(data)), str)
