"""Key log files, whole and growing; and captures of TLS with them."""

import struct
from pathlib import Path

import pytest

from bench.capture import Packet, Talk, block, pcap, pcapng
from shadow.errors import TapError
from shadow.model import Exchange
from shadow.taps.files import Recording
from shadow.taps.keylog import KeyLogFile
from shadow.wire.remarks import TlsRemarks
from shadow.wire.tls_keylog import Label
from tests.wire.reading import get, ok
from tests.wire.sealing import CLIENT, SERVER, Sealed

CAPTURES = Path(__file__).parents[2].parent / "shared" / "pcaps" / "tls"
WHOLE = [0, 9000, 18_000, 27_000]


def talk(number: int = 0) -> Sealed:
    at = Talk(("10.0.0.1", 40_000 + number), ("10.0.0.2", 443), at=1_700_000_000.0 + number).open()
    made = Sealed(talk=at, name=b"%d" % number).open()
    return made.say(CLIENT, get(f"/{number}")).say(SERVER, ok(b"%d" % number)).close()


def secrets(text: bytes) -> bytes:
    return block("<", 10, struct.pack("<II", 0x544C534B, len(text)) + text)


def section(packets: list[Packet], *key_logs: bytes) -> bytes:
    """A pcapng section with its secrets before its packets."""
    whole, empty = pcapng(packets), pcapng([])
    return empty + b"".join(map(secrets, key_logs)) + whole[len(empty) :]


def recorded(*paths: Path, keylog: Path | str = "") -> tuple[list[bytes], Recording]:
    with Recording(paths, key_log=KeyLogFile(keylog) if keylog else None) as recording:
        items = [each for each in recording if isinstance(each, Exchange)]
    assert all(each.response and each.response.is_complete for each in items)
    return [each.request.target for each in sorted(items, key=lambda each: each.index)], recording


@pytest.fixture
def key_log(tmp_path: Path) -> Path:
    path = tmp_path / "keys.log"
    path.write_bytes(talk(0).key_log() + talk(1).key_log())
    return path


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap(talk(0).talk.packets + talk(1).talk.packets + talk(2).talk.packets))
    return path


def test_capture_is_read_with_its_key_log(capture: Path, key_log: Path) -> None:
    targets, recording = recorded(capture, keylog=key_log)
    assert targets == [b"/0", b"/1"]
    assert (recording.remarks.tls.read, recording.remarks.tls.keyless) == (2, 1)
    assert recording.notices[0] == "skipped connections that are not read: 1 TLS"


def test_capture_without_a_key_log_says_nothing_of_keys(capture: Path) -> None:
    targets, recording = recorded(capture)
    assert (targets, recording.remarks.tls) == ([], TlsRemarks())
    assert recording.notices[0] == "skipped connections that are not read: 3 TLS"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "is empty; set SSLKEYLOGFILE"),
        (b"# nothing yet\n", "has no line with a secret"),
        (pcap([]), "has no line with a secret"),
        (talk(9).key_log(), "fits no connection; 3 TLS connections were seen from their beginning"),
    ],
    ids=["empty", "comment", "capture", "another"],
)
def test_key_log_that_is_of_no_use_is_one_line(capture: Path, tmp_path: Path, text: bytes, said: str) -> None:
    (tmp_path / "keys.log").write_bytes(text)
    targets, recording = recorded(capture, keylog=tmp_path / "keys.log")
    told = [notice for notice in recording.notices if "key log" in notice]
    assert not targets
    assert len(told) == 1
    assert said in told[0]
    assert str(tmp_path / "keys.log") in told[0]


def test_lines_that_are_no_secrets_are_told(capture: Path, key_log: Path) -> None:
    key_log.write_bytes(b"nonsense\n" * 3 + key_log.read_bytes())
    targets, recording = recorded(capture, keylog=key_log)
    assert targets == [b"/0", b"/1"]
    assert "3 lines of key logs are no secrets and were skipped" in recording.notices


@pytest.mark.parametrize("name", ["none.log", "."], ids=["missing", "a folder"])
def test_key_log_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(TapError, match=r"^cannot read key log '.*': .*; check the path$"):
        KeyLogFile(tmp_path / name)


