"""Where two messages differ, fit for a terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.cli._byte_diff import Piece, changes, escaped

HEAD = b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n"
MESSAGES = st.lists(
    st.sampled_from([b"a", b"b", b"\r\n", b"\r\n\r\n", b"X: 1", b"\x00", b"'", b'"', b"\\"])
).map(b"".join)


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_escapes_are_printable_and_tell_bytes_apart(one: bytes, other: bytes) -> None:
    assert escaped(one).isascii()
    assert escaped(one).isprintable()
    assert (escaped(one) == escaped(other)) == (one == other)


@given(MESSAGES, MESSAGES)
def test_equal_messages_have_no_changes_and_others_have(one: bytes, other: bytes) -> None:
    found, more = changes(one, other)
    assert more == 0 or len(found) == 4
    if one == other:
        assert found == []
    for change in found:
        assert change.left != change.right


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_pieces_of_a_body_put_together_are_the_body(one: bytes, other: bytes) -> None:
    found, _ = changes(HEAD + one, HEAD + other)
    for body, change in zip((one, other), ("left", "right"), strict=True):
        for each in found:
            piece = getattr(each, change)
            whole = piece.before.removeprefix("...") + piece.edit + piece.after.removesuffix("...")
            assert whole in escaped(body) or "bytes..." in piece.edit


@pytest.mark.parametrize(
    ("one", "other", "left", "right"),
    [
        (HEAD + b"abc", HEAD + b"aXc", Piece("a", "b", "c"), Piece("a", "X", "c")),
        (HEAD + b"aab", HEAD + b"aaab", Piece("aa", "", "b"), Piece("aa", "a", "b")),
        (
            HEAD + b"abc",
            HEAD.replace(b": 3", b": 4") + b"abcd",
            Piece("abc", "", ""),
            Piece("abc", "d", ""),
        ),
        (HEAD, HEAD.replace(b"Host: h\r\n", b""), Piece("", "Host: h", ""), None),
        (HEAD, HEAD.replace(b"Host: h", b"Host: h\r\nX: \x00"), None, Piece("", "X: \\x00", "")),
    ],
    ids=["body", "insertion", "length follows the body", "field gone", "field more"],
)
def test_edit_alone_is_marked(one: bytes, other: bytes, left: Piece | None, right: Piece | None) -> None:
    (change,), more = changes(one, other)
    assert (change.left, change.right, more) == (left, right, 0)


def test_very_many_changes_and_long_ones_are_cut_short() -> None:
    fields = b"".join(b"X-%d: %d\r\n" % (n, n) for n in range(10_000))
    found, more = changes(HEAD, HEAD[:-2] + fields + b"\r\n")
    assert len(found) == 4
    assert more > 200
    (change,), _ = changes(HEAD, HEAD + b"a" * 100_000)
    assert change.right is not None
    assert change.right.edit == f"{'a' * 24}...99952 bytes...{'a' * 24}"
