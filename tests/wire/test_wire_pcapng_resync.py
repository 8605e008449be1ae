"""Pcapng files with bytes in them that are no blocks, and with everything that a section may hold."""

import random
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bench.capture import Packet, block, pcapng
from shadow.wire.pcap import Record
from shadow.wire.pcapng import PcapngReader

AT = 1_700_000_000.0
RANDOM = random.Random(7)
PACKETS: list[Packet] = [
    (AT + at / 8, RANDOM.randbytes(RANDOM.choice([60, 66, 500, 1514]))) for at in range(200)
]
FRAMES = [frame for _, frame in PACKETS]
ORDERS = pytest.mark.parametrize("order", ["<", ">"])


def read(text: bytes, step: int = 10**9) -> tuple[list[Record], PcapngReader]:
    reader = PcapngReader()
    records = [record for at in range(0, len(text), step) for record in reader.feed(text[at : at + step])]
    return records + reader.flush(), reader


def frames(records: list[Record]) -> list[bytes]:
    return [frame for _, _, frame in records]


def packet(order: str, interface: int, frame: bytes, ticks: int = 0) -> bytes:
    head = struct.pack(order + "IIIII", interface, ticks >> 32, ticks & 0xFFFF_FFFF, len(frame), len(frame))
    return block(order, 6, head + frame)


def interface(order: str, link: int, options: bytes = b"", snap: int = 0) -> bytes:
    return block(order, 1, struct.pack(order + "HHI", link, 0, snap) + options)


def option(order: str, code: int, value: bytes) -> bytes:
    return struct.pack(order + "HH", code, len(value)) + value + b"\0" * (-len(value) % 4)


GARBAGE = {
    "zeros": b"\0" * 4096,
    "ones": b"\xff" * 999,
    "random": RANDOM.randbytes(70_001),
    "section headers": b"\x0a\x0d\x0d\x0a" * 50,
}


@ORDERS
@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
@pytest.mark.parametrize("step", [100, 4096, 10**9])
def test_blocks_behind_garbage_are_found(order: str, garbage: bytes, step: int) -> None:
    before, after = pcapng(PACKETS[:100], order=order), pcapng(PACKETS[100:], order=order)
    start = len(pcapng([], order=order))
    records, reader = read(before + garbage + after[start:], step)
    assert frames(records) == FRAMES
    assert reader.lost_bytes == len(garbage)
    assert reader.finish() is None


@ORDERS
@given(cut=st.integers(1, 3000), where=st.integers(0, 100_000))
@example(cut=8, where=543)
@example(cut=10, where=10)  # what is left looks like a block that is longer than the file
def test_missing_bytes_cost_the_blocks_that_they_belong_to(order: str, cut: int, where: int) -> None:
    text = pcapng(PACKETS, order=order)
    start = len(pcapng([], order=order))
    where = start + where % (len(text) - start)
    known = frames(read(text[:where] + text[where + cut :])[0])
    unknown = [frame for frame in known if frame not in FRAMES]
    # Eight bytes less, and the length at the head of the next block closes the cut one, if both are as long.
    assert len(unknown) <= (cut == 8)
    assert len(known) >= len(FRAMES) - 2 - cut // 92
    assert [frame for frame in known if frame in FRAMES] == [frame for frame in FRAMES if frame in known]


@pytest.mark.parametrize("step", [1, 1000, 10**9])
def test_sections_of_different_orders_and_units_follow_each_other(step: int) -> None:
    text = pcapng(PACKETS[:50], order="<", link=1, resolution=6) + pcapng(
        PACKETS[50:], order=">", link=101, resolution=9
    )
    records, reader = read(text, step)
    assert frames(records) == FRAMES
    assert [link for _, link, _ in records] == [1] * 50 + [101] * 150
    assert [time for time, _, _ in records] == pytest.approx([time for time, _ in PACKETS], abs=1e-6)
    assert (reader.lost_bytes, reader.finish()) == (0, None)


