"""DNS messages: header, questions and names; and all that only looks like them."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.wire.dns_message import DnsMessage, Question, parse, read_name


def name(text: str) -> bytes:
    """A name without compression."""
    labels = [part.encode() for part in text.split(".") if part]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def question(text: str, kind: int = 1, group: int = 1) -> bytes:
    return name(text) + struct.pack("!HH", kind, group)


def record(text: bytes, kind: int, data: bytes, ttl: int = 300) -> bytes:
    """A record, its name given as it is on the wire."""
    return text + struct.pack("!HHIH", kind, 1, ttl, len(data)) + data


def message(
    ident: int = 7,
    flags: int = 0x0100,
    questions: tuple[bytes, ...] = (),
    answers: tuple[bytes, ...] = (),
    *,
    additions: tuple[bytes, ...] = (),
) -> bytes:
    head = struct.pack("!HHHHHH", ident, flags, len(questions), len(answers), 0, len(additions))
    return head + b"".join((*questions, *answers, *additions))


def parsed(text: bytes) -> DnsMessage:
    found = parse(text)
    assert isinstance(found, DnsMessage)
    return found


def test_header_and_question_are_read() -> None:
    found = parsed(message(4711, 0x2905, (question("www.Example.org", 28),)))
    assert (found.id, found.flags, found.opcode, found.is_answer) == (4711, 0x2905, 5, False)
    assert found.questions == (Question("www.Example.org", 28, 1),)
    assert found.records_at == 12 + len(question("www.Example.org"))


def test_bit_for_a_unicast_answer_is_no_part_of_the_class() -> None:
    assert parsed(message(questions=(question("a.local", group=0x8001),))).questions[0].group == 1


@pytest.mark.parametrize(
    ("wire", "text"),
    [
        (b"\0", "."),
        (b"\x03www\x07example\0", "www.example"),
        (b"\x03a.b\x01\\\0", "a\\.b.\\\\"),
        (b"\x04a b\xff\0", "a\\032b\\255"),
        (b"\x01_\x05_x-y_\0", "_._x-y_"),
    ],
    ids=["root", "plain", "dot in a label", "no letters", "underscores"],
)
def test_names_are_written_as_zone_files_have_them(wire: bytes, text: str) -> None:
    assert read_name(wire, 0) == (text, len(wire))


def test_name_may_go_on_elsewhere() -> None:
    wire = b"\x07example\x03org\0" + b"\x03www\xc0\x00" + b"\x01m\xc0\x0d"
    assert read_name(wire, 13) == ("www.example.org", 19)
    assert read_name(wire, 19) == ("m.www.example.org", 23)


@pytest.mark.parametrize(
    "wire",
    [
        b"",
        b"\x05abc",
        b"\x03abc",
        b"\xc0",
        b"\xc0\x00",
        b"\x01a\xc0\x00",
        b"\xc0\x02\xc0\x00",
        b"\x40" + bytes(70),
        b"\x3f" + b"a" * 63 + b"\xc0\x00",
        (b"\x3f" + b"a" * 63) * 4 + b"\0",
        b"".join(struct.pack("!H", 0xC000 | at) for at in range(2, 400, 2)) + b"\0",
    ],
    ids=[
        *("nothing", "cut label", "no end", "half a pointer", "points at itself", "loops with a label"),
        *("loops over two", "reserved label", "grows for ever", "too long", "chain of pointers"),
    ],
)
def test_what_is_no_name_is_not_read(wire: bytes) -> None:
    assert read_name(wire, 0) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"\0" * 11, "shorter"),
        (message(questions=(b"\x03ab",)), "question"),
        (message(questions=(question("a")[:-1],)), "question"),
        (message(questions=(question("a"),) * 257), "question"),
    ],
    ids=["short", "cut name", "cut question", "too many questions"],
)
def test_what_is_no_message_is_said_to_be_so(text: bytes, why: str) -> None:
    found = parse(text)
    assert isinstance(found, str)
    assert why in found


@given(st.binary(max_size=400))
def test_random_bytes_never_raise(text: bytes) -> None:
    found = parse(text)
    assert isinstance(found, str) or found.records_at <= len(text)
