"""What answers to mutants of conversations amount to, and what is made of them."""

import pytest

from shadow.judge import Evidence, class_of_talk, judge_talk
from shadow.judge.talks import shown_talk
from shadow.model import (
    NO_RESPONSE,
    STILL_THERE,
    AnswerClass,
    Change,
    Difference,
    Expect,
    Level,
    Message,
    NoReply,
    Outcome,
    Reply,
    Response,
    Silence,
    Verdict,
)

PONG = Message(False, STILL_THERE, 0.0, "pong")
DIFFERENCE = (Difference("message[0]:$.n", Change.VALUE, 1, 2),)


def ws(
    *messages: Message, code: int | None = None, status: int = 101, ending: Silence | None = None
) -> Reply:
    closes = () if code is None else (Message(False, code.to_bytes(2), 0.0, "close"),)
    ended = Silence.CLOSED if code is not None else ending
    return Reply(Response(status), protocol="websocket", messages=(*messages, *closes), ending=ended)


def dns(code: int, *, size: int = 12) -> Reply:
    text = (b"\x12\x34\x80" + bytes((code,)) + bytes(8))[:size]
    return Reply(NO_RESPONSE, protocol="dns", messages=(Message(False, text, 0.0),))


def said(protocol: str, *texts: bytes, ending: Silence | None = None) -> Reply:
    messages = tuple(Message(False, each, 0.0) for each in texts)
    return Reply(NO_RESPONSE, protocol=protocol, messages=messages, ending=ending)


OPEN = ws(PONG)
FAILED = ws(code=1002)
DROPPED = ws(ending=Silence.CLOSED)
SILENT = NoReply(Silence.TIMED_OUT)


@pytest.mark.parametrize(
    ("protocol", "outcome", "expected", "words"),
    [
        ("websocket", OPEN, AnswerClass.SUCCESS, "still open"),
        ("websocket", FAILED, AnswerClass.REJECTED, "closed with 1002"),
        ("websocket", ws(code=1007), AnswerClass.REJECTED, "closed with 1007"),
        ("websocket", ws(code=1009), AnswerClass.REJECTED, "closed with 1009"),
        ("websocket", ws(code=4000), AnswerClass.REJECTED, "closed with 4000"),
        ("websocket", ws(PONG, code=1000), AnswerClass.SUCCESS, "closed with 1000"),
        ("websocket", ws(PONG, code=1011), AnswerClass.BROKEN, "closed with 1011"),
        ("websocket", ws(PONG, code=1007), AnswerClass.REJECTED, "closed with 1007"),
        ("websocket", DROPPED, AnswerClass.REJECTED, "closed without a word"),
        ("websocket", ws(ending=Silence.RESET), AnswerClass.REJECTED, "reset without a word"),
        ("websocket", ws(), AnswerClass.HUNG, "silence"),
        ("websocket", ws(status=400), AnswerClass.REJECTED, "400"),
        ("websocket", ws(status=200), AnswerClass.REJECTED, "200"),
        ("websocket", ws(status=500), AnswerClass.BROKEN, "500"),
        ("websocket", NoReply(Silence.MALFORMED), AnswerClass.BROKEN, "malformed"),
        ("websocket", SILENT, AnswerClass.HUNG, "timed out"),
        ("dns", dns(0), AnswerClass.SUCCESS, "NOERROR"),
        ("dns", dns(1), AnswerClass.REJECTED, "FORMERR"),
        ("dns", dns(1, size=5), AnswerClass.REJECTED, "FORMERR"),
        ("dns", dns(2), AnswerClass.BROKEN, "SERVFAIL"),
        ("dns", dns(3), AnswerClass.REJECTED, "NXDOMAIN"),
        ("dns", dns(4), AnswerClass.REJECTED, "NOTIMP"),
        ("dns", SILENT, AnswerClass.REJECTED, "timed out"),
        ("dns", NoReply(Silence.REFUSED), AnswerClass.DOWN, "refused"),
        ("udp", said("udp", b"x"), AnswerClass.SUCCESS, "1 messages"),
        ("udp", SILENT, AnswerClass.REJECTED, "timed out"),
        ("tcp", said("tcp", b"x"), AnswerClass.SUCCESS, "1 messages"),
        ("tcp", SILENT, AnswerClass.HUNG, "timed out"),
        ("tcp", NoReply(Silence.RESET), AnswerClass.REJECTED, "reset"),
        ("tcp", said("tcp", ending=Silence.CLOSED), AnswerClass.REJECTED, "closed without a word"),
    ],
)
def test_classes(protocol: str, outcome: Outcome, expected: AnswerClass, words: str) -> None:
    assert class_of_talk(outcome, protocol) is expected
    assert shown_talk(outcome, protocol) == words


def verdict(
    expect: Expect,
    answer: Outcome,
    baseline: Outcome | None = None,
    *,
    protocol: str = "websocket",
    control: Outcome = OPEN,
    level: Level = Level.FRAMING,
    is_stated: bool = True,
    differences: tuple[Difference, ...] = (),
    across: tuple[Difference, ...] = (),
) -> tuple[Verdict, str]:
    made = judge_talk(
        protocol,
        Evidence(
            expect,
            level,
            answer,
            control,
            baseline,
            None if baseline is None else control,
            differences=differences,
            across=across,
            is_stated=is_stated,
        ),
    )
    return made.verdict, made.fault


