"""A campaign against services of the tests' own making: which packet it was, and when it ends."""

from collections.abc import Callable

import msgspec
import pytest

from shadow.errors import TargetError, UnsafeError
from shadow.packets.campaign import Campaign, CampaignSettings, Made
from shadow.packets.health import Health
from shadow.packets.telling import capture, finding_of
from shadow.wire.pcap import PcapReader


class Packet(msgspec.Struct, frozen=True):
    number: int
    mutator: str
    what: str
    packets: tuple[bytes, ...]
    is_in_stream: bool = False


def packet(number: int, without: frozenset[str] = frozenset()) -> Packet:
    mutator = next(each for each in (f"r{number % 7}", "spare") if each not in without)
    return Packet(number, mutator, f"number {number}", (b"%d" % number,))


class Service:
    """Dies of what `kills` says, and comes back when it is restarted, if it may."""

    def __init__(
        self,
        kills: Callable[[list[Made]], bool] = lambda _: False,
        *,
        returns: bool = True,
        budget: int = 10_000,
        how: Health = Health.GONE,
    ) -> None:
        self.got: list[Made] = []
        self.life: list[Made] = []
        self.is_alive = True
        self.restarts = 0
        self._kills, self._returns, self._budget, self._how = kills, returns, budget, how

    async def send(self, made: Made) -> str:
        if len(self.got) >= self._budget:
            return "the budget is spent"
        self.got.append(made)
        self.life.append(made)
        self.is_alive = self.is_alive and not self._kills(self.life)
        return ""

    async def health(self) -> Health:
        return Health.WELL if self.is_alive else self._how

    async def restart(self) -> None:
        self.restarts += 1
        self.is_alive = self._returns
        self.life = []


async def run(candidate: Service, baseline: Service | None = None, **settings: float) -> Campaign:
    now = [0.0]

    async def sleep(seconds: float) -> None:
        now[0] += seconds

    campaign = Campaign(
        candidate,
        baseline,
        packet,
        CampaignSettings(**{"packets_max": 100, **settings}),  # type: ignore[arg-type]  # as they are
        sleep=sleep,
        clock=lambda: now[0],
    )
    await campaign.run()
    return campaign


async def test_a_service_that_lives_has_all_packets_and_no_finding() -> None:
    service = Service()
    campaign = await run(service)
    assert [each.number for each in service.got] == list(range(100))
    assert (campaign.culprits, campaign.stopped, sum(campaign.sent.values())) == ([], "", 100)


@pytest.mark.parametrize("how", [Health.GONE, Health.HUNG])
async def test_the_packet_that_it_dies_of_is_found_and_confirmed(how: Health) -> None:
    service = Service(lambda life: life[-1].number == 37, how=how)
    campaign = await run(service)
    culprit = campaign.culprits[0]
    assert [each.number for each in culprit.made] == [37]
    assert (culprit.health, culprit.confirmed, culprit.tried, culprit.baseline) == (how, 3, 3, None)
    assert max(each.number for each in service.got) == 99


async def test_one_cause_is_found_once() -> None:
    service = Service(lambda life: life[-1].mutator == "r3")
    campaign = await run(service)
    assert [each.made[0].mutator for each in campaign.culprits] == ["r3"]


async def test_packets_that_only_kill_together_are_told_together() -> None:
    service = Service(lambda life: {each.number for each in life} >= {42, 57})
    campaign = await run(service)
    assert [each.number for each in campaign.culprits[0].made] == list(range(40, 60))


async def test_what_does_not_show_again_is_not_told() -> None:
    service = Service(lambda life: life[-1].number == 10 and len(service.got) < 15)
    campaign = await run(service)
    assert campaign.culprits == []
    assert sum(campaign.sent.values()) >= 100


async def test_a_service_that_does_not_come_back_ends_the_run_and_is_told() -> None:
    service = Service(lambda life: life[-1].number == 30, returns=False)
    campaign = await run(service, wait_seconds=5.0)
    assert [each.number for each in campaign.culprits[0].made] == list(range(20, 40))
    assert "did not come back within 5 s" in campaign.stopped


@pytest.mark.parametrize(("dies", "expected"), [(True, Health.GONE), (False, Health.WELL)])
async def test_the_baseline_is_sent_only_what_the_candidate_dies_of(dies: bool, expected: Health) -> None:
    baseline = Service(lambda life: dies)
    campaign = await run(Service(lambda life: life[-1].number == 37), baseline)
    assert [each.number for each in baseline.got] == [37]
    assert campaign.culprits[0].baseline is expected
    finding = finding_of(campaign.culprits[0], where="udp port 1", seed=0)
    assert finding.severity == ("medium" if dies else "high")


async def test_a_safety_rule_ends_the_run() -> None:
    campaign = await run(Service(budget=33))
    assert (campaign.stopped, campaign.is_refused, sum(campaign.sent.values())) == (
        "the budget is spent",
        True,
        33,
    )


async def test_what_was_found_stays_where_the_candidate_may_no_longer_be_looked_at() -> None:
    class Watched(Service):
        async def health(self) -> Health:
            if len(self.got) >= 80:
                raise UnsafeError("the kill switch is set")
            return await super().health()

    campaign = await run(Watched(lambda life: life[-1].number == 5))
    assert [each.made[0].number for each in campaign.culprits] == [5]
    assert (campaign.stopped, campaign.is_refused) == ("the kill switch is set", True)


async def test_a_service_that_cannot_be_started_again_ends_the_run_and_is_no_safety_matter() -> None:
    class Lost(Service):
        async def restart(self) -> None:
            raise TargetError("cannot start it")

    campaign = await run(Lost(lambda life: life[-1].number == 5))
    assert (campaign.stopped, campaign.is_refused) == ("cannot start it", False)


async def test_the_time_ends_the_run() -> None:
    campaign = await run(Service(), per_second=10.0, duration_seconds=3.0)
    assert campaign.stopped == "the time is over"
    assert sum(campaign.sent.values()) == 40


def test_a_capture_of_packets_can_be_read() -> None:
    reader = PcapReader()
    rows = [*reader.feed(capture([b"abc", b"defg"])), *reader.flush()]
    assert [(link, data) for _, link, data in rows] == [(101, b"abc"), (101, b"defg")]
