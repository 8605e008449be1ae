"""Inner details in answers: what shows one, what does not, and what searching for them may cost."""

import re
from itertools import islice
from re import _constants, _parser  # type: ignore[attr-defined]  # what patterns are made of, to bound them
from typing import Any

import pytest

from shadow.judge.evidence import Evidence
from shadow.judge.fingerprint import causes_of
from shadow.judge.leak_shapes import FAULTS, LEAK_SHAPES, Leak, Shape
from shadow.judge.leaking import difference_of, fault_of, leak_between, with_leak
from shadow.judge.leaks import leak
from shadow.judge.oracle import judge
from shadow.judge.severity import OF_FAULT, severity_of
from shadow.model import (
    Change,
    Difference,
    Expect,
    Judgement,
    Kind,
    Level,
    NoReply,
    Reply,
    Request,
    Response,
    Severity,
    Silence,
    Trial,
    Verdict,
)

MAX_REPEATED = 4096
MAX_NESTED = 8
ASKED = Request(b"GET", b"/me")
BCRYPT = b"$2b$12$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"
SHOWN: list[tuple[Leak, bytes]] = [
    (Leak.TRACE, b'Traceback (most recent call last):\n  File "/a.py", line 3, in f'),
    (Leak.TRACE, b"java.lang.IllegalStateException: y\n\tat com.x.Y.z(Y.java:12)"),
    (Leak.TRACE, b'{"exception":"org.springframework.dao.DataAccessException"}'),
    (Leak.TRACE, b"<pre>TypeError: x<br> &nbsp; &nbsp;at f (/srv/app.js:10:5)<br>"),
    (Leak.TRACE, b"Error\n    at async file:///srv/app.mjs:10:5"),
    (Leak.TRACE, b"panic: runtime error: index out of range [3]"),
    (Leak.TRACE, b"main.f(...)\n\t/srv/main.go:12 +0x1d"),
    (Leak.TRACE, b"app/models/x.rb:12:in `find'"),
    (Leak.TRACE, b"undefined method `name' for nil"),
    (Leak.TRACE, b"<b>Warning</b>:  x in <b>/var/www/a.php</b> on line <b>3</b>"),
    (Leak.TRACE, b'{"file":"\\/var\\/www\\/a.php","line":12,"trace":[]}'),
    (Leak.TRACE, b"#0 /var/www/a.php(12): f()"),
    (Leak.TRACE, b"System.NullReferenceException: Object reference not set"),
    (Leak.TRACE, b"   at A.B(String c) in C:\\x.cs:line 5"),
    (Leak.TRACE, b"thread 'main' panicked at src/main.rs:4:5"),
    (Leak.TRACE, b"** (Ecto.NoResultsError) expected"),
    (Leak.TRACE, b"lib/app/x.ex:12: App.X.find/1"),
    (Leak.TRACE, b"Can't call method at /srv/app/x.pl line 12."),
    (Leak.TRACE, b"/srv/x.lua:3: attempt to index a nil value"),
    (Leak.DEBUG, b"You're seeing this error because you have <code>DEBUG = True</code>"),
    (Leak.DEBUG, b"<title>Werkzeug Debugger</title>"),
    (Leak.DEBUG, b"<title>Action Controller: Exception caught</title>"),
    (Leak.SQL, b"You have an error in your SQL syntax; check the manual"),
    (Leak.SQL, b'ERROR: syntax error at or near "x"'),
    (Leak.SQL, b"Unclosed quotation mark after the character string"),
    (Leak.DATABASE, b'duplicate key value violates unique constraint "x"'),
    (Leak.DATABASE, b"UNIQUE constraint failed: users.email"),
    (Leak.DATABASE, b"Unknown column 'x' in 'where clause'"),
    (Leak.DATABASE, b"E11000 duplicate key error collection: a.b"),
    (Leak.DATABASE, b'Cast to ObjectId failed for value "x"'),
    (Leak.DATABASE, b"ORA-01722: invalid number"),
    (Leak.DATABASE, b"(sqlalchemy.exc.OperationalError)"),
    (Leak.DATABASE, b"WRONGTYPE Operation against a key holding the wrong kind of value"),
    (Leak.DIRECTORY, b"80090308: LdapErr: DSID-0C09044E, comment: AcceptSecurityContext error"),
    (Leak.DIRECTORY, b"lxml.etree.XPathEvalError: Invalid expression"),
    (Leak.KEY, b"-----BEGIN RSA PRIVATE KEY-----\nMIIE"),
    (Leak.CREDENTIAL, b'{"key":"AKIAIOSFODNN7EXAMPLE"}'),
    (Leak.CREDENTIAL, b"ghp_0123456789abcdefghijABCDEFGHIJ012345"),
    (Leak.CREDENTIAL, b'{"password":"hunter22"}'),
    (Leak.CREDENTIAL, b'{"client_secret": "s3cr3t-of-mine"}'),
    (Leak.HASH, b'{"pw":"%b"}' % BCRYPT),
    (Leak.HASH, b"$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA"),
    (Leak.HASH, b"root:$6$saltsalt$%b:1" % (b"a" * 86)),
    (Leak.HASH, b"pbkdf2_sha256$600000$abcdefgh$0123456789abcdef0123456789"),
    (Leak.CONNECTION, b"could not connect to postgres://app:s3cr3t@db:5432/app"),
    (Leak.CONNECTION, b"Server=db;Database=x;User Id=sa;Password=s3cr3t;"),
    (Leak.TOKEN, b'{"t":"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJib2IifQ.c2lnbmF0dXJl"}'),
    (Leak.SETTINGS, b"DATABASE_URL=x\nPWD=/srv"),
    (Leak.SETTINGS, b'{"PATH":"/usr/local/bin:/usr/bin"}'),
    (Leak.SOURCE, b"cannot read /srv/app/settings.py"),
    (Leak.SOURCE, b"<?php echo 1;"),
    (Leak.ADDRESS, b"dial tcp 10.2.3.4:5432: connect: connection refused"),
    (Leak.ADDRESS, b"lookup users.default.svc.cluster.local: no such host"),
]
HARMLESS = [
    b'{"error":"internal error at noon"}',
    b'{"error":"look at (the) manual: line 3"}',
    b'{"version":"10.2.3.4","price":"$1$"}',
    b'<script src="/app/main.js"></script><a href="/opt/in">x</a><img src="/srv/a.py/logo.png">',
    b'{"password":"","password_hint":"********","token_type":"bearer"}',
    b'{"password":"****"}',
    b'{"path":"/users/7","PATHS":["/a"]}',
    b'{"text":"what is an ORA code, and a violates rule?","lang":"java"}',
    b'{"host":"api.example.com","zone":"eu.internal.example.com"}',
    b'{"url":"https://user.example.com:8443/a@b"}',
    b'{"title":"an exception to the rule","class":"Exception"}',
]


