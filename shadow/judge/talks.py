"""The oracle of conversations: what an answer to a mutant amounts to, and whether it is what was expected.

What is said of originals does not hold here: a server that closes with 1002 or 1007, or answers FORMERR, has
found fault with a mutant that has one.
"""

from msgspec.structs import replace

from shadow.judge.breakage import WIRE_LEVELS
from shadow.judge.classes import BAD, status_text
from shadow.judge.evidence import Evidence, failed, passed, undecided
from shadow.judge.oracle import ACCEPTED_FAULT, STRICT_LEVELS
from shadow.judge.places import template
from shadow.judge.said import close_code, rcode
from shadow.model import (
    STILL_THERE,
    AnswerClass,
    Difference,
    Expect,
    Judgement,
    Level,
    NoReply,
    Outcome,
    Reply,
    Severity,
    Silence,
    Verdict,
)
from shadow.wire.dns_records import code_name_of

_SWITCHED = 101
_REJECTING_STATUS = frozenset({501, 503, 505})
_REFUSING_CLOSES = frozenset({1002, 1003, 1007, 1008, 1009, 1010, 1012, 1013})
"""RFC 6455 §7.4.1 and IANA's: faults of the peer, policies, and "not now". They count after a pong too: some
servers answer pings before they have looked at the messages."""
_FAULTY_CLOSES = frozenset({1011, 1014})
"""An error of the server, or of one behind it."""
_PLAIN_CLOSES = frozenset({1000, 1001, 1005})
_UNSAYABLE_CODES = frozenset({1004, 1006, 1015})
"""RFC 6455 §7.4.1: never in a frame. 1005 stands here for a frame that has none."""
_DATAGRAMS = frozenset({"udp", "dns"})
"""Here silence refuses: there is no connection to be closed."""
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


def class_of_talk(outcome: Outcome, protocol: str) -> AnswerClass:
    """What the answer to a conversation amounts to that may have been a mutant's."""
    if isinstance(outcome, NoReply):
        is_dropped = protocol in _DATAGRAMS and outcome.why is Silence.TIMED_OUT
        return AnswerClass.REJECTED if is_dropped else _SILENCES[outcome.why]
    if protocol == "websocket":
        return _class_of_websocket(outcome)
    if protocol == "dns":
        return _class_of_dns(outcome)
    if outcome.messages or (outcome.ending is None and protocol == "tcp"):
        return AnswerClass.SUCCESS
    return AnswerClass.REJECTED


def judge_talk(protocol: str, evidence: Evidence) -> Judgement:
    """The verdict on a mutant of a conversation, as `judge` gives it on one of a request."""
    answer, control = (class_of_talk(each, protocol) for each in (evidence.answer, evidence.control))
    if evidence.is_cut:
        return undecided("a network condition of ours cut one of the answers short")
    if answer is AnswerClass.DOWN:
        return undecided("the mutant was not sent or found no server")
    if control is not AnswerClass.SUCCESS and evidence.expect is Expect.REJECT:
        return undecided(f"the unedited conversation is {control.value}, so acceptance says nothing")
    if control in BAD or control is AnswerClass.DOWN:
        return undecided(f"the unedited conversation is {control.value}")
    found = _broke(protocol, evidence) or _OWN.get(evidence.expect, _any)(protocol, evidence)
    if found.verdict is Verdict.PASSED:
        return _disagrees(protocol, evidence) or found
    return found


def shown_talk(outcome: Outcome, protocol: str) -> str:
    """How a conversation went, in a few words: ``"closed with 1002"``, ``"FORMERR"``, ``"timed out"``."""
    if isinstance(outcome, NoReply):
        return status_text(outcome)
    if protocol == "websocket" and outcome.response.status == _SWITCHED:
        if (code := close_code(outcome)) is not None:
            return f"closed with {code}"
        return "still open" if _is_awake(outcome) else _end(outcome)
    if protocol == "dns" and outcome.messages:
        return _rcode(outcome)
    if outcome.response.status:
        return str(outcome.response.status)
    return f"{len(outcome.messages)} messages" if outcome.messages else _end(outcome)


