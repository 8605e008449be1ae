"""Whether a place that drifts at the live release does so more often at the candidate: counts and the test.

Counts fade, tests are made at growing sample sizes only and share out the significance over these looks, and
over an endpoint's places the false discovery rate is held (Benjamini and Hochberg 1995).
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from math import comb, pi

MIN_DRIFT = 0.25
"""An observation counts until it has decayed to this: two half-lives."""
FIRST_LOOK_COMPARISONS = 8
"""With fewer comparisons no difference of rates is worth a test: that is the least sample."""
_LOOK_GROWTH = 1.5
_FIRST_SHARE = 6 / pi**2
"""Of the significance, for the first look; the k-th has this by k squared: all together have it once."""
_MAX_FISHER = 100


class Tally:
    """Decaying counts of one endpoint: comparisons, and values that differed by pattern of place."""

    __slots__ = ("compared", "differed", "kinds", "total")

    def __init__(self) -> None:
        self.compared = 0.0
        self.total = 0
        """Comparisons, without decay."""
        self.differed: dict[str, float] = {}
        """Places whose scalar values differed otherwise than by being of a volatile kind."""
        self.kinds: dict[str, float] = {}
        """Places whose values were two of one volatile kind."""

    def add_equal(self, count: int, keep: float) -> None:
        """Count comparisons without any difference."""
        kept = keep**count
        self.total += count
        self.compared = self.compared * kept + (1 - kept) / (1 - keep)
        for counts in (self.differed, self.kinds):
            for place in counts:
                counts[place] *= kept

    def add(self, places: Collection[str], kinds: Collection[str], keep: float, room: int) -> int:
        """Count one comparison; the number of places that are new, at most `room`."""
        before = len(self.differed) + len(self.kinds)
        self.total += 1
        self.compared = self.compared * keep + 1
        for counts, seen in ((self.differed, places), (self.kinds, kinds)):
            for place in counts:
                counts[place] *= keep
            for place in seen:
                if place in counts or len(self.differed) + len(self.kinds) - before < room:
                    counts[place] = counts.get(place, 0.0) + 1
        return len(self.differed) + len(self.kinds) - before

    def seen(self, place: str) -> float:
        return self.differed.get(place, 0.0)


class Looks:
    """When a place is tested: as the sample has grown, and not at every comparison, for who asks a hundred
    times finds something at last."""

    __slots__ = ("_looks",)

    def __init__(self) -> None:
        self._looks: dict[tuple[str, str], tuple[int, float, bool]] = {}
        """By endpoint and place: looks so far, the sample the next one wants, what the last one found."""

    def at(
        self, endpoint: str, place: str, sample: int, test: Callable[[float], bool], significance: float
    ) -> bool:
        """What the latest look found; `test` is asked, with its share of `significance`, where one is due."""
        key = (endpoint, place)
        count, due, found = self._looks.get(key, (0, FIRST_LOOK_COMPARISONS, False))
        if sample < due:
            return found
        share = _FIRST_SHARE / (count + 1) ** 2
        found = test(significance * share)
        self._looks[key] = (count + 1, max(due * _LOOK_GROWTH, sample * _LOOK_GROWTH), found)
        return found


def drifts_more(suspect: Tally, noise: Tally, place: str, significance: float) -> bool:
    """Whether the suspect drifts more often in `place` than noise does, among all places that drift."""
    chance = _chance(suspect, noise, place)
    if chance >= significance:
        return False
    places = [each for each, drifted in noise.differed.items() if drifted >= MIN_DRIFT]
    if chance < significance / len(places):
        return True
    return chance <= discovery_limit((_chance(suspect, noise, each) for each in places), significance)


def discovery_limit(chances: Iterable[float], rate: float) -> float:
    """The largest chance that counts where among those that count at most `rate` may be false; -1 for none.

    Benjamini and Hochberg's step-up; it holds for places of one answer, which go up and down together
    (Benjamini and Yekutieli 2001, positive regression dependency).
    """
    ordered = sorted(chances)
    fitting = [each for at, each in enumerate(ordered, 1) if each <= rate * at / len(ordered)]
    return fitting[-1] if fitting else -1.0


def fisher(hits: float, tries: float, noise_hits: float, noise_tries: float) -> float:
    """Fisher's exact test, one-sided: the chance of so many hits or more if both sides hit alike."""
    scale = min(1.0, _MAX_FISHER / max(tries, noise_tries, 1.0))
    ours, all_ours = round(hits * scale), max(1, round(tries * scale))
    theirs, all_theirs = round(noise_hits * scale), max(1, round(noise_tries * scale))
    ours, theirs = min(ours, all_ours), min(theirs, all_theirs)
    total = ours + theirs
    ways = comb(all_ours + all_theirs, total)
    most = min(total, all_ours)
    return sum(comb(all_ours, k) * comb(all_theirs, total - k) for k in range(ours, most + 1)) / ways


def totals(tallies: Sequence[Tally | None], place: str) -> tuple[float, float]:
    """Sightings of a volatile kind in `place`, and comparisons, over all `tallies`."""
    found = [each for each in tallies if each is not None]
    return sum(each.kinds.get(place, 0.0) for each in found), sum(each.compared for each in found)


def _chance(suspect: Tally, noise: Tally, place: str) -> float:
    drifted = max(noise.seen(place), 1.0)  # what fades was seen once all the same
    return fisher(suspect.seen(place), suspect.compared, drifted, noise.compared)
