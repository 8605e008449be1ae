"""What the service itself says of the values it takes: in refusals, and in its schema."""

from collections.abc import Callable

from shadow.content.complaint import hints_of, is_complaint
from shadow.model import Documented, Hint, Request, Response
from shadow.schema import Schema

_MAX_ENDPOINTS = 500
_MAX_MINED = 64
"""Hints of one endpoint."""
_MAX_READ = 200
"""Refusals of one endpoint that are read; after so many different ones hardly another is news."""


class Lore:
    """Hints by endpoint."""

    def __init__(self, schema: Schema | None) -> None:
        self._schema = schema
        self._mined: dict[str, tuple[Hint, ...]] = {}
        self._read: dict[str, set[int]] = {}

    def hear(self, endpoint: str, request: Request, response: Response) -> None:
        """Read a refusal, where the answer is one, unless it was read before."""
        if not is_complaint(response):
            return
        read = self._read.get(endpoint)
        if read is None:
            if len(self._read) >= _MAX_ENDPOINTS:
                return
            read = self._read[endpoint] = set()
        mark = hash(response.body)
        if mark in read or len(read) >= _MAX_READ:
            return
        read.add(mark)
        held = self._mined.get(endpoint, ())
        new = [hint for hint in hints_of(request, response) if hint not in held]
        self._mined[endpoint] = (*held, *new)[:_MAX_MINED]

    def of(self, endpoint: str, request: Request) -> tuple[tuple[Hint, ...], Documented | None]:
        """`Known.hints` and `Known.documented` of a request."""
        mined = self._mined.get(endpoint, ())
        if self._schema is None:
            return mined, None
        described = self._schema.describe(request)
        return (*described.hints, *mined), described.documented


type Naming = Callable[[Request], str]
"""Names the endpoint of a request: ``"GET /v1/x/{id}"``."""
