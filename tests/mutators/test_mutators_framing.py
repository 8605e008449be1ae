"""Framing mutants byte for byte: every variant of a table is drawn, and what is sent is what is meant."""

from random import Random

import pytest

from mutators import CATALOG, Mutator, network
from mutators._message import chunked, editable, lines_of
from shadow.auth import CanonicalScheme, SigningKey, SigningSettings
from shadow.model import Edit, Ending, Expect, Known, Level, Request
from shadow.wire.http1 import RequestReader, serialise_request

BY_NAME = {one.name: one for one in CATALOG}
MARKS = ((b"Shadow-Run", b"1"), (b"Shadow-Trial", b"2"))
PLAIN = Request(
    b"POST",
    b"/a?b=c",
    b"HTTP/1.1",
    ((b"Host", b"h"), (b"Content-Length", b"5"), (b"X-A", b"1"), *MARKS),
    b"hello",
)
CHUNKED = Request(
    b"POST", b"/a", b"HTTP/1.1", ((b"Host", b"h"), (b"Transfer-Encoding", b"chunked"), *MARKS), b"hello world"
)
BARE = Request(b"GET", b"/a", b"HTTP/1.1", ((b"Host", b"h"), *MARKS))
TEXT = Request(
    b"POST",
    b"/",
    b"HTTP/1.1",
    ((b"Host", b"h"), (b"Content-Type", b"application/json"), (b"Content-Length", b"10"), *MARKS),
    '{"a":"é"}'.encode(),
)


def drawn(name: str, request: Request, count: int = 200) -> list[Edit]:
    edits = [BY_NAME[name](request, Random(seed), Known()) for seed in range(count)]
    return [edit for edit in edits if edit is not None]


def sent(name: str, request: Request) -> set[bytes]:
    return {b"".join(edit.wire.segments) for edit in drawn(name, request) if edit.wire is not None}


@pytest.mark.parametrize(
    ("name", "request_", "pieces"),
    [
        ("bad_content_length", PLAIN, [b"+5", b"-5", b"0x5", b"0_5", b"5Z", b"5.0", b"5e0", b"one"]),
        (
            "conflicting_content_lengths",
            PLAIN,
            [b"Content-Length: 6\r\nContent-Length: 5", b": 5, 15", b": 0\r\n"],
        ),
        ("repeated_content_length", PLAIN, [b"Content-Length: 5\r\nContent-Length: 5\r\n", b": 5, 5\r\n"]),
        (
            "bad_chunk_size",
            PLAIN,
            [b"\r\n\r\n0_1\r\n", b"\r\n\r\n+1\r\n", b"\r\n\r\n0x1\r\n", b"\r\n\r\n1zz\r\n", b"\r\n\r\n\r\n"],
        ),
        ("not_chunked_at_last", PLAIN, [b": chunked, identity\r\n", b": gzip\r\n", b": chunkedx\r\n"]),
        (
            "length_and_chunks",
            PLAIN,
            [b"Content-Length: 0\r\nTransfer-Encoding: chunked", b"chunked\r\nContent-Length: 3"],
        ),
        ("space_before_colon", PLAIN, [b"X-A : 1", b"X-A\t: 1"]),
        ("folded_field", PLAIN, [b": a\r\n b", b": a\r\n\tb"]),
        ("bad_version", PLAIN, [b"/a?b=c HTTP/1.\r\n", b"/a?b=c HTTQ/1.1\r\n"]),
        ("bad_method", PLAIN, [b"GE(T /a", b"GE\x00T /a"]),
    ],
)
def test_every_variant_is_drawn(name: str, request_: Request, pieces: list[bytes]) -> None:
    texts = sent(name, request_)
    for piece in pieces:
        assert any(piece in text for text in texts), piece


def read(text: bytes) -> Request | None:
    return RequestReader().feed(text)


@pytest.mark.parametrize(
    ("name", "request_"),
    [
        ("rechunk_body", CHUNKED),
        ("extend_chunks", CHUNKED),
        ("length_for_chunks", CHUNKED),
        ("padded_content_length", PLAIN),
        ("state_empty_length", BARE),
    ],
)
def test_the_same_body_arrives_in_other_frames(name: str, request_: Request) -> None:
    texts = sent(name, request_)
    assert texts
    for text in texts:
        assert text != serialise_request(request_)
        arrived = read(text)
        assert arrived is not None
        assert (arrived.method, arrived.target, arrived.body) == (
            request_.method,
            request_.target,
            request_.body,
        )


NETWORK = [one for one in CATALOG if one.level is Level.NETWORK and one.edit.__module__ == network.__name__]


