"""What peers said in a conversation, compared message by message."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comparators import compare_talks
from comparators.message_kinds import label
from comparators.messages import aligned
from shadow.model import NO_RESPONSE, Message, Reply, Response


def reply(
    *said: object, protocol: str = "websocket", gap_seconds: float = 0.001, is_complete: bool = True
) -> Reply:
    """Bytes as they are, numbers as codes of a close, all else as JSON."""
    messages = []
    for at, each in enumerate(said):
        kind = "close" if isinstance(each, int) else "binary" if isinstance(each, bytes) else "text"
        body = each if isinstance(each, bytes) else b""
        if isinstance(each, int):
            body = each.to_bytes(2)
        elif not isinstance(each, bytes):
            body = each.encode() if isinstance(each, str) else json.dumps(each).encode()
        shown = kind if protocol == "websocket" else ""
        messages.append(Message(False, body, 100.0 + at * gap_seconds, shown))
    response = Response(101) if protocol == "websocket" else NO_RESPONSE
    return Reply(response, protocol=protocol, messages=tuple(messages), is_complete=is_complete)


def told(control: Reply, other: Reply) -> list[str]:
    return [f"{each.where} {each.change}" for each in compare_talks(control, other)]


def typed(kind: str, **members: object) -> dict[str, object]:
    return {"type": kind, **members}


A, B, TICK = typed("a", n=1), typed("b", n=1), typed("tick", n=1)


@pytest.mark.parametrize(
    ("control", "other", "expected"),
    [
        pytest.param(reply(A, B), reply(A, B), [], id="equal"),
        pytest.param(reply(A), reply({"n": 1, "type": "a"}), [], id="member order"),
        pytest.param(reply(A, B), reply(A, typed("b", n=2)), ["message[1]:$.n value"], id="value"),
        pytest.param(reply(A), reply(typed("a")), ["message[0]:$.n missing"], id="member gone"),
        pytest.param(reply(A), reply(typed("a", n=1, m=2)), ["message[0]:$.m added"], id="member new"),
        pytest.param(reply(A), reply("plain"), ["message[0]:line[0].type-a value"], id="no JSON any more"),
        pytest.param(reply("one two"), reply("one 2"), ["message[0]:line[0].one value"], id="text"),
        pytest.param(reply("a"), reply(b"a"), ["message[0] type"], id="binary for text"),
        pytest.param(reply(b"\x00a"), reply(b"\x00b"), ["message[0]:bytes value"], id="bytes"),
        pytest.param(reply(b"\x00a"), reply(b"\x00ab"), ["message[0]:bytes length"], id="more bytes"),
        pytest.param(reply(A, B), reply(A), ["messages length"], id="one less"),
        pytest.param(reply(A), reply(A, B), ["messages length"], id="one more"),
        pytest.param(reply(A, B), reply(A, is_complete=False), [], id="the rest was not waited for"),
        pytest.param(reply(A, TICK), reply(A, TICK, TICK, TICK), [], id="goes on as before"),
        pytest.param(reply(A, B), reply(B, A), ["messages order"], id="another order"),
        pytest.param(reply(TICK, A, B), reply(A, B), ["messages length"], id="the first is missing"),
        pytest.param(reply(A, 1000), reply(A, 1000), [], id="same close"),
        pytest.param(reply(A, 1000), reply(A, 1011), ["close value"], id="another close"),
        pytest.param(reply(A, 1000), reply(A), ["close missing"], id="no close"),
        pytest.param(reply(A), reply(A, 1000), [], id="a close where the recording ends"),
        pytest.param(reply(A, B), reply(A, 1011), ["close added"], id="closed early"),
    ],
)
def test_differences_of_conversations(control: Reply, other: Reply, expected: list[str]) -> None:
    assert told(control, other) == expected


def test_what_a_server_says_by_its_clock_is_not_counted() -> None:
    control = reply(A, TICK, TICK, gap_seconds=1.0)
    assert told(control, reply(A, TICK)) == []
    assert told(reply(A, TICK, TICK), reply(A, TICK)) == ["messages length"]


@pytest.mark.parametrize(
    ("control", "other", "expected"),
    [
        ((b"ab", b"c"), (b"a", b"bc"), []),
        ((b"ab",), (b"a", b"b"), []),
        (("OK 1\n", "OK 2\n"), ("OK 1\n", "ERR\n"), ["message[1]:line[0].ok value"]),
    ],
)
def test_how_a_stream_is_cut_into_pieces_says_nothing(
    control: tuple[object, ...], other: tuple[object, ...], expected: list[str]
) -> None:
    assert len(told(reply(*control, protocol="tcp"), reply(*other, protocol="tcp"))) == len(expected)


def test_refused_handshake_is_told_alone() -> None:
    assert told(reply(A), Reply(Response(403), protocol="websocket")) == ["status value"]


@given(st.lists(st.binary(max_size=20), max_size=8), st.lists(st.binary(max_size=20), max_size=8))
def test_any_bytes_are_compared(left: list[bytes], right: list[bytes]) -> None:
    for protocol in ("tcp", "udp", "websocket"):
        control, other = reply(*left, protocol=protocol), reply(*right, protocol=protocol)
        assert told(control, control) == []
        told(control, other)


@given(st.lists(st.sampled_from("abc"), max_size=12), st.lists(st.sampled_from("abc"), max_size=12))
def test_every_message_has_one_partner_or_none(left: list[str], right: list[str]) -> None:
    pairs = aligned(left, right)
    assert sorted([at for at, _ in pairs.both] + list(pairs.missing)) == list(range(len(left)))
    assert sorted([at for _, at in pairs.both] + list(pairs.added)) == list(range(len(right)))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"type": "x", "a": 1}', "object type=x"),
        (b'{"a": 1}', "object"),
        (b'["EVENT", 1]', "array EVENT"),
        (b"[1]", "array"),
        (b"{no json", "text"),
        (b"\x00", "binary"),
        (b"", "text"),
    ],
)
def test_messages_are_known_by_their_kind(body: bytes, expected: str) -> None:
    assert label(Message(False, body, 0.0)) == expected


def call(number: int, **members: object) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": number, **members}


def price(symbol: str, value: float) -> dict[str, object]:
    return typed("price", symbol=symbol, value=value)


PING, OPEN = typed("ping"), '0{"sid":"a","pingInterval":25000}'


@pytest.mark.parametrize(
    ("control", "other", "expected"),
    [
        pytest.param(
            reply(call(1, result=1), call(2, result=2)),
            reply(call(2, result=2), call(1, result=1)),
            [],
            id="answers by id",
        ),
        pytest.param(
            reply(call(1, result=1), call(2, result=2)),
            reply(call(2, result=2), call(1, result=3)),
            ["message[0]:$.result value"],
            id="one answer is another",
        ),
        pytest.param(
            reply(price("A", 1), price("B", 2), price("A", 3)),
            reply(price("A", 1), price("A", 3), price("B", 2)),
            [],
            id="two senders in turn",
        ),
        pytest.param(
            reply(price("A", 1), price("A", 3)),
            reply(price("A", 3), price("A", 1)),
            ["message[0]:$.value value", "message[1]:$.value value"],
            id="one sender keeps its order",
        ),
        pytest.param(reply(A, PING, B), reply(A, B, PING), [], id="heartbeat elsewhere"),
        pytest.param(reply(A, PING, PING), reply(A, PING), [], id="fewer heartbeats"),
        pytest.param(reply(A, PING), reply(A), ["messages length"], id="no heartbeat any more"),
        pytest.param(reply("pong"), reply("other"), ["messages length"], id="no pong"),
        pytest.param(reply(OPEN, "2", "x"), reply(OPEN, "x", "2"), [], id="heartbeats of Engine.IO"),
        pytest.param(reply("2"), reply("3"), ["message[0]:line[0] value"], id="digits elsewhere are answers"),
        pytest.param(
            reply('42["e",{"a":1}]'), reply('42["e", {"a": 2}]'), ["message[0]:$[1].a value"], id="Socket.IO"
        ),
        pytest.param(
            reply('42["e",1]'), reply('43["e",1]'), ["message[0]:packet value"], id="another packet"
        ),
        pytest.param(
            reply({"p": '{"a": 1}'}), reply({"p": '{"a": 2}'}), ["message[0]:$.p<json>.a value"], id="nested"
        ),
    ],
)
def test_independent_senders_and_heartbeats(control: Reply, other: Reply, expected: list[str]) -> None:
    assert told(control, other) == expected
