"""Whether one target is well: a cheap question, configured or taken from the traffic, and its answer."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from msgspec import Meta, Struct

from shadow.content.redaction import is_masked
from shadow.errors import ConfigError
from shadow.judge import classify
from shadow.model import AnswerClass, Exchange, NoReply, Outcome, Reply, Request, Silence
from shadow.pipeline.order import SAFE_METHODS

_KEPT = 3
"""Reads of different endpoints: one that one bug broke must not stand for the whole service."""
_CANDIDATES_MAX = 200
_BODY_BYTES_MAX = 64 * 1024
_TELLING = ("health", "ready", "live", "ping", "status", "version")
"""What services call the endpoint that is meant for this."""

_SIGNS_OF_LIFE = frozenset({Silence.CLOSED, Silence.RESET, Silence.MALFORMED})
"""Where no read is known to be answered, as by services of gRPC, it is enough that the target reacts."""

type Seconds = Annotated[float, Meta(gt=0)]
type Ask = Callable[[Exchange | Request, float], Awaitable[Outcome]]
"""Asks the target, within so many seconds: what a session asked, or a request of the configuration's."""


class HealthSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """How a target that is unwell as a whole is noticed, waited for and looked after, as `[health]`."""

    enabled: bool = True
    """Whether that is done at all."""
    probe: str = ""
    """``"GET /health"``: what a target that is well answers with 2xx. Empty: reads of the traffic that it
    answered quickly."""
    timeout_seconds: Seconds = 2.0
    """A target that takes longer for it is unwell."""
    recovery_seconds: Seconds = 60.0
    """So long nothing is sent to a target that is unwell. Then a replay ends with exit code 4, and a tap goes
    on waiting."""
    restart: tuple[str, ...] = ()
    """A program with its arguments, run without a shell, that starts a target again which does not come back
    by itself; the target's name follows as the last argument."""
    restart_seconds: Seconds = 5.0
    """So long it may come back by itself before that."""


class Pulse:
    """That of one target."""

    def __init__(self, settings: HealthSettings, ask: Ask) -> None:
        """Raises ConfigError for a probe that is no question."""
        self._settings = settings
        self._ask = ask
        self._configured = read_request("health.probe", settings.probe) if settings.probe else None
        self._reads: dict[str, tuple[float, Exchange]] = {}
        """By endpoint: how soon it was answered, and the latest that was."""

    def learn(self, endpoint: str, exchange: Exchange, outcome: Outcome) -> None:
        """Take in how an original was answered: a read may be asked again to see how the target is."""
        if self._configured is not None or exchange.protocol != "http" or not isinstance(outcome, Reply):
            return
        is_read = exchange.request.method == b"GET" and not exchange.request.body
        if not is_read or classify(outcome) is not AnswerClass.SUCCESS or is_masked(exchange.request):
            return
        is_known = endpoint in self._reads
        if len(outcome.response.body) > _BODY_BYTES_MAX or (
            not is_known and len(self._reads) >= _CANDIDATES_MAX
        ):
            return
        seconds = outcome.timing.total_seconds
        before = self._reads[endpoint][0] if is_known else seconds
        self._reads[endpoint] = max(seconds, before), exchange

    @property
    def knows_well(self) -> bool:
        """Whether it is known what a target that is well answers. A release that answers errors alone from
        the first request on was never well, and to wait for that would be in vain."""
        return self._configured is not None or bool(self._reads)

    async def beats(self) -> Outcome | None:
        """What a target that is well answered; else None."""
        for question in self._questions():
            outcome = await self._ask(question, self._settings.timeout_seconds)
            if _is_well(outcome, is_configured=self._configured is not None):
                return outcome
            if not self.knows_well and isinstance(outcome, NoReply) and outcome.why in _SIGNS_OF_LIFE:
                return outcome
            if isinstance(outcome, NoReply):
                return None  # the others would not be answered either
        return None

    def _questions(self) -> list[Exchange | Request]:
        if self._configured is not None:
            return [self._configured]
        best = sorted(self._reads, key=lambda name: (not _is_telling(name), self._reads[name][0]))
        return [self._reads[name][1] for name in best[:_KEPT]] or [Request(b"GET", b"/")]


def read_request(key: str, text: str) -> Request:
    """``"GET /path"`` as a request. Raises ConfigError where it is none, or may change something."""
    method, _, path = text.partition(" ")
    if method.upper().encode("latin-1", "replace") not in SAFE_METHODS:
        raise ConfigError(f"{key} is {text!r}: write it as 'GET /health'; a probe must not change anything")
    if not path.startswith("/") or not path.isascii() or " " in path:
        raise ConfigError(f"{key} is {text!r}: {path!r} is no path; write it as 'GET /health'")
    return Request(method.upper().encode(), path.encode())


def _is_telling(endpoint: str) -> bool:
    last = endpoint.rpartition("/")[2].lower()
    return any(word in last for word in _TELLING)


def _is_well(outcome: Outcome, *, is_configured: bool) -> bool:
    if not isinstance(outcome, Reply):
        return False
    return classify(outcome) is AnswerClass.SUCCESS if is_configured else outcome.response.status < 500
