"""Content codings undone and redone, bombs and rubbish included."""

import gzip as stdlib_gzip
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shadow.content.coding import Fault, codings, gzip, redo, undo

NAMES = [b"gzip", b"x-gzip", b"deflate", b"br", b"zstd", b"gzip, br", b"GZIP", b"identity", b""]
PACKED = [b"gzip", b"deflate", b"br", b"zstd"]


@given(body=st.binary(max_size=2_000), name=st.sampled_from(NAMES))
def test_what_was_coded_comes_back(body: bytes, name: bytes) -> None:
    coded = redo(body, name)
    assert coded is not None
    undone = undo(coded, name)
    assert (undone.body, undone.fault) == (body, None)


@pytest.mark.parametrize("name", [*PACKED, b"gzip, gzip"])
def test_a_bomb_stops_at_the_limit(name: bytes) -> None:
    bomb = redo(bytes(4_000_000), name)
    assert bomb is not None
    assert len(bomb) < 10_000
    undone = undo(bomb, name, limit_bytes=100_000)
    assert undone.fault is Fault.TOO_LARGE
    assert len(undone.body) <= 100_000


@pytest.mark.parametrize("name", PACKED)
def test_a_body_of_exactly_the_limit_is_whole(name: bytes) -> None:
    undone = undo(redo(b"x" * 1_000, name) or b"", name, limit_bytes=1_000)
    assert (undone.body, undone.fault) == (b"x" * 1_000, None)


@pytest.mark.parametrize("name", PACKED)
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9])
def test_a_cut_body_is_broken(name: bytes, kept: float) -> None:
    packed = redo(bytes(range(256)) * 20, name) or b""
    assert undo(packed[: int(len(packed) * kept)], name).fault is Fault.BROKEN


@settings(max_examples=300)
@given(body=st.binary(max_size=60), name=st.sampled_from(PACKED))
def test_rubbish_is_a_value(body: bytes, name: bytes) -> None:
    undone = undo(body, name, limit_bytes=10_000)
    assert len(undone.body) <= 10_000


@given(name=st.sampled_from(PACKED), at=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_a_changed_byte_is_a_value(name: bytes, at: int, flip: int) -> None:
    packed = bytearray(redo(b"some text " * 40, name) or b"")
    packed[at % len(packed)] ^= flip
    assert len(undo(bytes(packed), name, limit_bytes=10_000).body) <= 10_000


@pytest.mark.parametrize(
    ("body", "name", "expected"),
    [
        (b"x", b"compress", Fault.UNKNOWN),
        (b"x", b"gzip, shadow", Fault.UNKNOWN),
        (b"x", b", ".join([b"gzip"] * 5), Fault.UNKNOWN),
        (b"", b"gzip", None),
        (gzip(b"a") + gzip(b"b"), b"gzip", None),
        (gzip(b"a") + b"\x00\x00", b"gzip", None),
        (gzip(b"a") + b"junk", b"gzip", Fault.BROKEN),
        (zlib.compress(b"a")[2:-4], b"deflate", None),
        ((redo(b"a", b"zstd") or b"") * 2, b"zstd", None),
    ],
    ids=[
        "unknown",
        "unknown-last",
        "too-many",
        "empty",
        "members",
        "padding",
        "junk",
        "raw-deflate",
        "frames",
    ],
)
def test_odd_bodies(body: bytes, name: bytes, expected: Fault | None) -> None:
    assert undo(body, name).fault is expected


def test_gzip_is_readable_by_others_and_repeatable() -> None:
    assert stdlib_gzip.decompress(gzip(b"text")) == b"text"
    assert gzip(b"text") == gzip(b"text")


def test_an_unknown_coding_cannot_be_redone() -> None:
    assert redo(b"x", b"gzip, shadow") is None


def test_codings_come_in_order_without_identity() -> None:
    assert codings(b" GZip ,identity,, br") == (b"gzip", b"br")
    assert codings(None) == ()
