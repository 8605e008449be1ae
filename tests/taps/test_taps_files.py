"""Files of any kind become one stream of exchanges, with its notices."""

import gzip
import io
import json
import os
import struct
from contextlib import suppress
from itertools import islice
from pathlib import Path

import pytest

from bench.capture import Talk, block, pcap, pcapng
from shadow.errors import TapError
from shadow.model import Exchange, Fate, Request, Response, Settled
from shadow.taps import jsonl
from shadow.taps.files import Recording

AT = 1_700_000_000.0


def talk(path: str, at: float = AT, port: int = 40000) -> Talk:
    asked = f"GET {path} HTTP/1.1\r\nHost: h\r\n\r\n".encode()
    return Talk(("10.0.0.1", port), at=at).open().say(0, asked).say(1, b"HTTP/1.1 204 \r\n\r\n")


def line(path: str, at: float, index: int = 0) -> bytes:
    return jsonl.encode(Exchange(index, "sniff", "s", at, Request(b"GET", path.encode())))


def har(*entries: object) -> bytes:
    return json.dumps({"log": {"version": "1.2", "entries": entries}}).encode()


def entry(url: str, started: str = "2023-11-14T22:13:20.500Z", **more: object) -> dict[str, object]:
    return {"startedDateTime": started, "request": {"method": "GET", "url": url}, **more}


def record(kind: int, name: str, time: int, text: bytes) -> bytes:
    return f"{kind} {name} {time} 0\n".encode() + text + "\n🐵🙈🙉\n".encode()


def write(folder: Path, name: str, text: bytes) -> Path:
    path = folder / name
    path.write_bytes(text)
    return path


def targets(recording: Recording) -> list[tuple[int, bytes]]:
    found = [each for each in recording if isinstance(each, Exchange)]
    return sorted((each.index, each.request.target) for each in found)


FORMATS = {
    "pcap": pcap(talk("/x").packets),
    "pcapng": pcapng(talk("/x").packets),
    "jsonl": line("/x", AT),
    "har": har(entry("http://h/x")),
    "gor": record(1, "a1", 17, b"GET /x HTTP/1.1\r\n\r\n"),
}


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("text", FORMATS.values(), ids=FORMATS)
def test_format_is_recognised_by_content_whatever_the_name(tmp_path: Path, text: bytes, packed: bool) -> None:
    path = write(tmp_path, "traffic.txt", gzip.compress(text) if packed else text)
    recording = Recording([path])
    assert targets(recording) == [(0, b"/x")]
    assert recording.notices == []


def test_standard_input_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with io.TextIOWrapper(io.BufferedReader(io.BytesIO(FORMATS["pcap"]))) as stream:
        monkeypatch.setattr("sys.stdin", stream)
        assert targets(Recording(["-"])) == [(0, b"/x")]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param(b"", "is empty", id="empty"),
        pytest.param(b"root:x:0:0:", "begins with b'root:x:0:0:'", id="text"),
        pytest.param(b'{"a": 1}', "begins with", id="other JSON"),
        pytest.param(gzip.compress(b"hello"), "begins with b'hello'", id="gzip of text"),
    ],
)
def test_file_that_is_no_capture_is_named_with_what_is_accepted(
    tmp_path: Path, text: bytes, found: str
) -> None:
    path = write(tmp_path, "traffic.pcap", text)
    with pytest.raises(TapError) as raised:
        Recording([path])
    message = str(raised.value)
    assert str(path) in message
    assert found in message
    assert "pcapng" in message
    assert "\n" not in message


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TapError, match=r"cannot read '.*/gone': No such file"):
        Recording([tmp_path / "gone"])


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_cut_capture_gives_what_it_holds_and_one_line_about_the_rest(tmp_path: Path, packed: bool) -> None:
    text = FORMATS["pcap"] + pcap(talk("/y", port=2).packets)[24:-5]
    path = write(tmp_path, "cut", gzip.compress(text)[:-12] if packed else text)
    recording = Recording([path])
    assert (0, b"/x") in targets(recording)
    assert recording.notices
    assert all(str(path) in notice for notice in recording.notices)


