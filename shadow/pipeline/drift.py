"""Whether candidate and baseline hold the same state: the configured probes asked of both, and compared."""

from collections.abc import Callable, Sequence

from shadow.judge import classify, template
from shadow.model import AnswerClass, Event, Parcel, Reply, StateChanged
from shadow.pipeline.environment import Answers, Environment, Pair
from shadow.pipeline.judging import Judging
from shadow.pipeline.looking import beyond
from shadow.pipeline.probes import Probe

_LANE = "shadow-probes"
_SHOWN = 3


class Drift:
    """Tells of each probe what is new about it: that it does not answer, or where the two differ."""

    def __init__(
        self,
        environment: Environment,
        judging: Judging,
        probes: Sequence[Probe],
        *,
        hear: Callable[[Event], None],
    ) -> None:
        self._environment = environment
        self._judging = judging
        self._probes = tuple(probes)
        self._hear = hear
        self._told: set[tuple[str, str]] = set()

    async def compare(self, when: str) -> None:
        """Ask every probe twice, so that what changes by itself is known, and tell where the two differ."""
        for probe in self._probes:
            first, second = await self._ask(probe), await self._ask(probe)
            self._tell_unwell(probe, second, when)
            if places := self._places(probe, first, second):
                shown = ", ".join(places[:_SHOWN])
                more = f" and {len(places) - _SHOWN} more places" if len(places) > _SHOWN else ""
                self._hear(
                    StateChanged(
                        "drifted",
                        f"{when}, probe {probe.name!r} differs between the targets at {shown}{more}",
                    )
                )

    async def _ask(self, probe: Probe) -> Answers:
        readies = [link.own(probe.request, probe.identity) for link in self._environment.links]
        pair = Pair(readies[0], readies[1] if len(readies) > 1 else None)
        return await self._environment.send(pair, via="raw", parcel=Parcel.PROBE, session=_LANE)

    def _tell_unwell(self, probe: Probe, answers: Answers, when: str) -> None:
        for name, outcome in (("candidate", answers.candidate), ("baseline", answers.baseline)):
            if (
                outcome is None
                or classify(outcome) is AnswerClass.SUCCESS
                or (probe.name, name) in self._told
            ):
                continue
            self._told.add((probe.name, name))
            said = outcome.response.status if isinstance(outcome, Reply) else outcome.why.replace("_", " ")
            why = f"{when}, probe {probe.name!r} tells nothing of the {name}: {said}"
            self._hear(StateChanged("unprobed", why))

    def _places(self, probe: Probe, first: Answers, second: Answers) -> list[str]:
        """Where the targets differ, that is news."""
        if second.baseline is None:
            return []
        endpoint = f"probe {probe.name}"
        by_itself = (
            self._judging.between(endpoint, first.candidate, second.candidate),
            self._judging.between(endpoint, first.baseline, second.baseline),
        )
        found = beyond(self._judging.between(endpoint, second.baseline, second.candidate), *by_itself)
        places = dict.fromkeys(template(each.where) for each in found if probe.counts(each))
        fresh = [each for each in places if (probe.name, each) not in self._told]
        self._told |= {(probe.name, each) for each in fresh}
        return fresh
