"""Messages are found in the bodies of gRPC, whatever these hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.wire.grpc import is_grpc_type, messages_in


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
    assert is_grpc_type(content_type) is expected


@given(st.lists(st.tuples(st.sampled_from([0, 1]), st.binary(max_size=300)), max_size=10))
def test_messages_come_out_as_they_went_in(said: list[tuple[int, bytes]]) -> None:
    body = b"".join(bytes([flag]) + len(text).to_bytes(4) + text for flag, text in said)
    found, is_whole = messages_in(body, float, is_from_client=True)
    assert is_whole
    assert [each.body for each in found] == [text for _, text in said]
    assert [each.kind for each in found] == ["compressed" if flag else "" for flag, _ in said]
    if found:
        assert found[-1].seen_at == len(body)


@given(st.binary(max_size=400))
def test_any_bytes_are_read_as_far_as_they_are_messages(body: bytes) -> None:
    found, is_whole = messages_in(body, float, is_from_client=False)
    read = sum(len(each.body) + 5 for each in found)
    assert read <= len(body)
    assert not is_whole or read == len(body)
