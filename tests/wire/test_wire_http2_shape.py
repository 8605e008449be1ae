"""Segments from the middle of connections: what is HTTP/2, and what only looks a little like it."""

import pytest
from hpack import Encoder
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.http2 import Dialogue, request, response
from shadow.wire.http2_shape import field_block, is_malformed, looks_like_frames
from tests.wire.test_wire_http2_frames import frame


def block(*fields: tuple[bytes, bytes]) -> bytes:
    return Encoder().encode(fields)


REQUEST = block((b":method", b"GET"), (b":path", b"/"), (b"accept", b"*/*"))
RESPONSE = block((b":status", b"404"), (b"server", b"x"))

SEGMENTS = {
    "request": frame(1, 5, 41, REQUEST),
    "response": frame(1, 4, 41, RESPONSE),
    "status that is written out": frame(1, 4, 41, block((b":status", b"418"))),
    "with its body": frame(1, 4, 41, RESPONSE) + frame(0, 1, 41, b"body"),
    "with a part of its body": frame(1, 4, 41, RESPONSE) + frame(0, 1, 41, b"body" * 900)[:1000],
    "after other frames": frame(8, 0, 0, b"\0\0\1\0") + frame(4, 1, 0) + frame(1, 5, 41, REQUEST),
    "fields that are not known": frame(1, 5, 41, REQUEST + b"\xbe\xbf"),
    "padding and priority": frame(1, 0x2D, 41, b"\2\0\0\0\0\7" + REQUEST + b"\0\0"),
}

OTHERS = {
    "nothing": b"",
    "no field block": frame(0, 0, 1, b"body") + frame(8, 0, 0, b"\0\0\1\0"),
    "even stream": frame(1, 5, 2, REQUEST),
    "field block that goes on": frame(1, 1, 41, REQUEST),
    "malformed field block": frame(1, 5, 41, REQUEST + b"\x80"),
    "no method and no status": frame(1, 5, 41, block((b"accept", b"*/*"))),
    "both": frame(1, 5, 41, block((b":method", b"GET"), (b":status", b"200"))),
    "pseudo-field after others": frame(1, 5, 41, block((b"a", b"b"), (b":method", b"GET"))),
    "capitals in a name": frame(1, 5, 41, block((b":method", b"GET"), (b"Accept", b"*/*"))),
    "bytes after the frames": frame(1, 5, 41, REQUEST) + b"nine more bytes",
    "field block that is cut": frame(1, 5, 41, REQUEST)[:-1],
    "MySQL": b"\x4a\0\0\0\x0a5.7.42\0\x08\0\0\0aaaaaaaa\0\xff\xff\x08\x02\0\xff\xc1\x15\0\0\0\0",
    "Postgres": b"\0\0\0\x52\0\3\0\0user\0app\0database\0app\0client_encoding\0UTF8\0\0",
    "Kafka": b"\0\0\0\x2a\0\x12\0\3\0\0\0\1\0\x10console-producer\0\x12apache-kafka-java\x062.8\0",
    "DNS over TCP": b"\0\x1d\x12\x34\1\0\0\1\0\0\0\0\0\0\7example\3com\0\0\1\0\1",
    "SMB": b"\0\0\0\x45\xffSMB\x72\0\0\0\0\x18\x53\xc8" + b"\0" * 50,
    "TLS": b"\x17\3\3\0\x20" + b"\x9a" * 32,
    "zeros": b"\0" * 100,
}


@pytest.mark.parametrize("text", SEGMENTS.values(), ids=SEGMENTS)
def test_segment_of_http2_is_recognised(text: bytes) -> None:
    assert looks_like_frames(text)


@pytest.mark.parametrize("text", OTHERS.values(), ids=OTHERS)
def test_segment_of_anything_else_is_not(text: bytes) -> None:
    assert not looks_like_frames(text)


@settings(deadline=None)
@given(text=st.binary(max_size=100), kind=st.integers(0, 9), flags=st.integers(0, 63))
def test_random_bytes_never_raise_and_are_hardly_ever_taken(text: bytes, kind: int, flags: int) -> None:
    assert not looks_like_frames(text)
    looks_like_frames(frame(kind, flags, 1, text))


def test_each_turn_of_a_conversation_that_holds_a_head_is_recognised() -> None:
    dialogue = Dialogue()
    for at in range(5):
        dialogue.answer(dialogue.ask(request(b"GET", b"/%d" % at)), response(200), b"body")
    assert all(looks_like_frames(text) for _, text in dialogue.turns[3:])


@pytest.mark.parametrize("payload", [b"", b"\5", b"\5abc", b"\0\0\0\0"])
def test_field_block_of_too_short_a_frame_is_empty(payload: bytes) -> None:
    assert field_block(payload, 0x28) == b""


def test_names_that_no_peer_accepts_are_malformed() -> None:
    for name in (b"", b"A", b"a\n", b"\xe4"):
        assert is_malformed([(b":status", b"200"), (name, b"x")])
    assert not is_malformed([(b":status", b"200"), (b"a-b", b"x")])
