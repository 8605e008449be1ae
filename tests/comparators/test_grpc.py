"""Answers to gRPC calls: status, trailers, and messages read without a schema."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comparators import compare
from shadow.content.protobuf import FIXED64, LENGTH, VARINT, field_bytes, varint
from shadow.model import Headers, Response

KIND = (b"content-type", b"application/grpc")
OK: Headers = ((b"grpc-status", b"0"),)


def number(at: int, value: int) -> bytes:
    return field_bytes(at, VARINT, varint(value))


def text(at: int, value: str | bytes) -> bytes:
    return field_bytes(at, LENGTH, value.encode() if isinstance(value, str) else value)


def framed(*messages: bytes, flag: int = 0) -> bytes:
    return b"".join(bytes([flag]) + len(each).to_bytes(4) + each for each in messages)


def answer(
    *messages: bytes, trailers: Headers = OK, headers: Headers = (), kind: tuple[bytes, bytes] = KIND
) -> Response:
    return Response(200, b"", b"HTTP/2", (kind, *headers), framed(*messages), trailers)


def told(left: Response, right: Response) -> list[tuple[str, str]]:
    return [(each.where, each.change.value) for each in compare(left, right)]


ITEM = number(1, 7) + text(2, "apple") + number(3, 120) + text(4, text(1, "Zürich") + number(2, 8001))


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        pytest.param(ITEM, [], id="the same"),
        pytest.param(text(2, "apple") + number(1, 7) + ITEM[9:], [], id="order of fields"),
        pytest.param(ITEM.replace(varint(120), varint(121)), [("body:$.f3", "value")], id="number"),
        pytest.param(ITEM.replace(b"apple", b"appla"), [("body:$.f2", "value")], id="text"),
        pytest.param(
            ITEM.replace(varint(8001), varint(8002)), [("body:$.f4.f2", "value")], id="inner number"
        ),
        pytest.param(ITEM + number(9, 1), [("body:$.f9", "value")], id="field that had its default"),
        pytest.param(ITEM + text(9, number(1, 1)), [("body:$.f9", "added")], id="message that was not there"),
        pytest.param(ITEM + number(3, 4), [("body:$.f3", "length")], id="field twice"),
        pytest.param(b"\xff\xff", [("body:$", "type")], id="no message"),
    ],
)
def test_messages_are_compared_field_by_field(other: bytes, expected: list[tuple[str, str]]) -> None:
    found = told(answer(ITEM), answer(other))
    assert found[: len(expected)] == expected or (expected and found[0][0].startswith("body:$"))
    assert bool(found) is bool(expected)


def test_stream_is_compared_message_by_message() -> None:
    one, two, three = (number(1, at) + text(2, f"name {at}") for at in (1, 2, 3))
    changed = number(1, 2) + text(2, "other")
    assert told(answer(one, two, three), answer(one, changed, three)) == [("body:$[1].f2", "value")]
    assert told(answer(one, two, three), answer(one, two)) == [("body:$", "length"), ("body:$[2]", "missing")]
    assert told(answer(one), answer()) == [("body", "missing")]


def test_entries_of_a_map_have_no_order() -> None:
    entries = [text(5, text(1, key) + number(2, at + 1)) for at, key in enumerate("abc")]
    assert told(answer(b"".join(entries)), answer(b"".join(reversed(entries)))) == []
    changed = text(5, text(1, "c") + number(2, 9))
    assert told(answer(b"".join(entries)), answer(changed + entries[0] + entries[1])) == [
        ("body:$.f5.c", "value")
    ]


def test_bytes_fixed_numbers_and_packed_ones_are_compared_as_they_are() -> None:
    left = field_bytes(1, FIXED64, bytes(8)) + text(2, b"\x00\x01\xff")
    right = field_bytes(1, FIXED64, bytes(7) + b"\1") + text(2, b"\x00\x01\xfe")
    assert told(answer(left), answer(right)) == [("body:$.f1", "value"), ("body:$.f2", "value")]


def test_compressed_message_is_the_message() -> None:
    headers = ((b"grpc-encoding", b"gzip"),)
    packed = Response(200, b"", b"HTTP/2", (KIND, *headers), framed(gzip.compress(ITEM), flag=1), OK)
    assert told(answer(ITEM), packed) == []
    other = framed(gzip.compress(ITEM.replace(b"apple", b"melon")), flag=1)
    assert told(packed, Response(200, b"", b"HTTP/2", (KIND, *headers), other, OK)) == [
        ("body:$.f2", "value")
    ]


def test_json_messages_are_json() -> None:
    kind = (b"content-type", b"application/grpc+json")
    left, right = b'{"a":1,"b":2}', b'{"b":2, "a":3}'
    assert told(answer(left, kind=kind), answer(right, kind=kind)) == [("body:$.a", "value")]


def test_body_that_ends_inside_a_message_is_none() -> None:
    cut = Response(200, b"", b"HTTP/2", (KIND,), framed(ITEM)[:-1], OK)
    assert told(answer(ITEM), cut) == [("body", "type")]


def test_status_of_a_call_is_the_answers() -> None:
    failed = answer(trailers=((b"grpc-status", b"5"), (b"grpc-message", b"gone")))
    assert [(each.where, each.left, each.right) for each in compare(answer(), failed)] == [
        ("status", "0 OK", "5 NOT_FOUND"),
        ("trailer:grpc-message", None, "gone"),
    ]


def test_trailers_alone_are_trailers() -> None:
    fields: Headers = ((b"grpc-status", b"5"), (b"grpc-message", b"gone"), (b"x-cost", b"1"))
    alone = Response(200, b"", b"HTTP/2", (KIND, *fields))
    assert told(answer(trailers=fields), alone) == []
    other = Response(200, b"", b"HTTP/2", (KIND, *fields[:2], (b"x-cost", b"2")))
    assert told(alone, other) == [("trailer:x-cost", "value")]


def test_call_that_was_cut_before_its_status_has_none() -> None:
    cut = Response(200, b"", b"HTTP/2", (KIND,), is_complete=False)
    assert "status" not in [where for where, _ in told(cut, answer())]


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_no_bodies_make_it_stumble(left: bytes, right: bytes) -> None:
    answers = [Response(200, headers=(KIND,), body=body) for body in (left, right)]
    assert bool(told(*answers)) <= (left != right)
    assert told(answer(left), answer(left)) == []
    told(answer(left), answer(right))


@given(
    st.recursive(
        st.binary(max_size=6),
        lambda inner: st.lists(inner, max_size=3).map(
            lambda parts: b"".join(text(at + 1, part) for at, part in enumerate(parts))
        ),
    )
)
def test_equal_messages_of_any_depth_do_not_differ_by_order(message: bytes) -> None:
    assert told(answer(text(1, message) + number(2, 1)), answer(number(2, 1) + text(1, message))) == []
