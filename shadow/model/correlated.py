"""What was learned of live values that the shadow environment has others for. All may be secrets."""

import msgspec


class Learned(msgspec.Struct, frozen=True):
    """One live value of one target, and how it was used."""

    live: str
    shadow: str
    kind: str
    """Of what kind of thing it is the name; empty where it stands for itself."""
    session: str
    exchange: int
    """Index of the exchange that told it."""
    asked: str
    """That exchange's request: ``"POST /login"``; empty where another process knows, and tells it."""
    place: str
    """Where its answer told it: ``"body:$.token"``."""
    applied: int = 0
    """How often it was put into a request."""
    last_place: str = ""
    """Where that was last: ``"GET /v1/x header:authorization"``."""


class Missed(msgspec.Struct, frozen=True):
    """A value that requests carry and a live answer told, for which the shadow's answer had none."""

    live: str
    exchange: int
    asked: str
    place: str
    """Where the live answer told it."""
    why: str
    carried: str
    """Where a request carried it last."""
    times: int = 1


class Correlated(msgspec.Struct, frozen=True):
    """All that one target's correlation knows; told at the end of a run where that is asked for."""

    target: str
    learned: tuple[Learned, ...]
    missed: tuple[Missed, ...]
