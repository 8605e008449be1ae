"""Captures, pcap and pcapng: the frames of one file."""

from collections.abc import Iterator

from shadow.taps.source import Source
from shadow.wire.pcap import PcapReader, Record, is_pcap
from shadow.wire.pcapng import PcapngReader, is_pcapng

TAP = "pcap"


def is_capture(start: bytes) -> bool:
    """Whether a file that starts with these bytes is a capture."""
    return is_pcap(start) or is_pcapng(start)


def records(source: Source) -> Iterator[list[Record]]:
    """The frames of one file in file order, as many at a time as became available."""
    reader = PcapReader() if is_pcap(source.peek(4)) else PcapngReader()
    for piece in source.pieces():
        yield reader.feed(piece)
        if reader.fault is not None:
            break
    source.close()
    if reader.stray_count:
        source.notice(f"skipped {reader.stray_count} packets of interfaces that it does not describe")
    cut = reader.finish()
    if cut is not None:
        source.notice(f"{cut}; the frames before it were read")
