"""Protocol Buffers, gRPC-Web, MessagePack, CBOR, events and JSON lines."""

import json
from base64 import b64encode
from struct import pack
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import msgpack

from comparators import compare
from comparators._cbor import NoCborError, loads
from shadow.content.protobuf import FIXED32, FIXED64, LENGTH, VARINT, field_bytes, varint
from shadow.model import Headers, Response


def answer(kind: str, body: bytes, trailers: Headers = ()) -> Response:
    return Response(200, headers=((b"Content-Type", kind.encode()),), body=body, trailers=trailers)


def told(kind: str, left: bytes, right: bytes) -> list[str]:
    return [f"{each.where} {each.change}" for each in compare(answer(kind, left), answer(kind, right))]


def number(at: int, value: int) -> bytes:
    return field_bytes(at, VARINT, varint(value))


def text(at: int, value: str | bytes) -> bytes:
    return field_bytes(at, LENGTH, value.encode() if isinstance(value, str) else value)


def double(at: int, value: float) -> bytes:
    return field_bytes(at, FIXED64, pack("<d", value))


ITEM = number(1, 7) + text(2, "apple") + text(4, text(1, "Zürich") + number(2, 8001))


@pytest.mark.parametrize(
    "kind",
    [
        "application/x-protobuf",
        "application/protobuf",
        "application/vnd.google.protobuf",
        "application/a+proto",
    ],
)
@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        pytest.param(ITEM, text(2, "apple") + number(1, 7) + ITEM[9:], [], id="order of fields"),
        pytest.param(ITEM, ITEM.replace(b"apple", b"appla"), ["body:$.f2 value"], id="text"),
        pytest.param(ITEM, ITEM + number(9, 0), [], id="a default written out"),
        pytest.param(ITEM, ITEM + number(9, 1), ["body:$.f9 value"], id="no default any more"),
        pytest.param(ITEM, ITEM[9:] + number(1, 7), ["body:$.f2 value"], id="text gone"),
        pytest.param(ITEM, b"\xff", ["body type"], id="no message"),
        pytest.param(b"\xff", b"\xfe", ["body:$ value"], id="no messages"),
        pytest.param(double(1, 0.1 + 0.2), double(1, 0.3), [], id="rounding"),
        pytest.param(double(1, 12.34), double(1, 12.35), ["body:$.f1 value"], id="money"),
        pytest.param(
            field_bytes(1, FIXED32, pack("<I", 5)),
            field_bytes(1, FIXED32, pack("<I", 6)),
            ["body:$.f1 value"],
            id="fixed integer",
        ),
    ],
)
def test_messages_without_a_schema(kind: str, left: bytes, right: bytes, expected: list[str]) -> None:
    assert told(kind, left, right) == expected


def framed(*messages: bytes, trailers: bytes | None = b"grpc-status: 0\r\n") -> bytes:
    frames = [bytes(1) + len(each).to_bytes(4) + each for each in messages]
    return b"".join(
        [*frames, *([] if trailers is None else [b"\x80" + len(trailers).to_bytes(4) + trailers])]
    )


def in_text(body: bytes, cut: int = 7) -> bytes:
    return b64encode(body[:cut]) + b64encode(body[cut:])


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        pytest.param(framed(ITEM), framed(ITEM.replace(b"apple", b"appla")), ["body:$.f2 value"], id="text"),
        pytest.param(framed(ITEM), framed(ITEM, ITEM), ["body:$ length", "body:$[1] added"], id="one more"),
        pytest.param(
            framed(ITEM),
            framed(trailers=b"grpc-status:5\r\ngrpc-message:no\r\n"),
            ["status value"],
            id="status",
        ),
        pytest.param(framed(ITEM), framed(ITEM, trailers=None), ["status value"], id="no status"),
        pytest.param(
            framed(ITEM),
            framed(ITEM, trailers=b"GRPC-Status: 0\r\nX-A: 1\r\n"),
            ["trailer:x-a added"],
            id="trailer",
        ),
        pytest.param(framed(ITEM), b"<html>", ["status value", "body type"], id="no frames"),
    ],
)
def test_answers_of_grpc_web(left: bytes, right: bytes, expected: list[str]) -> None:
    found = told("application/grpc-web+proto", left, right)
    assert found[: len(expected)] == expected
    assert "grpc-status" not in " ".join(found)
    if right != b"<html>":
        assert told("application/grpc-web-text", in_text(left), in_text(right, 4)) == found


def test_the_details_of_a_call_that_failed_are_compared_as_messages() -> None:
    def failed(reason: str) -> Response:
        details = (
            number(1, 5)
            + text(2, "no")
            + text(3, text(1, "type.googleapis.com/x") + text(2, text(1, reason)))
        )
        packed = b64encode(details).rstrip(b"=")
        trailers = ((b"grpc-status", b"5"), (b"grpc-status-details-bin", packed))
        return answer("application/grpc", b"", trailers)

    assert compare(failed("GONE"), failed("GONE")) == ()
    (found,) = compare(failed("GONE"), failed("MOVED"))
    assert found.where == "trailer:grpc-status-details-bin<proto>.f3.f2.f1"
    assert (found.left, found.right) == ("GONE", "MOVED")


