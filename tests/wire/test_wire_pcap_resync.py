"""Pcap files with bytes in them that are no records: what stands behind these is found again."""

import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.capture import Packet, Talk, pcap
from shadow.wire.pcap import PcapReader, Record

AT = 1_700_000_000.0
RANDOM = random.Random(7)
PACKETS: list[Packet] = [
    (AT + at / 8, RANDOM.randbytes(RANDOM.choice([60, 66, 500, 1514]))) for at in range(200)
]
SHAPES = [("<", False), (">", False), ("<", True), (">", True)]


def read(text: bytes, step: int = 10**9) -> tuple[list[Record], PcapReader]:
    reader = PcapReader()
    records = [record for at in range(0, len(text), step) for record in reader.feed(text[at : at + step])]
    return records + reader.flush(), reader


def frames(records: list[Record]) -> list[bytes]:
    return [frame for _, _, frame in records]


GARBAGE = {
    "zeros": b"\0" * 4096,
    "ones": b"\xff" * 999,
    "random": RANDOM.randbytes(70_000),
    "text": b"GET / HTTP/1.1\r\n" * 9,
}


@pytest.mark.parametrize(("order", "nano"), SHAPES)
@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
@pytest.mark.parametrize("step", [4096, 10**9])
def test_records_behind_garbage_are_found(order: str, nano: bool, garbage: bytes, step: int) -> None:
    before = pcap(PACKETS[:100], order=order, nano=nano)
    text = before + garbage + pcap(PACKETS[100:], order=order, nano=nano)[24:]
    records, reader = read(text, step)
    # The one before the garbage is doubtful.
    assert frames(records) == [frame for at, (_, frame) in enumerate(PACKETS) if at != 99]
    assert reader.lost_bytes == len(garbage) + 16 + len(PACKETS[99][1])
    assert reader.finish() is None


@pytest.mark.parametrize(("order", "nano"), SHAPES)
@given(cut=st.integers(0, 3000), where=st.integers(0, 100_000))
def test_missing_bytes_cost_the_records_about_them_alone(
    order: str, nano: bool, cut: int, where: int
) -> None:
    text = pcap(PACKETS, order=order, nano=nano)
    where = 24 + where % (len(text) - 24)
    records, _ = read(text[:where] + text[where + cut :])
    whole = [frame for _, frame in PACKETS]
    known = frames(records)
    # Where as much is missing as a whole record takes, nothing can tell that a frame is two halves.
    assert len([frame for frame in known if frame not in whole]) <= 1
    assert len(known) >= len(whole) - 4 - cut // 60
    assert [frame for frame in known if frame in whole] == [frame for frame in whole if frame in known]


@pytest.mark.parametrize("cut", [1, 7, 100, 512, 4096])
def test_no_half_of_a_frame_is_taken_for_one(cut: int) -> None:
    text = pcap(PACKETS)
    whole = {frame for _, frame in PACKETS}
    for where in range(1000, 50_000, 997):
        assert set(frames(read(text[:where] + text[where + cut :])[0])) <= whole


def test_garbage_to_the_end_is_told_with_its_place() -> None:
    text = pcap(PACKETS)
    records, reader = read(text + b"\xff" * 1000)
    assert frames(records) == [frame for _, frame in PACKETS]
    assert reader.finish() == f"has no record from byte {len(text)} on, but garbage"


@pytest.mark.parametrize(("order", "nano"), SHAPES)
@pytest.mark.parametrize("step", [1, 1000, 10**9])
def test_joined_files_are_read_one_after_the_other(order: str, nano: bool, step: int) -> None:
    text = pcap(PACKETS[:50]) + pcap(PACKETS[50:], order=order, nano=nano, link=101)
    records, reader = read(text, step)
    assert frames(records) == [frame for _, frame in PACKETS]
    assert [link for _, link, _ in records] == [1] * 50 + [101] * 150
    assert (reader.lost_bytes, reader.finish()) == (0, None)


@pytest.mark.parametrize("step", [1, 1000, 10**9])
@pytest.mark.parametrize(
    "times",
    [
        pytest.param([AT, AT + 1e6, AT + 2e6, AT + 2e6 + 1, AT + 9e7], id="days apart"),
        pytest.param([AT, 0.0, AT + 1, AT + 2], id="one without a time"),
        pytest.param([0.0, 0.5, AT, AT + 1], id="from 1970 on"),
        pytest.param([AT, AT - 1e7, AT - 1e7 + 1], id="back in time"),
        pytest.param([AT, 4e9], id="far ahead at the end"),
    ],
)
def test_leaps_in_time_are_no_garbage(times: list[float], step: int) -> None:
    packets = [(time, b"frame %d" % at) for at, time in enumerate(times)]
    records, reader = read(pcap(packets), step)
    assert [(time, frame) for time, _, frame in records] == packets
    assert (reader.lost_bytes, reader.finish()) == (0, None)


def test_fractions_of_another_unit_are_no_garbage() -> None:
    text = bytearray(pcap(PACKETS[:5]))
    at = 24
    for _, frame in PACKETS[:5]:
        struct.pack_into("<I", text, at + 4, 999_999_999)
        at += 16 + len(frame)
    records, reader = read(bytes(text))
    assert frames(records) == [frame for _, frame in PACKETS[:5]]
    assert reader.lost_bytes == 0


def test_empty_frames_are_no_garbage() -> None:
    packets = [(AT, b""), (AT + 1, b"x"), (AT + 2, b"")]
    assert frames(read(pcap(packets))[0]) == [b"", b"x", b""]


def test_zeros_are_no_records() -> None:
    records, reader = read(pcap([]) + bytes(100_000))
    assert records == []
    assert "garbage" in (reader.finish() or "")


def test_capture_inside_a_capture_is_not_taken_for_its_records() -> None:
    inner = pcap([(AT + at, b"inner %d" % at) for at in range(50)])
    said = Talk(at=AT).open().say(1, b"HTTP/1.1 200 \r\nContent-Length: 2000\r\n\r\n" + inner)
    records, reader = read(pcap(said.packets))
    assert frames(records) == [frame for _, frame in said.packets]
    assert reader.lost_bytes == 0


@given(st.binary(max_size=400), st.integers(1, 200), st.sampled_from(SHAPES))
def test_no_bytes_raise_and_no_more_comes_out_than_went_in(
    text: bytes, step: int, shape: tuple[str, bool]
) -> None:
    order, nano = shape
    text = pcap(PACKETS[:2], order=order, nano=nano) + text + pcap(PACKETS[2:4], order=order, nano=nano)[24:]
    records, reader = read(text, step)
    reader.finish()
    assert 24 + sum(16 + len(frame) for frame in frames(records)) + reader.lost_bytes <= len(text)
