"""HTTP/2 inside TLS, whole and with packets lost."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from bench.capture import Packet
from bench.http2 import Dialogue, request, response
from tests.wire.reading import read
from tests.wire.sealing import Sealed
from tests.wire.test_wire_http2_losses import assert_right, numbered


def sealed(dialogue: Dialogue) -> Sealed:
    talk = Sealed().open()
    for side, text in dialogue.turns:
        talk.say(side, text)
    return talk.close()


def test_streams_are_exchanges() -> None:
    dialogue = Dialogue()
    streams = [dialogue.ask(request(b"POST", b"/%d" % number), b"q" * 20_000) for number in range(3)]
    for number, stream in reversed(list(enumerate(streams))):
        dialogue.answer(stream, response(200), b"%d" % number * 40_000)
    talk = sealed(dialogue)
    seen = read(talk.talk.packets, talk.key_log())
    assert seen.pairs == [(b"/%d" % number, b"%d" % number * 40_000) for number in range(3)]
    assert {each.request.version for each in seen.exchanges} == {b"HTTP/2"}
    assert (seen.counts, seen.others, seen.unparsed) == ((1, 0), {}, [])


@given(seed=st.integers(0, 2**32), rate=st.sampled_from([0.01, 0.05, 0.2]))
@settings(max_examples=40, deadline=None)
def test_losses_never_give_wrong_bytes(seed: int, rate: float) -> None:
    talk, rng = sealed(numbered(3)), Random(seed)
    packets = list[Packet]()
    for at, packet in enumerate(talk.talk.packets):
        if at < 8 or rng.random() >= rate:
            packets.insert(max(len(packets) - (rng.random() < 0.1) * 3, 1), packet)
    seen = read(packets, talk.key_log())
    numbers = [int(each.request.target[1:]) for each in seen.exchanges]
    assert len(numbers) == len(set(numbers))
    for each in seen.exchanges:
        assert_right(each)


def test_losses_leave_most_exchanges_whole() -> None:
    """Not each one does: a record may hold the head that begins the table of fields."""
    talk = sealed(numbered(5))
    packets, whole, losses = talk.talk.packets, 0, range(12, len(talk.talk.packets), 5)
    for lost in losses:
        seen = read(packets[:lost] + packets[lost + 1 :], talk.key_log())
        whole += sum(bool(each.response and each.response.is_complete) for each in seen.exchanges)
    assert whole > 24 * len(losses) // 2
