"""Conversations as command lines that a shell runs, and as something to read."""

import asyncio
import json

import dns.message
import pytest

from shadow.judge.retelling import command, readable
from shadow.model import NO_RESPONSE, Message, Reply, Request, Response
from shadow.wire.talk import NOTHING
from tests.replay.talks import tcp_service


def mine(*texts: bytes) -> tuple[Message, ...]:
    return tuple(Message(True, text, 1.0) for text in texts)


@pytest.mark.parametrize("text", [b"PING 'a' \\ \r\n", bytes(range(256)), "zürich\n".encode(), b"$(id)`id`"])
async def test_shell_says_every_byte(text: bytes) -> None:
    async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"<" + await reader.readexactly(len(text)) + b">")

    async with tcp_service(shout) as port:
        line = command("tcp", NOTHING, mine(text), f"tcp://127.0.0.1:{port}")
        assert line is not None
        process = await asyncio.create_subprocess_exec("bash", "-c", line, stdout=asyncio.subprocess.PIPE)
        async with asyncio.timeout(10):
            out, _ = await process.communicate()
    assert out == b"<" + text + b">"


def dns_query(name: str, kind: str, **options: object) -> bytes:
    made = dns.message.make_query(name, kind, id=7, **options)  # type: ignore[arg-type]  # as it takes them
    return made.to_wire()


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (
            dns_query("a.example", "MX"),
            "dig @127.0.0.1 -p 5300 -q a.example -t MX +nocookie +noedns",
        ),
        (dns_query("a.example", "A", use_edns=True), "dig @127.0.0.1 -p 5300 -q a.example -t A +nocookie"),
        (
            dns_query("a.example", "A", flags=0),
            "dig @127.0.0.1 -p 5300 -q a.example -t A +nocookie +norecurse +noedns",
        ),
    ],
    ids=["plain", "EDNS", "no recursion"],
)
def test_dns_is_asked_by_dig(query: bytes, expected: str) -> None:
    assert command("dns", NOTHING, mine(query), "dns://127.0.0.1:5300") == expected


def test_what_dig_cannot_ask_goes_as_bytes() -> None:
    line = command("dns", NOTHING, mine(b"\x00\x01garbage"), "dns://127.0.0.1")
    assert line is not None
    assert line.startswith("exec 3<>/dev/udp/127.0.0.1/53; ")


def test_tls_is_spoken_by_openssl() -> None:
    line = command("tcp", NOTHING, mine(b"a", b"b"), "tls://[::1]:7000")
    assert (
        line
        == "(printf %s $'a'; sleep 1; printf %s $'b'; sleep 2) | openssl s_client -quiet -connect [::1]:7000"
    )


def test_websocket_begins_with_its_handshake() -> None:
    asked = Request(b"GET", b"/chat", headers=((b"Host", b"h"),))
    messages = (Message(True, b"hi", 1.0, "text"),)
    line = command("websocket", asked, messages, "http://127.0.0.1")
    assert line is not None
    assert line.startswith("exec 3<>/dev/tcp/127.0.0.1/80; printf %s $'GET /chat HTTP/1.1\\r\\nHost: h")


@pytest.mark.parametrize(
    "messages", [(), mine(b"x" * 20_000), mine(*[b"x"] * 100)], ids=["none", "long", "many"]
)
def test_what_does_not_fit_a_line_has_none(messages: tuple[Message, ...]) -> None:
    assert command("tcp", NOTHING, messages, "tcp://127.0.0.1:7000") is None


def test_answers_are_shown_as_what_they_are() -> None:
    response = dns.message.make_response(dns.message.make_query("a.example", "A"))
    answer = Reply(NO_RESPONSE, protocol="dns", messages=(Message(False, response.to_wire(), 0.0),))
    assert readable(answer)["messages"] == [{"dns": ["NOERROR rd", "? a.example A"]}]
    said = (
        Message(False, "ü".encode(), 0.0, "text"),
        Message(False, b"\xff", 0.0, "binary"),
        Message(False, b"\x03\xe8bye", 0.0, "close"),
    )
    shown = readable(Reply(Response(101), protocol="websocket", messages=said, remarks=("late",)))
    assert shown == {
        "protocol": "websocket",
        "status": 101,
        "messages": [
            {"kind": "text", "bytes": 2, "text": "ü"},
            {"kind": "binary", "bytes": 1, "base64": "/w=="},
            {"kind": "close", "code": 1000, "text": "bye"},
        ],
        "message_count": 3,
        "remarks": ["late"],
    }
    json.dumps(shown)
