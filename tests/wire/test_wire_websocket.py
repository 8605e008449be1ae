"""WebSockets in captures, with wsproto as the writer that knows the standard without us."""

import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage
from wsproto.extensions import Extension, PerMessageDeflate

from bench.capture import ACK, FIN, PSH, Talk
from shadow.model import Exchange
from shadow.wire.direction import End
from shadow.wire.http1 import Limits
from shadow.wire.transcript import _MAX_MESSAGES
from shadow.wire.websocket import WebSocket
from tests.wire.listening import HANDSHAKE, Heard, messages
from tests.wire.test_wire_extraction import extracted, get, ok
from tests.wire.test_wire_websocket_frames import frame

MASK = b"\x11\x22\x33\x44"
ASK = (
    b"GET /chat HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def switch(extension: bytes = b"") -> bytes:
    line = b"Sec-WebSocket-Extensions: " + extension + b"\r\n" if extension else b""
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" + line + b"\r\n"
    )


def shaken(extension: bytes = b"") -> Talk:
    return Talk().open().say(0, ASK).say(1, switch(extension))


def conversation(talk: Talk, **options: object) -> Exchange:
    exchanges, unparsed = extracted(talk.packets, **options)
    assert not unparsed
    http, found = exchanges
    assert (http.protocol, found.protocol) == ("http", "websocket")
    assert (http.request, http.response) == (found.request, found.response)
    return found


def heard(*, limits: Limits | None = None, room_bytes: int = 1 << 30) -> tuple[WebSocket, Heard]:
    listener = Heard(room_bytes)
    return WebSocket(0, HANDSHAKE, listener, limits or Limits()), listener


def end(one: WebSocket) -> None:
    one.end(0, End.CLOSED)
    one.end(1, End.CLOSED)


def test_conversation_follows_its_handshake_and_has_its_time() -> None:
    talk = shaken().say(0, frame(1, b"hi", mask=MASK)).say(1, frame(1, b"ho")).close()
    exchanges, _ = extracted(talk.packets)
    assert [each.index for each in exchanges] == [0, 1]
    assert exchanges[0].seen_at == exchanges[1].seen_at
    assert exchanges[0].latency_seconds == exchanges[1].latency_seconds
    assert exchanges[0].session == exchanges[1].session
    assert messages(exchanges[1]) == [("client text", b"hi"), ("server text", b"ho")]
    assert exchanges[1].is_complete
    assert not exchanges[0].messages


def test_requests_before_the_switch_are_numbered_before_the_conversation() -> None:
    talk = Talk().open().say(0, ASK)
    other = Talk(("10.0.0.3", 40000), at=talk.time).open().say(0, get("/x")).say(1, ok())
    talk.time = other.time
    talk.say(1, switch()).close()
    exchanges, _ = extracted([*talk.packets[:5], *other.packets, *talk.packets[5:]])
    assert [(each.index, each.protocol, each.request.target) for each in exchanges] == [
        (0, "http", b"/chat"),
        (1, "http", b"/x"),
        (2, "websocket", b"/chat"),
    ]


def test_messages_in_the_segment_of_the_handshake_are_read() -> None:
    talk = Talk().open()
    talk.say(0, ASK + frame(1, b"early", mask=MASK)).say(1, switch() + frame(2, b"at once")).close()
    assert messages(conversation(talk)) == [("client text", b"early"), ("server binary", b"at once")]


def test_client_that_ends_before_the_switch_is_seen_ends_the_conversation_all_the_same() -> None:
    talk = Talk().open().say(0, ASK + frame(8, b"\x03\xe8", mask=MASK))
    talk.packet(0, FIN | ACK)
    talk.say(1, switch() + frame(8, b"\x03\xe8"))
    talk.packet(1, FIN | ACK)
    assert messages(conversation(talk)) == [
        ("client close", b"\x03\xe8"),
        ("server close", b"\x03\xe8"),
    ]


def test_connection_without_a_message_is_an_empty_conversation() -> None:
    found = conversation(shaken().close())
    assert (found.messages, found.is_complete) == ((), True)


