"""Live answers to one request that was recorded more than once: the live service against itself."""

import hashlib
from collections import OrderedDict

from shadow.model import Request, Response

_MAX_REQUESTS = 2000
_MAX_BODY_BYTES = 32 << 10
_MAX_ASKED = 64
"""Answers to one request that are held against each other; more teach little."""
_SAFE = frozenset({b"GET", b"HEAD", b"OPTIONS", b"QUERY"})
_WHO = frozenset({b"authorization", b"cookie", b"x-api-key", b"accept", b"accept-language", b"range"})
"""Fields by which one address has different answers."""


class RecordedTwice:
    """Remembers the latest live answers to requests that read, the oldest forgotten first."""

    def __init__(self) -> None:
        self._latest: OrderedDict[bytes, tuple[int, Response]] = OrderedDict()

    def before(self, request: Request, response: Response) -> Response | None:
        """The answer to the same request when it was recorded last, which `response` takes the place of."""
        if request.method not in _SAFE or len(response.body) > _MAX_BODY_BYTES:
            return None
        key = _key(request)
        count, latest = self._latest.pop(key, (0, None))
        self._latest[key] = (count + 1, response)
        if len(self._latest) > _MAX_REQUESTS:
            self._latest.popitem(last=False)
        return latest if count <= _MAX_ASKED else None


def _key(request: Request) -> bytes:
    parts = [request.method, request.target, request.body]
    for line in sorted((name.lower(), value) for name, value in request.headers if name.lower() in _WHO):
        parts += line
    lengths = str([len(each) for each in parts]).encode()
    return hashlib.blake2b(b"".join((lengths, *parts)), digest_size=16).digest()
