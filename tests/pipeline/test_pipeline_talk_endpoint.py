"""Names for conversations, of bounded number."""

import dns.message
import pytest

from shadow.model import Exchange, Message, Request
from shadow.pipeline import talk_endpoint
from shadow.pipeline.endpoint import OTHER, Endpoints
from shadow.pipeline.talk_endpoint import TalkEndpoints
from shadow.wire.talk import NOTHING


def seen(protocol: str, *, live: str = "10.0.0.1:6379", body: bytes = b"x") -> Exchange:
    request = Request(b"GET", b"/rooms/12345/chat?x=1") if protocol == "websocket" else NOTHING
    return Exchange(
        0, "pcap", "s", 1.0, request, live=live, protocol=protocol, messages=(Message(True, body, 1.0),)
    )


def asked(name: str, kind: str) -> Exchange:
    return seen("dns", body=dns.message.make_query(name, kind).to_wire())


@pytest.mark.parametrize(
    ("one", "name", "scope"),
    [
        (seen("websocket"), "WS /rooms/{id}/chat", "WS /rooms/{id}/chat"),
        (seen("tcp"), "TCP :6379", "TCP :6379"),
        (seen("udp", live="[::1]:514"), "UDP :514", "UDP :514"),
        (asked("A.example", "AAAA"), "DNS AAAA", "DNS AAAA a.example"),
        (asked("a.example", "TYPE65000"), "DNS other", "DNS other a.example"),
        (seen("dns"), "DNS other", "DNS other "),
    ],
)
def test_conversations_have_names(one: Exchange, name: str, scope: str) -> None:
    endpoints = TalkEndpoints(Endpoints())
    assert (endpoints.name(one), endpoints.scope(one)) == (name, scope)


def test_what_is_about_a_handshake_is_the_requests() -> None:
    assert TalkEndpoints(Endpoints()).name(seen("websocket"), is_handshake=True) == "GET /rooms/{id}/chat"


def test_number_of_ports_is_bounded() -> None:
    endpoints = TalkEndpoints(Endpoints())
    names = {endpoints.name(seen("tcp", live=f"h:{port}")) for port in range(1, 1000)}
    assert len(names) == talk_endpoint._MAX_PORTS + 1
    assert OTHER in names


def test_number_of_names_is_bounded() -> None:
    endpoints = TalkEndpoints(Endpoints())
    limit = talk_endpoint._MAX_SCOPES
    for number in range(limit):
        endpoints.scope(asked(f"n{number}.example", "A"))
    assert endpoints.scope(asked("late.example", "A")) == "DNS A"
    assert endpoints.scope(asked("n1.example", "A")) == "DNS A n1.example"
