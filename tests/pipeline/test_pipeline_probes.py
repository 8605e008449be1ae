"""Probes that mean nothing, or might change something, are refused; others tell where targets differ."""

from collections.abc import Iterator
from itertools import count

import pytest

from shadow.errors import ConfigError
from shadow.model import Change, Difference, Identity, Outcome, Request, StateChanged
from shadow.pipeline.drift import Drift
from shadow.pipeline.probes import Probe, Probes, ProbeSettings
from tests.pipeline.conftest import Answering, Bench, always, reply

ADMIN = Identity("admin")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ([ProbeSettings("", "/a")], "name '' is empty"),
        ([ProbeSettings("a", "/a"), ProbeSettings("a", "/b")], "'a' is empty or stands there twice"),
        ([ProbeSettings("a", "/a", "POST")], "method 'POST' may change something"),
        ([ProbeSettings("a", "a")], "path 'a' is none"),
        ([ProbeSettings("a", "/a b")], "path '/a b' is none"),
        (
            [ProbeSettings("a", "/a", identity="admn")],
            "no identity 'admn' is configured, did you",
        ),
        ([ProbeSettings("a", "/a", ignore=("items",))], "ignore has 'items'"),
        ([ProbeSettings("a", "/a", ignore=("body:$",))], "covers too much"),
    ],
)
def test_a_probe_that_means_nothing_is_refused(settings: list[ProbeSettings], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Probes.of(settings, [ADMIN])


def test_a_probe_is_what_its_settings_say() -> None:
    settings = ProbeSettings("a", "/a?b=1", "head", "admin", {"X-A": "1"}, ("body:$.items[].at",))
    (probe,) = Probes.of([settings], [ADMIN]).all
    assert probe.request == Request(b"HEAD", b"/a?b=1", headers=((b"X-A", b"1"),))
    assert probe.identity is ADMIN


@pytest.mark.parametrize(
    ("where", "is_counted"),
    [
        ("body:$.items[3].at", False),
        ("body:$.items[3].at.day", False),
        ("body:$.items[3].name", True),
        ("header:x-node", False),
        ("body:$.cache_age", False),
    ],
)
def test_ignored_places_do_not_count(where: str, *, is_counted: bool) -> None:
    ignore = ("body:$.items[].at", "header:x-*", "body:$.cache_*")
    probe = Probe("a", Request(b"GET", b"/"), None, ignore)
    assert probe.counts(Difference(where, Change.VALUE, 1, 2)) is is_counted


def counting(numbers: Iterator[int], rest: bytes = b'"a"') -> Answering:
    def answer(_: Request) -> Outcome:
        return reply(200, b'{"tick": %d, "state": %b}' % (next(numbers), rest))

    return answer


async def told(bench: Bench, *whens: str) -> list[tuple[str, str]]:
    drift = Drift(
        bench.environment, bench.judging, [Probe("p", Request(b"GET", b"/p"), None)], hear=bench.heard.append
    )
    for when in whens:
        await drift.compare(when)
    return [(each.state, each.why) for each in bench.of(StateChanged)]


async def test_where_the_targets_differ_is_told_once() -> None:
    bench = Bench(counting(count(5), b'"b"'), counting(count(900)))
    why = "as the run begins, probe 'p' differs between the targets at body:$.state"
    assert await told(bench, "as the run begins", "at the end") == [("drifted", why)]


async def test_equal_states_are_not_told_whatever_ticks() -> None:
    bench = Bench(counting(count(5)), counting(count(900)))
    assert await told(bench, "as the run begins") == []
    assert {parcel for _, parcel in bench.sent} == {"probe"}


async def test_a_probe_that_is_refused_is_told_once_for_each_target() -> None:
    bench = Bench(always(reply(401)), always(reply(401)))
    found = await told(bench, "as the run begins", "at the end")
    assert found == [
        ("unprobed", f"as the run begins, probe 'p' tells nothing of the {name}: 401")
        for name in ("candidate", "baseline")
    ]


async def test_without_a_baseline_nothing_can_differ() -> None:
    assert await told(Bench(counting(count(5))), "as the run begins") == []
