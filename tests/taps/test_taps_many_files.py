"""Several files at once: rings of rotated captures, other links, pipes, and the same one twice."""

import gzip
import io
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from bench.capture import Talk, pcap, pcapng
from shadow.model import Exchange
from shadow.taps.files import Recording
from tests.taps.test_taps_files import AT, FORMATS, line, open_count, talk, targets, write

SOME = 300


def ring(folder: Path, number: int, step_seconds: float) -> list[Path]:
    """As `tcpdump -G` leaves them: each request in one file, its answer in the next."""
    packets = [
        packet for at in range(number) for packet in talk(f"/{at}", AT + at * step_seconds, 1000 + at).packets
    ]
    size = len(packets) // number
    return [
        write(folder, f"ring{at:04}", pcap(packets[max(at * size - 2, 0) : (at + 1) * size - 2]))
        for at in range(number)
    ]


def test_ring_of_rotated_captures_is_read_a_few_at_a_time(tmp_path: Path) -> None:
    paths = ring(tmp_path, SOME, 10)
    most = 0
    with Recording(list(reversed(paths))) as recording:
        for at, item in enumerate(recording):
            assert isinstance(item, Exchange)
            assert (item.index, item.request.target) == (at, b"/%d" % at)
            most = max(most, open_count(paths))
        assert at == SOME - 1
    assert most <= 64
    assert open_count(paths) == 0


def test_captures_that_all_overlap_are_merged_whatever_their_number(tmp_path: Path) -> None:
    talks = [talk(f"/{at}", AT + at * 0.0001, 1000 + at) for at in range(SOME)]
    paths = [write(tmp_path, str(at), gzip.compress(pcap(each.packets), 1)) for at, each in enumerate(talks)]
    with Recording(paths) as recording:
        assert targets(recording) == [(at, b"/%d" % at) for at in range(SOME)]


@pytest.mark.slow
def test_two_thousand_files_need_few_descriptors(tmp_path: Path) -> None:
    paths = ring(tmp_path, 2000, 10)
    program = (
        "import sys\n"
        "from shadow.taps.files import Recording\n"
        "with Recording(sys.argv[1:]) as recording:\n"
        "    print(sum(1 for _ in recording), recording.notices)\n"
    )
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, paths)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (100, hard)),
    )
    assert (done.stdout, done.stderr) == ("2000 []\n", "")


def test_capture_two_hours_later_follows(tmp_path: Path) -> None:
    paths = [
        write(tmp_path, "late", pcap(talk("/late", AT + 7200, 2).packets)),
        write(tmp_path, "early", pcap(talk("/early", AT).packets)),
    ]
    with Recording(paths) as recording:
        assert targets(recording) == [(0, b"/early"), (1, b"/late")]


@pytest.mark.parametrize(
    "empty", [pcap([]), pcapng([]), gzip.compress(pcap([]))], ids=["pcap", "pcapng", "packed"]
)
def test_empty_capture_among_others_takes_nothing_away(tmp_path: Path, empty: bytes) -> None:
    paths = [write(tmp_path, "empty", empty), write(tmp_path, "full", FORMATS["pcap"])]
    for order in (paths, paths[::-1], [*paths, write(tmp_path, "lines", FORMATS["jsonl"])]):
        with Recording(order) as recording:
            assert (0, b"/x") in targets(recording)
        assert recording.notices == []


def test_cut_capture_is_told_once_though_it_was_looked_at_before(tmp_path: Path) -> None:
    cut = write(tmp_path, "cut", FORMATS["pcap"][:-5])
    with Recording([cut, write(tmp_path, "whole", FORMATS["pcapng"])]) as recording:
        assert targets(recording) == [(0, b"/x")]
    assert len(recording.notices) == 1
    assert recording.notices[0].startswith(f"{cut}: ends inside a record")


def test_captures_of_different_links_are_one_connection_where_they_are_one(tmp_path: Path) -> None:
    packets = talk("/x").packets
    cooked = [(time, b"\0" * 14 + frame[12:]) for time, frame in packets[4:]]
    paths = [write(tmp_path, "1", pcap(packets[:4])), write(tmp_path, "2", pcap(cooked, link=113))]
    with Recording(paths) as recording:
        (found,) = list(recording)
    assert isinstance(found, Exchange)
    assert found.response is not None


@pytest.mark.parametrize("kind", FORMATS)
def test_same_file_twice_is_read_once(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path, "1", FORMATS[kind])
    other = tmp_path / "2"
    other.symlink_to(path)
    with Recording([path, other, path]) as recording:
        assert targets(recording) == [(0, b"/x")]
    assert recording.notices == [
        f"{other}: is given more than once, and read once",
        f"{path}: is given more than once, and read once",
    ]
    assert open_count([path]) == 0


def test_copy_of_a_capture_adds_nothing(tmp_path: Path) -> None:
    paths = [write(tmp_path, name, FORMATS["pcap"]) for name in ("1", "2")]
    with Recording(paths) as recording:
        assert targets(recording) == [(0, b"/x")]


def test_standard_input_is_merged_with_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    piped = pcap(talk("/piped", AT + 5, 2).packets)
    paths = [
        write(tmp_path, "1", pcap(talk("/first").packets)),
        write(tmp_path, "2", line("/last", AT + 9)),
    ]
    with io.TextIOWrapper(io.BufferedReader(io.BytesIO(piped))) as stream:
        monkeypatch.setattr("sys.stdin", stream)
        with Recording(["-", *paths, "-"]) as recording:
            assert targets(recording) == [(0, b"/first"), (1, b"/piped"), (2, b"/last")]
    assert recording.notices == ["standard input: is given more than once, and read once"]


def test_files_that_go_on_where_another_ends_make_one_connection(tmp_path: Path) -> None:
    long = Talk(at=AT).open()
    for at in range(20):
        long.say(0, b"GET /%d HTTP/1.1\r\n\r\n" % at).say(1, b"HTTP/1.1 200 \r\nContent-Length: 1\r\n\r\nx")
    packets = long.packets
    paths = [write(tmp_path, str(at), pcap(packets[at : at + 7])) for at in range(0, len(packets), 7)]
    with Recording(paths[::-1]) as recording:
        found = [each for each in recording if isinstance(each, Exchange)]
    assert len({each.session for each in found}) == 1
    assert [each.response.status for each in found if each.response] == [200] * 20