@pytest.mark.parametrize("one", NETWORK, ids=lambda one: one.name)
def test_network_mutants_are_drawn_from_some_request(one: Mutator) -> None:
    assert any(drawn(one.name, request, 60) for request in (PLAIN, CHUNKED, BARE, TEXT))


@pytest.mark.parametrize("one", NETWORK, ids=lambda one: one.name)
@pytest.mark.parametrize("request_", [PLAIN, CHUNKED, BARE, TEXT], ids=["length", "chunked", "bare", "text"])
def test_network_mutants_send_a_prefix_of_the_request_in_pieces(one: Mutator, request_: Request) -> None:
    text = serialise_request(request_)
    for edit in drawn(one.name, request_, 60):
        assert edit.request == request_
        assert edit.wire is not None
        joined = b"".join(edit.wire.segments)
        assert text.startswith(joined)
        if one.expect is Expect.SAME:
            assert joined == text
            assert len(edit.wire.segments) > 1
            assert edit.wire.ending is Ending.READ


def test_bytes_go_out_one_by_one() -> None:
    (edit,) = drawn("byte_per_segment", BARE, 1)
    assert edit.wire is not None
    assert {len(segment) for segment in edit.wire.segments} == {1}


def test_a_line_end_is_split_between_cr_and_lf() -> None:
    edits = drawn("split_line_end", PLAIN, 30)
    assert edits
    for edit in edits:
        assert edit.wire is not None
        assert all(segment.endswith(b"\r") for segment in edit.wire.segments[:-1])


def test_chunks_are_cut_in_turn_and_ended() -> None:
    assert chunked(b"abcdef", (1, 2), b";x", b"T: 1\r\n") == (
        b"1;x\r\na\r\n2;x\r\nbc\r\n1;x\r\nd\r\n2;x\r\nef\r\n0;x\r\nT: 1\r\n\r\n"
    )
    assert chunked(b"", (5,)) == b"0\r\n\r\n"


@pytest.mark.parametrize("request_", [PLAIN, CHUNKED, BARE], ids=["length", "chunked", "bare"])
def test_lines_and_body_are_the_request(request_: Request) -> None:
    lines, body = lines_of(request_)
    assert b"\r\n".join(lines) + b"\r\n\r\n" + body == serialise_request(request_)


def test_marks_host_framing_and_credentials_are_not_editable() -> None:
    signer = CanonicalScheme(
        SigningSettings(
            signature="X-Mac", nonce="x-once", canonical=("path",), keys=(SigningKey("k", secret="aa"),)
        )
    )
    names = [
        b"Host",
        b"shadow-run",
        b"SHADOW-TRIAL",
        b"Content-Length",
        b"Authorization",
        b"Cookie",
        b"X-MAC",
        b"X-Once",
    ]
    request = Request(
        b"GET", b"/", headers=tuple((name, b"1") for name in (*names, b"X-Hub-Signature", b"Accept"))
    )
    assert editable(request, Known(signer=signer)) == [len(names) + 1]
    for name in ("absolute_target", "encode_unreserved", "flip_hex_case", "encode_unreserved_in_query"):
        spelled = Request(b"GET", b"/a%2f/7?b=c", headers=request.headers)
        assert BY_NAME[name](spelled, Random(1), Known(signer=signer)) is None, (
            "signatures differ in spelling"
        )
        unsigned = Request(b"GET", b"/a%2f/7?b=c", headers=((b"Host", b"h"),))
        assert BY_NAME[name](unsigned, Random(1), Known()) is not None


@pytest.mark.parametrize("size", [1, 200, 5_000, 100_000])
def test_extensions_of_all_chunks_stay_below_what_servers_limit(size: int) -> None:
    body = b"x" * size
    whole = Request(b"POST", b"/", headers=((b"Host", b"h"), (b"Transfer-Encoding", b"chunked")), body=body)
    for seed in range(60):
        edit = BY_NAME["extend_chunks"](whole, Random(seed), Known())
        assert edit is not None
        assert edit.wire is not None
        framing = edit.wire.segments[0].partition(b"\r\n\r\n")[2]
        extension = b";" + framing.partition(b"\r\n")[0].partition(b";")[2]
        assert framing.count(extension) * len(extension) < 8_192


@pytest.mark.parametrize("name", ["pipeline_requests", "not_chunked_at_last"])
def test_what_follows_a_request_to_upgrade_is_of_the_other_protocol(name: str) -> None:
    fields = ((b"Host", b"h"), (b"Connection", b"Upgrade"))
    assert drawn(name, Request(b"GET", b"/", headers=fields))
    assert not drawn(name, Request(b"GET", b"/", headers=(*fields, (b"Upgrade", b"websocket"))))
