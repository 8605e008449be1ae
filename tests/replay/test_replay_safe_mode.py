"""A shadow environment that suffers is asked less, step by step, and more again once it is well."""

from collections.abc import Callable

import pytest

from shadow.model import NoReply, Outcome, Reply, Response, Silence, Timing
from shadow.replay import Mode, SafeMode, SafeModeSettings

WHY = "the shadow environment answers well again"
SILENT = NoReply(Silence.TIMED_OUT)


def reply(seconds: float = 0.01, status: int = 200) -> Reply:
    return Reply(Response(status), Timing(total_seconds=seconds))


class Watched:
    """A machine whose clock moves by what is noted."""

    def __init__(self, **settings: float | bool) -> None:
        self.now = 1000.0
        self.told: list[tuple[Mode, str]] = []
        self.machine = SafeMode(
            SafeModeSettings(**settings),  # type: ignore[arg-type]  # as the settings take them
            tell=lambda mode, why: self.told.append((mode, why)),
            clock=lambda: self.now,
        )

    @property
    def modes(self) -> list[Mode]:
        return [mode for mode, _ in self.told]

    def ask(
        self,
        outcome: Outcome,
        times: int = 20,
        *,
        every: float = 0.05,
        live: int | None = 200,
        at: str = "GET /",
    ) -> Mode:
        """`outcome` so often; the mode then."""
        for _ in range(times):
            self.now += every
            self.machine.note("candidate", at, outcome, live)
            self.machine.look()
        return self.machine.mode

    def pause(self, seconds: float) -> Mode:
        self.now += seconds
        self.machine.look()
        return self.machine.mode


@pytest.mark.parametrize(
    ("ill", "why"),
    [
        (reply(status=503), "the candidate fails 20 of 20 originals"),
        (reply(status=429), "the candidate fails 20 of 20 originals"),
        (SILENT, "the candidate fails 20 of 20 originals"),
        (NoReply(Silence.REFUSED), "the candidate fails 20 of 20 originals"),
        (NoReply(Silence.RESET), "the candidate fails 20 of 20 originals"),
    ],
)
def test_originals_that_fail_lead_to_safe_mode_step_by_step(ill: Outcome, why: str) -> None:
    watched = Watched()
    assert watched.ask(ill, 19) is Mode.NORMAL
    assert watched.ask(ill, 1) is Mode.THROTTLED
    assert watched.ask(ill, 19) is Mode.THROTTLED
    assert watched.ask(ill, 1) is Mode.SAFE
    assert watched.told[0] == (Mode.THROTTLED, why)


def test_originals_that_grow_slow_against_their_own_usual_time_lead_to_safe_mode() -> None:
    watched = Watched(window_seconds=2.0)
    assert watched.ask(reply(0.1), 100) is Mode.NORMAL
    assert watched.ask(reply(0.8), 60) is Mode.SAFE
    assert watched.told[0][1].startswith("the candidate takes 7.")


@pytest.mark.parametrize(
    ("usual", "later"),
    [(0.001, 0.1), (0.1, 0.45), (2.0, 4.0)],
    ids=["times but not by much", "by much but not times", "a slow service that grows slower"],
)
def test_small_rises_are_no_trouble(usual: float, later: float) -> None:
    watched = Watched()
    watched.ask(reply(usual), 100)
    assert watched.ask(reply(later), 300) is Mode.NORMAL


def test_time_that_conditions_of_ours_took_does_not_count() -> None:
    watched = Watched()
    watched.ask(reply(0.1), 100)
    held = Reply(Response(200), Timing(total_seconds=2.1, held_seconds=2.0))
    assert watched.ask(held, 300) is Mode.NORMAL


def test_endpoints_that_take_long_by_themselves_are_held_against_themselves() -> None:
    watched = Watched(window_seconds=3.0)
    watched.ask(reply(0.01), 60, at="GET /quick")
    watched.ask(reply(2.0), 60, at="GET /report")
    assert watched.told == []


def test_time_that_creeps_up_does_not_become_the_usual() -> None:
    watched = Watched(window_seconds=5.0)
    seconds = 0.1
    watched.ask(reply(seconds), 50)
    while seconds < 3.0 and watched.machine.mode is Mode.NORMAL:
        seconds *= 1.01
        watched.ask(reply(seconds), 1)
    assert watched.machine.mode is Mode.THROTTLED
    assert seconds < 2.0


