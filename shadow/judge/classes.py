"""What an outcome amounts to: outcomes of one class count as the same."""

from shadow.judge.grpc import class_of_code
from shadow.judge.leaks import is_error_in_200
from shadow.judge.said import class_of_dns, class_of_websocket, words_of
from shadow.model import CONVERSATIONS, AnswerClass, NoReply, Outcome, Silence
from shadow.wire.grpc_status import call_status, status_name

BAD = frozenset({AnswerClass.BROKEN, AnswerClass.HUNG})
"""No service may answer so, whatever it was asked."""
_SILENCES: dict[Silence, AnswerClass] = {
    Silence.CLOSED: AnswerClass.REJECTED,
    Silence.RESET: AnswerClass.REJECTED,
    Silence.TIMED_OUT: AnswerClass.HUNG,
    Silence.MALFORMED: AnswerClass.BROKEN,
    Silence.REFUSED: AnswerClass.DOWN,
    Silence.UNSENT: AnswerClass.DOWN,
    Silence.CUT: AnswerClass.DOWN,
    Silence.UNWELL: AnswerClass.DOWN,
}
_REFUSING = frozenset(
    {"PROTOCOL_ERROR", "FLOW_CONTROL_ERROR", "STREAM_CLOSED", "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL"}
    | {"COMPRESSION_ERROR", "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED"}
)
"""Error codes that blame the request (RFC 9113 §7)."""
_REJECTING_5XX = frozenset({501, 505})


def classify(outcome: Outcome) -> AnswerClass:
    """What `outcome` amounts to. A 200 whose body is a GraphQL or JSON-RPC error is a rejection, and a gRPC
    call's status is its own.
    """
    if isinstance(outcome, NoReply):
        return _SILENCES[outcome.why]
    if outcome.protocol in CONVERSATIONS and outcome.response.status in (0, 101):
        if outcome.protocol == "dns":
            return class_of_dns(outcome)
        return class_of_websocket(outcome) if outcome.protocol == "websocket" else AnswerClass.SUCCESS
    status = outcome.response.status
    if status >= 500:
        return AnswerClass.REJECTED if status in _REJECTING_5XX else AnswerClass.BROKEN
    if status >= 400:
        return AnswerClass.REJECTED
    if 300 <= status < 400:
        return AnswerClass.REDIRECT
    if (code := call_status(outcome.response)) is not None:
        return class_of_code(code)
    return AnswerClass.REJECTED if is_error_in_200(outcome.response) else AnswerClass.SUCCESS


def class_of(outcome: Outcome | None) -> AnswerClass | None:
    """`classify`, for what may not be known."""
    return None if outcome is None else classify(outcome)


def is_cut(outcome: Outcome | None) -> bool:
    """Whether a network condition of our own kept it from being whole: it says nothing about the target."""
    return isinstance(outcome, NoReply) and outcome.why is Silence.CUT


def is_unwell(outcome: Outcome | None) -> bool:
    """Whether the target as a whole was unwell meanwhile, so that it says nothing about the request."""
    return isinstance(outcome, NoReply) and outcome.why is Silence.UNWELL


def is_silent(outcome: Outcome | None) -> bool:
    """Whether the connection ended without an answer. HTTP/2 says no by ending a stream, with the reason."""
    if not isinstance(outcome, NoReply) or outcome.why not in (Silence.CLOSED, Silence.RESET):
        return False
    return not any(word.strip(",") in _REFUSING for word in outcome.detail.split())


def status_text(outcome: Outcome) -> str:
    """The status code, or why there is none: ``"404"``, ``"13 INTERNAL"``, ``"timed out"``."""
    if isinstance(outcome, NoReply):
        return outcome.why.value.replace("_", " ")
    if (code := call_status(outcome.response)) is not None:
        return status_name(code)
    return words_of(outcome) or str(outcome.response.status)