@ORDERS
def test_each_interface_has_its_own_link_and_unit(order: str) -> None:
    text = (
        pcapng([], order=order)
        + interface(order, 113, option(order, 9, bytes([3])))
        + interface(order, 0, option(order, 9, bytes([0x80 | 10])))
        + interface(order, 12, option(order, 14, struct.pack(order + "q", 1000)))
        + packet(order, 1, b"one", 5250)
        + packet(order, 2, b"two", 5 * 1024 + 256)
        + packet(order, 3, b"three", 5_250_000)
    )
    records, reader = read(text)
    assert records == [(5.25, 113, b"one"), (5.25, 0, b"two"), (1005.25, 12, b"three")]
    assert (reader.stray_count, reader.lost_bytes, reader.finish()) == (0, 0, None)


@ORDERS
def test_blocks_without_packets_are_read_over(order: str) -> None:
    names = block(order, 4, option(order, 1, b"\x0a\0\0\1host.test\0") + option(order, 0, b""))
    statistics = block(order, 5, struct.pack(order + "III", 0, 0, 0))
    custom = block(order, 0xBAD, struct.pack(order + "I", 32473) + b"whatever it is")
    unknown = block(order, 0x7654, b"a block of tomorrow")
    secrets = block(order, 10, struct.pack(order + "II", 0x544C534B, 4) + b"abcd")
    others = names + statistics + custom + unknown + secrets
    text = pcapng(PACKETS[:1], order=order) + others + packet(order, 0, b"last")
    records, reader = read(text)
    assert frames(records) == [FRAMES[0], b"last"]
    assert (reader.stray_count, reader.lost_bytes, reader.finish()) == (0, 0, None)


@ORDERS
def test_options_of_packets_and_sections_are_read_over(order: str) -> None:
    comment = option(order, 1, b"a comment") + option(order, 0, b"")
    section = struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1) + comment
    head = struct.pack(order + "IIIII", 0, 0, 0, 5, 5)
    text = (
        block(order, 0x0A0D0D0A, section)
        + interface(order, 1, option(order, 2, b"eth0") + comment)
        + block(order, 6, head + b"hello\0\0\0" + comment)
    )
    assert frames(read(text)[0]) == [b"hello"]


@ORDERS
def test_simple_packets_are_as_long_as_the_snap_length_allows(order: str) -> None:
    section = pcapng([], order=order)[: -len(interface(order, 1, b"\0" * 12))]
    text = section + interface(order, 101, snap=4) + block(order, 3, struct.pack(order + "I", 9) + b"hello")
    assert read(text)[0] == [(0.0, 101, b"hell")]


@ORDERS
def test_old_packet_blocks_are_read(order: str) -> None:
    old = struct.pack(order + "HHIIII", 0, 0, 0, 5_000_000_000 & 0xFFFF_FFFF, 5, 5) + b"hello"
    records, _ = read(pcapng([], order=order) + block(order, 2, old))
    assert frames(records) == [b"hello"]


def test_interfaces_are_bounded_and_packets_of_more_are_counted() -> None:
    text = pcapng([]) + interface("<", 1) * 70_000 + packet("<", 0, b"first") + packet("<", 70_000, b"last")
    records, reader = read(text)
    assert frames(records) == [b"first"]
    assert reader.stray_count == 1
    assert len(reader._interfaces) <= 65_536


def test_garbage_to_the_end_is_told_with_its_place() -> None:
    text = pcapng(PACKETS[:3])
    records, reader = read(text + b"\xff" * 100)
    assert len(records) == 3
    assert reader.finish() == f"has no block from byte {len(text)} on, but garbage"


def test_file_that_does_not_begin_with_a_section_is_a_fault() -> None:
    records, reader = read(b"\x0a\x0d\x0d\x0a" + b"\0" * 100)
    assert records == []
    assert reader.finish() == "has no section header at byte 0, but garbage"


@given(st.binary(max_size=400), st.integers(1, 200))
def test_no_bytes_raise_and_no_more_comes_out_than_went_in(text: bytes, step: int) -> None:
    text = pcapng(PACKETS[:2]) + text + packet("<", 0, b"last")
    records, reader = read(text, step)
    reader.finish()
    assert sum(map(len, frames(records))) + reader.lost_bytes <= len(text)
