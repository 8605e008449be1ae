"""The same change of other requests is the same edit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.model import Edit, Request, Wire
from shadow.pipeline.edit_key import edit_key

ONE = Request(b"POST", b"/x/1?a=1", headers=((b"host", b"a"),), body=b'{"name":"one","size":12}')
OTHER = Request(b"POST", b"/x/2?a=1", headers=((b"host", b"b"),), body=b'{"name":"other","size":12}')


def resized(request: Request, size: bytes, what: str = "nudged $.size", wire: Wire | None = None) -> Edit:
    body = request.body.replace(b"12", size)
    return Edit(Request(request.method, request.target, headers=request.headers, body=body), what, wire)


def test_what_stands_around_a_change_does_not_matter() -> None:
    assert edit_key(resized(ONE, b"-1"), ONE) == edit_key(resized(OTHER, b"-1"), OTHER)


@pytest.mark.parametrize(
    "edit",
    [
        resized(ONE, b"0"),
        resized(ONE, b"-1", what="nudged $.other"),
        Edit(Request(b"PUT", ONE.target, headers=ONE.headers, body=ONE.body), "nudged $.size"),
        Edit(Request(b"POST", b"/x/1?a=2", headers=ONE.headers, body=ONE.body), "nudged $.size"),
        Edit(Request(b"POST", ONE.target, headers=((b"host", b"c"),), body=ONE.body), "nudged $.size"),
    ],
    ids=["value", "words", "method", "target", "header"],
)
def test_each_part_tells_edits_apart(edit: Edit) -> None:
    assert edit_key(edit, ONE) != edit_key(resized(ONE, b"-1"), ONE)


def test_framing_is_told_apart_by_its_words() -> None:
    first, second = (resized(ONE, b"12", wire=Wire((each,))) for each in (b"a", b"b"))
    assert edit_key(first, ONE) == edit_key(second, ONE)


@given(
    st.binary(max_size=40), st.binary(max_size=40), st.binary(max_size=40), st.binary(min_size=1, max_size=9)
)
def test_an_insertion_is_known_again_anywhere(begin: bytes, end: bytes, other: bytes, new: bytes) -> None:
    """Bytes that the neighbours do not have, so that it is clear where it begins and ends."""
    new = b"\xff" + new + b"\xff"
    begin, end, other = (each.replace(b"\xff", b"") for each in (begin, end, other))
    keys = set()
    for left, right in ((begin, end), (other, begin)):
        plain = Request(b"POST", b"/", body=left + right)
        keys.add(edit_key(Edit(Request(b"POST", b"/", body=left + new + right), "put in"), plain))
    assert len(keys) == 1
