"""Reasons as keys: without what they quote, and few."""

from shadow.taps.reasons import Reasons


def test_what_a_reason_quotes_is_left_out() -> None:
    assert Reasons().brief("not a request line: b'GET'") == "not a request line"


def test_too_many_reasons_are_one() -> None:
    reasons = Reasons()
    found = {reasons.brief(f"reason {number}") for number in range(1000)}
    assert len(found) == 33
    assert "other" in found
    assert reasons.brief("reason 3") == "reason 3"
