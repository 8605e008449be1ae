"""What a target's scheme can carry."""

import pytest

from shadow.model import Exchange, Message, Request
from shadow.pipeline.reach import unreachable
from shadow.wire.talk import NOTHING

SAID = (Message(True, b"x", 1.0),)
GET = Request(b"GET", b"/chat")


def seen(
    protocol: str,
    request: Request = NOTHING,
    messages: tuple[Message, ...] = SAID,
    live: str = "10.0.0.1:7000",
) -> Exchange:
    return Exchange(0, "pcap", "s", 1.0, request, live=live, protocol=protocol, messages=messages)


@pytest.mark.parametrize(
    ("protocol", "schemes"),
    [
        ("http", {"http", "https"}),
        ("websocket", {"http", "https"}),
        ("tcp", {"tcp", "tls"}),
        ("udp", {"udp"}),
        ("dns", {"dns"}),
        ("smtp", set()),
    ],
)
def test_each_protocol_has_its_schemes(protocol: str, schemes: set[str]) -> None:
    one = seen(protocol, GET if protocol in ("http", "websocket") else NOTHING)
    every = {"http", "https", "tcp", "tls", "udp", "dns"}
    assert {scheme for scheme in every if not unreachable(one, scheme)} == schemes


@pytest.mark.parametrize(
    ("one", "scheme", "why"),
    [
        (seen("dns", live="224.0.0.251:5353"), "dns", "multicast DNS has no target"),
        (seen("dns", live="[ff02::fb]:5353"), "dns", "multicast DNS has no target"),
        (seen("dns", live="10.0.0.1:5353"), "dns", "multicast DNS has no target"),
        (seen("dns", live="somewhere:53"), "dns", ""),
        (seen("tcp", GET), "tcp", "what followed an upgrade of HTTP is not replayed"),
        (seen("tcp", messages=(Message(False, b"x", 1.0),)), "tcp", "the client said nothing"),
        (
            seen("websocket", GET, (Message(True, b"x", 1.0, "compressed"),)),
            "http",
            "a WebSocket message was captured compressed and cannot be said again",
        ),
        (seen("websocket", GET, ()), "http", ""),
    ],
)
def test_what_cannot_be_said_is_told(one: Exchange, scheme: str, why: str) -> None:
    assert unreachable(one, scheme) == why