def test_upgrade_to_something_else_is_no_conversation() -> None:
    talk = (
        Talk()
        .open()
        .say(0, ASK.replace(b"websocket", b"spdy"))
        .say(1, switch().replace(b"WebSocket", b"spdy"))
    )
    talk.say(1, b"\x81\x02hi")
    exchanges, _ = extracted(talk.packets)
    assert [each.protocol for each in exchanges] == ["http"]


def test_fragments_are_one_message_and_control_frames_come_between_them() -> None:
    talk = shaken()
    talk.say(1, frame(1, b"one ", is_final=False) + frame(9, b"?") + frame(0, b"two ", is_final=False))
    talk.say(0, frame(10, b"?", mask=MASK)).say(1, frame(0, b"three")).close()
    assert messages(conversation(talk)) == [
        ("server ping", b"?"),
        ("client pong", b"?"),
        ("server text", b"one two three"),
    ]


def test_message_has_the_time_at_which_it_was_complete() -> None:
    talk = shaken()
    talk.say(1, frame(1, b"begun, ", is_final=False))
    complete_at = talk.time
    talk.say(1, frame(0, b"done")).close()
    (message,) = conversation(talk).messages
    assert message.seen_at == pytest.approx(complete_at)


def written(side: ConnectionType, deflate: dict[str, object] | None) -> Connection:
    """wsproto's end of a connection whose handshake is over."""
    extensions: list[Extension] = []
    if deflate is not None:
        extension = PerMessageDeflate(**deflate)  # type: ignore[arg-type]  # as it takes them
        extension._enabled = True
        extensions.append(extension)
    return Connection(side, extensions)


SAID = st.one_of(
    st.text(max_size=200).map(TextMessage),
    st.binary(max_size=400).map(BytesMessage),
    st.binary(max_size=400).map(lambda body: BytesMessage(body, message_finished=False)),
    st.binary(max_size=100).map(Ping),
    st.binary(max_size=100).map(Pong),
)
DEFLATES: list[tuple[bytes, dict[str, object] | None]] = [
    (b"", None),
    (b"permessage-deflate", {}),
    (
        b"permessage-deflate; client_no_context_takeover; server_no_context_takeover",
        {"client_no_context_takeover": True, "server_no_context_takeover": True},
    ),
    (
        b"permessage-deflate; client_max_window_bits=9; server_max_window_bits=10",
        {"client_max_window_bits": 9, "server_max_window_bits": 10},
    ),
]


@given(
    said=st.lists(st.tuples(st.integers(0, 1), SAID), max_size=12),
    agreed=st.sampled_from(DEFLATES),
    mss=st.sampled_from([1, 7, 100, 1448]),
)
@settings(max_examples=80, deadline=None)
def test_what_wsproto_writes_is_read_whatever_its_segments(
    said: list[tuple[int, object]], agreed: tuple[bytes, dict[str, object] | None], mss: int
) -> None:
    extension, deflate = agreed
    ends = (written(ConnectionType.CLIENT, deflate), written(ConnectionType.SERVER, deflate))
    talk, expected = shaken(extension), []
    fragments: dict[int, bytes] = {}
    for side, event in said:
        if isinstance(event, TextMessage) and side in fragments:
            continue  # wsproto takes the kind of a message from its first fragment
        talk.say(side, ends[side].send(event), mss=mss)  # type: ignore[arg-type]  # an event
        who = ("client", "server")[side]
        match event:
            case BytesMessage(data=data, message_finished=False):
                fragments[side] = fragments.get(side, b"") + bytes(data)
            case BytesMessage(data=data):
                expected.append((f"{who} binary", fragments.pop(side, b"") + bytes(data)))
            case TextMessage(data=data):
                expected.append((f"{who} text", data.encode()))
            case Ping(payload=payload):
                expected.append((f"{who} ping", bytes(payload)))
            case Pong(payload=payload):
                expected.append((f"{who} pong", bytes(payload)))
    found = conversation(talk.close())
    assert messages(found) == expected
    assert found.is_complete is (not fragments)