def test_several_captures_are_merged_by_time(tmp_path: Path) -> None:
    late, early = talk("/late", AT + 5), talk("/early", AT, port=2)
    paths = [write(tmp_path, "1", pcap(late.packets)), write(tmp_path, "2", pcapng(early.packets))]
    assert targets(Recording(paths)) == [(0, b"/early"), (1, b"/late")]


def test_connection_that_spans_two_files_is_one(tmp_path: Path) -> None:
    packets = talk("/x").packets
    paths = [write(tmp_path, "b", pcap(packets[4:])), write(tmp_path, "a", pcap(packets[:4]))]
    (found,) = list(Recording(paths))
    assert isinstance(found, Exchange)
    assert found.response is not None


def test_indexes_count_over_files_of_different_kinds(tmp_path: Path) -> None:
    paths = [
        write(tmp_path, "1", line("/third", AT + 9, 4) + line("/last", AT + 99, 7)),
        write(tmp_path, "2", pcap(talk("/second").packets)),
        write(tmp_path, "3", har(entry("http://h/first", "2023-11-14T22:13:19Z"))),
    ]
    assert [target for _, target in targets(Recording(paths))] == [b"/first", b"/second", b"/third", b"/last"]
    assert [index for index, _ in targets(Recording(paths))] == [0, 1, 2, 3]


def test_single_file_of_lines_keeps_its_indexes(tmp_path: Path) -> None:
    path = write(tmp_path, "1", line("/b", 2.0, 9) + line("/a", 1.0, 3))
    assert targets(Recording([path])) == [(3, b"/a"), (9, b"/b")]


def test_index_is_given_when_the_request_begins_and_not_when_it_ends(tmp_path: Path) -> None:
    slow, quick = talk("/slow", AT), talk("/quick", AT + 0.0035, port=2)
    slow.packets[4:] = [(time + 60, frame) for time, frame in slow.packets[4:]]
    path = write(tmp_path, "1", pcap(sorted(slow.packets + quick.packets)))
    assert [each.request.target for each in Recording([path]) if isinstance(each, Exchange)] == [
        b"/quick",
        b"/slow",
    ]
    assert targets(Recording([path])) == [(0, b"/slow"), (1, b"/quick")]


def test_exchanges_leave_as_they_complete(tmp_path: Path) -> None:
    read, write_end = _pipe()
    with read, write_end:
        write_end.write(FORMATS["pcap"])
        write_end.flush()
        with Recording([f"/dev/fd/{read.fileno()}"]) as recording:
            found = next(iter(recording))
    assert isinstance(found, Exchange)


def open_count(paths: list[Path]) -> int:
    """How many descriptors of this process are open on one of `paths`."""
    wanted = {(path.stat().st_dev, path.stat().st_ino) for path in paths}
    number = 0
    for name in os.listdir("/dev/fd"):  # noqa: PTH208 - descriptors, not paths
        with suppress(OSError):  # the one of this listing is gone
            found = os.fstat(int(name))
            number += (found.st_dev, found.st_ino) in wanted
    return number


@pytest.mark.parametrize("taken", [0, 1, 9], ids=["unread", "read in part", "read to the end"])
@pytest.mark.parametrize(
    "kinds",
    [["pcap"], ["jsonl"], ["pcap", "pcapng"], ["pcap", "jsonl", "gor"], ["har", "jsonl"]],
    ids=" and ".join,
)
def test_closed_recording_holds_no_file_open(tmp_path: Path, kinds: list[str], taken: int) -> None:
    paths = [write(tmp_path, kind, FORMATS[kind]) for kind in kinds]
    with Recording(paths) as recording:
        assert open_count(paths) == len(paths)
        items = iter(recording)  # kept: an iterator that goes away closes what it was reading
        found = list(islice(items, taken))
    assert open_count(paths) == 0
    recording.close()
    assert bool(found) == bool(taken)