def _class_of_websocket(reply: Reply) -> AnswerClass:
    status = reply.response.status
    if status != _SWITCHED:
        return AnswerClass.REJECTED if status < 500 or status in _REJECTING_STATUS else AnswerClass.BROKEN
    code = close_code(reply)
    if code in _FAULTY_CLOSES:
        return AnswerClass.BROKEN
    if code in _PLAIN_CLOSES or (_is_awake(reply) and code not in _REFUSING_CLOSES):
        return AnswerClass.SUCCESS
    if code is not None:
        return AnswerClass.REJECTED
    return AnswerClass.HUNG if reply.ending is None else AnswerClass.REJECTED


def _class_of_dns(reply: Reply) -> AnswerClass:
    if not reply.messages:
        return AnswerClass.REJECTED
    code = _rcode(reply)
    if code == "NOERROR":
        return AnswerClass.SUCCESS
    return AnswerClass.BROKEN if code == "SERVFAIL" else AnswerClass.REJECTED


def _rcode(reply: Reply) -> str:
    """Of what cannot be read, for it repeats a question that cannot, the header tells."""
    return rcode(reply) or code_name_of(reply.messages[-1].body)


def _is_awake(reply: Reply) -> bool:
    return any(each.kind == "pong" and each.body == STILL_THERE for each in reply.messages)


def _is_abrupt(outcome: Outcome | None) -> bool:
    """Whether a WebSocket ended without a close frame, which is told as 1006."""
    return (
        isinstance(outcome, Reply)
        and outcome.response.status == _SWITCHED
        and outcome.ending is not None
        and close_code(outcome) is None
    )


def _broke(protocol: str, evidence: Evidence) -> Judgement | None:
    """An error of the server, a hang, or a connection that was dropped for what is well-formed."""
    answer = class_of_talk(evidence.answer, protocol)
    theirs = evidence.baseline_answer
    is_on_both = theirs is not None and class_of_talk(theirs, protocol) is answer
    shown = shown_talk(evidence.answer, protocol)
    why = f"{shown}, while the unedited conversation is {shown_talk(evidence.control, protocol)}"
    if answer is AnswerClass.BROKEN:
        is_told = isinstance(evidence.answer, Reply) and protocol == "websocket"
        if is_on_both and not is_told:
            return undecided(f"{shown}, as at the live release")
        fault = "F100" if isinstance(evidence.answer, Reply) else "crash"
        return failed(fault, why, Expect.SURVIVE, is_on_both=is_on_both)
    if answer is AnswerClass.HUNG:
        is_waiting = evidence.level is Level.NETWORK and evidence.expect is Expect.SURVIVE
        if (
            is_on_both
            or is_waiting
            or (theirs is None and (protocol == "tcp" or evidence.level in WIRE_LEVELS))
        ):
            return undecided(f"{shown}: the peer may be waiting for more")
        return failed("hang", why, Expect.SURVIVE)
    is_dropped = _is_abrupt(evidence.answer) and not _is_abrupt(evidence.control)
    if is_dropped and evidence.level not in WIRE_LEVELS:
        if _is_abrupt(theirs):
            return undecided("the connection was dropped, as at the live release")
        return failed("crash", why, Expect.SURVIVE)
    return None


def _any(protocol: str, evidence: Evidence) -> Judgement:  # noqa: ARG001  # as the others
    return passed("any clean answer will do")