PASSED, UNDECIDED = (Verdict.PASSED, ""), (Verdict.UNDECIDED, "")
ANSWERED = dns(0)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(verdict(Expect.REJECT, FAILED, FAILED), PASSED, id="both fail the connection"),
        pytest.param(verdict(Expect.REJECT, DROPPED, FAILED), PASSED, id="one says why, one does not"),
        pytest.param(verdict(Expect.REJECT, OPEN, FAILED), (Verdict.FAILED, "framing"), id="let in"),
        pytest.param(verdict(Expect.REJECT, OPEN, OPEN), PASSED, id="let in by live too"),
        pytest.param(verdict(Expect.REJECT, OPEN), (Verdict.FAILED, "framing"), id="let in, alone"),
        pytest.param(verdict(Expect.REJECT, OPEN, is_stated=False), UNDECIDED, id="not stated, alone"),
        pytest.param(
            verdict(Expect.REJECT, ws(code=1006)), (Verdict.FAILED, "framing"), id="said what must not be"
        ),
        pytest.param(
            verdict(Expect.REJECT, ws(PONG), ws(status=400), level=Level.HEADER),
            (Verdict.FAILED, "validation"),
            id="bad handshake let in",
        ),
        pytest.param(verdict(Expect.REJECT, ws(PONG, code=1007)), PASSED, id="refused after the pong"),
        pytest.param(verdict(Expect.REJECT, ws(status=200), level=Level.HEADER), PASSED, id="a page"),
        pytest.param(verdict(Expect.REJECT, OPEN, control=DROPPED), UNDECIDED, id="control refused"),
        pytest.param(verdict(Expect.SAME, OPEN, OPEN), PASSED, id="the same"),
        pytest.param(
            verdict(Expect.SAME, OPEN, differences=DIFFERENCE), (Verdict.FAILED, "metamorphic"), id="differs"
        ),
        pytest.param(verdict(Expect.SAME, FAILED, OPEN), (Verdict.FAILED, "metamorphic"), id="refused"),
        pytest.param(verdict(Expect.SAME, FAILED, FAILED), PASSED, id="refused by live too"),
        pytest.param(verdict(Expect.SURVIVE, ws(code=1011)), (Verdict.FAILED, "F100"), id="1011"),
        pytest.param(
            verdict(Expect.SURVIVE, DROPPED, level=Level.BODY), (Verdict.FAILED, "crash"), id="1006"
        ),
        pytest.param(
            verdict(Expect.SURVIVE, DROPPED, DROPPED, level=Level.BODY), UNDECIDED, id="1006 at live too"
        ),
        pytest.param(
            verdict(Expect.SURVIVE, ws(), OPEN, level=Level.BODY), (Verdict.FAILED, "hang"), id="hangs"
        ),
        pytest.param(verdict(Expect.SURVIVE, ws(), FAILED, level=Level.NETWORK), UNDECIDED, id="waits"),
        pytest.param(
            verdict(Expect.SURVIVE, FAILED, OPEN, level=Level.BODY),
            (Verdict.FAILED, "mutation-regression"),
            id="live lets it in",
        ),
        pytest.param(
            verdict(Expect.SURVIVE, OPEN, OPEN, across=DIFFERENCE),
            (Verdict.FAILED, "mutation-regression"),
            id="both let it in, and differ",
        ),
        pytest.param(verdict(Expect.SURVIVE, ws(code=1003), ws(code=1008)), PASSED, id="codes, not classes"),
        pytest.param(
            verdict(Expect.SURVIVE, dns(2), dns(1), protocol="dns", control=ANSWERED),
            (Verdict.FAILED, "F100"),
            id="SERVFAIL",
        ),
        pytest.param(
            verdict(Expect.REJECT, dns(2), dns(2), protocol="dns", control=ANSWERED),
            UNDECIDED,
            id="SERVFAIL at live too",
        ),
        pytest.param(
            verdict(Expect.REJECT, SILENT, dns(1), protocol="dns", control=ANSWERED), PASSED, id="dropped"
        ),
        pytest.param(
            verdict(Expect.SAME, SILENT, ANSWERED, protocol="dns", control=ANSWERED),
            (Verdict.FAILED, "metamorphic"),
            id="no answer to the same",
        ),
        pytest.param(
            verdict(Expect.SURVIVE, SILENT, protocol="tcp", control=said("tcp", b"x")),
            UNDECIDED,
            id="tcp waits",
        ),
        pytest.param(
            verdict(Expect.SURVIVE, SILENT, said("tcp", b"y"), protocol="tcp", control=said("tcp", b"x")),
            (Verdict.FAILED, "hang"),
            id="tcp waits where live does not",
        ),
        pytest.param(verdict(Expect.SURVIVE, NoReply(Silence.REFUSED)), UNDECIDED, id="no server"),
        pytest.param(verdict(Expect.SURVIVE, NoReply(Silence.CUT)), UNDECIDED, id="cut by us"),
    ],
)
def test_verdicts(found: tuple[Verdict, str], expected: tuple[Verdict, str]) -> None:
    assert found == expected


@pytest.mark.parametrize("outcome", [OPEN, FAILED, DROPPED, ws(), SILENT, ws(status=500), ws(code=1000)])
@pytest.mark.parametrize("expect", [Expect.SAME, Expect.REJECT, Expect.SURVIVE])
@pytest.mark.parametrize("level", list(Level))
def test_two_alike_disagree_about_nothing(outcome: Reply, expect: Expect, level: Level) -> None:
    found = verdict(expect, outcome, outcome, level=level, is_stated=False)
    assert found in (PASSED, UNDECIDED) or outcome == ws(status=500)
