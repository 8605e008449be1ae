"""What mutators may know besides the request: values, exchanges and identities seen so far, all bounded."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

from shadow.auth import owner_of
from shadow.content.secret_search import SecretSearch
from shadow.model import Exchange, Identity, Known, Request, Response, Signs
from shadow.pipeline.belongings import Belongings
from shadow.pipeline.dictionary import Dictionary
from shadow.pipeline.endpoint import Endpoints
from shadow.pipeline.lore import Lore, Naming
from shadow.schema import Schema

_MAX_OTHERS = 64
_LEARNED_FIRST = 64
_LEARNED_SHARE = 8
"""Of an endpoint the first are learned from, and then one in so many: they show more of the same."""
_MAX_ENDPOINTS = 600


class Knowledge:
    """Learns from exchanges; `snapshot` gives what a mutator of one exchange may see."""

    def __init__(
        self,
        *,
        identities: tuple[Identity, ...],
        signer: Signs | None,
        here: Mapping[str, Callable[[], tuple[Identity, ...]]] | None = None,
        naming: Naming | None = None,
        schema: Schema | None = None,
        secrets: SecretSearch | None = None,
        schemes: Mapping[str, str] | None = None,
    ) -> None:
        """`here` tells, by the target's name, the identities with the credentials that they have there.

        `naming` gives the endpoint's name of a request, None for naming them here. `schemes` are those of the
        targets' URLs, where they are not ``"http"``.
        """
        self._schemes = schemes or {}
        self._identities = identities
        self._here = here or {}
        self._signer = signer
        self._endpoint = naming or Endpoints().name
        self._dictionary = Dictionary(secrets)
        self._belongings = Belongings()
        self._lore = Lore(schema)
        self._others: dict[str, deque[Exchange]] = {}
        self._counts: dict[str, int] = {}
        """Exchanges by endpoint."""

    def learn(self, exchange: Exchange, seen: Mapping[str, Exchange]) -> None:
        """Remember the values of an exchange, and what it was for each target, by the target's name.

        Mutators must meet the target's own ids in other exchanges, or else they would swap in ids that nobody
        there knows.
        """
        endpoint = self._endpoint(exchange.request)
        template = endpoint.partition(" ")[2]
        for target, as_seen in seen.items():
            self._others.setdefault(target, deque(maxlen=_MAX_OTHERS)).append(as_seen)
        if self._is_worth(endpoint, exchange):
            self._dictionary.learn(exchange, template)
            owned = {target: (each, self._who(target, each)) for target, each in seen.items()}
            self._belongings.learn(owned, template)
        for each in (exchange, *seen.values()):
            if each.response is not None:
                self._lore.hear(endpoint, each.request, each.response)

    def hear(self, endpoint: str, request: Request, response: Response) -> None:
        """Read what the answer to a mutant says of the values that its endpoint takes."""
        self._lore.hear(endpoint, request, response)

    def of_targets(self, request: Request, targets: Iterable[str]) -> Mapping[str, Known]:
        """The snapshot of each target, taken when it is first asked for."""
        return _Snapshots(partial(self.snapshot, request), targets)

    def forget_state(self) -> None:
        """Drop what was seen of the targets' things: they are gone."""
        self._others.clear()
        self._belongings.forget()

    def snapshot(self, request: Request, target: str) -> Known:
        """What is known of a target when `request` is mutated for it."""
        identities = self._of(target)
        values, kinds, ranges = self._dictionary.snapshot()
        hints, documented = self._lore.of(self._endpoint(request), request)
        return Known(
            values,
            tuple(self._others.get(target, ())),
            identities,
            owner_of(request, identities, self._signer),
            self._signer,
            kinds=kinds,
            ranges=ranges,
            made=self._belongings.made(target),
            shown=self._belongings.shown(target),
            hints=hints,
            documented=documented,
            scheme=self._schemes.get(target, "http"),
        )

    def _is_worth(self, endpoint: str, exchange: Exchange) -> bool:
        """Whether an exchange is learned from: always where it made something."""
        count = self._counts.get(endpoint, 0)
        if count or len(self._counts) < _MAX_ENDPOINTS:
            self._counts[endpoint] = count + 1
        has_made = exchange.response is not None and exchange.response.status == 201
        return has_made or count < _LEARNED_FIRST or count % _LEARNED_SHARE == 0

    def _of(self, target: str) -> tuple[Identity, ...]:
        return self._here[target]() if target in self._here else self._identities

    def _who(self, target: str, exchange: Exchange) -> str:
        """Whose exchange it is; empty where that is not recognised."""
        identities = self._of(target)
        owner = owner_of(exchange.request, identities, self._signer) if identities else None
        return owner.name if owner else ""


class _Snapshots(Mapping[str, Known]):
    """Most exchanges have no mutant that needs to know anything."""

    __slots__ = ("_take", "_taken", "_targets")

    def __init__(self, take: Callable[[str], Known], targets: Iterable[str]) -> None:
        self._take = take
        self._targets = tuple(targets)
        self._taken: dict[str, Known] = {}

    def __getitem__(self, target: str) -> Known:
        if target not in self._taken:
            self._taken[target] = self._take(target)
        return self._taken[target]

    def __iter__(self) -> Iterator[str]:
        return iter(self._targets)

    def __len__(self) -> int:
        return len(self._targets)
