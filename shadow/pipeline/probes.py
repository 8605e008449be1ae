"""Requests of the configuration whose answers describe the state of a target."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from msgspec import Struct

from shadow.errors import ConfigError, nearest
from shadow.judge import template
from shadow.judge.places import is_within
from shadow.model import Difference, Identity, Request
from shadow.pipeline.order import SAFE_METHODS


class ProbeSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """One request whose answer describes the state, as `[[probe]]`."""

    name: str
    """What reports call it."""
    path: str
    """What is asked for: ``"/v1/instances?limit=100"``."""
    method: str = "GET"
    """A method that changes nothing."""
    identity: str = ""
    """Name of the `[[identity]]` that asks; empty for nobody."""
    headers: dict[str, str] = {}
    """Further fields."""
    ignore: tuple[str, ...] = ()
    """Places of the answer that say nothing of the state: ``"body:$.items[].seen_at"``."""


class Probe(Struct, frozen=True):
    """One such request, checked."""

    name: str
    request: Request
    identity: Identity | None
    ignore: tuple[str, ...] = ()

    def counts(self, difference: Difference) -> bool:
        """Whether a difference between two answers to it is one of state."""
        place = template(difference.where)
        return not any(
            fnmatchcase(place, pattern.replace("[*]", "[]").replace("[", "[[]")) or is_within(place, pattern)
            for pattern in self.ignore
        )


class Probes(Struct, frozen=True):
    """All of a configuration."""

    all: tuple[Probe, ...] = ()

    @classmethod
    def of(cls, settings: Sequence[ProbeSettings], identities: Sequence[Identity]) -> "Probes":
        """Raises ConfigError for a probe that cannot be asked, or that might change something."""
        names = [each.name for each in settings]
        for name in names:
            if not name or names.count(name) > 1:
                raise ConfigError(f"probe name {name!r} is empty or stands there twice; give each its own")
        return cls(tuple(_probe(each, identities) for each in settings))


def _probe(settings: ProbeSettings, identities: Sequence[Identity]) -> Probe:
    key = f"probe {settings.name!r}"
    method = settings.method.upper().encode("latin-1", "replace")
    if method not in SAFE_METHODS:
        raise ConfigError(f"{key}: method {settings.method!r} may change something; use GET or HEAD")
    if not settings.path.startswith("/") or not settings.path.isascii() or " " in settings.path:
        raise ConfigError(f"{key}: path {settings.path!r} is none; write it as '/v1/things'")
    known = {each.name: each for each in identities}
    if settings.identity and settings.identity not in known:
        hint = nearest(settings.identity, known)
        raise ConfigError(f"{key}: no identity {settings.identity!r} is configured{hint}")
    for place in settings.ignore:
        if not place.startswith(("body:$", "header:", "trailer:")) or not place.partition(":")[2].strip(
            "$.*[]"
        ):
            raise ConfigError(
                f"{key}: ignore has {place!r}, which is no place or covers too much;"
                " write 'body:$.items[].seen_at'"
            )
    headers = tuple((name.encode("latin-1"), value.encode()) for name, value in settings.headers.items())
    request = Request(method, settings.path.encode(), headers=headers)
    return Probe(settings.name, request, known.get(settings.identity), settings.ignore)
