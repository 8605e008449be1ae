"""DNS over TCP, in captures."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.capture import ACK, PSH, Talk
from shadow.wire.direction import End
from shadow.wire.dns import Queries
from shadow.wire.dns_stream import DnsStream
from tests.wire.listening import LINK, Heard, messages
from tests.wire.test_wire_dns_message import message, question, record
from tests.wire.test_wire_extraction import extracted, get, ok, pairs

ANY_SIZES = st.sampled_from([1, 2, 3, 17, 1448])


def framed(text: bytes) -> bytes:
    return struct.pack("!H", len(text)) + text


def ask(number: int, name: str = "a.example") -> bytes:
    return message(number, 0x0100, (question(name),))


def reply(number: int, name: str = "a.example", size: int = 4) -> bytes:
    return message(number, 0x8180, (question(name),), (record(b"\xc0\x0c", 16, bytes(size)),))


def talk(port: int = 53) -> Talk:
    return Talk(("10.0.0.1", 40000), ("10.0.0.2", port)).open()


@given(sizes=st.lists(st.tuples(ANY_SIZES, ANY_SIZES), min_size=1, max_size=4))
def test_any_segmentation_gives_the_same_exchanges(sizes: list[tuple[int, int]]) -> None:
    one = talk()
    for number, (asks, replies) in enumerate(sizes):
        one.say(0, framed(ask(number)), mss=asks).say(1, framed(reply(number)), mss=replies)
    exchanges, unparsed = extracted(one.close().packets)
    assert not unparsed
    assert [messages(each) for each in exchanges] == [
        [("client", ask(number)), ("server", reply(number))] for number in range(len(sizes))
    ]
    assert {each.session for each in exchanges} == {"10.0.0.1:40000"}
    assert {each.live for each in exchanges} == {"10.0.0.2:53"}


def test_answers_may_come_in_another_order() -> None:
    one = talk().say(0, framed(ask(1, "a")) + framed(ask(2, "b")))
    one.say(1, framed(reply(2, "b")) + framed(reply(1, "a")))
    exchanges, _ = extracted(one.packets)
    assert [messages(each)[1][1] for each in exchanges] == [reply(1, "a"), reply(2, "b")]


def test_http_on_the_port_of_dns_is_read_as_http() -> None:
    one = talk().say(0, get("/x")).say(1, ok(b"y"))
    assert pairs(extracted(one.packets)[0]) == [(b"/x", b"y")]


def test_port_that_is_named_is_read_as_dns_alone() -> None:
    one = talk(5300).say(0, framed(ask(1))).say(1, framed(reply(1)))
    exchanges, _ = extracted(one.packets, protocols={5300: "dns"})
    assert [each.protocol for each in exchanges] == ["dns"]
    assert extracted(one.packets)[0] == []
    assert extracted(talk(5300).say(0, get("/x")).close().packets, protocols={5300: "dns"}) == (
        [],
        ["bytes of a DNS message were not captured"],
    )


def test_gap_in_an_answer_leaves_its_query_unanswered_and_the_next_is_read() -> None:
    one = talk().say(0, framed(ask(1)))
    one.say(1, framed(reply(1, size=3000)), mss=1000)
    del one.packets[-3]
    one.say(0, framed(ask(2))).say(1, framed(reply(2))).close()
    exchanges, unparsed = extracted(one.packets)
    assert [len(each.messages) for each in exchanges] == [1, 2]
    assert unparsed == ["bytes of a DNS message were not captured"]


def test_gap_over_the_beginning_of_a_message_ends_that_side() -> None:
    one = talk().say(0, framed(ask(1)))
    one.say(1, framed(reply(1)))
    del one.packets[-2]
    one.say(0, framed(ask(2))).say(1, framed(reply(2))).close()
    exchanges, unparsed = extracted(one.packets)
    assert [len(each.messages) for each in exchanges] == [1, 1]
    assert unparsed == ["bytes of a DNS message were not captured"]


def test_capture_that_begins_inside_the_connection_is_read_from_there() -> None:
    one = Talk(server=("10.0.0.2", 53))
    one.packet(0, PSH | ACK, framed(ask(1)))
    one.say(1, framed(reply(1)))
    assert len(extracted(one.packets)[0][0].messages) == 2


def test_malformed_message_is_unparsed_and_the_next_is_read() -> None:
    one = talk().say(0, framed(message(1, 0x0100, (b"\x3f",))) + framed(ask(2))).say(1, framed(reply(2)))
    exchanges, unparsed = extracted(one.packets)
    assert [len(each.messages) for each in exchanges] == [2]
    assert unparsed == ["no DNS message: its question cannot be read"]


def test_connection_that_ends_inside_a_message_is_told() -> None:
    one = talk().say(0, framed(ask(1))[:-1]).close()
    assert extracted(one.packets) == ([], ["bytes of a DNS message were not captured"])


def test_where_all_keep_too_much_the_side_is_given_up() -> None:
    heard = Heard(room_bytes=100)
    stream = DnsStream(LINK, heard, Queries(heard))
    assert stream.take(0, b"\xff\xff" + bytes(200), 1.0, 0, 0)
    assert (heard.kept_bytes, heard.passed_bytes) == (0, 202)
    assert len(heard.unparsed_why) == 1


@pytest.mark.parametrize("first", [0, 1])
@given(pieces=st.lists(st.tuples(st.integers(0, 1), st.binary(max_size=60), st.integers(0, 40)), max_size=20))
def test_random_bytes_and_gaps_never_raise_and_keep_nothing(
    first: int, pieces: list[tuple[int, bytes, int]]
) -> None:
    heard = Heard()
    queries = Queries(heard)
    stream = DnsStream(LINK, heard, queries)
    for side, text, gap in pieces:
        if not (stream.take(side, text, 1.0, 0, 0) and (not gap or stream.skip(side, gap, 1.0))):
            break
    stream.end(first, End.CLOSED)
    stream.end(1 - first, End.RESET)
    queries.finish()
    assert heard.kept_bytes == 0
