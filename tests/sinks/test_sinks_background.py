"""The thread behind the sinks does its work when woken, when it is time, and a last time at the end."""

import logging
import threading

import pytest

from shadow.sinks._background import Background

LIMIT_SECONDS = 30.0


def test_work_is_done_when_woken_long_before_it_is_time() -> None:
    done = threading.Event()
    background = Background("test", done.set, interval_seconds=3600.0)
    background.wake()
    assert done.wait(LIMIT_SECONDS)
    assert background.close()


def test_work_is_done_whenever_it_is_time() -> None:
    calls: list[int] = []
    thrice = threading.Event()

    def work() -> None:
        calls.append(1)
        if len(calls) == 3:
            thrice.set()

    background = Background("test", work, interval_seconds=0.001)
    assert thrice.wait(LIMIT_SECONDS)
    assert background.close()


def test_closing_works_a_last_time_on_what_came_just_before() -> None:
    box: list[int] = []
    taken: list[int] = []

    def work() -> None:
        while box:
            taken.append(box.pop())

    background = Background("test", work, interval_seconds=3600.0)
    for number in range(100):
        box.append(number)
        background.wake()
    box.append(100)
    assert background.close()
    assert sorted(taken) == list(range(101))


def test_closing_does_not_wait_for_ever_for_work_that_hangs() -> None:
    begun, release = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        release.wait(LIMIT_SECONDS)

    background = Background("test", work, interval_seconds=0.001)
    assert begun.wait(LIMIT_SECONDS)
    assert not background.close(timeout_seconds=0.01)
    release.set()
    assert background.close()


def test_work_that_raises_is_told_once_and_counted_and_the_thread_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    calls: list[int] = []
    thrice = threading.Event()

    def work() -> None:
        calls.append(1)
        if len(calls) >= 3:
            thrice.set()
        raise KeyError("the secret that was captured")

    with caplog.at_level(logging.ERROR):
        background = Background("test", work, interval_seconds=0.001)
        assert thrice.wait(LIMIT_SECONDS)
        assert background.close()
    assert background.broken == len(calls) >= 3
    (record,) = caplog.records
    assert "the sink 'test' broke (KeyError at test_sinks_background.py:" in record.getMessage()
    assert "secret" not in caplog.text
