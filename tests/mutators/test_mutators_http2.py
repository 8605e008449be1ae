"""Mutators of HTTP/2: what a library that had no part in them makes of the mutants."""

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mutators import CATALOG, Mutator, dice
from mutators import _http2 as h2
from shadow.model import Edit, Ending, Exchange, Expect, Known, Level, Request
from shadow.wire.http2_said import said_fields
from shadow.wire.http2_shape import DATA, PREFACE
from tests.mutators.http2_judge import GRPC, MARKS, Heard, grpc_requests, hear, http2_requests

OF_HTTP2 = [one for one in CATALOG if one.over == "http2"]
OVER = [one for one in CATALOG if one.over]
SAME = [one for one in OF_HTTP2 if one.expect is Expect.SAME]
REJECT = [one for one in OF_HTTP2 if one.expect is Expect.REJECT]
KNOWN = Known(others=(Exchange(0, "t", "s", 0.0, Request(b"POST", b"/shop.Shop/Total")),))
MAX_BYTES = 300_000
HEAVY = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))

LENGTHY = Request(
    b"POST",
    b"/v1/items?a=1",
    b"HTTP/1.1",
    ((b"Host", b"h"), (b"Cookie", b"a=1; b=2"), (b"Content-Length", b"400"), (b"X-A", b"1"), *MARKS),
    b"shadow42" * 50,
)
EXAMPLES = (
    Request(
        b"GET",
        b"/v1/items?a=1",
        b"HTTP/1.1",
        ((b"Host", b"h"), (b"Cookie", b"a=1; b=2"), (b"X-A", b"1"), *MARKS),
    ),
    LENGTHY,
    Request(
        b"POST",
        b"/up",
        b"HTTP/1.1",
        ((b"Host", b"h"), (b"Transfer-Encoding", b"chunked"), *MARKS),
        b"x" * 900,
    ),
    Request(
        b"POST",
        b"/shop.Shop/Get",
        b"HTTP/1.1",
        ((b"Host", b"h"), GRPC, (b"te", b"trailers"), (b"Transfer-Encoding", b"chunked"), *MARKS),
        b"\0\0\0\0\2\x08\1" + b"\0\0\0\0\2\x08\2",
    ),
)


def plain(request: Request) -> Heard:
    """What the request itself says."""
    one = h2.said(request, KNOWN)
    assert one is not None
    return hear(h2.edit(one, "", h2.message(one))).streams[1]


@pytest.mark.parametrize("one", OVER, ids=lambda one: one.name)
@HEAVY
@given(request=st.one_of(http2_requests(), grpc_requests()), seed=st.integers(0, 2**32))
def test_mutator_keeps_its_contract(one: Mutator, request: Request, seed: int) -> None:
    edit = one(request, Random(seed), KNOWN)
    assert edit == one(request, Random(seed), KNOWN), "the same dice must give the same mutant"
    if edit is None:
        return
    assert edit.what
    if edit.wire is None:
        assert one.over == "grpc"
        assert edit.request != request
        assert len(edit.request.body) < MAX_BYTES
        return
    assert (edit.wire.protocol, edit.signs_again) == ("http2", False)
    assert all(edit.wire.segments), "an empty segment would send nothing"
    assert edit.wire.pause_seconds * len(edit.wire.segments) <= 5
    sent = b"".join(edit.wire.segments)
    assert len(sent) < MAX_BYTES
    for fields in said_fields(sent) if edit.wire.ending is Ending.READ else ():
        names = [name for name, _ in fields]
        if b":method" in names and b":path" in names:
            missing = {name.lower() for name, _ in MARKS} - {name.lower() for name in names}
            assert not missing, "every request must bear the marks"


@pytest.mark.parametrize("one", OVER, ids=lambda one: one.name)
def test_mutator_finds_something_to_edit_in_usual_requests(one: Mutator) -> None:
    edits = [one(request, dice(1, 1, one.name, at), KNOWN) for request in EXAMPLES for at in range(12)]
    assert any(edits), "a mutator that never applies is dead"


@pytest.mark.parametrize("one", OVER, ids=lambda one: one.name)
def test_what_http2_cannot_say_is_left_alone(one: Mutator) -> None:
    for seed in range(20):
        assert one(Request(b"", b""), Random(seed), Known()) is None
        assert one(Request(b"GET", b"/a b", headers=((b"Host", b"h"),)), Random(seed), Known()) is None


@pytest.mark.parametrize("one", [one for one in OVER if one.over == "grpc"], ids=lambda one: one.name)
@HEAVY
@given(request=http2_requests(), seed=st.integers(0, 2**32))
def test_mutator_of_grpc_leaves_other_requests_alone(one: Mutator, request: Request, seed: int) -> None:
    assert one(request, Random(seed), KNOWN) is None


@pytest.mark.parametrize("one", SAME, ids=lambda one: one.name)
@HEAVY
@given(request=st.one_of(http2_requests(), grpc_requests()), seed=st.integers(0, 2**32))
def test_mutant_that_is_the_same_means_the_same_to_another(one: Mutator, request: Request, seed: int) -> None:
    edit = one(request, Random(seed), KNOWN)
    if edit is None:
        return
    assert edit.wire is not None
    found = hear(edit)
    assert not found.error
    heard = found.streams[edit.wire.stream]
    assert heard.meaning == plain(request).meaning
    assert heard.stated_length == b"%d" % len(heard.body)
    others = [each for number, each in found.streams.items() if number != edit.wire.stream]
    assert all(each.is_reset for each in others), "nothing else is asked for"


