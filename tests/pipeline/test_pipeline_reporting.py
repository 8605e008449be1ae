"""Confirmed trials become findings: one for each cause."""

from typing import Any

import msgspec
import pytest

from shadow.model import (
    Change,
    Difference,
    Event,
    Expect,
    Finding,
    Found,
    Judgement,
    Kind,
    Level,
    Severity,
    Trial,
    Verdict,
    Wire,
)
from shadow.pipeline.ready import Ready
from shadow.pipeline.reporting import Reporting
from tests.pipeline.conftest import reply, request

READY = Ready(request("GET /a"))


def lost(where: str, severity: Severity = Severity.MEDIUM) -> Judgement:
    differences = (Difference(where, Change.MISSING, 1, None),)
    return Judgement(Verdict.FAILED, "gone", None, "regression", severity, differences)


def original(index: int, endpoint: str = "GET /a", where: str = "body:$.a", **says: Any) -> Trial:
    return Trial(index, endpoint, Kind.REGRESSION, None, lost(where, **says), answer=reply())


def mutant(
    index: int, severity: Severity = Severity.MEDIUM, fault: str = "F100", endpoint: str = "GET /a"
) -> Trial:
    judgement = Judgement(Verdict.FAILED, f"why {index}", Expect.SURVIVE, fault, severity)
    return Trial(
        index,
        "GET /a",
        Kind.MUTANT,
        "a_mutator",
        judgement,
        level=Level.HEADER,
        expect=Expect.SURVIVE,
        answer=reply(500),
    )


def told(
    *trials: Trial, times: str = "3/3", ready: Ready | None = READY, earlier: dict[str, Finding] | None = None
) -> list[Found]:
    heard: list[Event] = []
    reporting = Reporting(origin="http://c:1", hear=heard.append, earlier=earlier)
    for trial in trials:
        reporting.report(trial, times, ready)
    return [each for each in heard if isinstance(each, Found)]


def test_cause_that_occurs_again_is_the_same_finding_with_a_higher_count() -> None:
    first, second, third = told(original(4), original(1), original(9, "GET /b"))
    assert [each.is_new for each in (first, second, third)] == [True, False, False]
    assert len({each.finding.id for each in (first, second, third)}) == 1
    assert (third.finding.count, third.finding.exchanges) == (3, (1, 4, 9))
    assert third.finding.endpoints == ("GET /a", "GET /b")
    assert third.finding.endpoint == "GET /a", "the first endpoint that showed it"


def test_other_causes_are_findings_of_their_own() -> None:
    found = told(original(0), original(1, where="body:$.b"), mutant(2), mutant(3, fault="hang"))
    assert len({each.finding.id for each in found}) == 4
    assert all(each.is_new for each in found)


def test_trial_with_several_causes_is_several_findings() -> None:
    trial = original(0)
    more = (*trial.judgement.differences, Difference("header:x", Change.ADDED, None, "1"))
    judgement = msgspec.structs.replace(trial.judgement, differences=more)
    found = told(msgspec.structs.replace(trial, judgement=judgement))
    assert {each.finding.where for each in found} == {("body:$.a",), ("header:x",)}


@pytest.mark.parametrize(
    ("severities", "shown"),
    [
        ((Severity.MEDIUM, Severity.HIGH), 1),
        ((Severity.HIGH, Severity.MEDIUM), 0),
        ((Severity.MEDIUM, Severity.MEDIUM), 0),
        ((Severity.LOW, Severity.HIGH, Severity.HIGH, Severity.MEDIUM), 1),
    ],
)
def test_finding_tells_of_the_first_of_its_worst_trials(severities: tuple[Severity, ...], shown: int) -> None:
    found = told(*(mutant(at, each) for at, each in enumerate(severities)))[-1].finding
    assert found.severity == max(severities, key=list(Severity).index)
    assert found.why.startswith(f"why {shown}")
    assert found.count == len(severities)


def test_command_line_shows_the_request_where_it_can_be_said_so() -> None:
    curls = {
        name: told(mutant(0), ready=ready)[0].finding.reproduce["curl"]
        for name, ready in (
            ("plain", READY),
            ("wire", Ready(READY.request, Wire((b"GET",)))),
            ("script", None),
        )
    }
    assert curls["plain"].startswith("curl ")
    assert "http://c:1/a" in curls["plain"]
    assert curls["wire"] is curls["script"] is None


def test_how_often_it_showed_is_told() -> None:
    assert told(mutant(0), times="5/5")[0].finding.confirmed == "5/5"


def test_findings_of_an_earlier_process_are_gone_on_with() -> None:
    earlier = told(original(4), original(7))[-1].finding
    found = told(
        original(7), original(8, "GET /b"), original(9, where="body:$.b"), earlier={earlier.id: earlier}
    )
    assert [each.is_new for each in found] == [False, False, True]
    again = found[1].finding
    assert (again.id, again.count, again.exchanges) == (earlier.id, 4, (4, 7, 8))
    assert again.endpoints == ("GET /a", "GET /b")
    assert again.title == earlier.title
    assert found[2].finding.count == 1