def _reject(protocol: str, evidence: Evidence) -> Judgement:
    if not _is_accepted(evidence.answer, protocol):
        return passed(f"{shown_talk(evidence.answer, protocol)}: not accepted")
    theirs = evidence.baseline_answer
    is_on_both = theirs is not None and _is_accepted(theirs, protocol)
    if is_on_both and not (evidence.is_stated and evidence.level in STRICT_LEVELS):
        return passed("accepted, as the live release accepts it")
    if theirs is None and not evidence.is_stated:
        return undecided("accepted, and nothing says whether it must not be")
    why = f"accepted ({shown_talk(evidence.answer, protocol)}), though it must be rejected"
    fault = ACCEPTED_FAULT.get(evidence.level, "validation")
    found = failed(fault, why, evidence.expect, is_on_both=is_on_both)
    if fault == "validation" and theirs is None:
        return replace(found, severity=Severity.LOW)  # as for requests: being lenient may be meant
    return found


def _is_accepted(outcome: Outcome, protocol: str) -> bool:
    """Of a WebSocket: whether the server still speaks, or has said a code that may not be said."""
    if protocol != "websocket" or not isinstance(outcome, Reply):
        return class_of_talk(outcome, protocol) is AnswerClass.SUCCESS
    if outcome.response.status != _SWITCHED:
        return False
    code = close_code(outcome)
    is_unsayable = code is not None and (code < 1000 or code in _UNSAYABLE_CODES)
    return is_unsayable or (_is_awake(outcome) and code not in _REFUSING_CLOSES)


def _same(protocol: str, evidence: Evidence) -> Judgement:
    answer, control = (class_of_talk(each, protocol) for each in (evidence.answer, evidence.control))
    theirs = _class_or_none(evidence.baseline_answer, protocol)
    if answer is not control:
        if (answer, control) == (theirs, _class_or_none(evidence.baseline_control, protocol)):
            return passed("another answer than to the unedited conversation, as from the live release")
        why = f"{shown_talk(evidence.answer, protocol)}, while the unedited conversation is {control.value}"
        return failed("metamorphic", why, evidence.expect, evidence.differences)
    others = {template(each.where) for each in evidence.baseline_differences or ()}
    if left := tuple(each for each in evidence.differences if template(each.where) not in others):
        why = f"the edit does not change the meaning, yet the answer differs at {_places(left)}"
        return failed("metamorphic", why, evidence.expect, left)
    return passed("the same answer as to the unedited conversation")


def _disagrees(protocol: str, evidence: Evidence) -> Judgement | None:
    """AGREE, as for requests: another class than the baseline's, or another answer where both accept it."""
    if evidence.baseline_answer is None or evidence.baseline_control is None:
        return None
    ours, theirs = (class_of_talk(each, protocol) for each in (evidence.answer, evidence.baseline_answer))
    controls = {class_of_talk(each, protocol) for each in (evidence.control, evidence.baseline_control)}
    if len(controls) > 1 or theirs in BAD or theirs is AnswerClass.DOWN:
        return None
    if ours is not theirs:
        if evidence.level in WIRE_LEVELS and protocol == "tcp":
            return undecided("one answered, one closed: the moment of arrival may decide that")
        why = (
            f"the candidate's answer is {ours.value} ({shown_talk(evidence.answer, protocol)}), the live"
            f" release's {theirs.value} ({shown_talk(evidence.baseline_answer, protocol)})"
        )
        return failed("mutation-regression", why, Expect.AGREE)
    if ours is AnswerClass.SUCCESS and evidence.across:
        why = f"both accept it, but the candidate's answer differs at {_places(evidence.across)}"
        return failed("mutation-regression", why, Expect.AGREE, evidence.across)
    return None


_OWN = {Expect.REJECT: _reject, Expect.SAME: _same}


def _class_or_none(outcome: Outcome | None, protocol: str) -> AnswerClass | None:
    return None if outcome is None else class_of_talk(outcome, protocol)


def _end(reply: Reply) -> str:
    return "silence" if reply.ending is None else f"{reply.ending.value} without a word"


def _places(differences: tuple[Difference, ...]) -> str:
    return ", ".join(sorted({template(each.where) for each in differences})[:3])
