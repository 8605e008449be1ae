"""Sessions are remembered, and given out once they have gone quiet."""

from shadow.pipeline.sessions import Sessions
from tests.pipeline.conftest import exchange


def filled(*adds: tuple[str, int, float]) -> Sessions:
    sessions = Sessions(idle_seconds=5.0)
    for session, index, now in adds:
        sessions.add(session, exchange("GET /", index), now)
    return sessions


def given(sessions: Sessions, now: float, *, is_over: bool = False) -> dict[str, list[int]]:
    return {name: [e.index for e in past] for name, past in sessions.quiet(now, is_over=is_over)}


def test_session_is_given_out_once_after_it_has_been_quiet_for_long_enough() -> None:
    sessions = filled(("a", 0, 0.0), ("b", 1, 3.0), ("a", 2, 4.0))
    assert given(sessions, 7.9) == {}
    assert given(sessions, 8.0) == {"b": [1]}
    assert given(sessions, 9.0) == {"a": [0, 2]}
    assert given(sessions, 99.0) == {}


def test_session_that_goes_on_is_given_out_again_whole() -> None:
    sessions = filled(("a", 0, 0.0))
    assert given(sessions, 5.0) == {"a": [0]}
    sessions.add("a", exchange("GET /", 1), 6.0)
    assert given(sessions, 11.0) == {"a": [0, 1]}


def test_when_the_run_is_over_all_are_given_out() -> None:
    sessions = filled(("a", 0, 0.0), ("b", 1, 9.9))
    assert given(sessions, 10.0, is_over=True) == {"a": [0], "b": [1]}
    assert given(sessions, 10.0, is_over=True) == {}


def test_session_keeps_its_first_forty_exchanges_and_is_not_given_out_for_more() -> None:
    sessions = filled(*(("a", n, float(n)) for n in range(60)))
    assert given(sessions, 100.0) == {"a": list(range(40))}
    sessions.add("a", exchange("GET /", 99), 101.0)
    assert given(sessions, 200.0) == {}


def test_latest_thousand_sessions_are_kept() -> None:
    sessions = filled(*((f"s{n}", n, 0.0) for n in range(1000)), ("s0", 1000, 1.0), ("new", 1001, 2.0))
    found = given(sessions, 0.0, is_over=True)
    assert len(found) == 1000
    assert "s1" not in found, "the one that was heard of longest ago goes"
    assert found["s0"] == [0, 1000]


def test_past_is_what_the_session_asked_before() -> None:
    sessions = filled(("a", 0, 0.0), ("a", 3, 0.0), ("b", 1, 0.0), ("a", 7, 0.0))
    assert [e.index for e in sessions.before("a", exchange("GET /", 5))] == [0, 3]
    assert sessions.before("nobody", exchange("GET /", 5)) == ()


def test_sessions_are_full_where_one_more_makes_one_forgotten_that_was_not_given_out() -> None:
    sessions = filled(*((f"s{at}", at, 0.0) for at in range(999)))
    assert not sessions.is_full
    sessions.add("last", exchange("GET /", 1000), 0.0)
    assert sessions.is_full
    given(sessions, 0.0, is_over=True)
    assert not sessions.is_full
