"""State that drifted is told from regressions, and forgotten in time."""

import pytest

from shadow.judge.drifting import Drifting, DriftLimits
from shadow.model import Change, Difference, NoReply, Outcome, Reply, Response, Silence

OK, ABSENT = Reply(Response(200)), Reply(Response(404))
GET = "GET /things/{id}"
PRICE = Difference("body:$.items[3].price", Change.VALUE, 1, 2)
GONE = Difference("body:$.items[2]", Change.MISSING, {}, None)
FIELD = Difference("body:$.name", Change.MISSING, "a", None)
ETAG = Difference("header:etag", Change.VALUE, "a", "b")


def seen(
    times: int, ours: Outcome, *differences: Difference, every: int = 1, drifting: Drifting | None = None
) -> Drifting:
    """A run in which every so-many-th of the originals was answered so."""
    found = drifting or Drifting(DriftLimits(0.5, 10))
    for at in range(times):
        is_so = at % every == 0
        found.note(GET, ours if is_so else OK, OK, differences if is_so else ())
    return found


@pytest.mark.parametrize(
    ("ours", "differences", "every", "is_adrift"),
    [
        pytest.param(OK, (), 1, False, id="all alike"),
        pytest.param(ABSENT, (), 1, True, id="another class each time"),
        pytest.param(ABSENT, (), 4, False, id="another class now and then"),
        pytest.param(OK, (ETAG,), 1, False, id="a field of the head"),
        pytest.param(OK, (FIELD,), 1, False, id="a field of the body that is gone"),
        pytest.param(OK, (PRICE,), 1, False, id="a value that differs each time"),
        pytest.param(NoReply(Silence.TIMED_OUT), (), 1, False, id="hangs tell nothing of state"),
    ],
)
def test_only_state_that_differs_is_drift(
    ours: Outcome, differences: tuple[Difference, ...], every: int, *, is_adrift: bool
) -> None:
    assert seen(60, ours, *differences, every=every).is_adrift(GET) is is_adrift


def test_values_and_elements_that_differ_in_ever_other_places_are_drift() -> None:
    drifting = Drifting(DriftLimits(0.5, 10))
    for at in range(40):
        place = Difference(f"body:$.field_{at % 3}", Change.VALUE, 1, 2)
        drifting.note(GET, OK, OK, (place, GONE) if at % 3 else (place,))
    assert drifting.is_adrift(GET)


def test_a_regression_that_was_told_is_no_drift() -> None:
    drifting = Drifting(DriftLimits(0.5, 10))
    drifting.explain(GET, (PRICE,))
    for at in range(40):
        drifting.note(GET, OK, OK, (PRICE,) if at % 3 else ())
    assert drifting.share(GET) == 0.0


def test_nothing_is_concluded_from_few() -> None:
    assert not seen(9, ABSENT).is_adrift(GET)
    assert seen(10, ABSENT).is_adrift(GET)


def test_drift_that_is_over_fades() -> None:
    drifting = seen(60, ABSENT)
    assert not seen(60, OK, drifting=drifting).is_adrift(GET)


def test_a_limit_of_one_is_never_passed() -> None:
    assert not seen(60, ABSENT, drifting=Drifting(DriftLimits(1.0, 10))).is_adrift(GET)


def test_a_state_that_was_put_back_is_that_of_the_traffic_again() -> None:
    drifting = seen(60, ABSENT)
    drifting.leave("s")
    drifting.forget()
    assert not drifting.is_adrift(GET)
    assert not drifting.has_left("s")