def test_close_of_wsproto_has_its_code_and_reason() -> None:
    one = written(ConnectionType.CLIENT, None)
    talk = shaken().say(0, one.send(CloseConnection(code=4001, reason="enough")))
    assert one.state is ConnectionState.LOCAL_CLOSING
    assert messages(conversation(talk.close())) == [("client close", b"\x0f\xa1enough")]


def test_gap_in_a_message_leaves_that_message_out() -> None:
    talk = shaken()
    talk.say(1, frame(2, b"first"))
    long = frame(2, bytes(3000))
    talk.say(1, long, mss=1000)
    del talk.packets[-3]
    talk.say(1, frame(2, b"last")).close()
    found = conversation(talk)
    assert messages(found) == [("server binary", b"first"), ("server binary", b"last")]
    assert not found.is_complete


def test_gap_over_the_beginning_of_a_frame_ends_that_side_and_not_the_other() -> None:
    talk = shaken().say(1, frame(1, b"first"))
    talk.say(1, frame(1, b"lost"))
    del talk.packets[-2]
    talk.say(1, frame(1, b"unknown")).say(0, frame(1, b"heard", mask=MASK)).close()
    found = conversation(talk)
    assert messages(found) == [("server text", b"first"), ("client text", b"heard")]
    assert not found.is_complete


@pytest.mark.parametrize(
    "extension", [b"permessage-deflate", b"permessage-deflate; server_no_context_takeover"]
)
def test_after_a_gap_what_refers_to_the_missed_message_is_left_out(extension: bytes) -> None:
    one = written(ConnectionType.SERVER, {})
    keeps = extension == b"permessage-deflate"
    talk = shaken(extension)
    talk.say(1, one.send(TextMessage("a first text")))
    if not keeps:
        one = written(ConnectionType.SERVER, {})
    noise = bytes(range(256)) * 2 + zlib.compress(bytes(range(256)) * 3) * 50
    talk.say(1, one.send(BytesMessage(noise)), mss=300)
    del talk.packets[-3]
    if not keeps:
        one = written(ConnectionType.SERVER, {})
    talk.say(1, one.send(TextMessage("a second text"))).say(1, one.send(Ping(b"!"))).close()
    found = conversation(talk)
    after = [] if keeps else [("server text", b"a second text")]
    assert messages(found) == [("server text", b"a first text"), *after, ("server ping", b"!")]
    assert not found.is_complete


def test_compressed_message_that_was_not_agreed_on_is_left_out_and_said() -> None:
    one, listener = heard()
    one.take(0, frame(1, b"\xf2\x48\xcd\xc9\xc9\x07\x00", is_compressed=True) + frame(1, b"plain"), 2.0, 0, 0)
    end(one)
    assert messages(listener.exchanges[0]) == [("client text", b"plain")]
    assert not listener.exchanges[0].is_complete
    assert "did not agree" in listener.unread_why[0]


@pytest.mark.parametrize(
    ("text", "why", "kept"),
    [
        (frame(0, b"no beginning") + frame(1, b"a"), "never began", [b"a"]),
        (frame(1, b"no end", is_final=False) + frame(1, b"a"), "begins inside", [b"a"]),
        (frame(1, b"a") + b"\x8f\x00more", "no frame", [b"a"]),
    ],
    ids=["goes on", "begins twice", "no frame"],
)
def test_what_the_standard_forbids_is_left_out_and_said(text: bytes, why: str, kept: list[bytes]) -> None:
    one, listener = heard()
    assert one.take(0, text, 2.0, 0, 0)
    end(one)
    (found,) = listener.exchanges
    assert [each.body for each in found.messages] == kept
    assert not found.is_complete
    assert why in listener.unread_why[0]


def test_connection_that_ends_inside_a_message_is_not_complete() -> None:
    one, listener = heard()
    one.take(0, frame(1, b"whole") + frame(1, b"cut")[:-1], 2.0, 0, 0)
    end(one)
    assert messages(listener.exchanges[0]) == [("client text", b"whole")]
    assert not listener.exchanges[0].is_complete


