"""Captures read by several processes: the same exchanges, in the same order, as by one."""

from collections import Counter
from pathlib import Path
from random import Random

import msgspec
import pytest

from bench.capture import Packet, Talk, pcap, pcapng
from bench.make_capture import write
from shadow.errors import TapError
from shadow.model import Exchange, Settled
from shadow.taps.division import Division
from shadow.taps.files import Recording
from shadow.taps.jsonl import decode
from shadow.taps.keylog import KeyLogFile
from shadow.wire.extraction import Extraction
from shadow.wire.remarks import TlsRemarks
from shadow.wire.shard import Shard
from tests.wire.reading import get, ok
from tests.wire.sealing import CLIENT, SERVER, Sealed

CAPTURES = Path(__file__).parents[2].parent / "shared" / "pcaps"


def known(exchange: Exchange) -> Exchange:
    """Without the number of the connection, which each process counts for itself."""
    return msgspec.structs.replace(exchange, session=exchange.session.split("#")[0])


def alone(*paths: Path) -> list[Exchange]:
    found = [known(each) for each in Recording(paths) if isinstance(each, Exchange)]
    return sorted(found, key=lambda each: each.index)


def divided(folder: Path, *paths: Path, workers: int = 2) -> list[Exchange]:
    found = []
    division = Division(paths, workers=workers)
    with (folder / "lines").open("wb") as stream:
        division.write(stream)
    for line in (folder / "lines").read_bytes().splitlines():
        exchange = decode(line)
        assert isinstance(exchange, Exchange)
        found.append(known(exchange))
    assert division.exchanges == len(found)
    return sorted(found, key=lambda each: each.index)


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    path = tmp_path / "made.pcap"
    with path.open("wb") as stream:
        write(stream, 3_000_000, Random(5))
    return path


@pytest.mark.parametrize("workers", [2, 3])
def test_several_processes_find_what_one_finds_in_the_same_order(
    capture: Path, tmp_path: Path, workers: int
) -> None:
    found = divided(tmp_path, capture, workers=workers)
    assert found == alone(capture)
    assert [each.index for each in found] == list(range(len(found)))


def test_files_of_both_kinds_are_merged_by_time(tmp_path: Path) -> None:
    first, second = tmp_path / "a.pcap", tmp_path / "b.pcapng"
    talks = [Talk((f"10.0.0.{n}", 40_000 + n), at=1000.0 + n / 100).open() for n in range(8)]
    for talk in talks:
        talk.say(0, b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n").say(1, b"HTTP/1.1 204 No Content\r\n\r\n").close()
    first.write_bytes(pcap(sorted(packet for talk in talks[:4] for packet in talk.packets)))
    second.write_bytes(pcapng(sorted(packet for talk in talks[4:] for packet in talk.packets)))
    assert divided(tmp_path, first, second) == alone(first, second)


def test_what_cannot_be_parsed_and_what_else_there_is_to_know_is_told_once(tmp_path: Path) -> None:
    path = tmp_path / "cut.pcap"
    talk = Talk().open().say(0, b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc").close()
    path.write_bytes(pcap(talk.packets) + b"cut")
    recording, division = Recording([path]), Division([path], workers=2)
    (settled,) = recording
    assert isinstance(settled, Settled)
    with (tmp_path / "lines").open("wb") as stream:
        division.write(stream)
    assert division.unparsed == {settled.why: 1}
    assert division.notices == recording.notices != []


def test_process_that_dies_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with (tmp_path / "lines").open("wb") as stream, pytest.raises(TapError, match="try --workers 1"):
        Division([tmp_path / "gone.pcap"], workers=2).write(stream)
    assert "gone.pcap" in capfd.readouterr().err


def test_full_disk_is_an_error_and_no_hang(capture: Path) -> None:
    with Path("/dev/full").open("wb", buffering=0) as stream, pytest.raises(OSError, match="No space left"):
        Division([capture], workers=2).write(stream)


OTHERS = sorted(CAPTURES.glob("*__*")) if CAPTURES.is_dir() else []


@pytest.mark.parametrize("path", OTHERS, ids=lambda path: path.name)
def test_shares_of_a_real_capture_are_the_whole(path: Path) -> None:
    whole = Counter(_seen(each) for each in Recording([path]))
    shares = Counter[object]()
    for number in range(3):
        extraction = Extraction("pcap", float.__int__, shard=Shard(number, 3))
        with Recording([path]) as recording:
            for batch in recording.batches():
                extraction.take_all(batch)
        extraction.finish()
        shares += Counter(_seen(each) for each in extraction.found)
    assert shares == whole


def _seen(item: Exchange | Settled) -> object:
    if isinstance(item, Settled):
        return item.why
    return item.request, item.response, item.seen_at, item.protocol, item.messages


def test_each_process_has_the_secrets_of_tls(tmp_path: Path) -> None:
    path, packets, secrets = tmp_path / "a.pcap", list[Packet](), b""
    for number in range(8):
        at = Talk(("10.0.0.1", 40_000 + number), ("10.0.0.2", 443), at=1000.0 + number).open()
        made = Sealed(talk=at, name=b"%d" % number).open().say(CLIENT, get(f"/{number}")).say(SERVER, ok())
        packets += made.close().talk.packets
        secrets += made.key_log() if number else b""
    path.write_bytes(pcap(packets))
    (tmp_path / "keys.log").write_bytes(secrets)
    division = Division([path], ports=(), key_log=KeyLogFile(tmp_path / "keys.log"), workers=3)
    with (tmp_path / "lines").open("wb") as stream:
        division.write(stream)
    found = [decode(line) for line in (tmp_path / "lines").read_bytes().splitlines()]
    targets = [each.request.target for each in found if isinstance(each, Exchange)]
    assert sorted(targets) == [b"/%d" % number for number in range(1, 8)]
    assert division.remarks.tls == TlsRemarks(seen=8, read=7, keyless=1)
    assert division.notices[0] == "skipped connections that are not read: 1 TLS"
