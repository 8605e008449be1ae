"""Files as pieces of bytes: packed in any way, cut, damaged, and more than may be open at once."""

import bz2
import gzip
import io
import lzma
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from shadow.errors import TapError
from shadow.taps.handle import Handle, Handles
from shadow.taps.source import Source

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "zstd behind a frame to be skipped": lambda text: (
        b"\x50\x2a\x4d\x18\x04\0\0\0abcd" + zstandard.ZstdCompressor().compress(text)
    ),
}
TEXT = b"".join(b"%d squared is %d\n" % (at, at * at) for at in range(100_000))


def read(path: Path) -> tuple[bytes, list[str]]:
    notices: list[str] = []
    text = b"".join(Source(str(path), notices).pieces())
    return text, [notice.removeprefix(f"{path}: ") for notice in notices]


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)
def test_packed_file_is_undone_by_its_content(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "file"
    path.write_bytes(pack(TEXT[:1000]) + pack(TEXT[1000:]))
    assert read(path) == (TEXT, [])


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)
def test_cut_packed_file_gives_what_it_holds_and_one_line(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "file"
    path.write_bytes(pack(TEXT[:1000]) + pack(TEXT[1000:])[:-20])
    text, notices = read(path)
    assert len(text) >= 1000
    assert TEXT.startswith(text)
    assert [notice.partition(": ")[2] for notice in notices] == [
        "it ends too early; what came before was read"
    ]


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)
def test_damaged_packed_file_gives_what_stands_before_the_damage(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "file"
    path.write_bytes(pack(TEXT[:1000]) + b"rubbish" * 100)
    text, notices = read(path)
    assert text == TEXT[:1000]
    assert len(notices) == 1
    assert "cannot be undone to its end" in notices[0]


def test_window_that_would_take_too_much_memory_is_refused(tmp_path: Path) -> None:
    settings = zstandard.ZstdCompressionParameters(window_log=30)
    packer = zstandard.ZstdCompressor(compression_params=settings).compressobj()
    path = tmp_path / "file"
    path.write_bytes(packer.compress(TEXT) + packer.flush())
    text, notices = read(path)
    assert text == b""
    assert "too much memory" in notices[0]


def test_source_that_let_go_is_read_from_its_start(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(gzip.compress(TEXT))
    source = Source(str(path), [])
    assert source.peek(10)[:10] == TEXT[:10]
    source.let_go()
    assert b"".join(source.pieces()) == TEXT


def test_pipe_keeps_what_was_peeked(tmp_path: Path) -> None:
    read_end, write_end = os.pipe()
    os.write(write_end, b"0123456789")
    source = Source(f"/dev/fd/{read_end}", [])
    assert source.peek(4) == b"0123456789"
    source.let_go()
    assert source.probe() is None
    os.write(write_end, b"more")
    os.close(write_end)
    assert b"".join(source.pieces()) == b"0123456789more"
    os.close(read_end)


def test_more_files_than_may_be_open_are_read_side_by_side(tmp_path: Path) -> None:
    handles = Handles(max_open=3)
    paths = [tmp_path / str(at) for at in range(10)]
    for at, path in enumerate(paths):
        path.write_bytes(bytes([at]) * 100)
    files = [Handle(str(path), handles) for path in paths]
    found = [b""] * 10
    for _ in range(101):
        for at, handle in enumerate(files):
            found[at] += handle.read(1)
            assert sum(each._file is not None for each in files) <= 3
    assert found == [bytes([at]) * 100 for at in range(10)]
    for handle in files:
        handle.close()
    assert not handles._open


def test_file_that_another_took_the_place_of_is_not_read_on(tmp_path: Path) -> None:
    handles = Handles(max_open=1)
    path, other = tmp_path / "ring", tmp_path / "other"
    path.write_bytes(TEXT)
    other.write_bytes(b"x")
    notices: list[str] = []
    source = Source(str(path), notices, handles)
    assert source.peek(10)
    other.replace(path)
    second = Source(str(path), [], handles)
    assert second.peek(1) == b"x"
    assert TEXT.startswith(b"".join(source.pieces()))
    second.close()
    assert notices == [
        f"{path}: cannot be read to its end: another file has taken its place; what came before was read"
    ]


def test_pieces_get_smaller_where_many_files_are_read() -> None:
    handles = Handles()
    sizes = []
    for reading in (0, 1, 10, 100, 10_000):
        handles.reading = reading
        sizes.append(handles.piece_bytes)
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] == 98_304
    assert sizes[-1] == 16_384


@pytest.mark.parametrize(
    ("path", "why"), [("gone", "No such file"), (".", "Is a directory")], ids=["missing", "directory"]
)
def test_what_cannot_be_opened_is_named(tmp_path: Path, path: str, why: str) -> None:
    with pytest.raises(TapError, match=why):
        Source(str(tmp_path / path), [])


def test_closed_standard_input_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(TapError, match="cannot read 'standard input': it is closed"):
        Source("-", [])


def test_standard_input_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, _: object) -> int:
            raise IsADirectoryError(21, "Is a directory")

    with io.TextIOWrapper(io.BufferedReader(Broken())) as stream:
        monkeypatch.setattr("sys.stdin", stream)
        with pytest.raises(TapError, match="cannot read 'standard input': Is a directory"):
            Source("-", []).peek(1)