def test_both_sides_lost_end_the_conversation_at_once() -> None:
    one, listener = heard()
    assert one.take(0, b"\xff\xff rubbish", 2.0, 0, 0)
    assert not one.take(1, b"\xff\xff rubbish", 2.0, 0, 0)
    assert len(listener.exchanges) == 1
    assert listener.passed_bytes == 20


@pytest.mark.parametrize("size", [60, 1000], ids=["many messages", "one message"])
def test_conversation_ends_where_its_bound_is_reached(size: int) -> None:
    one, listener = heard(limits=Limits(max_body_bytes=200))
    taken = 0
    while taken < 99 and one.take(0, frame(2, bytes(size), mask=MASK), 2.0, 0, 0):
        taken += 1
    (found,) = listener.exchanges
    assert len(found.messages) == taken == 200 // size
    assert not found.is_complete
    assert listener.passed_bytes >= size
    assert listener.kept_bytes == 0


def test_frame_that_never_ends_keeps_no_more_than_the_bound() -> None:
    one, listener = heard(limits=Limits(max_body_bytes=10_000))
    one.take(0, frame(2, bytes(70_000))[:10], 2.0, 0, 0)
    count = 0
    while count < 99 and one.take(0, bytes(1000), 2.0, 0, 0):
        count += 1
    assert count == 10
    assert listener.most_kept_bytes <= 11_000
    assert listener.kept_bytes == 0


def test_fragments_without_end_keep_no_more_than_the_bound() -> None:
    one, listener = heard(limits=Limits(max_body_bytes=1000))
    one.take(0, frame(2, b"x", is_final=False), 2.0, 0, 0)
    count = 0
    while count < 99 and one.take(0, frame(0, b"y" * 99, is_final=False), 2.0, 0, 0):
        count += 1
    assert count == 10
    assert listener.most_kept_bytes <= 1200
    assert not listener.exchanges[0].messages


def test_deflate_bomb_ends_the_conversation_within_its_bound() -> None:
    compressor = zlib.compressobj(wbits=-15)
    bomb = compressor.compress(bytes(100_000_000)) + compressor.flush(zlib.Z_SYNC_FLUSH)
    talk = shaken(b"permessage-deflate").say(1, frame(2, bomb[:-4], is_compressed=True), mss=60_000).close()
    found = conversation(talk, limits=Limits(max_body_bytes=1_000_000))
    assert (found.messages, found.is_complete) == ((), False)


def test_where_all_keep_too_much_the_conversation_is_told_as_it_is() -> None:
    one, listener = heard(room_bytes=1000)
    assert one.take(0, frame(2, bytes(500)), 2.0, 0, 0)
    assert not one.take(0, frame(2, bytes(500)), 2.0, 0, 0)
    assert [len(each.body) for each in listener.exchanges[0].messages] == [500]
    assert listener.kept_bytes == 0


def test_number_of_messages_is_bounded() -> None:
    one, listener = heard()
    assert one.take(0, frame(9, b"") * _MAX_MESSAGES, 2.0, 0, 0)
    assert not one.take(0, frame(9, b"?"), 2.0, 0, 0)
    assert len(listener.exchanges[0].messages) == _MAX_MESSAGES
    assert not listener.exchanges[0].is_complete


@given(
    pieces=st.lists(st.tuples(st.integers(0, 1), st.binary(max_size=100), st.integers(0, 40)), max_size=20)
)
def test_random_bytes_and_gaps_never_raise_and_are_told_once(pieces: list[tuple[int, bytes, int]]) -> None:
    one, listener = heard(limits=Limits(max_body_bytes=300))
    for side, text, gap in pieces:
        if not (one.take(side, text, 2.0, 0, 0) and (not gap or one.skip(side, gap, 2.0))):
            break
    else:
        end(one)
    assert len(listener.exchanges) == 1
    assert listener.kept_bytes == 0


def test_capture_that_begins_after_the_handshake_is_no_conversation() -> None:
    talk = Talk()
    talk.packet(0, PSH | ACK, frame(1, b"hi", mask=MASK))
    talk.say(1, frame(1, b"ho")).close()
    assert extracted(talk.packets) == ([], [])
