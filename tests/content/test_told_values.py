"""What a finding's reason quotes of a secret is masked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.content.redaction import RedactionSettings, Redactor

REDACTOR = Redactor(RedactionSettings(names=("pet",)), b"k" * 32)


@pytest.mark.parametrize(
    ("place", "is_masked"),
    [
        ("body:$.password", True),
        ("body:$.users[3].password", True),
        ('body:$["api-key"]', True),
        ("body:$.secret<base64>", True),
        ("body:$.pet", True),
        ("header:set-cookie[session_token]", True),
        ("body:$.access_token<jwt>.claims.role", False),
        ("body:$.name", False),
        ("status", False),
    ],
)
def test_values_of_members_named_as_secrets_are_masked(place: str, is_masked: bool) -> None:
    why = f"{place} was 'hunter-2', the candidate has 'rex, the candidate has'; the baseline agrees with live"
    told = REDACTOR.told(why)
    assert ("hunter-2" not in told and "rex" not in told) is is_masked
    assert told.startswith(f"{place} was ")
    assert told.endswith("; the baseline agrees with live")


def test_what_is_missing_is_said_to_be() -> None:
    told = REDACTOR.told("body:$.password was 'hunter-2', the candidate has nothing; also seen by a, b")
    assert told.endswith(", the candidate has nothing; also seen by a, b")


@given(st.text())
def test_any_reason_is_left_alone_that_tells_no_change(why: str) -> None:
    assert REDACTOR.told(why) == why or " was " in why
