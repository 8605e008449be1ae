"""Files that are written whole or not at all."""

import gzip
import os
import resource
import stat
from pathlib import Path

import pytest

from shadow.taps.whole_file import whole_file


def test_file_appears_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "out"
    with whole_file(path, is_packed=False) as stream:
        stream.write(b"some ")
        assert not path.exists()
        stream.write(b"text")
    assert path.read_bytes() == b"some text"
    assert [each.name for each in tmp_path.iterdir()] == ["out"]


def fail_half_way(path: Path, error: type[BaseException]) -> None:
    with whole_file(path, is_packed=False) as stream:
        stream.write(b"half")
        raise error


def write_much(path: Path) -> None:
    with whole_file(path, is_packed=False) as stream:
        for _ in range(10):
            stream.write(b"x" * 50_000)


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_failure_leaves_what_was_there(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"old")
    with pytest.raises(error):
        fail_half_way(path, error)
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["out"]


def test_full_disk_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "out"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))  # writing beyond it is an OSError too
    try:
        with pytest.raises(OSError, match="too large"):
            write_much(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


def test_mode_of_a_file_stays_and_a_new_one_has_the_usual(tmp_path: Path) -> None:
    old, new, usual = tmp_path / "old", tmp_path / "new", tmp_path / "usual"
    old.touch(0o640)
    usual.touch()
    for path in (old, new):
        with whole_file(path, is_packed=False) as stream:
            stream.write(b"x")
    assert stat.S_IMODE(old.stat().st_mode) == 0o640
    assert new.stat().st_mode == usual.stat().st_mode


def test_link_stays_a_link(tmp_path: Path) -> None:
    link, target = tmp_path / "link", tmp_path / "target"
    target.write_bytes(b"old")
    link.symlink_to(target)
    with whole_file(link, is_packed=False) as stream:
        stream.write(b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


def test_pipe_is_written_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with whole_file(path, is_packed=False) as stream:
        stream.write(b"text")
    assert os.read(reader, 100) == b"text"
    os.close(reader)


def test_packed_file_is_gzip(tmp_path: Path) -> None:
    path = tmp_path / "out.gz"
    with whole_file(path, is_packed=True) as stream:
        for _ in range(1000):
            stream.write(b"some text ")
    assert gzip.decompress(path.read_bytes()) == b"some text " * 1000
    assert path.stat().st_size < 1000
