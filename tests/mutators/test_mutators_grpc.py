"""Mutators of gRPC calls: the rule that each breaks, or keeps, checked on its bytes."""

import zlib
from random import Random
from struct import unpack_from

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mutators import CATALOG, dice
from mutators._grpc import body_of, call_of
from shadow.content.protobuf import LENGTH, VARINT, field_bytes, message_of, parse, varint
from shadow.model import Edit, Exchange, Known, Request, field
from tests.mutators.http2_judge import GRPC, grpc_requests

BY_NAME = {one.name: one for one in CATALOG}
APPLE = field_bytes(1, VARINT, varint(1)) + field_bytes(2, LENGTH, b"apple")


def call(
    *messages: bytes, target: bytes = b"/shop.Shop/Get", lines: tuple[tuple[bytes, bytes], ...] = ()
) -> Request:
    body = b"".join(b"\0" + len(each).to_bytes(4) + each for each in messages)
    headers = ((b"Host", b"h"), GRPC, (b"te", b"trailers"), *lines, (b"Content-Length", b"%d" % len(body)))
    return Request(b"POST", target, b"HTTP/1.1", headers, body)


def edits(name: str, request: Request, known: Known | None = None) -> list[Edit]:
    """All that some dice make."""
    made = [BY_NAME[name](request, dice(0, at, name), known or Known()) for at in range(30)]
    return [each for each in made if each is not None]


def read(body: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """Flag and text of each whole message, and what is left."""
    found = []
    while len(body) >= 5:
        flag, length = unpack_from(">BI", body)
        if len(body) < 5 + length:
            break
        found.append((flag, body[5 : 5 + length]))
        body = body[5 + length :]
    return found, body


def coding(edit: Edit) -> bytes | None:
    return field(edit.request.headers, b"grpc-encoding")


@given(grpc_requests())
def test_call_is_taken_apart_and_put_together_again(request_: Request) -> None:
    found = call_of(request_)
    assert found is not None
    assert body_of(found.messages) == request_.body


@pytest.mark.parametrize("body", [b"\0", b"\0\0\0\0\5abc", b"\2\0\0\0\0"], ids=("prefix", "cut", "flag"))
def test_body_that_is_not_all_messages_is_left_alone(body: bytes) -> None:
    request = Request(b"POST", b"/s/M", headers=((b"Host", b"h"), GRPC), body=body)
    assert call_of(request) is None


@pytest.mark.parametrize(
    "name",
    ["compressed_flag_without_coding", "unknown_message_flag", "unknown_grpc_encoding"],
)
def test_flag_is_not_what_the_coding_says(name: str) -> None:
    for edit in edits(name, call(APPLE, APPLE)):
        messages, rest = read(edit.request.body)
        assert not rest
        flags = {flag for flag, _ in messages}
        match name:
            case "compressed_flag_without_coding":
                assert flags == {0, 1}
                assert coding(edit) is None
            case "unknown_message_flag":
                assert max(flags) > 1
            case _:
                assert 1 in flags
                assert coding(edit) not in (None, b"identity", b"gzip", b"deflate")


@pytest.mark.parametrize(
    "name",
    ["too_long_message_length", "too_short_message_length", "cut_grpc_message", "stray_bytes_after_message"],
)
def test_lengths_do_not_add_up(name: str) -> None:
    found = edits(name, call(APPLE))
    assert found
    for edit in found:
        messages, rest = read(edit.request.body)
        assert rest or messages != [(0, APPLE)]
        assert field(edit.request.headers, b"content-length") == b"%d" % len(edit.request.body)


@pytest.mark.parametrize(
    ("name", "counts"),
    [("repeat_grpc_message", {3, 52}), ("drop_grpc_messages", {0, 1}), ("reorder_grpc_messages", {2})],
)
def test_messages_stay_whole_and_their_number_is_told(name: str, counts: set[int]) -> None:
    for edit in edits(name, call(APPLE, b"\x08\x02")):
        messages, rest = read(edit.request.body)
        assert not rest
        assert {text for _, text in messages} <= {APPLE, b"\x08\x02"}
        assert len(messages) in counts


def test_compressed_messages_unpack_to_what_they_were() -> None:
    (edit, *_) = edits("compress_grpc_messages", call(APPLE, b""))
    messages, rest = read(edit.request.body)
    assert not rest
    assert [(flag, zlib.decompress(text, 31)) for flag, text in messages] == [(1, APPLE), (1, b"")]
    assert coding(edit) == b"gzip"


def test_bomb_is_small_on_the_wire_and_large_when_it_is_unpacked() -> None:
    (edit, *_) = edits("grpc_compression_bomb", call(APPLE))
    ((flag, text),) = read(edit.request.body)[0]
    assert flag == 1
    assert len(text) < 50_000
    assert len(zlib.decompress(text, 31)) == 16 << 20


def test_unknown_method_is_one_of_another_name() -> None:
    for edit in edits("unknown_grpc_method", call(APPLE)):
        service, _, method = edit.request.target[1:].rpartition(b"/")
        assert (service, method) != (b"shop.Shop", b"Get")
        assert service
        assert method


def test_sibling_is_a_recorded_method_of_the_same_service() -> None:
    others = (b"/shop.Shop/List", b"/shop.Shop/Get", b"/shop.Cart/Add", b"/")
    known = Known(others=tuple(Exchange(0, "t", "s", 0.0, call(target=each)) for each in others))
    found = edits("call_sibling_method", call(APPLE), known)
    assert {edit.request.target for edit in found} == {b"/shop.Shop/List"}


@pytest.mark.parametrize("limit", [b"99999999H", b"1m"])
def test_stated_time_limit_is_replaced_and_not_joined(limit: bytes) -> None:
    request = call(APPLE, lines=((b"grpc-timeout", limit),))
    for edit in edits("long_grpc_timeout", request):
        stated = [value for name, value in edit.request.headers if name == b"grpc-timeout"]
        assert len(stated) == 1
        assert stated != [limit]
        assert stated[0][-1:] in b"HMSm"
        assert stated[0][:-1].isdigit()
        assert len(stated[0]) <= 9


def test_message_of_protocol_buffers_is_edited_among_others() -> None:
    """The first that has fields; the others keep their bytes."""
    request = call(b"", APPLE, b"\x08\x02")
    for name in ("reorder_protobuf_fields", "truncate_protobuf", "change_protobuf_value"):
        for edit in edits(name, request):
            messages, rest = read(edit.request.body)
            assert not rest
            assert [text for _, text in messages][::2] == [b"", b"\x08\x02"]
            assert messages[1][1] != APPLE


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from((b"", APPLE, b"\xff", b"\x08\x01")), max_size=4), st.integers(0, 99))
def test_reordered_fields_are_the_same_fields(messages: list[bytes], seed: int) -> None:
    request = call(*messages)
    edit = BY_NAME["reorder_protobuf_fields"](request, Random(seed), Known())
    if edit is None:
        return
    before, after = message_of(request), message_of(edit.request)
    assert before is not None
    assert after is not None
    assert sorted(map(before.raw, parse(before.text) or ())) == sorted(
        map(after.raw, parse(after.text) or ())
    )