def answer(body: bytes, status: int = 400) -> Response:
    return Response(status, headers=((b"Content-Type", b"application/json"),), body=body)


@pytest.mark.parametrize(("kind", "body"), SHOWN)
def test_an_inner_detail_is_recognised_unless_it_is_known_or_was_said(kind: Leak, body: bytes) -> None:
    shown = leak(answer(body), None)
    assert shown is not None
    assert shown.leak is kind
    assert shown.text in body
    assert leak(answer(body), answer(body)) is None
    assert leak(answer(body), None, answer(b"- " + body)) is None
    assert leak(answer(body), None, request=Request(b"POST", b"/", body=body)) is None
    assert OF_FAULT[FAULTS[kind]] in (Severity.HIGH, Severity.MEDIUM)


@pytest.mark.parametrize("body", HARMLESS)
def test_what_only_looks_like_one_is_none(body: bytes) -> None:
    assert leak(answer(body), None) is None


def test_the_worst_is_told_and_an_echo_hides_nothing_else() -> None:
    both = answer(b"/srv/app/x.py: You have an error in your SQL syntax")
    shown = leak(both, None)
    assert shown is not None
    assert shown.leak is Leak.SQL
    rest = leak(
        both, None, request=Request(b"GET", b"/?q=You%20have%20an%20error%20in%20your%20SQL%20syntax")
    )
    assert rest is not None
    assert rest.leak is Leak.SOURCE


@pytest.mark.parametrize("shape", LEAK_SHAPES, ids=lambda shape: str(shape.literals[0]))
def test_a_pattern_takes_steps_in_proportion_to_the_text(shape: Shape) -> None:
    """Each repetition has an end, and none holds a long one, so that no text can be split among them in many
    ways."""
    flags = shape.pattern.flags
    assert steps(_parser.parse(shape.pattern.pattern, flags)) <= MAX_REPEATED
    for repeated in unbounded(_parser.parse(shape.pattern.pattern, flags)):
        pytest.fail(f"{repeated} has no end")


def unbounded(parsed: Any) -> list[Any]:
    """Every repetition without an end, at any depth."""
    found = []
    for op, given in parsed:
        if op in (_constants.MAX_REPEAT, _constants.MIN_REPEAT, _constants.POSSESSIVE_REPEAT):
            found += [given] if given[1] is _constants.MAXREPEAT else []
            found += unbounded(given[2])
        elif op is _constants.SUBPATTERN:
            found += unbounded(given[3])
        elif op is _constants.BRANCH:
            found += [each for branch in given[1] for each in unbounded(branch)]
        elif op in (_constants.ASSERT, _constants.ASSERT_NOT):
            found += unbounded(given[1])
    return found