def test_recording_is_closed_when_its_reader_fails(tmp_path: Path) -> None:
    path = write(tmp_path, "1", FORMATS["pcap"])
    with pytest.raises(BrokenPipeError), Recording([path]):
        raise BrokenPipeError
    assert open_count([path]) == 0


def test_file_that_is_no_capture_leaves_no_other_open(tmp_path: Path) -> None:
    paths = [write(tmp_path, "1", FORMATS["pcap"]), write(tmp_path, "2", b"hello")]
    with pytest.raises(TapError):
        Recording(paths)
    assert open_count(paths) == 0


def test_closed_recording_leaves_standard_input_open(monkeypatch: pytest.MonkeyPatch) -> None:
    with io.TextIOWrapper(io.BufferedReader(io.BytesIO(FORMATS["pcap"]))) as stream:
        monkeypatch.setattr("sys.stdin", stream)
        Recording(["-"]).close()
        assert not stream.buffer.closed


def test_other_traffic_is_a_notice_and_not_unparsed(tmp_path: Path) -> None:
    mail = Talk(server=("10.0.0.2", 25)).open().say(1, b"220 hello\r\n")
    secret = Talk(server=("10.0.0.2", 443)).open().say(0, b"\x16\x03\x01\0\0")
    recording = Recording([write(tmp_path, "1", pcap(mail.packets + secret.packets))])
    assert list(recording) == []
    assert recording.notices == [
        "skipped connections that are not read: 1 TLS, 1 other",
        "skipped 16 bytes of TCP payload that are not read",
    ]


def test_frames_that_cannot_be_read_are_a_notice(tmp_path: Path) -> None:
    short = (AT, b"\x02" * 12 + b"\x08\x00" + b"\x45\x00")
    stray = block("<", 6, struct.pack("<IIIII", 7, 0, 0, 4, 4) + b"abcd")
    recording = Recording([write(tmp_path, "1", pcapng([*talk("/x").packets, short]) + stray)])
    assert targets(recording) == [(0, b"/x")]
    assert recording.notices == [
        f"{tmp_path}/1: skipped 1 packets of interfaces that it does not describe",
        "1 frames that end inside their headers were skipped",
    ]


def test_only_wanted_ports_are_read(tmp_path: Path) -> None:
    path = write(tmp_path, "1", FORMATS["pcap"])
    assert targets(Recording([path], ports=(81,))) == []
    assert targets(Recording([path], ports=(80,))) == [(0, b"/x")]


def test_line_of_an_exchange_is_as_documented() -> None:
    request = Request(b"GET", b"/v1/x?y=1", headers=((b"Host", b"h"),), body=b"hi")
    exchange = Exchange(0, "pcap", "s", 1.5, request, Response(200, b"OK"), 0.004)
    assert json.loads(jsonl.encode(exchange)) == {
        "index": 0,
        "tap": "pcap",
        "session": "s",
        "seen_at": 1.5,
        "request": {
            "method": "GET",
            "target": "/v1/x?y=1",
            "version": "HTTP/1.1",
            "headers": [["Host", "h"]],
            "body": "aGk=",
        },
        "response": {"status": 200, "reason": "OK", "headers": [], "body": ""},
        "latency_seconds": 0.004,
    }


def test_damaged_line_is_unparsed_and_a_cut_one_a_notice(tmp_path: Path) -> None:
    text = line("/a", 1.0) + b'{"index": "no"}\n' + line("/b", 2.0, 1)[:-20]
    recording = Recording([write(tmp_path, "1", text)])
    items = list(recording)
    assert isinstance(items[0], Exchange)
    assert isinstance(items[1], Settled)
    assert (items[1].fate, items[1].why[:15]) == (Fate.UNPARSED, "not an exchange")
    assert len(items) == 2
    assert "ends inside a line" in recording.notices[0]


def _pipe() -> tuple[io.FileIO, io.BufferedWriter]:
    import os

    read, write_end = os.pipe()
    return io.FileIO(read), os.fdopen(write_end, "wb")
