"""DNS messages, member by member and as on the wire; mitmproxy's own is the witness."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.taps.flow_dns import packed, unpacked
from tests.fuzz.seeds import ANSWER, QUERY

MAIL = (
    b"\0\1\x84\0\0\1\0\2\0\0\0\0\7example\0\0\x0f\0\1"
    b"\xc0\x0c\0\x0f\0\1\0\0\0\x3c\0\7\0\x0a\2mx\xc0\x0c"
    b"\xc0\x0c\0\6\0\1\0\0\0\x3c\0\x1c\1a\xc0\x0c\1b\xc0\x0c" + b"\0\0\0\1" * 5
)


@pytest.mark.parametrize("text", [QUERY, ANSWER, MAIL], ids=["query", "answer", "mail"])
def test_members_are_as_mitmproxy_has_them(text: bytes) -> None:
    from mitmproxy.dns import DNSMessage

    state = unpacked(text, 5.0)
    assert state is not None
    seen = DNSMessage.unpack(text, 5.0).get_state()
    assert isinstance(seen, dict)
    names = [row["name"] for row in seen["questions"]]
    assert [row["name"] for row in state["questions"]] == names
    assert {key: state[key] for key in seen if not isinstance(seen[key], list)} == {
        key: value for key, value in seen.items() if not isinstance(value, list)
    }
    assert DNSMessage.unpack(packed(state), 5.0).get_state() == DNSMessage.from_state(state).get_state()


def test_names_in_records_are_whole() -> None:
    state = unpacked(MAIL, 5.0)
    assert state is not None
    mail, start = state["answers"]
    assert mail["data"] == b"\0\x0a\2mx\7example\0"
    assert start["data"] == b"\1a\7example\0\1b\7example\0" + b"\0\0\0\1" * 5


def test_query_without_compression_is_packed_as_it_was() -> None:
    state = unpacked(QUERY, 5.0)
    assert state is not None
    assert packed(state) == QUERY


@given(st.binary(max_size=80), st.integers(0, 80), st.booleans())
def test_no_bytes_raise(text: bytes, at: int, is_inserted: bool) -> None:
    if is_inserted:
        text = MAIL[:at] + text + MAIL[at:]
    state = unpacked(text, 5.0)
    assert state is None or len(packed(state)) >= 12


LONG = {"name": "x" * 64, "type": 1, "class_": 1}


@pytest.mark.parametrize(("member", "value"), [("id", 70_000), ("questions", [LONG]), ("answers", 5)])
def test_state_that_fits_no_message_is_told(member: str, value: object) -> None:
    state = unpacked(QUERY, 5.0)
    assert state is not None
    with pytest.raises((TypeError, ValueError)):
        packed({**state, member: value})
