"""Recorded conversations, and readers of other people's making that say what a mutant of one means."""

import json

import dns.message
from hypothesis import strategies as st
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage

from mutators import TalkMutator, dice
from mutators._frames import frame
from mutators._frames import opcode_of as _opcode
from shadow.model import FRAMES, Exchange, Known, Message, Request, Response, TalkEdit

HANDSHAKE = Request(
    b"GET",
    b"/chat",
    headers=(
        (b"Host", b"h.example"),
        (b"Upgrade", b"websocket"),
        (b"Connection", b"Upgrade"),
        (b"Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25jZQ=="),
        (b"Sec-WebSocket-Version", b"13"),
        (b"Origin", b"https://app.example"),
        (b"Cookie", b"sid=1"),
        (b"Sec-WebSocket-Extensions", b"permessage-deflate"),
    ),
)
NOTHING = Request(b"", b"")
QUERY = dns.message.make_query("www.example.org", "A", use_edns=0, payload=1232, id=0x1234).to_wire()


def chat(*said: bytes | str, index: int = 0, compresses: bool = True) -> Exchange:
    """The client's and the server's messages in turn: text where they are texts."""
    messages = tuple(
        Message(at % 2 == 0, each.encode(), 100.0 + at, "text")
        if isinstance(each, str)
        else Message(at % 2 == 0, each, 100.0 + at, "binary")
        for at, each in enumerate(said)
    )
    headers = HANDSHAKE.headers if compresses else HANDSHAKE.headers[:-1]
    asked = Request(HANDSHAKE.method, HANDSHAKE.target, headers=headers)
    return Exchange(index, "test", "s", 100.0, asked, Response(101), protocol="websocket", messages=messages)


def raw(protocol: str, *said: bytes, index: int = 0) -> Exchange:
    """The client's and the peer's messages in turn."""
    messages = tuple(Message(at % 2 == 0, each, 100.0 + at) for at, each in enumerate(said))
    return Exchange(index, "test", "s", 100.0, NOTHING, protocol=protocol, messages=messages)


CHATS = (
    chat('{"op":"hello","text":"héllo wörld","n":1}', '{"ok":true}', '{"op":"say","id":"7"}', '{"ok":1}'),
    chat("plain text", "answer", b"\x00\x01\x02\xff", b"\xff", compresses=False),
    chat("ä" * 300, "x", "", "y", "last", "z", compresses=False),
)
STREAMS = (
    raw("tcp", b"PING\r\n", b"+PONG\r\n", b"SET a 1\r\n", b"+OK\r\n", b"GET a\r\n", b"$1\r\n"),
    raw(
        "tcp",
        b'{"id":1,"method":"m","jsonrpc":"2.0"}\n',
        b'{"id":1,"result":{}}\n',
        b'{"b":[1,2]}\n',
        b"{}\n",
    ),
)
DATAGRAMS = (
    raw("udp", b"\x08\x96\x01\x12\x07testing", b"ok", b"again", b"ok"),
    raw("udp", b'{"a":1}', b"{}"),
)
QUERIES = (
    raw("dns", QUERY, b""),
    raw("dns", dns.message.make_query("a.b", "AAAA", id=7).to_wire()),
    raw("dns", dns.message.make_query(".", "NS", use_edns=0, id=8).to_wire()),
)
TALKS = (*CHATS, *STREAMS, *DATAGRAMS, *QUERIES)
KNOWN = Known(
    others=(
        chat("other", "x", index=9),
        raw("tcp", b"other\n", b"x", b"b\n", b"y", index=9),
        raw("udp", b"zz", b"x", index=9),
    )
)

_texts = st.text(max_size=20).map(lambda text: text.encode("utf-8", "replace"))
_json = st.dictionaries(st.text(max_size=4), st.integers() | st.text(max_size=6), max_size=3).map(
    lambda value: json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
)


@st.composite
def talks(draw: st.DrawFn) -> Exchange:
    """Any conversation that a tap may have seen, well-formed or not."""
    protocol = draw(st.sampled_from(("websocket", "tcp", "udp", "dns")))
    made = []
    for at in range(draw(st.integers(0, 5))):
        kind = ""
        body = draw(st.one_of(_texts, _json, st.binary(max_size=40)))
        if protocol == "websocket":
            kind = draw(st.sampled_from(("text", "binary", "ping", "close")))
            if kind == "text":
                body = draw(_texts | _json)
        if protocol == "dns" and draw(st.booleans()):
            body = QUERY[: draw(st.integers(0, len(QUERY)))] if draw(st.booleans()) else QUERY
        made.append(Message(draw(st.booleans()), body, 100.0 + at, kind))
    request = draw(st.sampled_from((HANDSHAKE, NOTHING))) if protocol == "websocket" else NOTHING
    return Exchange(1, "test", "s", 100.0, request, None, protocol=protocol, messages=tuple(made))


def edits_of(one: TalkMutator, *among: Exchange, count: int = 12) -> list[tuple[Exchange, TalkEdit]]:
    """What `one` makes of the conversations by some throws of the dice."""
    found = []
    for talk in among or TALKS:
        for attempt in range(count):
            edit = one(talk, dice(1, talk.index, one.name, attempt), KNOWN)
            if edit is not None:
                found.append((talk, edit))
    return found


def wire(messages: tuple[Message, ...]) -> bytes:
    """The client's frames."""
    return b"".join(
        each.body if each.kind == FRAMES else frame(_code(each), each.body)
        for each in messages
        if each.is_from_client
    )


def heard(frames: bytes) -> tuple[list[tuple[str, bytes]], str]:
    """What wsproto's server makes of a client's frames: whole messages, and why it failed the connection."""
    server = Connection(ConnectionType.SERVER)
    server.receive_data(frames)
    found: list[tuple[str, bytes]] = []
    parts = b""
    for event in server.events():
        match event:
            case TextMessage() | BytesMessage():
                parts += event.data.encode() if isinstance(event.data, str) else bytes(event.data)
                if event.message_finished:
                    found.append(("text" if isinstance(event, TextMessage) else "binary", parts))
                    parts = b""
            case CloseConnection() if server.state.name == "OPEN" or event.code in (1002, 1007, 1009):
                return found, f"{int(event.code)} {event.reason}"
            case Ping() | Pong() | CloseConnection():
                pass
    return found, ""


def _code(message: Message) -> int:
    return {"ping": 9, "pong": 10, "close": 8}.get(message.kind) or _opcode(message)
