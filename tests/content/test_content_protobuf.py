"""Protocol Buffers read without a schema."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.content.protobuf import FIXED32, FIXED64, LENGTH, VARINT, field_bytes, message_of, parse, varint
from shadow.model import Request

fields = st.one_of(
    st.tuples(st.integers(1, 1 << 28), st.just(VARINT), st.integers(0, (1 << 64) - 1).map(varint)),
    st.tuples(st.integers(1, 1 << 28), st.just(LENGTH), st.binary(max_size=20)),
    st.tuples(st.integers(1, 1 << 28), st.just(FIXED32), st.binary(min_size=4, max_size=4)),
    st.tuples(st.integers(1, 1 << 28), st.just(FIXED64), st.binary(min_size=8, max_size=8)),
)


@given(wanted=st.lists(fields, max_size=6))
def test_what_was_written_is_read(wanted: list[tuple[int, int, bytes]]) -> None:
    text = b"".join(field_bytes(*field) for field in wanted)
    read = parse(text)
    assert read is not None
    assert [(field.number, field.kind, text[field.content : field.end]) for field in read] == wanted


@given(text=st.binary(max_size=40))
def test_any_bytes_are_survived(text: bytes) -> None:
    read = parse(text)
    assert read is None or b"".join(text[field.start : field.end] for field in read) == text


@pytest.mark.parametrize(
    ("value", "pad", "expected"),
    [
        (0, 0, b"\x00"),
        (300, 0, b"\xac\x02"),
        (1, 2, b"\x81\x80\x00"),
        ((1 << 64) - 1, 0, b"\xff" * 9 + b"\x01"),
    ],
)
def test_varints(value: int, pad: int, expected: bytes) -> None:
    assert varint(value, pad) == expected


def test_a_grpc_frame_follows_its_message() -> None:
    text = field_bytes(1, LENGTH, b"x")
    framed = Request(
        b"POST",
        b"/",
        headers=((b"Content-Type", b"application/grpc-web+proto"),),
        body=b"\x00\x00\x00\x00\x03" + text,
    )
    message = message_of(framed)
    assert message is not None
    assert (message.text, message.body(text + text)) == (text, b"\x00\x00\x00\x00\x06" + text * 2)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (b"application/json", b"\x08\x01"),
        (b"application/x-protobuf", b""),
        (b"application/x-protobuf", b"\x08"),
        (b"application/x-protobuf", b"\x0b"),
        (b"application/grpc", b"\x00\x00\x00\x00\x09\x08\x01"),
        (b"application/grpc", b"\x01\x00\x00\x00\x02\x08\x01"),
    ],
    ids=["other-type", "empty", "cut", "group", "wrong-length", "compressed"],
)
def test_no_message(kind: bytes, body: bytes) -> None:
    assert message_of(Request(b"POST", b"/", headers=((b"Content-Type", kind),), body=body)) is None
