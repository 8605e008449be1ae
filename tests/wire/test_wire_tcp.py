"""The reassembler alone: what it delivers, what it tells as a gap, what it forgets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.capture import ACK, FIN, PSH, RST, SYN, Talk
from shadow.wire.delivery import Bounds
from shadow.wire.direction import Conversation, End
from shadow.wire.packet import Dissector, FlowKey
from shadow.wire.tcp import Reassembler


class Heard:
    """Writes down what each side said; gaps as ``_`` per byte."""

    def __init__(self, *, stays: bool = True) -> None:
        self.texts = [b"", b""]
        self.ends: list[tuple[int, End]] = []
        self.stays = stays

    def take(self, side: int, payload: bytes, time: float, seq: int, ack: int) -> bool:
        assert payload
        self.texts[side] += payload
        return self.stays

    def skip(self, side: int, count: int, time: float) -> bool:
        assert count > 0
        self.texts[side] += b"_" * min(count, 1000)
        return self.stays

    def end(self, side: int, how: End) -> None:
        self.ends.append((side, how))


class Room:
    """A reassembler with all the conversations that it opened."""

    def __init__(self, bounds: Bounds | None = None, *, stays: bool = True) -> None:
        self.heard: list[Heard] = []
        self.whole: list[bool] = []
        self.reassembler = Reassembler(self._open, bounds)
        self._stays = stays

    def _open(self, key: FlowKey, is_whole: bool) -> Conversation:
        self.heard.append(Heard(stays=self._stays))
        self.whole.append(is_whole)
        return self.heard[-1]

    def take(self, talk: Talk) -> "Room":
        dissector = Dissector()
        for time, frame in talk.packets:
            segment = dissector.segment(1, frame)
            assert segment is not None
            self.reassembler.take(segment, time)
        talk.packets.clear()
        return self


def test_both_sides_are_heard_and_end_once() -> None:
    talk = Talk().open().say(0, b"question").say(1, b"answer").close()
    talk.packet(0, RST)
    room = Room().take(talk)
    room.reassembler.finish()
    assert room.heard[0].texts == [b"question", b"answer"]
    assert room.heard[0].ends == [(0, End.CLOSED), (1, End.CLOSED)]


def test_reset_ends_both_sides_and_tells_what_waited() -> None:
    talk = Talk().open().say(0, b"ab")
    talk.packet(0, PSH, b"ef", seq=talk.seq[0] + 2)
    talk.packet(1, RST)
    room = Room().take(talk)
    assert room.heard[0].texts == [b"ab__ef", b""]
    assert sorted(room.heard[0].ends) == [(0, End.RESET), (1, End.RESET)]


def test_end_of_the_capture_is_told_as_such() -> None:
    room = Room().take(Talk().open().say(0, b"x"))
    room.reassembler.finish()
    assert sorted(room.heard[0].ends) == [(0, End.LOST), (1, End.LOST)]


def test_bytes_after_fin_are_not_heard() -> None:
    talk = Talk().open().say(0, b"x")
    talk.packet(0, FIN | ACK)
    talk.packet(0, PSH | ACK, b"late")
    assert Room().take(talk).heard[0].texts[0] == b"x"


def test_fin_before_the_last_segment_waits_for_it() -> None:
    talk = Talk().open()
    start = talk.seq[0]
    talk.packet(0, FIN | ACK, seq=start + 4)
    room = Room().take(talk)
    assert room.heard[0].ends == []
    talk.packet(0, PSH | ACK, b"last", seq=start)
    room.take(talk)
    assert room.heard[0].texts[0] == b"last"
    assert room.heard[0].ends == [(0, End.CLOSED)]


@pytest.mark.parametrize(
    ("later_seconds", "acked", "told"),
    [
        pytest.param(0.5, True, False, id="acknowledged, soon"),
        pytest.param(2.0, True, True, id="acknowledged, later"),
        pytest.param(2.0, False, False, id="not acknowledged, later"),
        pytest.param(60.0, False, True, id="not acknowledged, much later"),
    ],
)
def test_hole_is_given_up_when_nobody_can_fill_it_any_more(
    later_seconds: float, acked: bool, told: bool
) -> None:
    talk = Talk().open()
    start = talk.seq[0]
    talk.packet(0, PSH | ACK, b"cd", seq=start + 2)
    talk.seq[0] = start + (4 if acked else 0)
    talk.packet(1, ACK)
    talk.time += later_seconds
    talk.packet(0, PSH | ACK, b"ef", seq=start + 4)
    assert Room().take(talk).heard[0].texts[0] == (b"__cdef" if told else b"")


def test_waiting_bytes_are_bounded_per_direction_and_in_all() -> None:
    for bounds in (Bounds(waiting_bytes_per_direction=5000), Bounds(waiting_bytes=5000)):
        talk = Talk().open()
        start = talk.seq[0] + 1
        room = Room(bounds).take(talk)
        for at in range(100):
            talk.packet(0, PSH | ACK, b"x" * 1000, seq=start + 1000 * at)
            room.take(talk)
            assert room.reassembler.delivery.waiting_bytes <= 5000 + 1256
        assert room.heard[0].texts[0].startswith(b"_xxx")


def test_overlaps_follow_the_stated_policy() -> None:
    talk = Talk().open()
    start = talk.seq[0]
    talk.packet(0, PSH, b"AAAA", seq=start)
    talk.packet(0, PSH, b"BBBB", seq=start + 2)
    talk.packet(0, PSH, b"EEEE", seq=start + 10)
    talk.packet(0, PSH, b"DDDD", seq=start + 8)
    talk.packet(0, PSH, b"FF", seq=start + 8)
    talk.packet(0, PSH, b"CC", seq=start + 6)
    assert Room().take(talk).heard[0].texts[0] == b"AAAABBCCDDDDEE"


def test_capture_that_begins_inside_a_connection_tells_what_it_missed() -> None:
    talk = Talk()
    talk.packet(0, PSH | ACK, b"first")
    talk.seq[1] += 3
    talk.packet(1, PSH | ACK, b"seen")
    room = Room().take(talk)
    room.reassembler.finish()
    assert room.whole == [False]
    assert room.heard[0].texts == [b"first", b"___seen"]


def test_connection_of_no_interest_costs_nothing_but_its_count() -> None:
    talk = Talk().open()
    start = talk.seq[0]
    talk.say(0, b"a").say(0, b"bb")
    talk.packet(0, PSH, b"far", seq=start + 100)
    room = Room(stays=False).take(talk)
    assert room.heard[0].texts[0] == b"a"
    assert room.reassembler.skipped_bytes == 5
    assert room.reassembler.delivery.waiting_bytes == 0


def test_idle_connections_are_forgotten() -> None:
    bounds = Bounds(idle_seconds=10.0)
    room = Room(bounds)
    for port in range(3):
        room.take(Talk(("10.0.0.1", 1000 + port)).open())
    busy = Talk(("10.0.0.1", 99), at=1_700_000_100.0).open()
    for _ in range(9000):
        busy.say(0, b"x")
    room.take(busy)
    assert len(room.reassembler._directions) == 2
    assert room.heard[0].ends == [(0, End.LOST), (1, End.LOST)]


def test_packet_from_a_host_to_the_same_port_of_itself_is_harmless() -> None:
    talk = Talk(("10.0.0.1", 80), ("10.0.0.1", 80)).open().say(0, b"x").close()
    room = Room().take(talk)
    room.reassembler.finish()
    assert room.heard == []


@given(
    text=st.binary(min_size=1, max_size=400),
    cuts=st.lists(st.tuples(st.integers(0, 400), st.integers(1, 120)), max_size=30),
    isn=st.sampled_from([0, 7, 0xFFFF_FFF0, 0x7FFF_FFF0]),
)
def test_any_order_and_overlap_of_true_segments_gives_the_text(
    text: bytes, cuts: list[tuple[int, int]], isn: int
) -> None:
    talk = Talk(isn=(isn, 5)).open()
    start = talk.seq[0]
    for at, size in [*cuts, (0, len(text))]:
        if text[at : at + size]:
            talk.packet(0, PSH | ACK, text[at : at + size], seq=start + at)
    room = Room().take(talk)
    assert room.heard[0].texts[0] == text


@given(
    st.lists(
        st.tuples(st.integers(0, 1), st.integers(0, 255), st.binary(max_size=9), st.integers(0, 2**32 - 1))
    )
)
def test_no_segments_make_it_raise(steps: list[tuple[int, int, bytes, int]]) -> None:
    talk = Talk()
    room = Room(Bounds(flows=1, waiting_bytes=600))
    for side, flags, payload, seq in steps:
        talk.packet(side, flags, payload, seq=seq)
        talk.packet(side, SYN if flags & 1 else ACK, payload)
    room.take(talk).reassembler.finish()
    assert all(len(heard.ends) <= 2 for heard in room.heard)
    assert room.reassembler.delivery.waiting_bytes == 0


class Picky:
    """Says that it needs `needs` bytes after the first piece, and writes down the pieces that it is given."""

    def __init__(self, needs: int) -> None:
        self.pieces: list[bytes] = []
        self.gaps: list[int] = []
        self.ends: list[End] = []
        self._needs = needs

    def take(self, side: int, payload: bytes, time: float, seq: int, ack: int) -> int:
        if side == 1:
            return True
        self.pieces.append(payload)
        return self._needs if len(self.pieces) == 1 else True

    def skip(self, side: int, count: int, time: float) -> int:
        self.gaps.append(count)
        return True

    def end(self, side: int, how: End) -> None:
        self.ends.append(how)


def picked(talk: Talk, needs: int, bounds: Bounds | None = None) -> Picky:
    heard = Picky(needs)
    reassembler, dissector = Reassembler(lambda *_: heard, bounds), Dissector()
    for time, frame in talk.packets:
        segment = dissector.segment(1, frame)
        assert segment is not None
        reassembler.take(segment, time)
    reassembler.finish()
    return heard


@pytest.mark.parametrize(
    ("needs", "pieces"),
    [
        (True, [b"head", b"aaa", b"bbb", b"ccc"]),
        (6, [b"head", b"aaabbb", b"ccc"]),
        (7, [b"head", b"aaabbbccc"]),
        (100, [b"head", b"aaabbbccc"]),
    ],
)
def test_bytes_that_are_needed_together_come_in_one_piece(needs: int, pieces: list[bytes]) -> None:
    talk = Talk().open().say(0, b"head").say(0, b"aaa").say(0, b"bbb").say(0, b"ccc")
    assert picked(talk, needs).pieces == pieces


def test_what_was_withheld_comes_before_a_gap_and_before_the_end() -> None:
    talk = Talk().open().say(0, b"head").say(0, b"aaa")
    talk.seq[0] += 5
    talk.say(0, b"bbb").close()
    heard = picked(talk, 50)
    assert heard.pieces == [b"head", b"aaa", b"bbb"]
    assert heard.gaps == [5]
    assert heard.ends == [End.CLOSED, End.CLOSED]


def test_no_more_is_withheld_than_there_is_room_for() -> None:
    talk = Talk().open().say(0, b"head")
    for _ in range(5):
        talk.say(0, b"a" * 10)
    assert picked(talk, 50, Bounds(withheld_bytes=49)).pieces == [b"head", *[b"a" * 10] * 5]
    pieces = picked(talk, 50, Bounds(withheld_bytes_per_direction=20)).pieces
    assert pieces == [b"head", b"a" * 20, *[b"a" * 10] * 3]
