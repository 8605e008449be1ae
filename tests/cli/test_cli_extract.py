"""Captures to exchanges."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bench.capture import Packet, Talk, pcap
from shadow.cli.extract import extract
from shadow.model import Exchange, Request, Response
from shadow.taps.jsonl import encode
from tests.wire.reading import get, ok
from tests.wire.sealing import CLIENT, SERVER, Sealed

LINES = b"".join(
    encode(Exchange(at, "file", "s", 1.6e9, Request(b"GET", b"/%d" % at), Response(200))) for at in range(3)
)


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    path = tmp_path / "a.jsonl"
    path.write_bytes(LINES)
    return path


def extracted(*arguments: str) -> Result:
    return CliRunner().invoke(extract, [*arguments])


def test_exchanges_go_to_standard_output_and_the_ledger_to_standard_error(capture: Path) -> None:
    result = extracted(str(capture))
    assert result.exit_code == 0
    assert [json.loads(line)["index"] for line in result.stdout.splitlines()] == [0, 1, 2]
    assert result.stderr.splitlines()[-1] == "captured 3 = 3 exchanges + 0 unparsed"


def test_what_cannot_be_read_is_counted_by_reason(capture: Path) -> None:
    capture.write_bytes(LINES + b"{nonsense\n")
    result = extracted(str(capture))
    assert result.exit_code == 0
    assert result.stderr.splitlines()[-1] == "captured 4 = 3 exchanges + 1 unparsed"
    assert any(line.startswith("unparsed 1: ") for line in result.stderr.splitlines())


def test_output_file_is_written_instead(capture: Path, tmp_path: Path) -> None:
    result = extracted(str(capture), "-o", str(tmp_path / "out.jsonl"))
    assert (result.exit_code, result.stdout) == (0, "")
    assert (tmp_path / "out.jsonl").read_bytes() == extracted(str(capture)).stdout_bytes


def extracted_by_a_process(folder: Path, *arguments: str) -> tuple[int, str]:
    """Exit code and standard error of a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "shadow", "extract", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("spelling", ["./a.jsonl", "link.jsonl"])
def test_capture_is_never_overwritten_by_what_is_made_of_it(capture: Path, spelling: str) -> None:
    (capture.parent / "link.jsonl").symlink_to(capture)
    code, err = extracted_by_a_process(capture.parent, "a.jsonl", "-o", spelling)
    assert code == 2
    assert "is one of the files to be read; choose another" in err
    assert capture.read_bytes() == LINES


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["none.pcap"], "none.pcap"),
        (["a.jsonl", "-o", "/dev/full"], "cannot write '/dev/full': No space left"),
    ],
)
def test_trouble_with_files_is_one_line(capture: Path, arguments: list[str], said: str) -> None:
    code, err = extracted_by_a_process(capture.parent, *arguments)
    assert code == 2
    assert said in err
    assert len(err.splitlines()) == 1


RAW = Talk(server=("10.0.0.2", 9000)).open().say(0, b"hello").say(1, b"world").close()


def test_port_that_is_named_is_a_conversation(tmp_path: Path) -> None:
    (tmp_path / "a.pcap").write_bytes(pcap(RAW.packets))
    result = extracted(str(tmp_path / "a.pcap"), "--as", "9000=tcp", "--port", "80")
    (line,) = map(json.loads, result.stdout.splitlines())
    assert (line["protocol"], len(line["messages"])) == ("tcp", 2)
    assert extracted(str(tmp_path / "a.pcap")).stdout == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--as", "9000=smtp"), "'9000=smtp' names no protocol that can be asked for: tcp, udp, dns"),
        (("--as", "8443=http2"), "'8443=http2' names no protocol that can be asked for: tcp, udp, dns"),
        (("--as", "9000"), "'9000' names no protocol that can be asked for: tcp, udp, dns"),
        (("--as", "tcp=9000"), "'tcp=9000' is not PORT=PROTOCOL with a port from 1 to 65535"),
        (("--as", "65536=tcp"), "'65536=tcp' is not PORT=PROTOCOL with a port from 1 to 65535"),
        (("--as", "9=tcp", "--as", "9=udp"), "a port is given twice, with different protocols"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_protocol_that_cannot_be_asked_for_is_named_with_the_choices(
    capture: Path, arguments: tuple[str, ...], said: str
) -> None:
    result = extracted(str(capture), *arguments)
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())


@pytest.fixture
def tls(tmp_path: Path) -> Path:
    """A capture of two TLS connections, of which one has its secrets in the key log beside it."""
    packets, secrets = list[Packet](), b""
    for number in range(2):
        at = Talk(("10.0.0.1", 40_000 + number), ("10.0.0.2", 443), at=1000.0 + number).open()
        made = Sealed(talk=at, name=b"%d" % number).open().say(CLIENT, get(f"/{number}")).say(SERVER, ok())
        packets, secrets = packets + made.close().talk.packets, made.key_log()
    (tmp_path / "tls.pcap").write_bytes(pcap(packets))
    (tmp_path / "keys.log").write_bytes(secrets)
    return tmp_path / "tls.pcap"


@pytest.mark.parametrize("workers", ["1", "2"])
def test_summary_says_how_many_tls_connections_were_read(tls: Path, workers: str) -> None:
    out, log = tls.parent / "out.jsonl", str(tls.parent / "keys.log")
    result = extracted(str(tls), "-o", str(out), "--keylog", log, "--workers", workers)
    assert (result.exit_code, len(out.read_bytes().splitlines())) == (0, 1)
    assert result.stderr.splitlines()[-1] == (
        "captured 1 = 1 exchanges + 0 unparsed; TLS connections: 1 read, 1 without a key"
    )


