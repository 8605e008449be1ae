"""What the candidate keeps for each request of a kind is found; what rises for other reasons is not told."""

from dataclasses import dataclass

import pytest

from shadow.errors import ConfigError
from shadow.model import Outcome, Request, StateChanged
from shadow.pipeline.gauges import GaugeSettings, watched
from tests.pipeline.conftest import Answering, Bench, always, exchange, reply

WATCHED = GaugeSettings("/metrics", ("memory_bytes",))
KEPT_BYTES = 200_000
THERE, GONE = reply(200, b"{}"), reply(404, b'{"error": "none"}')


@dataclass
class Keeper:
    """A service that keeps so many bytes for each request at `path`; it has none of these."""

    path: bytes
    kept_bytes: int = KEPT_BYTES
    held_bytes: int = 50 << 20

    def __call__(self, asked: Request) -> Outcome:
        if asked.target == b"/metrics":
            return reply(200, b"# TYPE memory_bytes gauge\nmemory_bytes %d\n" % self.held_bytes)
        if asked.target == self.path:
            self.held_bytes += self.kept_bytes
        return THERE if asked.target == b"/there" else GONE


async def watching(candidate: Answering, baseline: Answering | None, *lines: str) -> Bench:
    """A bench after 200 requests and more, as `lines` say in turn."""
    bench = Bench(candidate, baseline, gauges=WATCHED)
    for number in range(220):
        line = lines[number % len(lines)]
        await bench.conduct(exchange(line, number, answer=GONE if "gone" in line else THERE))
    return bench


async def test_what_is_kept_for_each_refused_request_is_one_finding() -> None:
    bench = await watching(Keeper(b"/gone"), Keeper(b"/gone", 0), "GET /there", "POST /gone")
    (finding,) = bench.findings.values()
    assert (finding.fault, finding.severity, finding.endpoint) == ("growth", "high", "POST /gone")
    assert (finding.where, finding.confirmed) == (("gauge:memory_bytes",), "3/3")
    assert "at the live release by 0 KiB" in finding.why


async def test_without_a_baseline_more_is_needed_for_a_suspicion() -> None:
    assert not (await watching(Keeper(b"/gone"), None, "GET /there", "GET /gone")).findings
    (finding,) = (
        await watching(Keeper(b"/gone", 800_000), None, "GET /there", "GET /gone")
    ).findings.values()
    assert finding.fault == "growth"


@pytest.mark.parametrize(
    ("candidate", "baseline"),
    [(Keeper(b"/gone", 0), Keeper(b"/gone", 0)), (Keeper(b"/gone"), Keeper(b"/gone"))],
    ids=["nothing is kept", "both keep it"],
)
async def test_what_the_live_release_does_too_is_no_finding(candidate: Keeper, baseline: Keeper) -> None:
    bench = await watching(candidate, baseline, "GET /there", "GET /gone")
    assert not bench.findings
    assert not bench.of(StateChanged)


async def test_what_writes_keep_is_told_but_no_finding() -> None:
    bench = await watching(Keeper(b"/there"), Keeper(b"/there", 0), "GET /gone", "POST /there")
    assert not bench.findings
    (told,) = bench.of(StateChanged)
    assert told.state == "grown"
    assert "memory_bytes rose by" in told.why


async def test_a_page_that_is_not_there_is_told_once_for_each_target() -> None:
    bench = await watching(always(GONE), always(GONE), "GET /gone")
    assert [each.why for each in bench.of(StateChanged)] == [
        f"/metrics of the {name} is not shown (rejected)" for name in ("candidate", "baseline")
    ]


def test_a_path_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"gauges\.path 'metrics' is none; write it as '/metrics'"):
        watched(GaugeSettings("metrics"))
    assert watched(GaugeSettings()) is None
