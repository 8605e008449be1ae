"""Messages are found in the bodies of gRPC, whatever these hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.model import Message
from shadow.taps.mitm_grpc import is_grpc, messages_in


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        (b"application/grpc", True),
        (b"Application/GRPC", True),
        (b"application/grpc+proto", True),
        (b"application/grpc;charset=utf-8", True),
        (b"application/grpc-web", False),
        (b"application/grpc-web+proto", False),
        (b"application/json", False),
        (b"", False),
    ],
)
def test_grpc_is_told_by_its_content_type(content_type: bytes, *, expected: bool) -> None:
    assert is_grpc(content_type) is expected


@given(st.lists(st.tuples(st.sampled_from([0, 1]), st.binary(max_size=300)), max_size=10))
def test_messages_come_out_as_they_went_in(said: list[tuple[int, bytes]]) -> None:
    body = b"".join(bytes([flag]) + len(text).to_bytes(4) + text for flag, text in said)
    found = list(messages_in(body, float, is_from_client=True))
    assert [each.body for each in found if each is not None] == [text for _, text in said]
    assert [each.kind for each in found if each is not None] == [
        "compressed" if flag else "" for flag, _ in said
    ]
    assert sum(len(each.body) + 5 for each in found if each is not None) == len(body)
    if found:
        assert isinstance(found[-1], Message)
        assert found[-1].seen_at == len(body)


@given(st.binary(max_size=400))
def test_any_bytes_are_read_to_their_end(body: bytes) -> None:
    found = list(messages_in(body, float, is_from_client=False))
    whole = [each for each in found if each is not None]
    assert len(found) - len(whole) <= 1
    read = sum(len(each.body) + 5 for each in whole)
    assert read <= len(body)
    assert (read == len(body)) is (len(found) == len(whole))
