"""What mutators may know besides the request: values, exchanges and identities seen so far, all bounded."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from urllib.parse import parse_qsl

import orjson

from shadow.auth import owner_of
from shadow.model import Exchange, Identity, Known, Request, Signs, field

_MAX_PLACES = 2000
_MAX_VALUES = 16
_MAX_VALUE_CHARACTERS = 256
_MAX_OTHERS = 64
_MAX_DEPTH = 4
_MAX_LEARNED_BODY_BYTES = 64 * 1024


class Knowledge:
    """Learns from exchanges; `snapshot` gives what a mutator of one exchange may see."""

    def __init__(
        self,
        *,
        identities: tuple[Identity, ...],
        signer: Signs | None,
        here: Mapping[str, Callable[[], tuple[Identity, ...]]] | None = None,
        schemes: Mapping[str, str] | None = None,
    ) -> None:
        """`here` tells, by the target's name, the identities with the credentials that they have there.
        `schemes` are those of the targets' URLs, where they are not ``"http"``.
        """
        self._schemes = schemes or {}
        self._identities = identities
        self._here = here or {}
        self._signer = signer
        self._values: dict[str, tuple[str, ...]] = {}
        self._is_shared = False
        """Whether a snapshot has the values: what is learned next then goes into a copy."""
        self._others: dict[str, deque[Exchange]] = {}

    def learn(self, exchange: Exchange, seen: Mapping[str, Exchange]) -> None:
        """Remember the values of an exchange, and what it was for each target, by the target's name.

        Mutators must meet the target's own ids in other exchanges, or else they would swap in ids that nobody
        there knows.
        """
        for target, as_seen in seen.items():
            self._others.setdefault(target, deque(maxlen=_MAX_OTHERS)).append(as_seen)
        for place, value in _values(exchange):
            self._remember(place, value)

    def of_targets(self, request: Request, targets: Iterable[str]) -> Mapping[str, Known]:
        """The snapshot of each target, taken when it is first asked for."""
        return _Snapshots(partial(self.snapshot, request), targets)

    def forget_state(self) -> None:
        """Drop what was seen of the targets' things: they are gone."""
        self._others.clear()

    def snapshot(self, request: Request, target: str) -> Known:
        """What is known of a target when `request` is mutated for it."""
        identities = self._here[target]() if target in self._here else self._identities
        owner = owner_of(request, identities, self._signer)
        others = tuple(self._others.get(target, ()))
        self._is_shared = True
        scheme = self._schemes.get(target, "http")
        return Known(self._values, others, identities, owner, self._signer, scheme)

    def _remember(self, place: str, value: str) -> None:
        seen = self._values.get(place, ())
        if value in seen or (not seen and len(self._values) >= _MAX_PLACES):
            return
        if self._is_shared:
            self._values, self._is_shared = dict(self._values), False
        self._values[place] = (*seen[-_MAX_VALUES + 1 :], value)


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


def _values(exchange: Exchange) -> Iterator[tuple[str, str]]:
    query = exchange.request.target.partition(b"?")[2].decode("latin-1")
    yield from ((f"query:{name}", value[:_MAX_VALUE_CHARACTERS]) for name, value in parse_qsl(query))
    yield from _json_values(exchange.request.body)
    if exchange.response is not None and field(exchange.response.headers, b"content-encoding") is None:
        yield from _json_values(exchange.response.body)


def _json_values(body: bytes) -> Iterator[tuple[str, str]]:
    if not body or len(body) > _MAX_LEARNED_BODY_BYTES or body[:1] not in b"{[":
        return
    try:
        tree = orjson.loads(body)
    except orjson.JSONDecodeError:
        return
    yield from _leaves(tree, "body:$", 0)


def _leaves(value: object, path: str, depth: int) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and depth < _MAX_DEPTH:
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}", depth + 1)
    elif isinstance(value, list) and depth < _MAX_DEPTH:
        for item in value[:8]:
            yield from _leaves(item, f"{path}[]", depth + 1)
    elif isinstance(value, str):
        yield path, value[:_MAX_VALUE_CHARACTERS]
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path, str(value)
