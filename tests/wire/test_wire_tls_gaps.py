"""TLS connections of which bytes were not captured: what is left is found again, and nothing is made up."""

from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bench.capture import FIN, Packet
from shadow.model import Exchange
from tests.wire.reading import Read, get, ok, post, read
from tests.wire.sealing import CLIENT, HANDSHAKE, SERVER, Sealed, SealedOld, message

type Talk = Sealed | SealedOld
KINDS = {"TLS 1.3": Sealed, "TLS 1.2": SealedOld}


def body(number: int, size: int = 3500) -> bytes:
    """Tells in each part whose it is."""
    return (b"%03d." % number * (size // 4 + 1))[:size]


def converse(talk: Talk, count: int = 6) -> Talk:
    for number in range(count):
        ask(talk, number)
    return talk


def ask(talk: Talk, number: int) -> None:
    asked = post(f"/{number}", body(number, 900)) if number % 2 else get(f"/{number}")
    talk.say(CLIENT, asked)
    talk.say(SERVER, b"HTTP/1.1 200 OK\r\nX: %d\r\nContent-Length: 3500\r\n\r\n" % number)
    for at in range(0, 3500, 1250):
        talk.say(SERVER, body(number)[at : at + 1250])


def key_log(talk: Talk) -> bytes:
    return talk.key_log() if isinstance(talk, Sealed) else talk.key_log


def without(packets: list[Packet], *lost: int) -> list[Packet]:
    return [packet for at, packet in enumerate(packets) if at not in lost]


def number_of(exchange: Exchange) -> int:
    return int(exchange.request.target[1:])


def assert_right(seen: Read) -> None:
    """Each exchange holds nothing but what belongs to it."""
    numbers = [number_of(each) for each in seen.exchanges]
    assert len(numbers) == len(set(numbers))
    for number, each in zip(numbers, seen.exchanges, strict=True):
        assert each.request.body == (body(number, 900) if number % 2 else b"")
        if each.response is not None:
            assert (b"X", b"%d" % number) in each.response.headers
            assert body(number).startswith(each.response.body)
            assert each.response.is_complete == (len(each.response.body) == 3500)


def whole(seen: Read) -> set[int]:
    """The numbers of the exchanges that are complete."""
    return {number_of(each) for each in seen.exchanges if each.response and each.response.is_complete}


@pytest.fixture(params=list(KINDS.values()), ids=list(KINDS))
def talk(request: pytest.FixtureRequest) -> Talk:
    made: Talk = request.param()
    return converse(made.open())


def payload_packets(talk: Talk, side: int) -> list[int]:
    """Where the packets of a side with payload are, after the handshake, in the talk's packets."""
    return [
        at
        for at, (_, frame) in enumerate(talk.talk.packets)
        if int.from_bytes(frame[16:18]) > 40 and (frame[26:30] == b"\x0a\0\0\x01") == (side == CLIENT)
    ]


def test_every_single_loss_costs_one_exchange_at_most(talk: Talk) -> None:
    packets = talk.talk.packets
    first = next(at for at in payload_packets(talk, CLIENT) if at > 10)
    for lost in range(first, len(packets)):
        seen = read(without(packets, lost), key_log(talk))
        assert_right(seen)
        assert len(whole(seen)) >= 5, lost
        assert seen.counts == (1, 0)


def test_every_double_loss_costs_two_exchanges_at_most(talk: Talk) -> None:
    packets = talk.talk.packets
    first = next(at for at in payload_packets(talk, CLIENT) if at > 10)
    for lost in range(first, len(packets) - 1):
        seen = read(without(packets, lost, lost + 1), key_log(talk))
        assert_right(seen)
        assert len(whole(seen)) >= 4, lost


@pytest.mark.parametrize("kind", list(KINDS.values()), ids=list(KINDS))
@given(
    seed=st.integers(0, 2**32),
    rate=st.sampled_from([0.01, 0.05, 0.2, 0.5]),
    disorder=st.sampled_from([0.0, 0.1]),
    mss=st.sampled_from([300, 1448]),
)
@settings(max_examples=60, deadline=None)
def test_losses_and_disorder_never_give_wrong_bytes(
    kind: type[Talk], seed: int, rate: float, disorder: float, mss: int
) -> None:
    made = kind(mss=mss).open()
    rng, packets = Random(seed), list[Packet]()
    for at, packet in enumerate(converse(made).talk.packets):
        if at > 3 and rng.random() < rate:
            continue
        place = max(len(packets) - rng.randrange(5), 1) if rng.random() < disorder else len(packets)
        packets.insert(place, packet)
    assert_right(read(packets, key_log(made)))


def test_lost_middle_of_a_record_costs_that_record_alone() -> None:
    talk = Sealed(mss=100).open().say(CLIENT, get("/0"))
    before = len(talk.talk.packets)
    talk.say(SERVER, b"HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n" + b"a" * 1000)
    talk.say(SERVER, b"b" * 2000)
    talk.say(SERVER, ok(b"next"))
    (exchange,) = read(without(talk.talk.packets, before + 15), talk.key_log()).exchanges
    assert exchange.response is not None
    assert (exchange.response.body, exchange.response.is_complete) == (b"a" * 1000, False)


def test_answer_of_known_length_ends_where_it_should_although_records_of_it_are_lost() -> None:
    """Two pipelined answers: without the exact size of the gap, the second would not be found."""
    talk = Sealed().open().say(CLIENT, get("/0") + get("/1"))
    talk.say(SERVER, b"HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n").say(SERVER, b"a" * 1000)
    before = len(talk.talk.packets)
    talk.say(SERVER, b"b" * 1000)
    talk.say(SERVER, b"c" * 1000 + ok(b"second"))
    seen = read(without(talk.talk.packets, before), talk.key_log())
    assert seen.pairs == [(b"/0", b"a" * 1000), (b"/1", b"second")]


def test_padded_record_that_is_lost_says_nothing_of_its_size() -> None:
    talk = Sealed().open().say(CLIENT, get("/0"))
    talk.say(SERVER, b"HTTP/1.1 200 OK\r\nContent-Length: 1040\r\n\r\n" + b"a" * 20, padding=30)
    before = len(talk.talk.packets)
    talk.say(SERVER, b"b" * 500, padding=500).say(SERVER, b"c" * 520)
    talk.say(CLIENT, get("/1")).say(SERVER, ok(b"second"))
    seen = read(without(talk.talk.packets, before), talk.key_log())
    assert seen.pairs == [(b"/0", b"a" * 20), (b"/1", b"second")]


def test_key_update_among_what_is_lost_is_followed() -> None:
    talk = converse(Sealed().open(), 2)
    assert isinstance(talk, Sealed)
    before = len(talk.talk.packets)
    talk.update(SERVER)
    lost = [before]
    talk.say(CLIENT, get("/2")).say(SERVER, ok(b"second"))
    assert (b"/2", b"second") in read(without(talk.talk.packets, *lost), talk.key_log()).pairs


@pytest.mark.parametrize("lost", [3, 5], ids=["client", "server"])
def test_without_a_hello_nothing_can_be_read_and_that_is_told(lost: int) -> None:
    talk = Sealed()
    seen = read(without(converse(talk.open()).talk.packets, lost), talk.key_log())
    assert not seen.exchanges
    assert seen.others == {"TLS (its first messages were not captured)": 1}


@pytest.mark.parametrize("lost", range(6, 16))
def test_loss_in_the_rest_of_the_handshake_costs_no_more_than_it_must(lost: int) -> None:
    talk = Sealed(mss=200)
    seen = read(without(converse(talk.open()).talk.packets, lost), talk.key_log())
    assert_right(seen)
    assert len(whole(seen)) >= 5


@pytest.mark.parametrize("lost", range(6, 22))
def test_loss_in_the_rest_of_an_older_handshake_costs_no_more_than_it_must(lost: int) -> None:
    talk = SealedOld(mss=400)
    seen = read(without(converse(talk.open()).talk.packets, lost), talk.key_log)
    assert_right(seen)
    assert len(whole(seen)) >= 5


def test_hundreds_of_lost_records_are_counted_by_their_bytes() -> None:
    talk = Sealed().open().say(CLIENT, get("/0"))
    talk.say(SERVER, b"HTTP/1.1 200 OK\r\nContent-Length: 8000000\r\n\r\n")
    before = len(talk.talk.packets)
    talk.say(SERVER, b"a" * 8_000_000)
    after = len(talk.talk.packets)
    talk.say(CLIENT, get("/1")).say(SERVER, ok(b"second"))
    seen = read(without(talk.talk.packets, *range(before, after)), talk.key_log())
    assert seen.pairs == [(b"/0", b""), (b"/1", b"second")]


def test_more_lost_records_than_are_tried_end_the_connection_and_are_told() -> None:
    talk = converse(Sealed().open(), 2)
    assert isinstance(talk, Sealed)
    before = len(talk.talk.packets)
    for _ in range(1000):
        talk.say(SERVER, b"a")
    after = len(talk.talk.packets)
    for _ in range(20):
        talk.say(SERVER, ok(b"a" * 16_000))
    talk.talk.packet(SERVER, FIN)
    seen = read(without(talk.talk.packets, *range(before, after)), talk.key_log())
    assert whole(seen) == {0, 1}
    assert seen.others == {"TLS (lost after missing bytes)": 1}


def test_damaged_record_is_never_handed_on() -> None:
    talk = converse(Sealed().open())
    assert isinstance(talk, Sealed)
    for at in payload_packets(talk, SERVER)[-12:]:
        time, frame = talk.talk.packets[at]
        damaged = list(talk.talk.packets)
        damaged[at] = time, frame[:100] + bytes((frame[100] ^ 1,)) + frame[101:]
        seen = read(damaged, talk.key_log())
        assert_right(seen)
        assert len(whole(seen)) >= 5


@given(text=st.binary(max_size=400), at=st.integers(10, 30))
@example(text=b"\x17\x03\x03\x40\x00" * 60, at=20)
@settings(max_examples=60, deadline=None)
def test_garbage_between_records_costs_what_it_must(text: bytes, at: int) -> None:
    talk = Sealed().open()
    for number in range(4):
        ask(talk, number)
        if number == 1:
            talk.send(SERVER, text)
    assert_right(read(without(talk.talk.packets, at), talk.key_log()))


def test_message_that_is_cut_by_a_gap_is_not_joined_with_the_next() -> None:
    talk = Sealed(mss=100)
    talk.hello().answer().finish()
    ticket = message(4, b"t" * 600)
    talk.send(SERVER, talk.seal(SERVER, ticket[:300], HANDSHAKE))
    before = len(talk.talk.packets)
    talk.send(SERVER, talk.seal(SERVER, ticket[300:], HANDSHAKE)).update(SERVER)
    talk.say(CLIENT, get("/0")).say(SERVER, ok(b"0"))
    assert (b"/0", b"0") in read(without(talk.talk.packets, before), talk.key_log()).pairs