def test_secrets_inside_a_capture_are_used_without_being_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a.pcapng"
    one, two, three = talk(0), talk(1), talk(2)
    text = section(one.talk.packets, one.key_log())
    path.write_bytes(text + section(two.talk.packets + three.talk.packets, two.key_log()))
    targets, recording = recorded(path)
    assert targets == [b"/0", b"/1"]
    assert (recording.remarks.tls.read, recording.remarks.tls.keyless) == (2, 1)


def test_secrets_that_come_after_their_packets_are_used(tmp_path: Path) -> None:
    path = tmp_path / "a.pcapng"
    one, two = talk(0), talk(1)
    text = section(one.talk.packets) + secrets(one.key_log())
    path.write_bytes(text + section(two.talk.packets) + secrets(b"junk"))
    targets, recording = recorded(path)
    assert targets == [b"/0"]
    assert (recording.remarks.tls.read, recording.remarks.tls.keyless) == (1, 1)
    assert "1 lines of key logs are no secrets and were skipped" in recording.notices


def test_secrets_of_one_capture_are_used_for_another(tmp_path: Path) -> None:
    (tmp_path / "a.pcapng").write_bytes(section([], talk(1).key_log()))
    (tmp_path / "b.pcap").write_bytes(pcap(talk(1).talk.packets))
    targets, _ = recorded(tmp_path / "a.pcapng", tmp_path / "b.pcap")
    assert targets == [b"/1"]


def test_growing_file_is_read_on_where_a_secret_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "keys.log"
    log = KeyLogFile(path, is_growing=True)  # it need not exist yet
    one, two, three = talk(0), talk(1), talk(2)
    assert log.keys.secret(one.random, Label.CLIENT_TRAFFIC) is None
    with path.open("ab") as stream:
        stream.write(one.key_log() + two.key_log()[:-20])
        stream.flush()
        assert log.keys.secret(one.random, Label.CLIENT_TRAFFIC)
        assert log.keys.secret(two.random, Label.SERVER_TRAFFIC) is None
        stream.write(two.key_log()[-20:])
        stream.flush()
        assert log.keys.secret(two.random, Label.SERVER_TRAFFIC)
    path.rename(tmp_path / "keys.log.1")
    assert log.keys.secret(three.random, Label.SERVER_TRAFFIC) is None
    path.write_bytes(three.key_log())
    assert log.keys.secret(three.random, Label.SERVER_TRAFFIC)
    assert log.keys.secret(one.random, Label.CLIENT_TRAFFIC)
    assert log.keys.junk_count == 0
    log.close()
    log.close()


def test_file_that_is_cut_is_read_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "keys.log"
    path.write_bytes(talk(0).key_log() + talk(1).key_log())
    log = KeyLogFile(path, is_growing=True)
    path.write_bytes(talk(2).key_log())
    assert log.keys.secret(talk(2).random, Label.CLIENT_TRAFFIC)
    log.close()


def test_whole_file_needs_no_end_of_line(tmp_path: Path) -> None:
    path = tmp_path / "keys.log"
    path.write_bytes(talk(0).key_log().rstrip())
    log = KeyLogFile(path)
    assert log.keys.secret(talk(0).random, Label.SERVER_TRAFFIC)
    assert not log.keys.may_grow


def real() -> list[tuple[Path, Path | str]]:
    """Each real capture with its key log, or with its secrets inside."""
    plain: list[tuple[Path, Path | str]] = [
        (path, path.with_suffix(".keys")) for path in sorted(CAPTURES.glob("*.pcap"))
    ]
    return [*plain, *((path, "") for path in sorted(CAPTURES.glob("*.pcapng")))]


@pytest.mark.parametrize(("path", "keys"), real(), ids=lambda value: getattr(value, "name", "inside"))
def test_real_captures_give_all_that_was_said(path: Path, keys: Path | str) -> None:
    targets, recording = recorded(path, keylog=keys)
    assert targets == [
        target
        for number in range(3)
        for target in (*(b"/item/%d/%d" % (number, size) for size in WHOLE), b"/order/%d" % number)
    ]
    assert (recording.remarks.tls.read, recording.remarks.tls.keyless) == (3, 0)
    assert not recording.notices
