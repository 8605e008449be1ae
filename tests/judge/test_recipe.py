"""How a finding was made, read again, and its edit carried over to a request of today."""

import base64
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.judge.minimise import Less, less_of
from shadow.judge.recipe import Recipe, carried_over, recipe_of, request_in, swaps, wire_now
from shadow.model import Request
from shadow.wire.http1 import serialise_request
from tests.judge.test_accepted import found

THEN = Request(
    b"POST",
    b"/orders/o-1111aaaa/pay",
    headers=(
        (b"Host", b"a.test"),
        (b"Authorization", b"Bearer <redacted:1a2b3c>*****"),
        (b"Content-Length", b"21"),
    ),
    body=b'{"order":"o-1111aaaa"}'[:21],
)
NOW = Request(
    b"POST",
    b"/orders/o-22bb/pay",
    headers=((b"Host", b"a.test"), (b"Authorization", b"Bearer tok-alice"), (b"Content-Length", b"18")),
    body=b'{"order":"o-22bb"}'[:18],
)


def edited(**more: Any) -> Request:
    return msgspec.structs.replace(THEN, **more)


def test_what_was_not_edited_is_that_of_today() -> None:
    assert carried_over(THEN, THEN, NOW) == NOW


def test_an_edit_takes_the_words_of_today() -> None:
    body = b'{"order":"o-1111aaaa\x00","x":1}'
    headers = (*THEN.headers[:2], (b"Content-Length", str(len(body)).encode()), (b"X-Odd", b"o-1111aaaa"))
    made = carried_over(THEN, edited(target=b"/orders/o-1111aaaa/pay?x=%00", body=body, headers=headers), NOW)
    assert made.target == b"/orders/o-22bb/pay?x=%00"
    assert made.body == b'{"order":"o-22bb\x00","x":1}'
    assert dict(made.headers) == {
        b"Host": b"a.test",
        b"Authorization": b"Bearer tok-alice",
        b"Content-Length": str(len(made.body)).encode(),
        b"X-Odd": b"o-22bb",
    }


def test_a_field_that_was_left_out_stays_out() -> None:
    made = carried_over(THEN, edited(headers=THEN.headers[:1]), NOW)
    assert made.headers == NOW.headers[:1]


def test_exact_bytes_keep_their_pieces() -> None:
    raw = b"POST /orders/o-1111aaaa/pay HTTP/1.1\nHost : a.test\r\n\r\n"
    recipe = msgspec.convert(
        {
            "exchange": 3,
            "raw_base64": base64.b64encode(raw).decode(),
            "wire": {"segments": [37, len(raw) - 37], "pause_seconds": 0.5, "ending": "listen"},
        },
        Recipe,
    )
    wire = wire_now(recipe, THEN, NOW)
    assert wire is not None
    assert wire.segments == (b"POST /orders/o-22bb/pay HTTP/1.1\n", b"Host : a.test\r\n\r\n")
    assert (wire.pause_seconds, wire.ending) == (0.5, "listen")


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_any_two_requests_can_be_held_side_by_side(one: bytes, other: bytes) -> None:
    then, now = edited(target=one, body=other), msgspec.structs.replace(NOW, target=other, body=one)
    assert isinstance(swaps(then, now), dict)
    assert carried_over(then, then, now) == now


def test_a_request_is_read_from_its_bytes() -> None:
    assert request_in(serialise_request(NOW)) == NOW
    assert request_in(b"") is None
    assert request_in(serialise_request(NOW) * 2) is None


LESS = st.builds(
    Less,
    fields=st.frozensets(st.binary(max_size=5)),
    parameters=st.frozensets(st.binary(max_size=5)),
    form=st.frozensets(st.binary(max_size=5)),
    members=st.frozensets(
        st.lists(st.one_of(st.text("ab", max_size=3), st.integers(0, 9)), max_size=3).map(tuple)
    ),
    body=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=3).map(tuple),
    target=st.just(()),
)


@given(LESS)
def test_what_was_left_out_is_read_as_it_was_written(less: Less) -> None:
    assert less_of(msgspec.json.decode(msgspec.json.encode(less.as_json()))) == less


@pytest.mark.parametrize(
    ("reproduce", "says"),
    [
        ({"curl": None, "raw_base64": "", "seed": 0}, "older version"),
        ({"exchange": -1, "raw_base64": ""}, "cannot be read"),
        ({"exchange": 0, "raw_base64": "x"}, "cannot be read"),
        ({"exchange": 0, "raw_base64": "", "less": {}}, "cannot be read"),
        ({"exchange": 0, "raw_base64": "", "less": {"fields": 7}}, "cannot be read"),
    ],
    ids=["older", "number", "base64", "less", "fields"],
)
def test_what_is_no_recipe_is_told(reproduce: dict[str, Any], says: str) -> None:
    told = recipe_of(found(reproduce=reproduce))
    assert isinstance(told, str)
    assert says in told
