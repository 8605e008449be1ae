"""One cause has one id, whatever came first, whoever showed it, and whichever values it had."""

from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.judge.causes import Causes
from shadow.judge.fingerprint import causes_of, signature
from shadow.model import (
    Change,
    Difference,
    Expect,
    Judgement,
    Kind,
    Level,
    NoReply,
    Reply,
    Response,
    Severity,
    Silence,
    Trial,
    Verdict,
)

WORDS = st.text("abcdefghij", min_size=1, max_size=8)


def plain(*differences: Difference, endpoint: str = "GET /a", exchange: int = 0) -> Trial:
    judgement = Judgement(Verdict.FAILED, "why", None, "regression", Severity.HIGH, differences)
    return Trial(exchange, endpoint, Kind.REGRESSION, None, judgement)


def broken(body: bytes, *, mutator: str | None = None, endpoint: str = "GET /a") -> Trial:
    differences = () if mutator else (Difference("status", Change.VALUE, 200, 500),)
    judgement = Judgement(Verdict.FAILED, "why", Expect.SURVIVE, "F100", Severity.HIGH, differences)
    kind = Kind.MUTANT if mutator else Kind.REGRESSION
    answer = Reply(Response(500, headers=((b"Content-Type", b"text/plain"),), body=body))
    return Trial(0, endpoint, kind, mutator, judgement, level=Level.BODY if mutator else None, answer=answer)


def let_in(mutator: str, level: Level, refusal: int, endpoint: str) -> Trial:
    judgement = Judgement(Verdict.FAILED, "why", Expect.REJECT, "auth-bypass", Severity.HIGH)
    no = Reply(Response(refusal, body=b'{"error":{"code":"no_credentials"}}'))
    return Trial(
        0, endpoint, Kind.MUTANT, mutator, judgement, level=level, answer=Reply(Response(200)), baseline=no
    )


def race(mutator: str) -> Trial:
    judgement = Judgement(Verdict.FAILED, "why", Expect.ONCE, "race", Severity.HIGH)
    return Trial(0, "POST /a", Kind.RACE, mutator, judgement, level=Level.RACE)


def ids(trial: Trial) -> set[str]:
    return {each.id for each in causes_of(trial)}


ERROR = (
    plain(Difference("body:$.error.code", Change.VALUE, "a", "b")),
    plain(Difference("body:$.error.hint", Change.MISSING, "x", None)),
    plain(
        Difference("body:$.error.code", Change.VALUE, "c", "d"),
        Difference("body:$.error.hint", Change.MISSING, "y", None),
        endpoint="GET /b",
    ),
)
"""One error object, of which another part shows each time."""
PAGE = (
    plain(Difference("body:$.a.x", Change.ADDED, None, 1), Difference("body:$.a.y", Change.ADDED, None, 2)),
    plain(Difference("body:$.a.y", Change.ADDED, None, 3)),
)
OTHERS = (
    plain(Difference("header:vary", Change.MISSING, "a", None)),
    plain(Difference("body:$.items[0].price", Change.MISSING, 7, None)),
    broken(b"KeyError: 'blue'"),
    race("sent_at_once"),
    let_in("signature_emptied", Level.AUTH, 401, "GET /a"),
)


def told(trials: Iterable[Trial]) -> set[str]:
    causes = Causes()
    return {each.cause.id for trial in trials for each in causes.add(trial)}


@given(st.permutations((*ERROR, *OTHERS)))
def test_ids_do_not_hang_on_what_came_first(trials: Sequence[Trial]) -> None:
    assert told(trials) == told((*ERROR, *OTHERS))
    assert len(told(trials)) == 6


@given(st.permutations((*PAGE, *OTHERS)))
def test_what_is_told_together_is_found_by_the_id_of_any_part(trials: Sequence[Trial]) -> None:
    causes = Causes()
    seen = [sighting for trial in trials for sighting in causes.add(trial)]
    names = {each for sighting in seen for each in (sighting.cause.id, *sighting.record.also)}
    assert set().union(*map(ids, PAGE)) <= names


@given(st.lists(st.sampled_from(OTHERS), unique=True))
def test_ids_do_not_hang_on_other_findings(others: list[Trial]) -> None:
    mine = plain(Difference("body:$.total", Change.TYPE, 1, "1"))
    assert ids(mine) <= told((*others, mine, *others))


@given(WORDS, WORDS, st.integers(0, 10**9), st.integers(0, 10**9))
def test_ids_do_not_hang_on_values(one: str, other: str, first: int, second: int) -> None:
    assert ids(broken(f"KeyError: '{one}' at {first}".encode())) == ids(
        broken(f"KeyError: '{other}' at {second}".encode())
    )
    assert ids(broken(f"Cannot GET /things/{one}".encode())) == ids(
        broken(f"Cannot GET /things/{other}".encode())
    )
    mine, its = (Difference("body:$.n", Change.VALUE, value, value + 1) for value in (first, second))
    assert ids(plain(mine)) == ids(plain(its))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(broken(b"boom"), broken(b"boom", mutator="nul"), id="plain traffic, or a mutant"),
        pytest.param(race("sent_at_once"), race("conflicting_at_once"), id="two ways to race"),
        pytest.param(
            let_in("signature_emptied", Level.AUTH, 401, "GET /a"),
            let_in("name_emptied", Level.HEADER, 401, "GET /b"),
            id="no credentials, shown by an edit of another part",
        ),
        pytest.param(
            let_in("signature_emptied", Level.AUTH, 401, "GET /a"),
            let_in("odd_field", Level.FRAMING, 401, "GET /b"),
            id="no credentials, shown by malformed bytes",
        ),
    ],
)
def test_one_cause_has_one_id_whoever_shows_it(one: Trial, other: Trial) -> None:
    assert ids(one) == ids(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(broken(b"boom"), broken(b"no such table"), id="what is said"),
        pytest.param(broken(b"boom"), broken(b"boom", endpoint="GET /b"), id="where it breaks"),
        pytest.param(
            let_in("x", Level.HEADER, 403, "GET /a"),
            let_in("x", Level.HEADER, 403, "GET /b"),
            id="permissions of two endpoints",
        ),
        pytest.param(ERROR[0], plain(Difference("body:$.code", Change.VALUE, "a", "b")), id="no error"),
        pytest.param(
            refused := Trial(
                0,
                "GET /a",
                Kind.REGRESSION,
                None,
                Judgement(
                    Verdict.FAILED,
                    differences=(Difference("status", Change.VALUE, 200, 404),),
                    fault="regression",
                ),
                answer=Reply(Response(404, body=b'{"code":"no_such_item"}')),
            ),
            Trial(
                0,
                "GET /b",
                Kind.REGRESSION,
                None,
                refused.judgement,
                answer=Reply(Response(404, body=b'{"code":"no_such_order"}')),
            ),
            id="two refusals with one code",
        ),
    ],
)
def test_two_causes_have_two_ids(one: Trial, other: Trial) -> None:
    assert ids(one).isdisjoint(ids(other))


def test_a_long_text_without_spaces_costs_little() -> None:
    assert signature(Reply(Response(500, body=b"a" * 10_000_000)))
    assert signature(NoReply(Silence.TIMED_OUT)) == "timed_out"
