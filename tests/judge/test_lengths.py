"""Tokens that lost a part of their length."""

import pytest

from shadow.judge.noise import Noise, Witness
from shadow.model import Change, Difference

EP = "GET /v1/me"


def token(number: int, chars: int, name: str = "trace_id") -> Difference:
    left = f"{number * 0x9E3779B97F4A7C15 % 2**128:032x}"
    return Difference(
        f"body:$.{name}", Change.VALUE, left, f"{number * 0xDEADBEEFCAFEF00D:0{chars}x}"[:chars]
    )


@pytest.mark.parametrize(
    ("seen", "chars", "name", "is_forgiven"),
    [
        pytest.param(6, 32, "trace_id", True, id="as long as ever"),
        pytest.param(6, 16, "trace_id", False, id="half"),
        pytest.param(2, 16, "trace_id", True, id="too few to tell"),
        pytest.param(6, 30, "trace_id", True, id="a little shorter"),
        pytest.param(6, 16, "etag", True, id="a hash of another kind"),
    ],
)
def test_a_token_that_was_cut_is_told(seen: int, chars: int, name: str, *, is_forgiven: bool) -> None:
    noise = Noise()
    for number in range(1, seen + 1):
        noise.observe(EP, (token(number, chars, name),), Witness.CANDIDATE)
    asked = token(99, chars, name)
    assert noise.forgives(EP, asked) is is_forgiven
    assert noise.insists(EP, asked) is not is_forgiven


def test_tokens_of_several_lengths_may_have_any() -> None:
    noise = Noise()
    for number in range(1, 20):
        left = "a1" * (8 + number % 3)
        noise.observe(EP, (Difference("body:$.trace_id", Change.VALUE, left, "b2" * 4),), Witness.CANDIDATE)
    assert noise.forgives(EP, Difference("body:$.trace_id", Change.VALUE, "a1" * 8, "b2" * 4))
