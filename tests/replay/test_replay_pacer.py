import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.errors import ConfigError
from shadow.replay.pacer import Pace, Pacer, due_seconds


class Clock:
    """A clock that moves when somebody sleeps, and by `cost` whenever it is moved on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.mark.parametrize(
    ("pace", "number", "recorded", "due"),
    [
        (Pace(), 5, 10.0, 0.0),
        (Pace(speed=1.0), 5, 10.0, 10.0),
        (Pace(speed=4.0), 5, 10.0, 2.5),
        (Pace(speed=0.5), 5, 10.0, 20.0),
        (Pace(speed=1.0), 5, -3.0, 0.0),
        (Pace(per_second=2.0), 5, 10.0, 2.5),
        (Pace(speed=1.0, per_second=0.25), 5, 10.0, 20.0),
        (Pace(speed=1.0, per_second=100.0), 5, 10.0, 10.0),
    ],
)
def test_due_times(pace: Pace, number: int, recorded: float, due: float) -> None:
    assert due_seconds(pace, number, recorded) == due


@given(st.floats(0.01, 1000), st.lists(st.floats(0, 1e6), min_size=1))
def test_a_schedule_never_falls_behind_the_recording_times_speed(speed: float, times: list[float]) -> None:
    dues = [due_seconds(Pace(speed=speed), number, seconds) for number, seconds in enumerate(sorted(times))]
    assert dues == sorted(dues)
    assert dues[-1] == pytest.approx(max(times) / speed)


@pytest.mark.parametrize(
    "settings", [{"speed": 0.0}, {"speed": -1.0}, {"per_second": 0.0}, {"speed": float("nan")}]
)
def test_a_pace_that_is_none_is_a_config_error(settings: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="must be above 0"):
        Pace(**settings)


async def test_delays_do_not_add_up() -> None:
    clock = Clock()
    pacer = Pacer(Pace(speed=2.0), clock=clock, sleep=clock.sleep)
    due = []
    for second in range(5):
        due.append(await pacer.wait(500.0 + second))
        assert clock.now == due[-1]
        clock.now += 0.3  # the work, shorter than the gap of 0.5
    assert due == [1000.0, 1000.5, 1001.0, 1001.5, 1002.0]
    assert clock.now == 1000.0 + 2.0 + 0.3


async def test_what_cannot_be_in_time_is_sent_at_once_and_its_moment_told() -> None:
    clock = Clock()
    pacer = Pacer(Pace(per_second=10.0), clock=clock, sleep=clock.sleep)
    due = []
    for _ in range(3):
        due.append(await pacer.wait(0.0))
        clock.now += 1.0
    assert due == pytest.approx([1000.0, 1000.1, 1000.2])
    assert clock.now == 1003.0


async def test_a_schedule_that_is_started_again_begins_with_the_next_exchange() -> None:
    clock = Clock()
    pacer = Pacer(Pace(speed=1.0, per_second=1.0), clock=clock, sleep=clock.sleep)
    for _ in range(2):
        due = [await pacer.wait(500.0), await pacer.wait(500.5), await pacer.wait(507.0)]
        assert [each - due[0] for each in due if each and due[0]] == [0.0, 1.0, 7.0]
        clock.now += 100.0
        pacer.restart()
    assert clock.now == 1000.0 + 7.0 + 100.0 + 7.0 + 100.0


async def test_without_a_pace_nothing_waits_and_nothing_is_late() -> None:
    clock = Clock()
    pacer = Pacer(Pace(), clock=clock, sleep=clock.sleep)
    for _ in range(3):
        assert await pacer.wait(clock.now * 2) is None
        clock.now += 1.0
    assert clock.now == 1003.0


async def test_waiting_can_be_cancelled() -> None:
    async def forever(_: float) -> None:
        await asyncio.Event().wait()

    pacer = Pacer(Pace(speed=1.0), clock=lambda: 0.0, sleep=forever)
    await pacer.wait(0.0)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(pacer.wait(10.0), name="wait")
        await asyncio.sleep(0)
        task.cancel()
    assert task.cancelled()
