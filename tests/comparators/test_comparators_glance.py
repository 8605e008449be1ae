"""Answers that are told to be equal at a glance are equal at a closer look, too."""

from hypothesis import given
from hypothesis import strategies as st

from comparators import CATALOG, compare
from shadow.model import Response

_LINES = st.lists(
    st.sampled_from(
        (
            (b"Date", b"today"),
            (b"date", b"today"),
            (b"Date", b"tomorrow"),
            (b"ETag", b'"1"'),
            (b"ETag", b'"2"'),
            (b"Content-Encoding", b"gzip"),
            (b"Content-Type", b"text/event-stream"),
            (b"Content-Length", b"2"),
        )
    ),
    max_size=3,
).map(tuple)
_ANSWERS = st.builds(
    lambda status, headers, trailers, is_complete: Response(
        status, headers=headers, body=b"hi", trailers=trailers, is_complete=is_complete
    ),
    st.sampled_from((200, 404)),
    _LINES,
    _LINES,
    st.booleans(),
)


@given(_ANSWERS, _ANSWERS)
def test_what_looks_equal_is_equal(control: Response, other: Response) -> None:
    if compare(control, other) == ():
        head = CATALOG[:3]
        assert [difference for member in head for difference in member(control, other)] == []


def test_another_date_alone_is_no_difference() -> None:
    one, two = (Response(200, headers=((b"Date", each),), body=b"hi") for each in (b"today", b"tomorrow"))
    assert compare(one, two) == ()
