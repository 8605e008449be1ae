"""DNS in JSON lines: what people read beside the bytes."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shadow.model import Exchange, Message, Request
from shadow.taps.jsonl import decode, encode
from tests.wire.test_wire_dns_message import message, question, record

ASK = message(4711, 0x0120, (question("a.example", 28),))
REPLY = message(4711, 0x8183, (question("a.example", 28),), (record(b"\xc0\x0c", 5, b"\x01b\xc0\x0e", 60),))


def exchange(*bodies: bytes) -> Exchange:
    said = tuple(Message(at == 0, body, 1.0 + at) for at, body in enumerate(bodies))
    return Exchange(
        0, "pcap", "10.0.0.1:4000", 1.0, Request(b"", b"", b""), None, 1.0, "10.0.0.2:53", "dns", said
    )


def line(*bodies: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(encode(exchange(*bodies)))
    return found


def test_query_and_answer_are_described() -> None:
    found = line(ASK, REPLY)
    assert found["query"] == {
        "id": 4711,
        "name": "a.example",
        "type": "AAAA",
        "opcode": "QUERY",
        "flags": ["rd", "ad"],
    }
    assert found["answer"] == {
        "code": "NXDOMAIN",
        "flags": ["rd", "ra"],
        "answers": [{"name": "a.example", "type": "CNAME", "ttl": 60, "data": "b.example"}],
    }


def test_query_without_an_answer_or_a_question_is_described_as_far_as_it_goes() -> None:
    found = line(message(1, 0))
    assert found["query"] == {"id": 1, "name": "", "type": "", "opcode": "QUERY", "flags": []}
    assert "answer" not in found


@given(st.lists(st.binary(max_size=80), max_size=2))
def test_any_bytes_are_written_and_read_back(bodies: list[bytes]) -> None:
    one = exchange(*bodies)
    assert decode(encode(one)) == one
