"""What an outcome amounts to: outcomes of one class count as the same."""

import re
from collections import OrderedDict

from shadow.judge.denials import denial, envelope
from shadow.judge.grpc import class_of_code
from shadow.judge.said import class_of_dns, class_of_websocket, words_of
from shadow.model import CONVERSATIONS, AnswerClass, NoReply, Outcome, Reply, Response, Silence
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
_UNAUTHORIZED = 401
_OF_CREDENTIALS = re.compile(
    r"(?i)\b401\b|unauthori[sz]ed|unauthenticated|invalid_auth|not_authed|login|log in|sign in"
    r"|asks for a password"
    r"|\b(?:token|session|credentials?|authori[sz]ation)\b[^.]{0,30}\b(?:expired|invalid|missing|required)"
    r"|\b(?:expired|invalid|missing|bad|no)\b[^.]{0,20}\b(?:token|session|credentials?|authori[sz]ation)"
)
_REJECTING_5XX = frozenset({501, 505})
_REMEMBERED = 512
_REMEMBERED_BYTES = 16 * 1024
"""Longer answers are looked at each time: memory holds on to none of them."""
_latest: OrderedDict[int, tuple[Response, AnswerClass]] = OrderedDict()
"""By identity, the latest answers: one answer is asked about a dozen times while it is judged."""


def classify(outcome: Outcome) -> AnswerClass:
    """What `outcome` amounts to: what it is read as, or else its status. A 200 whose body is a refusal, and a
    redirect to a login, are rejections; a gRPC call's status is its own.
    """
    if isinstance(outcome, NoReply):
        return _SILENCES[outcome.why]
    if outcome.reading is not None:
        return outcome.reading.answer_class
    known = _latest.get(id(outcome.response))
    return known[1] if known is not None and known[0] is outcome.response else _class_of_reply(outcome)


def _class_of_reply(outcome: Reply) -> AnswerClass:
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
        return AnswerClass.REJECTED if denial(outcome.response) else AnswerClass.REDIRECT
    return _class_of_success(outcome.response)


def _class_of_success(response: Response) -> AnswerClass:
    """Of an answer whose status says success."""
    code = call_status(response)
    if code is not None:
        found = class_of_code(code)
    else:
        found = AnswerClass.REJECTED if denial(response) else AnswerClass.SUCCESS
    if len(response.body) <= _REMEMBERED_BYTES:
        if len(_latest) >= _REMEMBERED:
            _latest.popitem(last=False)
        _latest[id(response)] = (response, found)
    return found


def class_of(outcome: Outcome | None) -> AnswerClass | None:
    """`classify`, for what may not be known."""
    return None if outcome is None else classify(outcome)


def asks_for_credentials(outcome: Outcome | None) -> bool:
    """Whether a request was refused for lack of good credentials: a 401, or what says the same in a body or
    by leading to a login."""
    if not isinstance(outcome, Reply):
        return False
    if outcome.response.status == _UNAUTHORIZED:
        return True
    told = told_by(outcome) if classify(outcome) is AnswerClass.REJECTED else ""
    if not told:
        return False
    found = envelope(outcome.response)
    return _OF_CREDENTIALS.search(f"{told} {found.complaint if found is not None else ''}"[:600]) is not None


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
    """The status code, or why there is none: ``"404"``, ``"13 INTERNAL"``, ``"timed out"``. Where the class
    is not the status's, what tells it: ``"200, the body says success=false"``.
    """
    if isinstance(outcome, NoReply):
        return outcome.why.value.replace("_", " ")
    if (code := call_status(outcome.response)) is not None:
        return status_name(code)
    if outcome.protocol in CONVERSATIONS and (said := words_of(outcome)):
        return said
    told = told_by(outcome)
    return f"{outcome.response.status}, {told}" if told else str(outcome.response.status)


def told_by(outcome: Outcome) -> str:
    """What tells the class of an answer whose status would be another class; empty where the status does."""
    if not isinstance(outcome, Reply):
        return ""
    if outcome.reading is not None:
        return outcome.reading.why
    is_plain = outcome.protocol not in CONVERSATIONS and 200 <= outcome.response.status < 400
    return denial(outcome.response) if is_plain and call_status(outcome.response) is None else ""