def test_key_log_that_cannot_be_read_is_one_line(tls: Path) -> None:
    code, err = extracted_by_a_process(tls.parent, "tls.pcap", "--keylog", "nowhere.log")
    assert code == 2
    assert err == "shadow: cannot read key log 'nowhere.log': No such file or directory; check the path\n"


def test_ciphers_are_imported_where_a_secret_is_used_and_nowhere_else(tls: Path, capture: Path) -> None:
    script = (
        "import sys; from shadow.taps.files import Recording; from shadow.taps.keylog import KeyLogFile\n"
        "key_log = KeyLogFile(sys.argv[2]) if sys.argv[2:] else None\n"
        "with Recording([sys.argv[1]], key_log=key_log) as recording: list(recording)\n"
        "names = ('shadow.wire.tls', 'cryptography.hazmat.primitives.ciphers.aead')\n"
        "print([name in sys.modules for name in names])"
    )
    log = str(tls.parent / "keys.log")
    said = [
        subprocess.run(
            [sys.executable, "-c", script, *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout
        for arguments in ((str(tls), log), (str(tls),), (str(capture), log))
    ]
    assert said == ["[True, True]\n", "[False, False]\n", "[False, False]\n"]


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("out.har", b'{"log":'),
        ("out.gor", b"1 "),
        ("out.flows", b"1"),
        ("out.jsonl", b'{"index":'),
        ("out.HAR.gz", b"\x1f\x8b"),
        ("out.gor.gz", b"\x1f\x8b"),
    ],
)
def test_ending_says_how_to_write(capture: Path, tmp_path: Path, name: str, start: bytes) -> None:
    result = extracted(str(capture), "-o", str(tmp_path / name))
    assert (result.exit_code, result.stdout) == (0, "")
    assert (tmp_path / name).read_bytes().startswith(start)
    again = extracted(str(tmp_path / name))
    assert again.stderr.splitlines()[-1] == "captured 3 = 3 exchanges + 0 unparsed"


@pytest.mark.parametrize(
    ("form", "start"), [("har", '{"log":'), ("gor", "1 "), ("flows", "1"), ("jsonl", '{"index":')]
)
def test_format_is_for_standard_output_too(capture: Path, form: str, start: str) -> None:
    assert extracted(str(capture), "--format", form).stdout.startswith(start)


@pytest.mark.parametrize("arguments", [["-o", "out.harr"], ["-o", "out.gorr.gz"]])
def test_ending_that_looks_like_a_slip_is_an_error_that_names_the_choices(
    capture: Path, arguments: list[str]
) -> None:
    code, err = extracted_by_a_process(capture.parent, "a.jsonl", *arguments)
    assert code == 2
    assert "choose .jsonl, .har, .gor, .flows" in err
    assert len(err.splitlines()) == 1
    assert [each.name for each in capture.parent.iterdir()] == ["a.jsonl"]


def test_what_does_not_fit_the_format_is_counted_and_told(capture: Path, tmp_path: Path) -> None:
    said = Exchange(9, "file", "s", 1.6e9, Request(b"", b"", b""), protocol="udp")
    capture.write_bytes(LINES + encode(said) * 2)
    result = extracted(str(capture), "-o", str(tmp_path / "out.gor"))
    assert result.exit_code == 0
    assert result.stderr.splitlines() == [
        "shadow: left out 2 udp exchanges: GoReplay files hold HTTP/1 alone",
        "captured 5 = 5 exchanges + 0 unparsed",
    ]


def test_failure_leaves_no_half_file(capture: Path) -> None:
    capture.write_bytes(b"nothing")
    (capture.parent / "out.har").write_bytes(b"old")
    code, _ = extracted_by_a_process(capture.parent, "a.jsonl", "-o", "out.har")
    assert code == 2
    assert (capture.parent / "out.har").read_bytes() == b"old"
    assert sorted(each.name for each in capture.parent.iterdir()) == ["a.jsonl", "out.har"]


@pytest.mark.parametrize("name", ["out.har", "out.jsonl.gz"])
def test_workers_are_for_plain_lines_and_else_it_is_said(capture: Path, tmp_path: Path, name: str) -> None:
    result = extracted(str(capture), "--workers", "2", "-o", str(tmp_path / name))
    assert result.exit_code == 0
    assert result.stderr.splitlines() == [
        "shadow: one process reads and writes: only plain JSON lines are shared among --workers",
        "captured 3 = 3 exchanges + 0 unparsed",
    ]


def test_key_log_is_never_written_over(capture: Path) -> None:
    keys = capture.parent / "keys.jsonl"
    keys.write_bytes(b"CLIENT_RANDOM " + b"0" * 64 + b" " + b"1" * 96 + b"\n")
    code, err = extracted_by_a_process(capture.parent, "a.jsonl", "--keylog", keys.name, "-o", keys.name)
    assert (code, "is one of the files to be read" in err) == (2, True)
    assert keys.read_bytes().startswith(b"CLIENT_RANDOM")


@pytest.mark.parametrize("output", ["old.jsonl", "x" * 300 + ".jsonl", "loop.jsonl"])
def test_paths_that_cannot_be_are_one_line_and_no_bug(capture: Path, output: str) -> None:
    (capture.parent / "old.jsonl").write_bytes(b"old")
    (capture.parent / "loop.jsonl").symlink_to("loop.jsonl")
    name = "missing.pcap" if output == "old.jsonl" else "a.jsonl"
    code, err = extracted_by_a_process(capture.parent, name, "-o", output)
    assert (code, len(err.splitlines())) == (2, 1)
    assert (capture.parent / "old.jsonl").read_bytes() == b"old"
