"""Which captured exchanges are worked on."""

import hashlib
from fnmatch import fnmatchcase

from shadow.model import Exchange, Fate, field
from shadow.pipeline.reach import unreachable
from shadow.replay import is_own
from shadow.wire.http1_form import is_multiplexed


class Scope:
    """Decides by filters and by the session's hash. `sample` is the share of sessions taken."""

    def __init__(
        self,
        *,
        include: tuple[str, ...],
        exclude: tuple[str, ...],
        sample: float,
        seed: int,
        scheme: str = "http",
    ) -> None:
        """`scheme` is the targets'; empty where there are none, and nothing is out of their reach."""
        self._include = include
        self._exclude = exclude
        self._sample = sample
        self._seed = seed
        self._scheme = scheme

    def refusal(self, exchange: Exchange, session: str) -> tuple[Fate, str] | None:
        """The fate and the reason of an exchange that is not worked on; None for one that is.

        Exchanges are to be `replayable`: a request that is still of another version cannot be.
        """
        if self._scheme and (why := unreachable(exchange, self._scheme)):
            return Fate.FILTERED, why
        if is_multiplexed(exchange.request):
            return Fate.FILTERED, "the request cannot be said over HTTP/1.1"
        if _became_http2(exchange):
            return Fate.FILTERED, "answered over HTTP/2, and replayed as it was there"
        if is_own(exchange.request):
            return Fate.FILTERED, "sent by shadow itself"
        line = _line(exchange) if self._include or self._exclude else ""
        if self._include and not any(fnmatchcase(line, pattern) for pattern in self._include):
            return Fate.FILTERED, "not in scope.include"
        if any(fnmatchcase(line, pattern) for pattern in self._exclude):
            return Fate.FILTERED, "in scope.exclude"
        if self._sample < 1.0 and _share(f"{self._seed}:{session}") >= self._sample:
            return Fate.SAMPLED_OUT, "session not in the sample"
        return None


def _became_http2(exchange: Exchange) -> bool:
    """Whether it is the switch to HTTP/2 alone: what was asked with it is an exchange of its own there."""
    response = exchange.response
    if response is None or response.status != 101:
        return False
    return (field(response.headers, b"upgrade") or b"").strip().lower() == b"h2c"


def _line(exchange: Exchange) -> str:
    """What the filters see: of conversations without a handshake the protocol and the live service."""
    request = exchange.request
    if not request.method:
        return f"{exchange.protocol.upper()} {exchange.live}"
    return f"{request.method.decode('latin-1')} {request.target.split(b'?', 1)[0].decode('latin-1')}"


def _share(text: str) -> float:
    """A number in [0, 1) that depends on `text` alone."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) / 2**64
