"""Which captured exchanges are worked on, and which session they belong to."""

import hashlib
from fnmatch import fnmatchcase

from shadow.model import Exchange, Fate, Request, Signs, field, fields
from shadow.replay import is_own
from shadow.wire.http1_form import is_multiplexed

_REPLAYED = frozenset({"http", "grpc"})


class Scope:
    """Decides by filters and by the session's hash. `sample` is the share of sessions taken."""

    def __init__(
        self, *, include: tuple[str, ...], exclude: tuple[str, ...], sample: float, seed: int
    ) -> None:
        self._include = include
        self._exclude = exclude
        self._sample = sample
        self._seed = seed

    def refusal(self, exchange: Exchange, session: str) -> tuple[Fate, str] | None:
        """The fate and the reason of an exchange that is not worked on; None for one that is.

        Exchanges are to be `replayable`: a request that is still of another version cannot be.
        """
        if exchange.protocol not in _REPLAYED:
            return Fate.FILTERED, f"protocol {exchange.protocol} is not replayed"
        if is_multiplexed(exchange.request):
            return Fate.FILTERED, "the request cannot be said over HTTP/1.1"
        if _became_http2(exchange):
            return Fate.FILTERED, "answered over HTTP/2, and replayed as it was there"
        if is_own(exchange.request):
            return Fate.FILTERED, "sent by shadow itself"
        line = _line(exchange.request)
        if self._include and not any(fnmatchcase(line, pattern) for pattern in self._include):
            return Fate.FILTERED, "not in scope.include"
        if any(fnmatchcase(line, pattern) for pattern in self._exclude):
            return Fate.FILTERED, "in scope.exclude"
        if self._sample < 1.0 and _share(f"{self._seed}:{session}") >= self._sample:
            return Fate.SAMPLED_OUT, "session not in the sample"
        return None


def session_of(exchange: Exchange, by: str, signer: Signs | None) -> str:
    """The session's name under `by` (``[session] by``); the connection's where the request does not say."""
    request = exchange.request
    kind, _, name = by.partition(":")
    if kind == "identity" and signer is not None:
        key = signer.key_id(request)
        return f"key:{key}" if key else exchange.session
    if kind == "header" and (value := field(request.headers, name.lower().encode())) is not None:
        return f"{by}={value.decode('latin-1')}"
    if kind == "cookie":
        wanted = name.encode() + b"="
        for pair in (
            pair.strip() for line in fields(request.headers, b"cookie") for pair in line.split(b";")
        ):
            if pair.startswith(wanted):
                return f"{by}={pair[len(wanted) :].decode('latin-1')}"
    return exchange.session


def _became_http2(exchange: Exchange) -> bool:
    """Whether it is the switch to HTTP/2 alone: what was asked with it is an exchange of its own there."""
    response = exchange.response
    if response is None or response.status != 101:
        return False
    return (field(response.headers, b"upgrade") or b"").strip().lower() == b"h2c"


def _line(request: Request) -> str:
    return f"{request.method.decode('latin-1')} {request.target.split(b'?', 1)[0].decode('latin-1')}"


def _share(text: str) -> float:
    """A number in [0, 1) that depends on `text` alone."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) / 2**64
