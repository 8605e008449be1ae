import asyncio

import pytest

from shadow.model import NoReply, Outcome, Reply, Response, Silence
from shadow.replay.breaker import Breaker, BreakerSettings, Circuit

UP: Outcome = Reply(Response(500))
REFUSED: Outcome = NoReply(Silence.REFUSED)
PLAIN = BreakerSettings(slow_start_seconds=0.0)


class Clock:
    """A clock that only moves when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


def opened(clock: Clock, settings: BreakerSettings = PLAIN) -> Breaker:
    breaker = Breaker(settings, clock=clock, sleep=clock.sleep)
    for _ in range(5):
        assert breaker.wait_seconds() == 0
        breaker.note(REFUSED)
    assert breaker.circuit is Circuit.OPEN
    return breaker


@pytest.mark.parametrize(
    ("why", "times"),
    [(Silence.REFUSED, 5), (Silence.TIMED_OUT, 20), (Silence.RESET, 20), (Silence.CLOSED, 20)],
)
def test_silence_in_a_row_opens_the_circuit(why: Silence, times: int) -> None:
    breaker = Breaker(PLAIN, clock=Clock())
    for _ in range(times - 1):
        breaker.note(NoReply(why))
    assert breaker.is_up
    breaker.note(NoReply(why))
    assert not breaker.is_up


def test_any_answer_in_between_starts_the_count_again() -> None:
    breaker = Breaker(PLAIN, clock=Clock())
    for _ in range(100):
        breaker.note(REFUSED)
        breaker.note(UP)
    assert breaker.is_up


def test_what_was_never_sent_says_nothing() -> None:
    breaker = Breaker(PLAIN, clock=Clock())
    for _ in range(100):
        breaker.note(NoReply(Silence.UNSENT))
    assert breaker.is_up


def test_one_trial_at_a_time_and_its_answer_closes_the_circuit() -> None:
    clock = Clock()
    breaker = opened(clock)
    assert breaker.wait_seconds() == 0.5
    clock.now = 0.5
    assert breaker.wait_seconds() == 0
    assert breaker.circuit is Circuit.HALF_OPEN
    assert breaker.wait_seconds() > 0
    breaker.note(UP)
    assert breaker.is_up
    assert breaker.wait_seconds() == breaker.wait_seconds() == 0


def test_failed_trials_wait_twice_as_long_up_to_the_maximum() -> None:
    clock = Clock()
    breaker = opened(clock)
    waits = []
    for _ in range(9):
        waits.append(breaker.wait_seconds())
        clock.now += waits[-1]
        assert breaker.wait_seconds() == 0
        breaker.note(REFUSED)
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


def test_a_trial_of_which_nothing_is_heard_is_given_up() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now = 0.5
    assert breaker.wait_seconds() == 0
    clock.now += 59.9
    assert breaker.wait_seconds() > 0
    clock.now += 0.2
    assert breaker.wait_seconds() == 0


async def test_allow_waits_until_the_trial_may_begin() -> None:
    clock = Clock()
    breaker = opened(clock)
    await breaker.allow()
    assert clock.now == 0.5


async def test_allow_can_be_cancelled() -> None:
    async def forever(_: float) -> None:
        await asyncio.Event().wait()

    breaker = Breaker(PLAIN, clock=Clock(), sleep=forever)
    for _ in range(5):
        breaker.note(REFUSED)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(breaker.allow(), name="allow")
        await asyncio.sleep(0)
        task.cancel()
    assert task.cancelled()


async def test_a_slow_start_doubles_its_rate_until_there_is_no_limit() -> None:
    clock = Clock()
    settings = BreakerSettings(
        slow_start_per_second=10.0, slow_start_doubling_seconds=1.0, slow_start_seconds=3.0
    )
    breaker = Breaker(settings, clock=clock, sleep=clock.sleep)
    counts = [0, 0, 0]
    while clock.now < 3.0:
        await breaker.allow()
        if clock.now < 3.0:
            counts[int(clock.now)] += 1
    assert 10 <= counts[0] <= 20 <= counts[1] <= 40 <= counts[2] <= 80
    before = clock.now
    for _ in range(1000):
        await breaker.allow()
    assert clock.now == before


async def test_a_schedule_is_kept_from_the_first_request_on_and_recoveries_start_slowly() -> None:
    clock = Clock()
    breaker = Breaker(BreakerSettings(), is_warm=True, clock=clock, sleep=clock.sleep)
    for _ in range(1000):
        await breaker.allow()
    assert clock.now == 0.0
    for _ in range(5):
        breaker.note(REFUSED)
    await breaker.allow()
    breaker.note(UP)
    recovered = clock.now
    for _ in range(100):
        await breaker.allow()
    assert clock.now - recovered > 0.1


def test_what_comes_between_a_trial_that_failed_and_the_next_does_not_hurry_it() -> None:
    clock = Clock()
    breaker = opened(clock)
    for _ in range(50):
        breaker.note(REFUSED)  # of what was under way when the circuit opened
    assert breaker.wait_seconds() == 0.5
