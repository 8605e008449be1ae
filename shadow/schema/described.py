"""What a schema says of one request."""

from typing import Protocol

import msgspec

from shadow.model import Documented, Hint, Request


class Described(msgspec.Struct, frozen=True):
    """What a schema says of one request; empty where it knows no such endpoint."""

    hints: tuple[Hint, ...] = ()
    documented: Documented | None = None


class Schema(Protocol):
    """Describes requests."""

    def describe(self, request: Request) -> Described: ...


class Schemas:
    """Several schemas as one: the first that knows the endpoint tells."""

    def __init__(self, schemas: tuple[Schema, ...]) -> None:
        self._schemas = schemas

    def describe(self, request: Request) -> Described:
        told = (schema.describe(request) for schema in self._schemas)
        return next((each for each in told if each.hints or each.documented), Described())
