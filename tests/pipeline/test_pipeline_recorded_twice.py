"""Live answers to one request, recorded more than once."""

import pytest

from shadow.model import Request, Response
from shadow.pipeline.recorded_twice import RecordedTwice

ONE, TWO = Response(200, body=b"one"), Response(200, body=b"two")


def asked(method: bytes = b"GET", target: bytes = b"/x", **fields: str) -> Request:
    headers = tuple((name.replace("_", "-").encode(), value.encode()) for name, value in fields.items())
    return Request(method, target, headers=headers)


def test_an_answer_is_held_against_the_one_before() -> None:
    twice = RecordedTwice()
    assert twice.before(asked(), ONE) is None
    assert twice.before(asked(), TWO) is ONE
    assert twice.before(asked(), ONE) is TWO


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (asked(), asked(target=b"/y")),
        (asked(), asked(b"HEAD")),
        (asked(authorization="Bearer ann"), asked(authorization="Bearer bob")),
        (asked(cookie="sid=1"), asked(cookie="sid=2")),
        (asked(b"POST"), asked(b"POST")),
    ],
    ids=["target", "method", "who asks", "cookie", "writes"],
)
def test_other_requests_are_not_the_same(first: Request, second: Request) -> None:
    twice = RecordedTwice()
    twice.before(first, ONE)
    assert twice.before(second, TWO) is None


def test_fields_that_change_no_answer_do_not_matter() -> None:
    twice = RecordedTwice()
    twice.before(asked(x_request_id="a"), ONE)
    assert twice.before(asked(x_request_id="b"), TWO) is ONE


def test_memory_is_bounded() -> None:
    twice = RecordedTwice()
    for number in range(3000):
        twice.before(asked(target=b"/%d" % number), ONE)
    assert twice.before(asked(target=b"/0"), TWO) is None
    assert twice.before(asked(target=b"/2999"), TWO) is ONE
    assert twice.before(asked(), Response(200, body=b"x" * 99_999)) is None
    assert twice.before(asked(), ONE) is None
