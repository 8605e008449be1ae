"""What shows by one answer alone that text was obeyed as code."""

import pytest

from shadow.judge.evidence import Evidence
from shadow.judge.obeyed import obeyed, shows
from shadow.judge.oracle import judge
from shadow.model import (
    Expect,
    Level,
    NoReply,
    Outcome,
    Reply,
    Response,
    Severity,
    Shows,
    Sign,
    Silence,
    Verdict,
)

PLAIN = Reply(Response(200, headers=((b"Content-Type", b"text/html"),), body=b"<p>hello</p>"))


def answer(body: bytes, kind: bytes = b"text/html; charset=utf-8", *more: tuple[bytes, bytes]) -> Response:
    return Response(200, headers=((b"Content-Type", kind), *more), body=body)


def sign(where: Shows, word: bytes = b"") -> Sign:
    return Sign(where, "F201", "it was obeyed", word)


@pytest.mark.parametrize(
    ("body", "is_obeyed"),
    [
        (b"<p>Results for <sh12></p>", True),
        (b'<input value="" sh12="1">', True),
        (b"<SH12>", True),
        (b"<p>&lt;sh12&gt;</p>", False),
        (b'<input value="<sh12>">', False),
        (b"<!-- <sh12> -->", False),
        (b"<script>var a = '<sh12>'</script>", False),
        (b"<style>sh12 {}</style>", False),
        (b"<textarea><sh12></textarea>", False),
        (b"<textarea></textarea><sh12>", True),
        (b"<title>a <sh12></title>", False),
        (b"<p>sh12</p>", False),
    ],
    ids=[
        *("text", "attribute", "upper", "escaped", "in value", "comment", "script", "style", "textarea"),
        *("after textarea", "title", "word"),
    ],
)
def test_markup_counts_where_a_browser_makes_an_element_of_it(body: bytes, *, is_obeyed: bool) -> None:
    assert shows(sign(Shows.ELEMENT, b"sh12"), answer(body)) is is_obeyed


@pytest.mark.parametrize("kind", [b"application/json", b"text/plain", b""])
def test_markup_in_what_is_no_page_is_text(kind: bytes) -> None:
    assert not shows(sign(Shows.ELEMENT, b"sh12"), answer(b"<sh12>", kind))


@pytest.mark.parametrize(
    ("body", "is_obeyed"),
    [(b"= 1234", True), (b'"1234"', True), (b"12345", False), (b"91234", False), (b"0.1234", False)],
)
def test_a_product_counts_as_a_whole_number(body: bytes, *, is_obeyed: bool) -> None:
    assert shows(sign(Shows.NUMBER, b"1234"), answer(body)) is is_obeyed


@pytest.mark.parametrize(
    ("where", "response", "is_obeyed"),
    [
        (Shows.FIELD, answer(b"", b"text/plain", (b"SH12", b"1")), True),
        (Shows.FIELD, answer(b"sh12: 1", b"text/plain", (b"X", b"sh12: 1")), False),
        (Shows.FILE, answer(b"root:x:0:0:root:/root:/bin/bash\n"), True),
        (Shows.FILE, answer(b'{"file":"root:x:0:0:root:/root:/bin/bash\\n"}'), True),
        (Shows.FILE, answer(b"/etc/passwd: no such file"), False),
        (Shows.CALL, answer(b"dial tcp 127.0.0.1:1: connect: connection refused"), True),
        (Shows.CALL, answer(b"that address is not allowed"), False),
    ],
    ids=["field", "in a value", "passwd", "passwd in json", "path", "refused", "denied"],
)
def test_fields_files_and_calls(where: Shows, response: Response, *, is_obeyed: bool) -> None:
    assert shows(sign(where, b"sh12"), response) is is_obeyed


def evidence(found: Outcome, control: Outcome = PLAIN, baseline: Outcome | None = None) -> Evidence:
    return Evidence(
        Expect.SURVIVE,
        Level.BODY,
        found,
        control,
        baseline,
        None if baseline is None else PLAIN,
        sign=sign(Shows.ELEMENT, b"sh12"),
    )


def test_what_the_control_shows_too_is_no_sign() -> None:
    marked = Reply(answer(b"<sh12>"))
    assert obeyed(evidence(marked, marked)) is None
    assert obeyed(evidence(NoReply(Silence.RESET))) is None


def test_what_was_obeyed_comes_before_what_broke_and_the_live_release_weighs_in() -> None:
    broken = Reply(Response(500, headers=((b"Content-Type", b"text/html"),), body=b"<sh12>"))
    alone = judge(evidence(broken))
    assert (alone.verdict, alone.fault, alone.severity) == (Verdict.FAILED, "F201", Severity.HIGH)
    both = judge(evidence(Reply(answer(b"<sh12>")), baseline=Reply(answer(b"<sh12>"))))
    assert both.severity is Severity.MEDIUM
    assert "the live release does the same" in both.why


def test_a_page_without_end_or_sense_is_read_through() -> None:
    for body in (b"<" * 50_000, b"<sh12 " + b"a=" * 50_000, b"<!" + b"sh12" * 1_000, b"\xff<sh12\x00"):
        shows(sign(Shows.ELEMENT, b"sh12"), answer(body))


def test_a_page_that_opens_and_never_closes_is_not_read_to_its_end() -> None:
    sign = Sign(Shows.ELEMENT, "F201", "markup", b"shabc")
    headers = ((b"Content-Type", b"text/html"),)
    assert shows(sign, Response(200, headers=headers, body=b"<p><shabc></p>"))
    assert not shows(sign, Response(200, headers=headers, body=b"<a " * 20_000 + b"shabc"))
