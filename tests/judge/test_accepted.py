"""Which findings an accepted one speaks of, and what came of it."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import msgspec
import pytest

from shadow.judge.accepted import Acceptance, Accepted, State
from shadow.model import Finding, Severity

TODAY = date(2026, 5, 10)
GONE = "7b4e4df4fbe2"


def found(**more: Any) -> Finding:
    given: dict[str, Any] = {
        "id": GONE,
        "kind": "regression",
        "fault": "regression",
        "severity": "medium",
        "title": "field price: missing",
        "endpoint": "GET /items/{id}",
        "where": ("body:$.items[].price",),
        "mutator": None,
        "edits": (),
        "expect": "same",
        "why": "gone",
        "exchanges": (1,),
        "count": 1,
        "control": None,
        "answer": None,
        "baseline": None,
        "confirmed": "3/3",
        "reproduce": {},
    }
    return Finding(**given | more)


def entry(**more: Any) -> Accepted:
    return msgspec.convert({"reason": "wanted", "endpoint": "GET /items/{id}", "id": GONE} | more, Accepted)


@pytest.mark.parametrize(
    ("given", "finding", "is_silent"),
    [
        pytest.param({}, found(), True, id="its id"),
        pytest.param({}, found(id="000000000000"), False, id="another id"),
        pytest.param({}, found(id="000000000000", also=(GONE,)), True, id="told as part of another"),
        pytest.param({"until": "2026-05-10"}, found(), True, id="its last day"),
        pytest.param({"until": "2026-05-09"}, found(), False, id="expired"),
        pytest.param({"severity": "medium"}, found(), True, id="as bad as it was"),
        pytest.param({"severity": "low"}, found(), False, id="worse than it was"),
        pytest.param({"id": "", "fault": "regression"}, found(), True, id="fault and endpoint"),
        pytest.param({"id": "", "fault": "F1*"}, found(), False, id="another fault"),
        pytest.param(
            {"id": "", "fault": "regression", "where": ["body:$.items[].price"]},
            found(),
            True,
            id="a place with brackets",
        ),
        pytest.param(
            {"id": "", "fault": "regression", "where": ["body:*"]},
            found(where=("body:$.a", "header:b")),
            False,
            id="a place that was not accepted",
        ),
        pytest.param(
            {"id": "", "fault": "regression"},
            found(endpoints=("GET /items/{id}", "GET /orders")),
            False,
            id="an endpoint that was not accepted",
        ),
        pytest.param(
            {"id": "", "fault": "regression", "endpoint": "GET /*"},
            found(endpoints=("GET /items/{id}", "GET /orders")),
            True,
            id="endpoints by a pattern",
        ),
    ],
)
def test_what_is_accepted_is_marked(given: Mapping[str, Any], finding: Finding, *, is_silent: bool) -> None:
    known = Acceptance([entry(**given)], TODAY).marked(finding).known
    assert (known is not None) == is_silent
    assert known is None or known["reason"] == "wanted"


def test_an_entry_that_holds_goes_before_one_that_has_expired() -> None:
    held = entry(id="", fault="regression")
    acceptance = Acceptance([entry(until="2026-01-01"), held], TODAY)
    assert acceptance.of(found()) is held


def test_what_is_no_longer_accepted_loses_its_mark() -> None:
    acceptance = Acceptance([entry(severity="medium")], TODAY)
    marked = acceptance.marked(found())
    assert acceptance.marked(msgspec.structs.replace(marked, severity=Severity.HIGH)).known is None


@pytest.mark.parametrize(
    ("given", "findings", "trials", "expected"),
    [
        pytest.param({}, [found()], {}, State.SEEN, id="seen"),
        pytest.param({"until": "2026-01-01"}, [found()], {}, State.EXPIRED, id="expired"),
        pytest.param({"severity": "low"}, [found()], {}, State.WORSE, id="worse"),
        pytest.param({}, [], {("GET /items/{id}", ""): 3}, State.GONE, id="gone"),
        pytest.param({}, [], {("GET /items/{id}", ""): 2}, State.NOT_TRIED, id="tried too little"),
        pytest.param({}, [], {("GET /other", ""): 9}, State.NOT_TRIED, id="another endpoint"),
        pytest.param({}, [], {("GET /items/{id}", "nul"): 9}, State.NOT_TRIED, id="mutants of it alone"),
        pytest.param(
            {"mutator": "nul"}, [], {("GET /items/{id}", "nul"): 3}, State.GONE, id="its mutator, in vain"
        ),
        pytest.param(
            {"mutator": "nul"}, [], {("GET /items/{id}", ""): 9}, State.NOT_TRIED, id="not by its mutator"
        ),
        pytest.param(
            {"id": "", "fault": "F100", "endpoint": "GET /*"},
            [found()],
            {("GET /a", "x"): 2, ("GET /b", ""): 1},
            State.GONE,
            id="a pattern, tried anywhere",
        ),
    ],
)
def test_each_entry_is_told_of(
    given: Mapping[str, Any],
    findings: list[Finding],
    trials: Mapping[tuple[str, str], int],
    expected: State,
) -> None:
    ((told, state, _),) = Acceptance([entry(**given)], TODAY).states(findings, trials)
    assert (told, state) == (entry(**given), expected)
