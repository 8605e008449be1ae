"""Records and codes of DNS messages, in words."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.wire.dns_message import DnsMessage, Question, parse
from shadow.wire.dns_records import (
    Record,
    answered,
    answers,
    code_name,
    flag_names,
    opcode_name,
    type_name,
)
from tests.wire.test_wire_dns_message import message, name, parsed, question, record

HERE = b"\xc0\x0c"
"""The name of the question."""


def test_answers_are_read_with_names_that_go_on_in_the_question() -> None:
    alias, host = record(HERE, 5, b"\x03cdn\xc0\x10", 60), record(b"\x03cdn\xc0\x10", 1, b"\x01\x02\x03\x04")
    text = message(7, 0x8180, (question("www.a.org"),), (alias, host))
    assert answers(parsed(text), text) == [
        Record("www.a.org", "CNAME", 60, "cdn.a.org"),
        Record("cdn.a.org", "A", 300, "1.2.3.4"),
    ]
    assert list(answered(parsed(text), text)) == [Question("www.a.org", 5, 1), Question("cdn.a.org", 1, 1)]


@pytest.mark.parametrize("cut", [1, 4, 6, 14])
def test_records_before_a_broken_one_are_read(cut: int) -> None:
    whole = record(HERE, 1, b"\x01\x02\x03\x04")
    text = message(7, 0x8180, (question("a"),), (whole, whole[: len(whole) - cut]))
    assert [each.data for each in answers(parsed(text), text)] == ["1.2.3.4"]


def test_number_of_records_that_is_announced_costs_nothing() -> None:
    text = struct.pack("!HHHHHH", 1, 0x8000, 0, 65535, 65535, 65535)
    assert answers(parsed(text), text) == []
    assert code_name(parsed(text), text) == "NOERROR"


@pytest.mark.parametrize(
    ("flags", "extended", "code"),
    [(0x8183, None, "NXDOMAIN"), (0x8000, 1, "BADVERS"), (0x8007, 1, "BADCOOKIE"), (0x800D, None, "RCODE13")],
    ids=["plain", "extended", "both halves", "unknown"],
)
def test_code_is_put_together_of_both_halves(flags: int, extended: int | None, code: str) -> None:
    extra = () if extended is None else (record(b"\0", 41, b"", extended << 24),)
    text = message(7, flags, (question("a"),), additions=extra)
    assert code_name(parsed(text), text) == code


def test_names_of_types_operations_and_flags() -> None:
    assert [type_name(kind) for kind in (1, 65, 257, 255, 1234)] == ["A", "HTTPS", "CAA", "ANY", "TYPE1234"]
    assert opcode_name(parsed(message(flags=5 << 11))) == "UPDATE"
    assert opcode_name(parsed(message(flags=9 << 11))) == "OPCODE9"
    assert flag_names(parsed(message(flags=0x8780))) == ["aa", "tc", "rd", "ra"]
    assert flag_names(parsed(message(flags=0x0030))) == ["ad", "cd"]


@given(st.binary(max_size=300), st.booleans())
def test_random_bytes_never_raise(text: bytes, has_name: bool) -> None:
    text = message(answers=(name("a"), text)) if has_name else text
    found = parse(text)
    if isinstance(found, DnsMessage):
        assert len(answers(found, text)) <= len(text) // 11
        assert code_name(found, text)
