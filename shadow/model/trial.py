"""What the shadow environment answered, how answers differ, and what was made of it."""

from enum import StrEnum
from typing import Any

import msgspec

from shadow.model.exchange import Message, Response
from shadow.model.mutation import JOINT, STACKED, Expect, Level

NO_RESPONSE = Response(0, version=b"")
"""Stands in replies of conversations that have no HTTP response."""


class Timing(msgspec.Struct, frozen=True, gc=False):
    """Seconds from the start of the attempt; 0.0 where the step was not reached or not needed."""

    connect_seconds: float = 0.0
    first_byte_seconds: float = 0.0
    total_seconds: float = 0.0
    held_seconds: float = 0.0
    """How long of the total our own network conditions held it up; says nothing about the target."""


class Silence(StrEnum):
    """Why there is no answer."""

    REFUSED = "refused"
    """No connection could be made."""
    RESET = "reset"
    TIMED_OUT = "timed_out"
    CLOSED = "closed"
    """The connection was closed cleanly before an answer began."""
    MALFORMED = "malformed"
    """Bytes came back that are no HTTP response."""
    UNSENT = "unsent"
    """The transport cannot say this request, or a safety rule held it back."""
    CUT = "cut"
    """A network condition of our own kept the request or its answer from arriving whole."""
    UNWELL = "unwell"
    """The target as a whole was unwell meanwhile, which need not be this request's fault."""


class AnswerClass(StrEnum):
    """Outcomes that count as the same. Two different rejections agree."""

    SUCCESS = "success"
    """2xx, 101; unless the body says otherwise."""
    REDIRECT = "redirect"
    """3xx; unless it leads to a login."""
    REJECTED = "rejected"
    """Any 4xx, 501, 505, a silent close or reset of a connection, and a 2xx whose body is a refusal."""
    BROKEN = "broken"
    """Any other 5xx, or bytes that are no HTTP."""
    HUNG = "hung"
    """No answer within the time limit."""
    DOWN = "down"
    """No connection, never sent, cut by us on the way, or a target that was unwell: says nothing about the
    request."""


class Reading(msgspec.Struct, frozen=True, gc=False):
    """What an answer amounts to by more than itself: settings, what was learned, what another answer was."""

    answer_class: AnswerClass
    why: str
    """In words: ``"the body says code=40012"``."""


class Reply(msgspec.Struct, frozen=True, gc=False):
    """An answer."""

    response: Response
    timing: Timing = Timing()
    surplus: bytes = b""
    """Bytes that followed the answer on the same connection (at most 64 KiB kept)."""
    protocol: str = "http"
    """As an `Exchange` has it. Of conversations, WebSocket has a `response`, the others `NO_RESPONSE`."""
    messages: tuple[Message, ...] = ()
    """What the peer said in a conversation, in order."""
    is_complete: bool = True
    """False where a conversation was left before the peer had had the time that it took live."""
    ending: Silence | None = None
    """How the peer's side of a conversation ended while we still listened; None where we left first."""
    remarks: tuple[str, ...] = ()
    """What was not as recorded on our side of a conversation: what was sent unprompted, or not at all."""
    reading: Reading | None = None
    """What it amounts to where that is known better than by itself."""


class NoReply(msgspec.Struct, frozen=True, gc=False):
    """No answer. Network trouble is a value."""

    why: Silence
    detail: str = ""
    timing: Timing = Timing()
    is_after_our_end: bool = False
    """Whether our side of the connection was closed before: some servers then give up what is slow."""


type Outcome = Reply | NoReply


class Change(StrEnum):
    """How two values in the same place differ."""

    MISSING = "missing"
    ADDED = "added"
    TYPE = "type"
    VALUE = "value"
    LENGTH = "length"
    ORDER = "order"


class Difference(msgspec.Struct, frozen=True):
    """One place in which two answers differ. `left` is what was expected, `right` what came."""

    where: str
    """``"status"``, ``"header:etag"``, ``"body:$.items[3].price"``."""
    change: Change
    left: Any = None
    right: Any = None


class Verdict(StrEnum):
    """The oracle's judgement of one trial."""

    PASSED = "passed"
    FAILED = "failed"
    UNDECIDED = "undecided"


