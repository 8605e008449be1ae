"""Captures to exchanges."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from shadow.cli.extract import extract
from shadow.model import Exchange, Request, Response
from shadow.taps.jsonl import encode

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
