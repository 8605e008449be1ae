"""What a finding that is sent again can tell."""

import pytest

from shadow.pipeline.remaking import rests_on
from tests.judge.test_accepted import found


@pytest.mark.parametrize(
    ("fault", "where", "mutator", "is_alone"),
    [
        pytest.param("regression", ("status",), None, True, id="plain traffic"),
        pytest.param("F206", ("status",), "as_other_tenant", True, id="a request of another's"),
        pytest.param("F206", ("leak:another's data",), None, False, id="another's data"),
        pytest.param("slow", ("latency",), None, False, id="an endpoint that is slower"),
        pytest.param("slow", ("latency",), "long_text", True, id="a mutant that costs too much"),
        pytest.param("growth", ("gauge",), None, False, id="growth"),
    ],
)
def test_what_shows_in_other_exchanges_is_never_told_to_be_gone(
    fault: str, where: tuple[str, ...], mutator: str | None, *, is_alone: bool
) -> None:
    assert (rests_on(found(fault=fault, where=where, mutator=mutator)) == "") == is_alone
