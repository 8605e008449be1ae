"""Values that traffic showed: by place, by kind, and how far numbers went. All of it bounded."""

from collections.abc import Iterable, Mapping
from math import isnan

from shadow.content.kinds import kind_of
from shadow.content.secret_search import SecretSearch
from shadow.content.spotted import Spot, spots_of_body, spots_of_head
from shadow.model import Exchange, Request, Response

_MAX_PLACES = 2000
_MAX_VALUES = 16
_MAX_OF_KIND = 64
_MAX_BODIES = 1024
"""Bodies that were learned from, remembered by their hash: pollers get the same answer again and again."""
_LARGE_BYTES = 16 * 1024
_LARGE_SHARE = 8
"""Of large bodies one in so many is learned from: they cost, and mostly show more of the same."""
_MIN_SECRET_CHARACTERS = 16
"""Shorter values have no shape that tells a secret."""


class Dictionary:
    """Learns the values of exchanges. What it hands out is never changed afterwards.

    Secrets, by their name or their shape, are not learned: nothing here needs them.
    """

    def __init__(self, secrets: SecretSearch | None = None) -> None:
        self._secrets = secrets or SecretSearch((), (), ())
        self._values: dict[str, tuple[str, ...]] = {}
        self._kinds: dict[str, tuple[tuple[str, str], ...]] = {}
        self._ranges: dict[str, tuple[float, float]] = {}
        self._open: dict[str, bool] = {}
        """Whether the values at a place may be learned."""
        self._is_shared = False
        """Whether somebody holds what is here: what is learned next then goes into copies."""
        self._bodies: dict[int, None] = {}
        self._larges = 0

    def learn(self, exchange: Exchange, template: str) -> None:
        """Take in an exchange; `template` is its path with ``{id}`` for what names a thing."""
        self._take(spots_of_head(exchange.request))
        self._take(_segments(exchange.request, template))
        for message in (exchange.request, exchange.response):
            if message is not None and self._is_worth(message):
                self._take(spots_of_body(message))

    def snapshot(
        self,
    ) -> tuple[
        Mapping[str, tuple[str, ...]],
        Mapping[str, tuple[tuple[str, str], ...]],
        Mapping[str, tuple[float, float]],
    ]:
        """`Known.values`, `Known.kinds` and `Known.ranges`."""
        self._is_shared = True
        return self._values, self._kinds, self._ranges

    def _is_worth(self, message: Request | Response) -> bool:
        body = message.body
        if not body:
            return False
        if len(body) > _LARGE_BYTES:
            self._larges += 1
            return self._larges % _LARGE_SHARE == 1
        mark = hash(body)
        if mark in self._bodies:
            return False
        if len(self._bodies) >= _MAX_BODIES:
            del self._bodies[next(iter(self._bodies))]
        self._bodies[mark] = None
        return True

    def _take(self, spots: Iterable[Spot]) -> None:
        values, ranges = self._values, self._ranges
        for place, found in spots:
            value = found
            if type(value) is not str:
                reach = ranges.get(place)
                if reach is None or not reach[0] <= value <= reach[1]:  # type: ignore[operator]  # type(value)
                    self._stretch(place, value)  # type: ignore[arg-type]  # type(value)
                    ranges = self._ranges
                value = str(value)
            if value not in values.get(place, ()):
                self._remember(place, value)
                values, ranges = self._values, self._ranges

    def _remember(self, place: str, value: str) -> None:
        seen = self._values.get(place, ())
        if (not seen and len(self._values) >= _MAX_PLACES) or self._is_secret(place, value):
            return
        self._own()
        self._values[place] = (*seen[-_MAX_VALUES + 1 :], value)
        kind = kind_of(value)
        if kind == "integer":
            self._stretch(place, int(value))
        alike = self._kinds.get(kind, ())
        self._kinds[kind] = (*alike[-_MAX_OF_KIND + 1 :], (place, value))

    def _stretch(self, place: str, value: float) -> None:
        reach = self._ranges.get(place)
        if (reach is None and len(self._ranges) >= _MAX_PLACES) or isnan(value):
            return
        self._own()
        self._ranges[place] = (
            (value, value) if reach is None else (min(reach[0], value), max(reach[1], value))
        )

    def _own(self) -> None:
        if self._is_shared:
            self._values, self._kinds, self._ranges = (
                dict(self._values),
                dict(self._kinds),
                dict(self._ranges),
            )
            self._is_shared = False

    def _is_secret(self, place: str, value: str) -> bool:
        is_open = self._open.get(place)
        if is_open is None:
            name = place.partition(":")[2].rsplit(".", 1)[-1].strip('[]<>"')
            is_open = not self._secrets.is_secret(name.encode("utf-8", "surrogatepass"))
            if len(self._open) < 2 * _MAX_PLACES:
                self._open[place] = is_open
        if not is_open:
            return True
        if len(value) < _MIN_SECRET_CHARACTERS:
            return False
        raw = value.encode("utf-8", "surrogatepass")
        return self._secrets.once(raw, lambda _: b"") != raw


def _segments(request: Request, template: str) -> Iterable[Spot]:
    """The segments that name things, each at the template that leads to it."""
    names = template.split("/")
    if "{id}" not in names:
        return ()
    words = request.target.partition(b"?")[0].decode("latin-1").split("/")
    if len(words) < len(names):
        return ()
    return [
        ("path:" + "/".join(names[: at + 1]), word[:256])
        for at, (name, word) in enumerate(zip(names, words, strict=False))
        if name == "{id}"
    ]