def steps(parsed: Any) -> int:
    """How often what is repeated most may be, nested repetitions multiplied."""
    total = 1
    for op, given in parsed:
        if op in (_constants.MAX_REPEAT, _constants.MIN_REPEAT):
            inner = steps(given[2])
            assert inner == 1 or int(given[1]) <= MAX_NESTED, "a long repetition within a repetition"
            total = max(total, int(given[1]) * inner)
        elif op is _constants.SUBPATTERN:
            total = max(total, steps(given[3]))
        elif op is _constants.BRANCH:
            total = max(total, *(steps(branch) for branch in given[1]))
    return total


@pytest.mark.parametrize("shape", LEAK_SHAPES, ids=lambda shape: str(shape.literals[0]))
def test_all_that_a_pattern_matches_holds_one_of_its_literals(shape: Shape) -> None:
    found = [
        match[0]
        for _, body in SHOWN
        for match in re.finditer(shape.pattern.pattern, body, shape.pattern.flags)
    ]
    assert all(any(literal in each for literal in shape.literals) for each in found)


@pytest.mark.parametrize("shape", LEAK_SHAPES, ids=lambda shape: str(shape.literals[0]))
def test_a_body_of_nothing_but_beginnings_is_searched_through(shape: Shape) -> None:
    for literal in shape.literals[:3]:
        for piece in (literal, b"\n at " + literal, b"a" * 60 + literal):
            body = piece * (40_000 // len(piece))
            assert all(found[0] in body for found in islice(shape.pattern.finditer(body), 8))


def evidence(body: bytes, **more: Any) -> Evidence:
    control = Reply(answer(b'{"id":1}', 200))
    return Evidence(Expect.SURVIVE, Level.BODY, Reply(answer(body)), control, **more)


def test_a_mutant_that_shows_a_secret_or_anothers_data_has_failed() -> None:
    secret = judge(evidence(b'{"pw":"%b"}' % BCRYPT))
    assert (secret.fault, secret.severity) == ("secret-leak", Severity.HIGH)
    assert secret.why == "the answer shows a password hash"
    echoed = judge(evidence(b'{"pw":"%b"}' % BCRYPT, request=Request(b"POST", b"/", body=BCRYPT)))
    assert echoed.verdict is Verdict.PASSED
    others = judge(evidence(b"{}", others="an e-mail address that only 'bob' was shown before"))
    assert (others.fault, others.severity) == ("F206", Severity.HIGH)
    shared = judge(evidence(b"{}", others="2 ids", others_on_both=True))
    assert (shared.fault, shared.severity) == ("F206", Severity.MEDIUM)


class TestOriginals:
    LIVE = answer(b'{"id":1}', 200)
    LEAKING = Reply(answer(b'{"id":1,"pw":"%b"}' % BCRYPT, 200))

    def test_that_leak_are_told_as_that_and_not_as_a_field_more(self) -> None:
        leaked = leak_between(self.LIVE, Reply(self.LIVE), self.LEAKING, ASKED)
        added = Difference("body:$.pw", Change.ADDED, None, BCRYPT.decode())
        other = Difference("body:$.id", Change.VALUE, 1, 2)
        plain = Judgement(Verdict.FAILED, "x", None, "regression", Severity.LOW, (added, other))
        told = with_leak(plain, leaked, difference_of(leaked))
        assert [each.where for each in told.differences] == ["leak:a password hash", "body:$.id"]
        assert told.severity is Severity.HIGH
        assert BCRYPT.decode() not in str(told)
        trial = Trial(0, "GET /me", Kind.REGRESSION, None, told)
        assert [cause.where for cause in causes_of(trial)] == [("leak:a password hash",), ("body:$.id",)]
        assert fault_of("leak:a password hash") == "secret-leak"

    def test_that_passed_but_for_the_leak_have_failed(self) -> None:
        leaked = leak_between(self.LIVE, None, self.LEAKING, ASKED)
        told = with_leak(Judgement(Verdict.PASSED), leaked, difference_of(leaked))
        assert (told.verdict, told.severity) == (Verdict.FAILED, Severity.HIGH)

    def test_with_another_status_are_told_as_that(self) -> None:
        status = Difference("status", Change.VALUE, 200, 500)
        plain = Judgement(Verdict.FAILED, "x", None, "F100", Severity.HIGH, (status,))
        leaked = leak_between(self.LIVE, None, self.LEAKING, ASKED)
        assert with_leak(plain, leaked, difference_of(leaked)) is plain

    @pytest.mark.parametrize(
        ("live", "baseline"),
        [
            (LIVE, LEAKING),
            (LEAKING.response, None),
            (None, None),
            (LIVE, NoReply(Silence.RESET)),
        ],
        ids=["the baseline does so too", "live does", "nothing to hold it against", "no baseline's answer"],
    )
    def test_show_no_leak_that_others_show(self, live: Response | None, baseline: Any) -> None:
        assert leak_between(live, baseline, self.LEAKING, ASKED) is None

    def test_weigh_by_the_kind(self) -> None:
        for kind in Leak:
            found = severity_of("regression", [Difference(f"leak:{kind}", Change.ADDED, None, "x")])
            assert found is OF_FAULT[fault_of(f"leak:{kind}")]
