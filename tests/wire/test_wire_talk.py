"""Raw TCP: what one side says until the other speaks."""

from hypothesis import given
from hypothesis import strategies as st

from bench.capture import ACK, PSH, RST, Talk
from shadow.model import Exchange
from shadow.wire.http1 import Limits
from tests.wire.listening import messages
from tests.wire.test_wire_extraction import extracted, get, ok

PORT = 9000


def talk(**options: object) -> Talk:
    return Talk(("10.0.0.1", 40000), ("10.0.0.2", PORT), **options)  # type: ignore[arg-type]  # as it takes them


def conversation(one: Talk, **options: object) -> Exchange:
    exchanges, unparsed = extracted(one.packets, protocols={PORT: "tcp"}, **options)
    assert not unparsed
    (found,) = exchanges
    return found


def test_connection_is_one_exchange_that_says_where_and_when() -> None:
    one = talk(at=100.0).open()
    begun_at = one.time
    found = conversation(one.say(0, b"hello").say(1, b"world").say(0, b"bye").close())
    assert (found.protocol, found.live, found.seen_at) == ("tcp", "10.0.0.2:9000", begun_at)
    assert found.session == "10.0.0.1:40000>10.0.0.2:9000#1"
    assert messages(found) == [("client", b"hello"), ("server", b"world"), ("client", b"bye")]
    assert (found.request.method, found.response, found.latency_seconds) == (b"", None, None)
    assert found.is_complete


def test_server_may_speak_first() -> None:
    found = conversation(talk().open().say(1, b"220 ready").say(0, b"EHLO").close())
    assert messages(found) == [("server", b"220 ready"), ("client", b"EHLO")]


def test_port_that_is_named_is_the_server_whoever_is_seen_first() -> None:
    one = talk()
    one.packet(1, PSH | ACK, b"late")
    found = conversation(one.say(0, b"yes"))
    assert messages(found) == [("server", b"late"), ("client", b"yes")]
    assert not found.is_complete


def test_even_http_is_bytes_where_the_port_says_so() -> None:
    found = conversation(talk().open().say(0, get("/")).say(1, ok()).close())
    assert messages(found) == [("client", get("/")), ("server", ok())]


@given(
    said=st.lists(st.tuples(st.integers(0, 1), st.binary(min_size=1, max_size=60)), min_size=1, max_size=10),
    mss=st.sampled_from([1, 5, 1448]),
)
def test_any_segmentation_gives_the_same_messages(said: list[tuple[int, bytes]], mss: int) -> None:
    one, expected = talk().open(), list[tuple[str, bytes]]()
    for side, text in said:
        one.say(side, text, mss=mss)
        who = ("client", "server")[side]
        if expected and expected[-1][0] == who:
            expected[-1] = who, expected[-1][1] + text
        else:
            expected.append((who, text))
    assert messages(conversation(one)) == expected


def test_segment_that_comes_late_is_in_its_place() -> None:
    one = talk().open().say(0, b"first ")
    late = one.packet(0, PSH | ACK, b"second ")
    one.packets.remove(late)
    one.packet(0, PSH | ACK, b"third")
    one.packets.append(late)
    found = conversation(one.say(1, b"heard").close())
    assert messages(found) == [("client", b"first second third"), ("server", b"heard")]
    assert found.is_complete


def test_bytes_that_were_not_captured_divide_a_message() -> None:
    one = talk().open().say(0, b"before")
    one.packet(0, PSH | ACK, b"missing")
    one.packets.pop()
    found = conversation(one.say(0, b"after").say(1, b"heard").close())
    assert messages(found) == [("client", b"before"), ("client", b"after"), ("server", b"heard")]
    assert not found.is_complete


def test_what_was_said_while_bytes_were_missing_keeps_its_time() -> None:
    one = talk().open().say(0, b"one")
    one.packet(0, PSH | ACK, b"missing")
    one.packets.pop()
    one.packet(0, PSH | ACK, b"two")
    one.packet(1, PSH | ACK, b"answer")
    one.time += 5
    found = conversation(one.say(0, b"three").close())
    assert messages(found) == [
        ("client", b"one"),
        ("client", b"two"),
        ("server", b"answer"),
        ("client", b"three"),
    ]
    times = [each.seen_at for each in found.messages]
    assert times == sorted(times)


def test_reset_ends_a_conversation_and_the_same_ports_begin_another() -> None:
    one = talk().open().say(0, b"hello")
    one.packet(1, RST)
    again = talk(isn=(77_000, 99_000), at=one.time).open().say(0, b"again")
    exchanges, _ = extracted([*one.packets, *again.packets], protocols={PORT: "tcp"})
    assert [messages(each) for each in exchanges] == [[("client", b"hello")], [("client", b"again")]]
    assert [each.is_complete for each in exchanges] == [True, True]


def test_connection_without_a_byte_is_none() -> None:
    assert extracted(talk().open().close().packets, protocols={PORT: "tcp"}) == ([], [])


def test_conversation_ends_where_its_bound_is_reached() -> None:
    one = talk().open().say(0, bytes(600)).say(1, bytes(600)).say(0, bytes(600))
    found = conversation(one, limits=Limits(max_body_bytes=1000))
    assert [len(each.body) for each in found.messages] == [600]
    assert not found.is_complete


def test_other_ports_are_read_as_ever() -> None:
    one = Talk().open().say(0, get("/")).say(1, ok())
    assert [each.protocol for each in extracted(one.packets, protocols={PORT: "tcp"})[0]] == ["http"]
