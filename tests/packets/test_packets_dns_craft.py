from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.packets.dns_craft import RECIPES, base_of, compression_loop
from shadow.wire.dns_message import parse

QUERY = bytes.fromhex(
    "abcd01000001000000000000037777770565786d706c036f72670000010001".replace("65786d706c", "6578616d70")
)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda each: each.__name__)
@given(payload=st.one_of(st.just(QUERY), st.binary(max_size=40)), seed=st.integers(0, 10_000))
def test_each_recipe_makes_the_same_of_the_same_and_raises_for_nothing(recipe, payload, seed) -> None:  # type: ignore[no-untyped-def]  # given by Hypothesis
    made = recipe(base_of(payload), Random(seed))
    assert made == recipe(base_of(payload), Random(seed))
    assert made.what


def test_the_recorded_query_is_what_is_malformed() -> None:
    base = base_of(QUERY)
    assert (base.id, base.kind, base.text) == (0xABCD, 1, QUERY)
    assert QUERY[12:].startswith(base.name)
    assert parse(base_of(b"no dns").text) != "there is no query"


@given(st.integers(0, 1000))
def test_a_compression_loop_leads_back_into_itself(seed: int) -> None:
    message = compression_loop(base_of(QUERY), Random(seed)).message
    seen, at = set(), 12
    while at not in seen:
        seen.add(at)
        length = message[at]
        assert length
        at = int.from_bytes(message[at : at + 2]) & 0x3FFF if length & 0xC0 else at + 1 + length
    assert at in seen
