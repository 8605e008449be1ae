"""The client's part of a conversation as bytes, read back by those that read captures."""

import pytest

from shadow.model import Message, Request
from shadow.wire.spoken import spoken
from shadow.wire.talk import NOTHING
from shadow.wire.websocket_frames import CLOSE, PONG, TEXT, FrameReader


def test_raw_pieces_are_the_clients_messages() -> None:
    messages = (Message(True, b"a", 1.0), Message(False, b"b", 1.1), Message(True, b"c", 1.2))
    assert spoken("tcp", NOTHING, messages) == [b"a", b"c"]


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_websocket_is_a_handshake_and_frames(size: int) -> None:
    asked = Request(
        b"GET", b"/chat", headers=((b"Host", b"h"), (b"sec-websocket-extensions", b"permessage-deflate"))
    )
    messages = (
        Message(True, b"x" * size, 1.0, "text"),
        Message(False, b"y", 1.1, "text"),
        Message(True, b"z", 1.2, "pong"),
        Message(True, b"\x03\xe8", 1.3, "close"),
    )
    first, *rest = spoken("websocket", asked, messages)
    assert first == b"GET /chat HTTP/1.1\r\nHost: h\r\n\r\n"
    frames = [frame for piece in rest for frame in FrameReader().feed(piece)]
    assert [(frame.opcode, frame.payload) for frame in frames] == [
        (TEXT, b"x" * size),
        (PONG, b"z"),
        (CLOSE, b"\x03\xe8"),
    ]
