"""Which malformed packets a run sends: drawn from its seed, one for each number."""

import random
from collections.abc import Sequence
from random import Random

import msgspec

from mutators._packet import Ends, Job, PacketMutator, Seed, Stream
from shadow.errors import ConfigError

_PORT_MIN = 20_000
"""Our ports are drawn from here on: below are services."""


class Crafted(msgspec.Struct, frozen=True):
    """One malformed packet, or several that belong together."""

    number: int
    mutator: str
    what: str
    packets: tuple[bytes, ...]
    """From the IP header on."""
    is_in_stream: bool = False
    """Whether they say something only on a connection that the target has taken."""


class Crafting:
    """Makes the packets of one run."""

    def __init__(
        self, catalog: Sequence[PacketMutator], seeds: Sequence[Seed], ends: Ends, *, seed: int
    ) -> None:
        """`catalog` are those that may be used. `seed` is the run's. Raises ConfigError where none of them
        has anything to edit in one of `seeds`."""
        self._catalog = catalog
        self._seeds = seeds
        self._ends = ends
        self._seed = seed
        for each in seeds:
            if not self.fitting(each):
                names = ", ".join(one.name for one in catalog)
                raise ConfigError(
                    f"no packet mutator of {names} applies to {each.protocol} over"
                    f" IPv{6 if ends.is_ip6 else 4}: see shadow mutators --level packet"
                )

    def fitting(self, seed: Seed) -> dict[str, PacketMutator]:
        """The mutators that have something to edit in `seed`, by name."""
        return {each.name: each for each in self._catalog if each.fits(seed, self._ends)}

    def make(
        self,
        number: int,
        *,
        without: frozenset[str] = frozenset(),
        mutator: str = "",
        ends: Ends | None = None,
    ) -> Crafted:
        """The malformed packet called `number`, by `mutator` where one is named.

        Else by one that the dice choose; if that is in `without`, by another, where there is one. Which
        packet it is otherwise does not depend on either, so that the same can be made for other `ends`.
        """
        dice = Random(f"{self._seed}:packet:{number}")
        seed = dice.choice(self._seeds)
        ends = ends or self._ends
        made_up = Stream(dice.randint(_PORT_MIN, 65_535), dice.getrandbits(32), dice.getrandbits(32))
        fitting = self.fitting(seed)
        name = dice.choice(list(fitting))
        if name in without:
            rest = [each for each in fitting if each not in without]
            name = Random(f"{self._seed}:other:{number}").choice(rest or [name])
        chosen = fitting[mutator or name]
        random.seed(f"{self._seed}:scapy:{number}")
        what, packets = chosen.make(Job(seed, ends, dice, ends.stream or made_up))
        return Crafted(number, chosen.name, what, tuple(bytes(each) for each in packets), chosen.is_in_stream)
