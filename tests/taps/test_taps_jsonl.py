"""Conversations as JSON lines, and back."""

import json

import pytest

from shadow.model import Exchange, Message, Request, Response
from shadow.taps.jsonl import decode, encode, is_jsonl

HANDSHAKE = (Request(b"GET", b"/chat"), Response(101, b"Switching Protocols"))
NOTHING = (Request(b"", b"", b""), None)
SAID = (Message(True, b"\x00\xff", 1.5, "binary"), Message(False, b"", 2.5, "close"))


@pytest.mark.parametrize(
    ("protocol", "opening"),
    [("websocket", HANDSHAKE), ("tcp", NOTHING), ("udp", NOTHING), ("dns", NOTHING)],
    ids=["websocket", "tcp", "udp", "dns that is none"],
)
@pytest.mark.parametrize("is_complete", [True, False])
def test_conversation_comes_back_as_it_was(
    protocol: str, opening: tuple[Request, Response | None], is_complete: bool
) -> None:
    exchange = Exchange(3, "pcap", "s", 1.0, *opening, 0.5, "h:1", protocol, SAID, is_complete)
    line = encode(exchange)
    assert is_jsonl(line)
    assert decode(line) == exchange
    assert ("request" in json.loads(line)) is (protocol == "websocket")
