"""What is known of live values: by one session, and by all of them together. Bounded; the oldest go first."""

import msgspec

from shadow.replay.token import is_token

type Key = tuple[str | None, str]
"""Kind and live value."""
type Place = tuple[str, object]
"""Where in a request a value stands, in two parts: ``("header", b"x-csrf")``."""

_NOT_BARE = ":"
"""Stands in each kind that is no kind of thing."""


class Mapping(msgspec.Struct, frozen=True):
    """One live value and what it stands for here. Both may be secrets: redact before showing."""

    live: str
    shadow: str
    kind: str | None
    """Of what kind of thing it is the name; None where it stands for itself."""
    session: str | None
    """None where it holds for every session."""


class Memory:
    """Live values with their kinds, and what they stand for."""

    __slots__ = ("capacity", "kinds", "values")

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.values: dict[Key, str] = {}
        self.kinds: dict[str, tuple[str, ...]] = {}
        """Of what kinds of things a live value is known as the name."""

    def put(self, kind: str | None, live: str, shadow: str) -> None:
        put(self.values, (kind, live), shadow, self.capacity)
        if kind is not None and _NOT_BARE not in kind:
            known = self.kinds.get(live, ())
            if kind not in known:
                put(self.kinds, live, (*known[-7:], kind), self.capacity)

    def bare(self, live: str) -> str | None:
        """What `live` stands for whatever it names: where all kinds of which it is known agree."""
        found = {self.values.get((kind, live)) for kind in self.kinds.get(live, ())}
        found.discard(None)
        return found.pop() if len(found) == 1 else None

    def clear(self) -> None:
        self.values.clear()
        self.kinds.clear()


class Scope(Memory):
    """What one session knows."""

    __slots__ = ("jar", "made", "ruled")

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self.made: dict[Key, None] = {}
        """What the client used before any answer had it, so it is the client's own: nothing is learned of it
        in this session. Another may know better: it heard earlier from the service what this one used."""
        self.jar: dict[str, str] = {}
        """Cookies that the shadow set, by the shadow's names: what its client holds."""
        self.ruled: dict[int, dict[str, str]] = {}
        """Live and shadow values that a rule took, by the rule's number."""


class View:
    """A session's values over those that all share, with pinned ones above all."""

    __slots__ = ("_pinned", "_scope", "_shared", "place")

    def __init__(self, scope: Scope, shared: Memory, pinned: dict[str, str]) -> None:
        self._scope = scope
        self._shared = shared
        self._pinned = pinned
        self.place: Place = ("", "")
        """Where the value that is looked up stands."""

    def find(self, text: str, kind: str | None) -> str | None:
        """The shadow value of `text` by itself (`kind` None), or as the name of a thing of that kind."""
        return self.knows(text, kind)

    def find_bare(self, text: str) -> str | None:
        """The shadow value of `text` as the name of a thing of whatever kind, where only one is meant."""
        own = self._scope.bare(text)
        return self._shared.bare(text) if own is None else own

    def knows(self, text: str, kind: str | None) -> str | None:
        """As `find`, without the value being used."""
        key = (kind, text)
        if self._pinned and kind is None and text in self._pinned:
            return self._pinned[text]
        found = self._scope.values.get(key)
        if found is None and (kind is None or key not in self._scope.made):
            found = self._shared.values.get(key)
        return found

    def used(self, live: str, kind: str) -> None:
        """A value was put into the request by a rule."""

    def note(self, text: str, kind: str | None) -> None:
        """The client used `text`, and nothing is known of it."""
        if not is_notable(text, kind):
            return
        key = (kind, text)
        if key not in self._scope.values:
            put(self._scope.made, key, None, self._scope.capacity)


_CURSORS = ("cursor", "marker", "token")
"""Kinds of which clients make up no names."""


def is_notable(text: str, kind: str | None) -> bool:
    """Whether `text` may be a name that the client made up."""
    if kind is None:
        return is_token(text, has_id_key=True)
    if kind.endswith(_CURSORS):
        return False
    return len(text) <= 128 and any(map(str.isdigit, text))


def put[K, V](store: dict[K, V], key: K, value: V, capacity: int) -> None:
    """Set `key`, as the newest; the oldest goes where there are more than `capacity`."""
    store.pop(key, None)
    store[key] = value
    if len(store) > capacity:
        del store[next(iter(store))]