@pytest.mark.parametrize("one", REJECT, ids=lambda one: one.name)
@HEAVY
@given(request=http2_requests(), seed=st.integers(0, 2**32))
def test_mutant_that_must_be_rejected_is_rejected_by_another(
    one: Mutator, request: Request, seed: int
) -> None:
    edit = one(request, Random(seed), KNOWN)
    if edit is None:
        return
    assert edit.wire is not None
    found = hear(edit)
    assert found.error or _breaks_a_rule(found.streams[edit.wire.stream])


def _breaks_a_rule(heard: Heard) -> bool:
    """What h2 does not look at: characters that no field may have (RFC 9113 §8.2.1)."""
    return any(byte in value for _, value in heard.fields for byte in b"\0\r\n")


@pytest.mark.parametrize("request_", EXAMPLES[:3], ids=("get", "post", "chunked"))
def test_each_error_that_the_standard_names_is_made(request_: Request) -> None:
    """RFC 9113 by section, and RFC 7541: each has at least one mutant of this very request."""
    wanted = {
        *("§3.4", "§4.1", "§4.2", "§4.3", "§5.1", "§5.1.1", "§5.3.2", "§5.5", "§6.1", "§6.2", "§6.3", "§6.4"),
        *("§6.5", "§6.5.2", "§6.6", "§6.7", "§6.8", "§6.9", "§6.9.1", "§6.10", "§8.1", "§8.1.1", "§8.2"),
        *("§8.2.1", "§8.2.2", "§8.3", "§8.3.1", "§2.3.3", "§5.2", "§7.4"),
    }
    reasons = [one.reason for one in OF_HTTP2 if any(_edits(one, request_))]
    text = " ".join(reasons)
    missing = {each for each in wanted if each not in text}
    safe_only = {"§6.6"}
    assert missing <= (safe_only if request_.method != b"GET" else {"§8.1", "§8.1.1"})


def _edits(one: Mutator, request: Request) -> list[Edit | None]:
    return [one(request, dice(1, 1, one.name, at), KNOWN) for at in range(12)]


@pytest.mark.parametrize(
    ("one", "is_http2", "is_call", "fits"),
    [
        ("ping_in_between", True, False, True),
        ("ping_in_between", True, True, True),
        ("ping_in_between", False, False, False),
        ("drop_grpc_messages", True, True, True),
        ("drop_grpc_messages", True, False, False),
        ("drop_grpc_messages", False, True, False),
        ("reorder_json_keys", False, False, True),
        ("reorder_json_keys", True, False, True),
    ],
)
def test_mutator_is_for_what_carries_its_edits(one: str, is_http2: bool, is_call: bool, fits: bool) -> None:
    found = next(each for each in CATALOG if each.name == one)
    assert found.fits(is_http2=is_http2, is_call=is_call) is fits


def test_scheme_is_the_targets() -> None:
    edits = [one(EXAMPLES[0], Random(1), Known(scheme="https")) for one in SAME if one.level is Level.FRAMING]
    said = [
        dict(fields) for edit in edits if edit and edit.wire for fields in said_fields(edit.wire.segments[0])
    ]
    assert {fields[b":scheme"] for fields in said} == {b"https"}


@pytest.mark.parametrize("name", ["rapid_reset", "after_cancelled_stream", "frame_after_end", "lower_stream"])
def test_request_that_may_write_is_asked_for_once(name: str) -> None:
    one = next(each for each in OF_HTTP2 if each.name == name)
    edit = one(LENGTHY, Random(1), KNOWN)
    if edit is None:
        return
    assert edit.wire is not None
    methods = [dict(fields)[b":method"] for fields in said_fields(b"".join(edit.wire.segments))]
    assert methods.count(b"POST") == 1
    assert set(methods) <= {b"POST", b"OPTIONS"}


@pytest.mark.parametrize("size", [16_385, 32_700])
@pytest.mark.parametrize("name", ["split_data_frames", "split_grpc_messages"])
def test_body_in_other_frames_has_none_that_is_too_large(name: str, size: int) -> None:
    body = b"\0" + size.to_bytes(4) + bytes(size)
    headers = ((b"Host", b"h"), GRPC, (b"te", b"trailers"), (b"Content-Length", b"%d" % len(body)))
    request = Request(b"POST", b"/shop.Shop/Get", headers=headers, body=body)
    one = next(each for each in CATALOG if each.name == name)
    edits = [edit for seed in range(200) if (edit := one(request, Random(seed), KNOWN)) is not None]
    assert edits
    assert all(not hear(edit).error for edit in edits)


@pytest.mark.parametrize(
    "name",
    ["pseudo_field_in_trailers", "trailers_without_end", "transfer_coding_in_http2", "short_length_in_http2"],
)
def test_body_of_several_frames_is_said_whole(name: str) -> None:
    body = b"shadow42" * 2_500
    length = (b"Content-Length", b"%d" % len(body))
    request = Request(b"POST", b"/v1/items", headers=((b"Host", b"h"), length, *MARKS), body=body)
    one = next(each for each in OF_HTTP2 if each.name == name)
    edits = [edit for seed in range(20) if (edit := one(request, Random(seed), KNOWN)) is not None]
    said = [_said_body(edit) for edit in edits]
    assert all(text.startswith((body, b"0\r\n\r\nGET ")) for text in said)
    assert any(text.startswith(body) for text in said)


def _said_body(edit: Edit) -> bytes:
    """What its DATA frames hold."""
    assert edit.wire is not None
    text, at, body = b"".join(edit.wire.segments), len(PREFACE), b""
    while at < len(text):
        size, kind = int.from_bytes(text[at : at + 3]), text[at + 3]
        assert size <= 16_384, "larger than all servers take"
        body += text[at + 9 : at + 9 + size] if kind == DATA else b""
        at += 9 + size
    return body
