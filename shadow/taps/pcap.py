"""Captures, pcap and pcapng: the frames of one file."""

from collections.abc import Callable, Iterator

from shadow.taps.source import Source
from shadow.wire.pcap import PcapReader, Record, is_pcap
from shadow.wire.pcapng import PcapngReader, is_pcapng

TAP = "pcap"


def is_capture(start: bytes) -> bool:
    """Whether a file that starts with these bytes is a capture."""
    return is_pcap(start) or is_pcapng(start)


def holds_secrets(source: Source) -> bool:
    """Whether the file may hold TLS secrets: only pcapng has a place for them."""
    return is_pcapng(source.peek(4))


def records(source: Source, take_key_log: Callable[[bytes], None] | None = None) -> Iterator[list[Record]]:
    """The frames of one file in file order, as many at a time as became available.

    `take_key_log` is given the TLS key logs in it, each before the frames that follow it.
    """
    reader = PcapReader() if is_pcap(source.peek(4)) else PcapngReader(take_key_log)
    for piece in source.pieces():
        yield reader.feed(piece)
        if reader.fault is not None:
            break
    yield reader.flush()
    source.close()
    if reader.stray_count:
        source.notice(f"skipped {reader.stray_count} packets of interfaces that it does not describe")
    if reader.lost_bytes:
        source.notice(f"skipped {reader.lost_bytes} bytes of garbage between its frames")
    cut = reader.finish()
    if cut is not None:
        source.notice(f"{cut}; the frames before it were read")
