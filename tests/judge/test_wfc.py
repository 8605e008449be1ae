"""Codes of the Web Fuzzing Commons."""

import pytest

from shadow.judge.wfc import wfc_code
from shadow.model import Change, Difference


@pytest.mark.parametrize(
    ("fault", "endpoint", "mutator", "expected"),
    [
        ("F100", "GET /a", "nul", "F100"),
        ("F206", "GET /a", "as_other_identity", "F206"),
        ("F206", "GET /a", "as_anonymous", "F207"),
        ("auth-bypass", "DELETE /a", "unsigned", "F208"),
        ("auth-bypass", "GET /a", "credential_garbled", None),
        ("illegal-transition", "GET /a", "read_after_delete", "F103"),
        ("illegal-transition", "GET /a", "used_after_logout", None),
        ("left-trace", "POST /a", "drop_member", "F104"),
        ("left-trace", "DELETE /a", "drop_member", None),
        ("regression", "GET /a", None, None),
    ],
)
def test_a_fault_has_its_code(fault: str, endpoint: str, mutator: str | None, expected: str | None) -> None:
    assert wfc_code(fault, endpoint, mutator) == expected


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [(200, 401, "F205"), (200, 403, None), (404, 401, None), ("none", 401, None)],
)
def test_who_is_known_and_not_recognised_has_a_code(left: object, right: int, expected: str | None) -> None:
    difference = Difference("status", Change.VALUE, left, right)
    assert wfc_code("regression", "GET /a", None, (difference,)) == expected
