"""Packed formats of members one after the other, undone as a stream."""

import bz2
import gzip
import lzma
from collections.abc import Callable

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from shadow.content.members import DamagedError, GzipMember, Member, members_undone
from shadow.content.zstd import ZstdFrame

KINDS: dict[str, tuple[Callable[[bytes], bytes], Callable[[], Member]]] = {
    "gzip": (gzip.compress, GzipMember),
    "bzip2": (bz2.compress, bz2.BZ2Decompressor),
    "xz": (lzma.compress, lzma.LZMADecompressor),
    "zstd": (zstandard.ZstdCompressor().compress, lambda: ZstdFrame(1 << 23)),
}
EVERY = pytest.mark.parametrize("kind", KINDS)


def pieces(text: bytes, step: int) -> list[bytes]:
    return [text[at : at + step] for at in range(0, len(text), step)]


@EVERY
@given(
    texts=st.lists(st.binary(max_size=200), min_size=1, max_size=4),
    step=st.integers(1, 100),
    most=st.integers(1, 50),
    padding=st.integers(0, 8),
)
def test_members_in_any_slicing_are_undone(
    kind: str, texts: list[bytes], step: int, most: int, padding: int
) -> None:
    pack, begin = KINDS[kind]
    packed = b"".join(pack(text) for text in texts) + b"\0" * padding
    assert b"".join(members_undone(begin, pieces(packed, step), most)) == b"".join(texts)


@EVERY
def test_what_comes_out_at_once_is_bounded(kind: str) -> None:
    pack, begin = KINDS[kind]
    most = 65_536
    found = list(members_undone(begin, [pack(bytes(50_000_000))], most))
    assert sum(map(len, found)) == 50_000_000
    assert max(map(len, found)) <= most + 8 * 1024 * 1024
    assert len(found) > 4


@EVERY
def test_members_without_content_take_work_in_proportion(kind: str) -> None:
    pack, begin = KINDS[kind]
    begun = 0

    def counted() -> Member:
        nonlocal begun
        begun += 1
        return begin()

    assert list(members_undone(counted, [pack(b"") * 3000], 100)) == []
    assert begun == 3000


@EVERY
@pytest.mark.parametrize("cut", [1, 5, 30])
def test_cut_member_gives_what_it_holds_and_then_an_error(kind: str, cut: int) -> None:
    pack, begin = KINDS[kind]
    packed = pack(b"whole") + pack(bytes(range(256)))[:-cut]
    stream = members_undone(begin, [packed], 100_000)
    assert next(stream) == b"whole"
    with pytest.raises(DamagedError, match="ends too early"):
        list(stream)


@EVERY
def test_damage_ends_the_stream(kind: str) -> None:
    pack, begin = KINDS[kind]
    stream = members_undone(begin, [pack(b"whole"), b"rubbish rubbish rubbish"], 100)
    assert next(stream) == b"whole"
    with pytest.raises(DamagedError):
        list(stream)


@EVERY
@given(text=st.binary(max_size=80))
def test_no_bytes_raise_anything_else(kind: str, text: bytes) -> None:
    _, begin = KINDS[kind]
    try:
        assert sum(map(len, members_undone(begin, [text], 1000))) < 1_000_000
    except DamagedError:
        pass
    else:
        assert text.rstrip(b"\0")
