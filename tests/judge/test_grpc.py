"""gRPC calls are judged by their own status."""

import pytest

from comparators import compare
from shadow.judge import classify, judge, severity_of, signature
from shadow.judge.classes import is_silent, status_text
from shadow.judge.evidence import Evidence
from shadow.judge.grpc import class_of_name
from shadow.judge.leaks import leak
from shadow.judge.regression import Witnesses, judge_original
from shadow.judge.report import message
from shadow.judge.reproduce import curl
from shadow.judge.severity import is_breakage
from shadow.model import (
    AnswerClass,
    Change,
    Difference,
    Expect,
    Headers,
    Level,
    NoReply,
    Reply,
    Request,
    Response,
    Severity,
    Silence,
    Verdict,
)

GRPC = (b"content-type", b"application/grpc")


def ended(code: bytes | None, message: bytes = b"", *, is_complete: bool = True, status: int = 200) -> Reply:
    """A call that ended with `code`."""
    trailers: Headers = () if code is None else ((b"grpc-status", code), (b"grpc-message", message))
    return Reply(Response(status, b"", b"HTTP/2", (GRPC,), b"", trailers, is_complete))


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        pytest.param(ended(b"0"), AnswerClass.SUCCESS, id="ok"),
        pytest.param(ended(b"1"), AnswerClass.REJECTED, id="cancelled"),
        pytest.param(ended(b"2"), AnswerClass.BROKEN, id="unknown"),
        pytest.param(ended(b"3"), AnswerClass.REJECTED, id="invalid argument"),
        pytest.param(ended(b"4"), AnswerClass.HUNG, id="deadline exceeded"),
        pytest.param(ended(b"5"), AnswerClass.REJECTED, id="not found"),
        pytest.param(ended(b"7"), AnswerClass.REJECTED, id="permission denied"),
        pytest.param(ended(b"12"), AnswerClass.REJECTED, id="unimplemented"),
        pytest.param(ended(b"13"), AnswerClass.BROKEN, id="internal"),
        pytest.param(ended(b"14"), AnswerClass.BROKEN, id="unavailable"),
        pytest.param(ended(b"15"), AnswerClass.BROKEN, id="data loss"),
        pytest.param(ended(b"16"), AnswerClass.REJECTED, id="unauthenticated"),
        pytest.param(ended(b"17"), AnswerClass.BROKEN, id="no such status"),
        pytest.param(ended(b"x"), AnswerClass.BROKEN, id="no number"),
        pytest.param(ended(None), AnswerClass.BROKEN, id="no status"),
        pytest.param(ended(None, is_complete=False), AnswerClass.SUCCESS, id="cut before its status"),
        pytest.param(ended(b"0", status=503), AnswerClass.BROKEN, id="status of HTTP"),
    ],
)
def test_call_falls_in_the_class_of_its_status(reply: Reply, expected: AnswerClass) -> None:
    assert classify(reply) is expected


def test_status_is_told_by_number_and_name() -> None:
    assert status_text(ended(b"13")) == "13 INTERNAL"
    assert class_of_name("13 INTERNAL") is AnswerClass.BROKEN
    assert [class_of_name(value) for value in ("13 SAMOA", "13", 13, "timed out", None)] == [None] * 5
    assert class_of_name("99") is AnswerClass.BROKEN


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("0 OK", "13 INTERNAL", Severity.HIGH),
        ("3 INVALID_ARGUMENT", "5 NOT_FOUND", Severity.MEDIUM),
        ("16 UNAUTHENTICATED", "0 OK", Severity.HIGH),
        ("0 OK", 404, Severity.HIGH),
    ],
)
def test_change_of_class_weighs_most(left: object, right: object, expected: Severity) -> None:
    assert severity_of("regression", [Difference("status", Change.VALUE, left, right)]) is expected


@pytest.mark.parametrize(
    ("status", "is_one"),
    [
        ("13 INTERNAL", True),
        ("4 DEADLINE_EXCEEDED", True),
        ("5 NOT_FOUND", False),
        (404, False),
        (500, True),
        ("timed out", True),
    ],
)
def test_breakage_is_known_by_its_status(status: object, is_one: bool) -> None:
    assert is_breakage(status) is is_one


