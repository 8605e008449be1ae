"""HTTP/2 with packets lost, out of order, or seen from its middle: nothing is ever wrong, only less."""

from random import Random

import pytest
from hpack import NeverIndexedHeaderTuple
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.capture import Packet, Talk
from bench.http2 import CLIENT, SERVER, Dialogue, request, response
from shadow.model import Exchange, field
from shadow.wire.http2_fields import UNKNOWN_ENTRY
from tests.wire.hearing import Wire
from tests.wire.test_wire_extraction import extracted

_COUNT = 24
_GREETINGS = 3
"""Turns before the first request."""


def numbered(seed: int, *, nests: bool = False) -> Dialogue:
    """Exchanges that bear their number everywhere, some at a time, with fields that come again and again.

    Where it `nests`, the bodies are themselves HTTP/2 of other exchanges.
    """
    rng = Random(seed)
    dialogue = Dialogue()
    inside = b"".join(text for _, text in numbered(seed + 1).turns) if nests else b""
    waiting: list[tuple[int, int]] = []
    for number in range(_COUNT):
        body = _body(number, rng.choice((0, 0, 1, 200, 5000)), inside)
        fields = (*_fields(number), (b"x-size", b"%d" % len(body)))
        method = b"POST" if body else b"GET"
        waiting.append((dialogue.ask(request(method, b"/%d" % number, *fields), body), number))
        while len(waiting) > rng.randrange(4):
            stream, answered = waiting.pop(rng.randrange(len(waiting)))
            told = _body(answered, rng.choice((0, 1, 300, 4000, 20_000)), inside)
            trailers = _fields(answered)[:1] if rng.random() < 0.3 else ()
            size = (b"x-size", b"%d" % len(told))
            dialogue.answer(stream, response(200, *_fields(answered), size), told, trailers)
    return dialogue


def _fields(number: int) -> tuple[tuple[bytes, bytes], ...]:
    return (b"x-number", b"%d" % number), (b"cookie", b"session=%d" % (number % 3)), (b"accept", b"*/*")


def _body(number: int, size: int, inside: bytes) -> bytes:
    text = b"%d," % number
    return (inside[: size * 3] + text if inside else text * size) if size else b""


def assert_right(exchange: Exchange) -> None:
    """All that is there belongs together, and what is said to be complete is."""
    number = int(exchange.request.target[1:])
    asked = exchange.request
    assert asked.headers[1:4] == _fields(number)
    assert len(asked.body) == int(asked.headers[4][1])
    assert not asked.body or asked.body.endswith(b"%d," % number)
    answered = exchange.response
    if answered is None:
        return
    assert answered.status == 200
    assert answered.headers[:3] == _fields(number)
    assert answered.trailers in ((), _fields(number)[:1])
    size = int(field(answered.headers, b"x-size") or b"")
    assert len(answered.body) == size if answered.is_complete else len(answered.body) <= size
    assert not answered.is_complete or not size or answered.body.endswith(b"%d," % number)


def found(packets: list[Packet], *, nests: bool = False) -> list[Exchange]:
    """The exchanges, all of them right. Inside a body that `nests`, more may seem to have been missed."""
    exchanges, unparsed = extracted(packets)
    numbers = [int(each.request.target[1:]) for each in exchanges]
    assert len(numbers) == len(set(numbers))
    assert numbers == sorted(numbers)
    assert nests or len(exchanges) + len(unparsed) <= _COUNT
    for each in exchanges:
        assert_right(each)
    return exchanges


def test_whole_conversation_is_found_whole() -> None:
    for nests in (False, True):
        exchanges = found(numbered(1, nests=nests).talk(Talk().open()).close().packets)
        assert len(exchanges) == _COUNT
        unanswered = [each for each in exchanges if each.response is None or not each.response.is_complete]
        assert len(unanswered) <= 3  # those that wait at the end


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 40),
    lost=st.sets(st.integers(3, 400), max_size=8),
    mss=st.sampled_from([200, 536, 1448]),
    nests=st.booleans(),
)
def test_lost_packets_never_make_anything_wrong(seed: int, lost: set[int], mss: int, nests: bool) -> None:
    packets = numbered(seed, nests=nests).talk(Talk().open(), mss=mss).close().packets
    found([packet for at, packet in enumerate(packets) if at not in lost], nests=nests)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 40), share=st.floats(0.0, 0.5), mss=st.sampled_from([200, 1448]))
