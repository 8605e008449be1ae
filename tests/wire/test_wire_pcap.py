"""Capture files in every byte order and time unit, whole, cut and hostile."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.capture import Packet, block, pcap, pcapng
from shadow.wire.pcap import PcapReader, Record, is_pcap
from shadow.wire.pcapng import PcapngReader, is_pcapng

PACKETS: list[Packet] = [(1_700_000_000.25, b"a" * 60), (1_700_000_001.5, b"b" * 61), (1_700_000_002.0, b"")]


def drip(reader: PcapReader | PcapngReader, text: bytes, step: int) -> list[Record]:
    return [record for at in range(0, len(text), step) for record in reader.feed(text[at : at + step])]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("nano", [False, True])
@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_pcap_gives_its_records_in_any_slicing(order: str, nano: bool, step: int) -> None:
    text = pcap(PACKETS, order=order, nano=nano, link=113)
    reader = PcapReader()
    assert is_pcap(text)
    assert drip(reader, text, step) == [(time, 113, frame) for time, frame in PACKETS]
    assert reader.finish() is None


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("resolution", [3, 6, 9])
@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_pcapng_gives_its_records_in_any_slicing(order: str, resolution: int, step: int) -> None:
    text = pcapng(PACKETS, order=order, link=276, resolution=resolution)
    reader = PcapngReader()
    assert is_pcapng(text)
    records = drip(reader, text, step)
    assert [(link, frame) for _, link, frame in records] == [(276, frame) for _, frame in PACKETS]
    assert [time for time, _, _ in records] == pytest.approx([time for time, _ in PACKETS], abs=1e-6)
    assert reader.finish() is None


def test_each_section_has_its_own_byte_order_and_interfaces() -> None:
    text = pcapng(PACKETS[:1], order="<", link=1) + pcapng(PACKETS[1:], order=">", link=101)
    records = PcapngReader().feed(text)
    assert [(link, frame) for _, link, frame in records] == [(1, b"a" * 60), (101, b"b" * 61), (101, b"")]


def test_packet_of_an_interface_that_is_not_described_is_counted() -> None:
    stray = struct.pack("<IIIII", 7, 0, 0, 4, 4) + b"abcd"
    reader = PcapngReader()
    records = reader.feed(pcapng(PACKETS[:1]) + block("<", 6, stray) + block("<", 99, b"unknown kind"))
    assert len(records) == 1
    assert reader.stray_count == 1
    assert reader.finish() is None


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("step", [1, 10_000])
def test_key_logs_in_blocks_of_secrets_are_handed_on_before_the_packets_after_them(
    order: str, step: int
) -> None:
    def secrets(kind: int, text: bytes) -> bytes:
        return block(order, 10, struct.pack(order + "II", kind, len(text)) + text)

    found: list[bytes] = []
    reader = PcapngReader(found.append)
    text = pcapng(PACKETS[:1], order=order) + secrets(0x544C534B, b"one")
    text += secrets(0x57474B4C, b"of WireGuard")
    assert len(drip(reader, text, step)) == 1
    assert found == [b"one"]
    text = secrets(0x544C534B, b"") + block(order, 10, b"\0" * 4) + pcapng(PACKETS[1:], order=order)
    assert len(drip(reader, text, step)) == 2
    assert found == [b"one", b""]
    assert reader.finish() is None


def test_simple_packets_have_the_link_type_of_the_first_interface() -> None:
    reader = PcapngReader()
    reader.feed(pcapng([], link=101))
    assert reader.feed(block("<", 3, struct.pack("<I", 5) + b"hello")) == [(0.0, 101, b"hello")]


@pytest.mark.parametrize("make", [pcap, pcapng])
def test_cut_file_gives_what_it_holds_and_says_where_it_ends(make: object) -> None:
    assert callable(make)
    text = make(PACKETS[:2])
    reader = PcapReader() if make is pcap else PcapngReader()
    assert len(reader.feed(text[:-10])) == 1
    cut = reader.finish()
    assert cut is not None
    assert "ends inside a" in cut


def test_garbage_length_ends_a_file_and_is_told() -> None:
    reader = PcapReader()
    assert len(reader.feed(pcap(PACKETS[:1]) + b"\xff" * 100) + reader.flush()) == 1
    assert "garbage" in (reader.finish() or "")
    blocks = PcapngReader()
    assert len(blocks.feed(pcapng(PACKETS[:1]) + b"\xff" * 100)) == 1
    assert "garbage" in (blocks.finish() or "")


@given(st.sampled_from([b"", pcap(PACKETS), pcapng(PACKETS), pcapng(PACKETS, order=">")]), st.data())
def test_no_bytes_make_a_reader_raise(text: bytes, data: st.DataObject) -> None:
    damaged = bytearray(text + data.draw(st.binary(max_size=60)))
    for _ in range(data.draw(st.integers(0, 5))):
        if damaged:
            damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    step = data.draw(st.integers(1, 200))
    for reader in (PcapReader(), PcapngReader()):
        frames = drip(reader, bytes(damaged), step)
        assert sum(len(frame) for _, _, frame in frames) <= len(damaged)
        reader.finish()
