"""The keys of one scheme, by their ids."""

from collections.abc import Iterable, Mapping

from shadow.auth.algorithms import Key
from shadow.auth.keys import AnyKey


class Keyring:
    """Configured keys, and those of them that are ready to sign."""

    def __init__(self, keys: Iterable[AnyKey], ready: Mapping[str, Key]) -> None:
        self._settings = {key.id: key for key in keys}
        self._ready = ready
        self.ids = tuple(self._settings)

    def key(self, id_: str | None) -> Key | None:
        """What signs; None for a key that is unknown or whose secret is."""
        return None if id_ is None else self._ready.get(id_)

    def algorithm(self, id_: str) -> str:
        """The name of a configured key's algorithm."""
        return self._settings[id_].algorithm

    def status(self, id_: str) -> str:
        return self._settings[id_].status

    def first(self) -> str | None:
        """The first active key, whether or not its secret is known; None where there is none."""
        return next((id_ for id_, key in self._settings.items() if key.status == "active"), None)

    def with_status(self, status: str) -> tuple[str, ...]:
        """Ids of the keys that are ready to sign, by their status."""
        return tuple(
            id_ for id_, key in self._settings.items() if key.status == status and id_ in self._ready
        )
