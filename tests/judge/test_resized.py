"""Edits are made longer and shorter, and stay whole requests."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.judge.resized import resized
from shadow.model import Request, field

PLAIN = Request(b"POST", b"/x?q=a", headers=((b"X-Tag", b"blue"), (b"Content-Length", b"7")), body=b'{"n":1}')


def edited(**parts: object) -> Request:
    made = {"target": PLAIN.target, "headers": PLAIN.headers, "body": PLAIN.body} | parts
    return Request(b"POST", made["target"], headers=made["headers"], body=made["body"])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("request_", "factor", "expected"),
    [
        pytest.param(edited(target=b"/x?q=" + b"a" * 20 + b"!"), 2, b"/x?q=" + b"a" * 39 + b"!", id="target"),
        pytest.param(edited(target=b"/x?q=bcdefgh"), 2, None, id="no run"),
        pytest.param(PLAIN, 2, None, id="no edit"),
    ],
)
def test_the_run_that_was_brought_in_is_stretched(
    request_: Request, factor: float, expected: bytes | None
) -> None:
    made = resized(request_, PLAIN, factor)
    assert (None if made is None else made.target) == expected


def test_a_body_keeps_its_length_right() -> None:
    body = b'{"n":"' + b"ab" * 20 + b'"}'
    made = resized(edited(body=body), PLAIN, 0.5)
    assert made is not None
    assert made.body == b'{"n":"' + b"ab" * 10 + b'"}'
    assert field(made.headers, b"content-length") == b"%d" % len(made.body)


def test_a_field_is_stretched_in_its_place() -> None:
    made = resized(edited(headers=((b"X-Tag", b"z" * 10), *PLAIN.headers[1:])), PLAIN, 4)
    assert made is not None
    assert made.headers[0] == (b"X-Tag", b"z" * 40)


@given(st.binary(max_size=200), st.floats(0.1, 1e6))
def test_no_edit_breaks_it(body: bytes, factor: float) -> None:
    made = resized(edited(body=body), PLAIN, factor)
    assert made is None or len(made.body) <= (1 << 18) + len(body)