def test_lossy_captures_never_make_anything_wrong(seed: int, share: float, mss: int) -> None:
    rng = Random(seed)
    packets = numbered(seed).talk(Talk().open(), mss=mss).close().packets
    found([packet for packet in packets if rng.random() >= share])


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 40), distance=st.integers(1, 6))
def test_packets_out_of_order_lose_nothing(seed: int, distance: int) -> None:
    rng = Random(seed)
    packets = numbered(seed).talk(Talk().open()).close().packets
    order = sorted(range(len(packets)), key=lambda at: at + rng.randrange(distance + 1))
    times = [time for time, _ in packets]
    shuffled = [(times[at], packets[of][1]) for at, of in enumerate(order)]
    exchanges, unparsed = extracted(shuffled)
    assert (len(exchanges), unparsed) == (_COUNT, [])
    for each in exchanges:
        assert_right(each)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 40), start=st.integers(1, 300), mss=st.sampled_from([200, 1448]))
def test_connection_seen_from_its_middle_never_makes_anything_wrong(seed: int, start: int, mss: int) -> None:
    packets = numbered(seed).talk(Talk().open(), mss=mss).close().packets
    found(packets[start:])


def test_loss_inside_a_body_costs_that_body_alone() -> None:
    dialogue = Dialogue()
    for at in range(3):
        dialogue.answer(dialogue.ask(request(b"GET", b"/%d" % at)), response(200), b"x" * 9000)
    talk = dialogue.talk(Talk().open()).close()
    large = [packet for packet in talk.packets if len(packet[1]) > 1400]
    talk.packets.remove(large[8])
    exchanges, unparsed = extracted(talk.packets)
    told = [each.response for each in exchanges]
    assert [each is not None and each.is_complete for each in told] == [True, False, True]
    assert not unparsed


def test_loss_of_an_answers_head_leaves_its_exchange_without_one() -> None:
    dialogue = Dialogue()
    for at in range(3):
        dialogue.answer(dialogue.ask(request(b"GET", b"/%d" % at)), response(200, (b"x", b"y")), b"%d" % at)
    wire = Wire()
    for side, text in dialogue.turns:
        if side == SERVER and text.endswith(b"\0\0\x03" + b"1"):
            wire.lose(side, len(text))
        else:
            wire.say(side, text)
    heard = wire.end()
    by_target = {each.request.target: each.response for each in heard.exchanges}
    assert by_target[b"/1"] is None
    assert not heard.reasons
    assert heard.unread_reasons == [UNKNOWN_ENTRY]  # the last answer refers to a field of the lost one


def test_loss_of_a_request_makes_its_answer_unparsed_and_no_other() -> None:
    dialogue = Dialogue()
    for at in range(3):
        dialogue.answer(dialogue.ask(static(b"/%d" % at)), response(200))
    lost = [at for at, (side, _) in enumerate(dialogue.turns) if side == CLIENT][-2]
    wire = Wire()
    for at, (side, text) in enumerate(dialogue.turns):
        if at == lost:
            wire.lose(side, len(text))
        else:
            wire.say(side, text)
    heard = wire.end()
    assert [each.request.target for each in heard.exchanges] == [b"/0", b"/2"]
    assert heard.reasons == ["a response without its request"]


def test_middle_of_a_connection_is_recognised_by_its_frames() -> None:
    dialogue = Dialogue()
    for at in range(3):
        dialogue.answer(dialogue.ask(static(b"/%d" % at)), response(200, (b"x", b"%d" % at)), b"body")
    heard = Wire(is_whole=False).play(dialogue.turns[_GREETINGS + 1 :]).end()
    assert [each.request.target for each in heard.by_index()] == [b"/1", b"/2"]
    assert heard.reasons == ["a response without its request"]
    assert not heard.others


def test_middle_of_a_connection_that_refers_to_its_beginning_is_unparsed() -> None:
    dialogue = Dialogue()
    for _ in range(3):
        dialogue.answer(dialogue.ask(request(b"GET", b"/same")), response(200))
    heard = Wire(is_whole=False).play(dialogue.turns[_GREETINGS + 2 :]).end()
    assert heard.exchanges == []
    assert heard.reasons == [UNKNOWN_ENTRY] * 2


@pytest.mark.parametrize("is_preface_lost", [False, True])
def test_whole_connection_with_a_gap_at_its_start_is_read(is_preface_lost: bool) -> None:
    dialogue = Dialogue()
    for at in range(3):
        dialogue.answer(dialogue.ask(static(b"/%d" % at)), response(200))
    first, second, *rest = dialogue.turns
    side, text = first if is_preface_lost else second
    wire = Wire()
    if is_preface_lost:
        wire.lose(side, len(text)).say(*second)
    else:
        wire.say(*first).lose(side, len(text))
    heard = wire.play(rest).end()
    assert len(heard.exchanges) == 3
    assert not heard.reasons


def static(path: bytes) -> list[tuple[bytes, bytes]]:
    """A request whose fields refer to none that were sent before, as they are never added to a table."""
    return [NeverIndexedHeaderTuple(*each) for each in request(b"GET", path)]