@pytest.mark.parametrize(
    ("outcome", "live"),
    [
        (reply(status=503), 502),
        (reply(status=500), 500),
        (reply(status=429), 429),
        (reply(status=404), 200),
        (reply(status=401), 200),
        (NoReply(Silence.UNSENT), 200),
        (NoReply(Silence.CUT), 200),
    ],
    ids=["as badly live", "the same live", "limited live", "not found", "refused", "never sent", "cut by us"],
)
def test_answers_that_tell_of_no_suffering_change_nothing(outcome: Outcome, live: int) -> None:
    assert Watched().ask(outcome, 500, live=live) is Mode.NORMAL


def test_failures_below_the_share_change_nothing() -> None:
    watched = Watched()
    for _ in range(200):
        watched.ask(reply(), 1)
        watched.ask(SILENT, 1)
    assert watched.machine.mode is Mode.NORMAL


def test_few_samples_conclude_nothing_and_old_ones_are_forgotten() -> None:
    watched = Watched(window_seconds=10.0)
    assert watched.ask(SILENT, 500, every=1.0) is Mode.NORMAL


def test_it_recovers_by_itself_one_step_after_another_and_only_after_a_while() -> None:
    watched = Watched(hold_seconds=10.0)
    watched.ask(SILENT, 40)
    assert watched.machine.mode is Mode.SAFE
    assert watched.ask(reply(), 40, every=0.2) is Mode.SAFE
    assert watched.ask(reply(), 14, every=0.2) is Mode.THROTTLED
    assert watched.ask(reply(), 40, every=0.2) is Mode.THROTTLED
    assert watched.ask(reply(), 14, every=0.2) is Mode.NORMAL
    assert watched.told[-2:] == [(Mode.THROTTLED, WHY), (Mode.NORMAL, WHY)]


def test_a_relapse_begins_the_waiting_anew() -> None:
    watched = Watched(hold_seconds=10.0, window_seconds=2.0)
    watched.ask(SILENT, 40)
    for _ in range(5):
        watched.ask(reply(), 9, every=1.0)
        watched.ask(SILENT, 2, every=0.1)
    assert watched.modes == [Mode.THROTTLED, Mode.SAFE]


def test_between_ill_and_well_nothing_changes() -> None:
    watched = Watched(hold_seconds=1.0)
    watched.ask(SILENT, 20)
    for _ in range(200):
        watched.ask(reply(), 3)
        watched.ask(SILENT, 2)
    assert watched.modes == [Mode.THROTTLED]


def test_silence_alone_is_no_recovery() -> None:
    watched = Watched()
    watched.ask(SILENT, 20)
    assert watched.pause(3600.0) is Mode.THROTTLED


def test_it_stops_for_good_where_safe_mode_does_not_help() -> None:
    watched = Watched(stop_seconds=60.0)
    watched.ask(SILENT, 40)
    assert watched.ask(SILENT, 5, every=10.0) is Mode.SAFE
    assert watched.ask(SILENT, 2, every=10.0) is Mode.STOPPED
    assert watched.told[-1][1].endswith("for 60 s in safe mode")
    assert watched.ask(reply(), 5000, every=1.0) is Mode.STOPPED


def test_it_never_stops_where_that_was_not_asked_for() -> None:
    assert Watched(stop_seconds=0.0).ask(SILENT, 5000, every=1.0) is Mode.SAFE


def test_switched_off_it_does_nothing() -> None:
    assert Watched(enabled=False).ask(SILENT, 5000) is Mode.NORMAL


def test_a_baseline_that_suffers_counts_too_and_one_that_is_not_asked_holds_nothing_up() -> None:
    watched = Watched(hold_seconds=1.0, window_seconds=5.0)
    for _ in range(20):
        watched.machine.note("baseline", "GET /", SILENT, 200)
    watched.ask(reply(), 1)
    assert watched.told[0] == (Mode.THROTTLED, "the baseline fails 20 of 20 originals")
    assert watched.ask(reply(), 40) is Mode.NORMAL


@pytest.mark.parametrize("pattern", [lambda at: at % 3, lambda at: at % 40 < 20, lambda at: at % 7 < 3])
def test_it_does_not_flap(pattern: Callable[[int], bool]) -> None:
    watched = Watched(hold_seconds=10.0, stop_seconds=0.0)
    for at in range(4000):
        watched.ask(reply() if pattern(at) else SILENT, 1, every=0.05)
    assert len(watched.told) <= 20, "200 seconds, at most one change in ten"


def test_a_sudden_change_is_not_lost_among_all_that_was_well_before() -> None:
    watched = Watched()
    watched.ask(reply(0.1), 5000, every=0.001)
    assert watched.ask(reply(2.0), 25, every=0.15) is Mode.THROTTLED