def test_refusal_for_lack_of_room_is_throttling() -> None:
    evidence = Evidence(Expect.SAME, Level.BODY, ended(b"8"), ended(b"0"))
    assert evidence.is_throttled
    assert not Evidence(Expect.SAME, Level.BODY, ended(b"3"), ended(b"0")).is_throttled


def test_inner_details_are_found_in_the_message() -> None:
    trace = b"Traceback (most recent call last)%3A"
    reply = ended(b"2", trace)
    found = leak(reply.response, ended(b"0").response)
    assert found is not None
    assert found.leak == "a stack trace"


def test_original_that_fails_at_the_candidate_alone_is_a_server_error() -> None:
    witnesses = Witnesses(ended(b"0").response, ended(b"13", b"boom"), ended(b"0"))
    found = judge_original(witnesses, compare=compare, forgives=lambda *_, **__: False, same=lambda *_: False)
    assert (found.verdict, found.fault, found.severity) == (Verdict.FAILED, "F100", Severity.HIGH)
    assert (found.differences[0].left, found.differences[0].right) == ("0 OK", "13 INTERNAL")


def test_signature_is_status_and_message_without_numbers() -> None:
    assert signature(ended(b"13", b"no item 4711")) == signature(ended(b"13", b"no item 4712"))
    assert signature(ended(b"13", b"x")) != signature(ended(b"2", b"x"))


def test_trailers_are_told() -> None:
    shown = message(ended(b"5", b"gone"))
    assert shown is not None
    assert (shown["class"], shown["trailers"][0]) == ("rejected", ["grpc-status", "5"])


@pytest.mark.parametrize(
    ("level", "answer", "fault"),
    [
        pytest.param(Level.BODY, ended(b"13", b"Exception deserializing request!"), "", id="unreadable"),
        pytest.param(Level.BODY, ended(b"13", b"boom"), "F100", id="internal"),
        pytest.param(Level.BODY, ended(b"2", b"cannot parse"), "F100", id="unknown"),
        pytest.param(Level.FRAMING, ended(b"13", b"boom"), "", id="broken framing"),
        pytest.param(Level.FRAMING, ended(b"14"), "", id="broken framing, unavailable"),
        pytest.param(Level.FRAMING, ended(b"2"), "F100", id="broken framing, unknown"),
    ],
)
def test_mutant_that_the_library_could_not_read_was_refused(level: Level, answer: Reply, fault: str) -> None:
    assert judge(Evidence(Expect.SURVIVE, level, answer, ended(b"0"))).fault == fault


def test_libraries_that_refuse_by_different_codes_agree() -> None:
    evidence = Evidence(
        Expect.AGREE,
        Level.FRAMING,
        ended(b"13"),
        ended(b"0"),
        baseline_answer=ended(b"12"),
        baseline_control=ended(b"0"),
    )
    assert judge(evidence).verdict is Verdict.PASSED


@pytest.mark.parametrize(
    ("detail", "is_one"),
    [
        ("RST_STREAM PROTOCOL_ERROR", False),
        ("GOAWAY ENHANCE_YOUR_CALM", False),
        ("closed without an answer after GOAWAY ENHANCE_YOUR_CALM on a kept connection", False),
        ("GOAWAY PROTOCOL_ERROR, before the end of the call", False),
        ("RST_STREAM INTERNAL_ERROR", True),
        ("GOAWAY NO_ERROR", True),
        ("closed without an answer", True),
    ],
)
def test_stream_that_is_ended_with_a_reason_is_no_silence(detail: str, is_one: bool) -> None:
    assert is_silent(NoReply(Silence.RESET, detail)) is is_one


@pytest.mark.parametrize(
    ("origin", "option"), [("http://c", "--http2-prior-knowledge"), ("https://c", "--http2")]
)
def test_command_line_says_the_call_over_http2(origin: str, option: str) -> None:
    headers = ((b"Host", b"c"), (b"Content-Type", b"application/grpc"), (b"Content-Length", b"5"))
    told = curl(Request(b"POST", b"/s/M", headers=headers, body=bytes(5)), origin, is_http2=True)
    assert told is not None
    assert f"curl -sS -i {option} " in told
    assert "-H 'te: trailers'" in told
    assert "-H 'Host: c'" in told
    assert "content-length" not in told.lower()