@pytest.mark.parametrize(
    ("hexadecimal", "value"),
    [
        ("00", 0),
        ("1818", 24),
        ("1bffffffffffffffff", 2**64 - 1),
        ("c249010000000000000000", 2**64),
        ("3863", -100),
        ("c349010000000000000000", -(2**64) - 1),
        ("f93c00", 1.0),
        ("fb3ff199999999999a", 1.1),
        ("fa47c35000", 100000.0),
        ("f4", False),
        ("f6", None),
        ("4401020304", "0x01020304"),
        ("62c3bc", "ü"),
        ("a3010203040506", {"1": 2, "3": 4, "5": 6}),
        ("8301820203820405", [1, [2, 3], [4, 5]]),
        ("9f018202039f0405ffff", [1, [2, 3], [4, 5]]),
        ("bf61610161629f0203ffff", {"a": 1, "b": [2, 3]}),
        ("7f657374726561646d696e67ff", "streaming"),
        ("c11a514b67b0", {"tag 1": 1363896240}),
    ],
)
def test_cbor_is_read_as_its_standard_has_it(hexadecimal: str, value: Any) -> None:
    assert loads(bytes.fromhex(hexadecimal)) == value


@pytest.mark.parametrize("body", ["", "18", "ff", "9bffffffffffffffff", "0000", "7f4101ff", "1c", "81" * 300])
def test_what_is_no_cbor_is_refused(body: str) -> None:
    with pytest.raises(NoCborError):
        loads(bytes.fromhex(body))


@pytest.mark.parametrize("kind", ["application/msgpack", "application/x-msgpack", "application/a+msgpack"])
def test_messagepack_is_compared_as_json_is(kind: str) -> None:
    value = {"id": 1, "b": [b"\x00", 1.5, None], "t": True}
    turned = dict(reversed(value.items()))
    assert told(kind, msgpack.encode(value), msgpack.encode(turned)) == []
    assert told(kind, msgpack.encode(value), msgpack.encode({**value, "id": 2})) == ["body:$.id value"]
    assert told(kind, msgpack.encode(value), msgpack.encode({**value, "t": 1})) == ["body:$.t type"]
    assert told(kind, msgpack.encode(value), msgpack.encode({**value, "b": [b"\x01", 1.5, None]})) == [
        "body:$.b[0] value"
    ]
    assert told(kind, msgpack.encode(value), b"\xc1") == ["body type"]
    assert told(kind, b"\xc1", b"\xc1\xc1") == ["body value"]
    assert told(kind, msgpack.encode({1: msgpack.Ext(5, b"a")}), msgpack.encode({1: 2})) == ["body:${1} type"]


def test_cbor_is_compared_as_json_is() -> None:
    left, right = bytes.fromhex("a2616101616202"), bytes.fromhex("a261621802616103")
    assert told("application/cbor", left, right) == ["body:$.a value"]
    assert told("application/problem+cbor", left, b"\xff") == ["body type"]


def event(*fields: str) -> str:
    return "\n".join(fields) + "\n\n"


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        pytest.param(event("event: message", "data: 1"), event("data:1"), [], id="the default's name"),
        pytest.param(event("data: {", "data: }"), event("data: {}"), [], id="data over lines"),
        pytest.param(
            event("data: 1"), event(": hi") + event("id: 7") + event("data: 1"), [], id="no data, no event"
        ),
        pytest.param(event("data: 1", "junk: 2"), event("data: 1"), [], id="unknown fields"),
        pytest.param(
            event("data: 1") + event("event: ping", "data: {}"), event("data: 1"), [], id="heartbeats"
        ),
        pytest.param(
            event("retry: 10", "data: 1"),
            event("retry: 20", "data: 1"),
            ["body:$[0].retry value"],
            id="retry",
        ),
        pytest.param(event("id: 1", "data: 1"), event("id: 2", "data: 1"), ["body:$[0].id value"], id="id"),
        pytest.param(
            event("event: a", "data: 1"), event("event: b", "data: 1"), ["body:$[0].event value"], id="name"
        ),
        pytest.param(
            event('data: {"a": [1]}'), event('data: {"a": [2]}'), ["body:$[0].data.a[0] value"], id="json"
        ),
        pytest.param(
            event("data: a") * 2, event("data: a"), ["body:$ length", "body:$[1] missing"], id="one less"
        ),
        pytest.param(event("data: true"), event("data: 1"), ["body:$[0].data type"], id="true is not one"),
    ],
)
def test_events_are_compared_as_clients_are_given_them(left: str, right: str, expected: list[str]) -> None:
    assert told("text/event-stream", left.encode(), right.encode()) == expected


@pytest.mark.parametrize(
    "kind", ["application/x-ndjson", "application/jsonl", "application/stream+json", "application/json-seq"]
)
def test_json_lines(kind: str) -> None:
    mark = "\x1e" if kind.endswith("seq") else ""

    def lines(*values: Any) -> bytes:
        return "".join(f"{mark}{json.dumps(each)}\n" for each in values).encode()

    assert told(kind, lines({"a": 1}, {"b": 1}), lines({"a": 1}, {"b": 2})) == ["body:$[1].b value"]
    assert told(kind, lines(2**70), lines(2**70 + 1)) == ["body:$[0] value"]
    assert told(kind, lines(1), lines(True)) == ["body:$[0] type"]
    assert told(kind, lines({"id": 1}, {"id": 2}), lines({"id": 1})) == ["body:$ length", "body:$[1] missing"]


_KINDS = st.sampled_from(
    [
        "application/x-protobuf",
        "application/grpc-web",
        "application/grpc-web-text",
        "application/grpc",
        "application/msgpack",
        "application/cbor",
        "text/event-stream",
        "application/x-ndjson",
    ]
)


@given(_KINDS, st.binary(max_size=60), st.binary(max_size=60))
def test_any_bytes_are_compared_alike_in_both_directions(kind: str, left: bytes, right: bytes) -> None:
    assert told(kind, left, left) == []
    assert (told(kind, left, right) == []) is (told(kind, right, left) == [])
