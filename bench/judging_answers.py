"""Requests and answers of the services that `bench.judging` replays, in a form that is easily edited."""

import gzip
import json
from copy import deepcopy
from random import Random
from typing import Any, Protocol

import msgspec

from shadow.model import Request, Response

type Fields = list[tuple[str, str]]
_NO_BODY = frozenset({204, 304})


class Ask(msgspec.Struct, frozen=True):
    """What a client asks for, with resources by number and not by the ids that one server gave them."""

    endpoint: str
    """As ``"GET /v1/items/{}"``; a name of the service's own."""
    numbers: tuple[int, ...] = ()
    query: str = ""
    body: Any = None
    """JSON, or None."""


class Answer(msgspec.Struct):
    """What a service says. `body` is JSON, or text where `kind` says that it is none."""

    status: int = 200
    fields: Fields = []
    body: Any = None
    kind: str = "application/json"
    coding: str = ""
    """``"gzip"``, or empty."""
    raw: bytes | None = None
    """In place of what would be made of `body`."""

    def copied(self) -> "Answer":
        return deepcopy(self)

    def bytes(self) -> bytes:
        """The body as it is sent."""
        if self.raw is not None:
            return self.raw
        if self.body is None and self.status in _NO_BODY:
            return b""
        text = self.body if isinstance(self.body, str) else json.dumps(self.body)
        return gzip.compress(text.encode(), mtime=0) if self.coding == "gzip" else text.encode()

    def response(self) -> Response:
        """As it is recorded."""
        body = self.bytes()
        fields = list(self.fields)
        if body or self.status not in _NO_BODY:
            fields += [("Content-Type", self.kind), ("Content-Length", str(len(body)))] if self.kind else []
        if self.coding:
            fields.append(("Content-Encoding", self.coding))
        pairs = tuple((name.encode(), value.encode()) for name, value in fields)
        return Response(self.status, b"OK", headers=pairs, body=body)


class Service(Protocol):
    """One running release of a service, with ids, clock and tokens of its own."""

    dice: Random
    """Of all that is new in every answer."""

    def request(self, ask: Ask) -> Request:
        """`ask` as a client of this server says it."""
        ...

    def read(self, request: Request) -> Ask | None:
        """What a request to this server asks for; None for what it does not understand."""
        ...

    def answer(self, ask: Ask | None) -> Answer: ...