class Severity(StrEnum):
    """How bad a finding is: crash, hang, bypass, leak, field gone, type changed are HIGH; additions LOW."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Kind(StrEnum):
    """Where a finding comes from."""

    REGRESSION = "regression"
    MUTANT = "mutant"
    SEQUENCE = "sequence"
    RACE = "race"
    NETWORK = "network"


class Doubt(StrEnum):
    """Why a trial is undecided: a closed set, as it is counted."""

    CONTROL = "control"
    """The unedited request was no success, or requests were throttled."""
    CUT = "cut"
    """A network condition of ours cut an answer short."""
    DRIFT = "drift"
    """Too many originals of the endpoint are answered otherwise than by live, or the baseline."""
    SESSION = "session"
    """An earlier request of the session was."""
    UNREACHED = "unreached"
    """The target was not there, or nothing was sent."""
    UNSEEN = "not_seen_again"
    """It failed, and did not fail again."""
    UNWELL = "unwell"
    """The target as a whole was unwell."""
    OTHER = "other"


class Judgement(msgspec.Struct, frozen=True):
    """A verdict with its reason."""

    verdict: Verdict
    why: str = ""
    expect: Expect | None = None
    """The expectation that failed: the mutator's own, or AGREE."""
    fault: str = ""
    """A WFC code such as ``"F100"`` or one of our own names, where the verdict is FAILED."""
    severity: Severity = Severity.LOW
    differences: tuple[Difference, ...] = ()
    doubt: Doubt = Doubt.OTHER
    """Where the verdict is UNDECIDED."""


class Minimised(msgspec.Struct, frozen=True):
    """How a failed trial was made smaller. Sizes by what they count: ``edits``, ``bytes``, ``steps``."""

    before: dict[str, int]
    after: dict[str, int]
    tries: int
    """Smaller forms that were sent, whether or not they failed too."""
    is_told_again: bool = False
    """Whether the finding was told before, of the larger form: then this is no new sighting of it."""


class SentStep(msgspec.Struct, frozen=True):
    """One step of a script, in the recorded words."""

    exchange: int
    """Index of the recorded exchange that it stems from."""
    text: bytes
    """The request in the form of HTTP/1.1."""
    is_judged: bool = False


class Origin(msgspec.Struct, frozen=True):
    """What a failed trial was made of, for it to be made again. Exchanges are named by their index."""

    before: tuple[int, ...] = ()
    """What its session had asked before; of a script all that its session asked."""
    others: tuple[int, ...] = ()
    """Exchanges of other sessions that steps of a script stem from."""
    owner: str = ""
    """The configured identity whose request it is; empty where none is recognised."""
    plain: bytes = b""
    """The unedited request as the candidate got it, in the form of HTTP/1.1."""
    less: dict[str, Any] | None = None
    """What was left out of the request, as `Less` writes it; None for nothing."""
    kept: tuple[int, ...] = ()
    """Positions of the steps of a script that were not left out; empty for all."""
    steps: tuple[SentStep, ...] = ()
    is_burst: bool = False
    """Whether the judged steps leave at one moment."""


class Trial(msgspec.Struct, frozen=True):
    """One thing sent to the shadow environment, and its judgement."""

    exchange: int
    endpoint: str
    """Method and capped template: ``"GET /v1/x/{id}"``."""
    kind: Kind
    mutator: str | None
    judgement: Judgement
    edits: tuple[str, ...] = ()
    expect: Expect | None = None
    level: Level | None = None
    sent: bytes = b""
    """The candidate's request as wire bytes."""
    control: Outcome | None = None
    answer: Outcome | None = None
    baseline: Outcome | None = None
    seed: int = 0
    has_live: bool = True
    """Whether the tap saw the live answer."""
    is_http2: bool = False
    """Whether it was sent over HTTP/2; `sent` has the request in the form of HTTP/1.1 all the same."""
    minimised: Minimised | None = None
    """What it was made of, where it is smaller than what first failed."""
    origin: Origin | None = None
    """None where it did not fail."""
    is_late: bool = False
    """Whether its verdict was told before all of it was known: what was told then is not counted twice."""

    @property
    def label(self) -> str | None:
        """What it is counted under: its mutator, or `STACKED`."""
        return STACKED if self.mutator is not None and JOINT in self.mutator else self.mutator
