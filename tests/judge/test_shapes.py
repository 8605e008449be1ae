"""Kinds of values, patterns of places, and what an answer gives away."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.judge import leaks
from shadow.judge.places import is_within, name, parent, template
from shadow.judge.severity import is_at_least, of_difference, severity_of
from shadow.judge.shapes import masked, moment, token_shape
from shadow.model import Change, Difference, Response, Severity


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("status", "status"),
        ("header:vary[origin]", "header:vary[origin]"),
        ("header:set-cookie[sid].httponly", "header:set-cookie[sid].httponly"),
        ("body:$", "body:$"),
        ("body:$.items[3].tags[0]", "body:$.items[].tags[]"),
        ("body:$.rates{EUR}.value", "body:$.rates.{id}.value"),
        ("body:$.by_id.4711.name", "body:$.by_id.{id}.name"),
        ("body:$.by_id.7c9e6679-7425-40de-944b-e07fc1f90ae7", "body:$.by_id.{id}"),
        ('body:$["7c9e6679 x 0000"].name', "body:$.{id}.name"),
        ('body:$["odd name"].x', 'body:$["odd name"].x'),
        ("body:$.vm_0f3a9c1b.name", "body:$.{id}.name"),
        ("body:$.sha256.md5.x509", "body:$.sha256.md5.x509"),
        ("body:$.address_line_1", "body:$.address_line_1"),
        ("body:line[12].load", "body:line[].load"),
    ],
)
def test_a_template_has_neither_positions_nor_ids(where: str, expected: str) -> None:
    assert template(where) == expected
    assert template(expected) == expected


@pytest.mark.parametrize(
    ("where", "its_name", "its_parent"),
    [
        ("body:$.items[3].price", "price", "body:$.items[3]"),
        ("body:$.items[3]", "items", "body:$"),
        ("header:etag", "etag", "header:etag"),
        ("header:set-cookie[sid]", "sid", "header:set-cookie[sid]"),
        ("header:set-cookie[sid].expires", "expires", "header:set-cookie[sid]"),
        ('body:$["odd name"]', "odd name", "body:$"),
        ("body:$", "$", "body:$"),
    ],
)
def test_a_place_has_a_name_and_a_parent(where: str, its_name: str, its_parent: str) -> None:
    assert (name(where), parent(where)) == (its_name, its_parent)


@pytest.mark.parametrize(
    ("where", "outer", "expected"),
    [
        ("body:$.a.b", "body:$.a", True),
        ("body:$.ab", "body:$.a", False),
        ("body:$.a[0]", "body:$.a", True),
        ("body:$.a", "body", True),
        ("header:x", "body", False),
        ("body:$.a", "body:$.a", True),
        ("body:$.a", "body:$.a.b", False),
    ],
)
def test_places_are_within_others(where: str, outer: str, expected: bool) -> None:
    assert is_within(where, outer) is expected


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("1970-01-02T00:00:00Z", 86400.0),
        ("1970-01-02T00:00:00+01:00", 82800.0),
        ("1970-01-02 00:00:00", 86400.0),
        ("1970-01-02T00:00:00.5", 86400.5),
        ("1970-01-02T00:00:00.123456789Z", 86400.123456),
        ("Fri, 02 Jan 1970 00:00:00 GMT", 86400.0),
        ("19700102T000000Z", 86400.0),
    ],
)
def test_a_timestamp_is_recognised_in_many_forms(text: str, at: float) -> None:
    found = moment(text)
    assert found is not None
    assert found.at == pytest.approx(at, abs=1e-6)


FORMS = [
    "2024-05-01T10:00:00Z",
    "2024-05-01T10:00:00z",
    "2024-05-01T10:00:00",
    "2024-05-01T10:00:00+00:00",
    "2024-05-01T10:00:00+0000",
    "2024-05-01 10:00:00",
    "2024-05-01T10:00:00.123Z",
    "2024-05-01T10:00:00.123456Z",
    "Wed, 01 May 2024 10:00:00 GMT",
    "Wed, 01 May 2024 10:00:00 +0000",
    "20240501T100000Z",
]


def test_every_form_of_a_timestamp_is_another_one() -> None:
    forms = [found.form for text in FORMS if (found := moment(text))]
    assert len(set(forms)) == len(FORMS)


@pytest.mark.parametrize(
    "text", ["2024-05-01", "10:00:00", "2024-13-01T10:00:00Z", "2024-05-01T10:00", "x" * 30, ""]
)
def test_other_texts_are_no_timestamps(text: str) -> None:
    assert moment(text) is None


@pytest.mark.parametrize(
    ("value", "at_name", "form"),
    [
        (1714557600, "created_at", "seconds"),
        (1714557600000, "createdAt", "milliseconds"),
        (1714557600.25, "timestamp", "seconds"),
        (1714557600, "memory_bytes", None),
        (12, "created_at", None),
        (True, "created_at", None),
    ],
)
def test_a_number_is_a_timestamp_only_by_name_and_size(value: float, at_name: str, form: str | None) -> None:
    found = moment(value, at_name)
    assert (found.form if found else None) == form


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("9f86d081884c7d65", "a3bf4f1b2b0b822c", True),
        ("9f86d081884c7d65", "A3BF4F1B2B0B822C", False),
        ("9f86d081884c7d65", "a3bf4f1b2b0b82", False),
        ("req_9f86d081", "req_a3bf4f1b", True),
        ("req_9f86d081", "res_a3bf4f1b", False),
        ("eyJhbGciOiJIUzI1NiJ9.e30.abc", "eyJhbGciOiJIUzI1NiJ9.e31.abdddd", True),
        ("eyJhbGciOiJIUzI1NiJ9.e30.abc", "eyJhbGciOiJub25lIn0.e30.abc", False),
        ("V1StGXR8Z5jdHi6BmyT", "Zk3mNp8QwErTy5UiOpL", True),
    ],
)
def test_tokens_of_one_source_have_one_shape(one: str, other: str, is_same: bool) -> None:
    assert token_shape(one) is not None
    assert (token_shape(one) == token_shape(other)) is is_same


@pytest.mark.parametrize(
    "text",
    [
        "STARTED",
        "ubuntu-22-04-lts",
        "m5.2xlarge",
        "2.10.3",
        "deadbeef",
        "hello world",
        "CamelCaseName",
        "12345678",
        "eu-west-1a",
        "",
    ],
)
def test_names_are_no_tokens(text: str) -> None:
    assert token_shape(text) is None


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ('value="IjU4Mz9kZmY1Yz4xMTg0" x', 'value="Qm9iM2xhMTkzOGZhc2Rm" x', True),
        ("id 9f86d0818 gone", "id a3bf4f1b2 gone", True),
        ("id 9f86d0818 gone", "id a3bf4f1b2 lost", False),
        ("a-rather-long-name-of-a-thing", "a-rather-long-name-of-a-think", False),
        (
            "https://docs.example/errors/NotFoundInThisPlace",
            "https://docs.example/errors/NotFoundInThatPlace",
            False,
        ),
        ("at 2024-05-01T10:00:00Z", "at 2024-05-01 10:00:00", False),
    ],
)
def test_tokens_within_text_are_masked_and_words_are_not(one: str, other: str, is_same: bool) -> None:
    assert (masked(one) == masked(other)) is is_same


def test_texts_are_masked_by_what_stands_in_them() -> None:
    text = "http://a:80/x/7c9e6679-7425-40de-944b-e07fc1f90ae7 9f86d081884c at 2024-05-01T10:00:00Z"
    assert masked(text, ["a:80"]) == "http://<own>/x/<uuid> <hex:12> at <iso:T:0:Z>"


@given(st.text(max_size=60), st.text(max_size=20))
def test_no_text_is_too_odd(text: str, at_name: str) -> None:
    moment(text, at_name)
    token_shape(text)
    assert isinstance(masked(text), str)
    assert template(template(text)) == template(text) or "{" in text or '"' in text


def answer(body: Any, kind: bytes = b"application/json") -> Response:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(500, headers=((b"Content-Type", kind),), body=raw)


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b'Traceback (most recent call last):\n  File "/a.py", line 3, in f', "a stack trace"),
        (b'{"e":"File \\"/srv/app.py\\", line 3, in handle"}', "a stack trace"),
        (b"java.lang.X: y\n\tat com.x.Y.z(Y.java:12)", "a stack trace"),
        (b"Error: x\n    at f (/srv/app.js:10:5)", "a stack trace"),
        (b"panic: x\n\ngoroutine 1 [running]:", "a stack trace"),
        (b"thread 'main' panicked at src/main.rs:4", "a stack trace"),
        (b"   at A.B(String c) in C:\\x.cs:line 5".replace(b"   ", b"\n   ", 1), "a stack trace"),
        (b"<b>Fatal error</b>: x", "a stack trace"),
        (b'sqlite3.OperationalError: near "x": syntax error', "an error in a query"),
        (b'{"e":"near \\"FROM\\": syntax error"}', "an error in a query"),
        (b"ORA-00933: SQL command not properly ended", "an error in a query"),
        (b"ORA-01722: invalid number", "a database error"),
        (b'ERROR: syntax error at or near "x"', "an error in a query"),
        (b"SQLSTATE[42000]", "an error in a query"),
        (b"SQLSTATE[HY000]", "a database error"),
        (b'{"error":"internal error at noon"}', None),
        (b'{"error":"look at (the) manual: line 3"}', None),
    ],
)
def test_what_leaks_is_recognised(body: bytes, what: str | None) -> None:
    found = leaks.leak(answer(body), None)
    assert (found and found.leak) == what
    assert leaks.leak(answer(body), answer(body)) is None


@pytest.mark.parametrize(
    "piece",
    [
        b"\n",
        b"\n ",
        b"at ",
        b"\n\tat a",
        b"\\n",
        b'File "',
        b"thread '",
        b'near "',
        b">",
        b"a.b.",
        b"(/",
        b"0x1a",
    ],
)
def test_a_body_built_to_make_patterns_backtrack_costs_little(piece: bytes) -> None:
    body = piece * (400_000 // len(piece))
    assert leaks.leak(answer(body), None) is None
    text = body[:2048].decode()
    assert token_shape(text + "!") is None
    assert isinstance(masked(text), str)
    assert isinstance(template("body:$." + text[:80]), str)


@pytest.mark.parametrize(
    ("response", "control", "expected"),
    [
        (answer(b'{"a":NaN}'), None, True),
        (answer(b'{"a":1}'), None, False),
        (answer(b'{"a":NaN}'), answer(b"oops"), False),
        (answer(b"oops", b"text/plain"), None, False),
        (answer(b""), None, False),
        (answer(b'{"a":1', b"application/problem+json"), None, True),
        (Response(206, headers=((b"Content-Type", b"application/json"),), body=b"{"), None, False),
        (answer(b'["\\ud800"]'), None, False),
        (answer(b'["\\ud8"]'), None, True),
        (answer(b"[" * 2_000 + b"]" * 2_000), None, False),
        (answer(b"[" * 2_000 + b"]" * 1_999), None, True),
    ],
)
def test_json_that_is_none_is_recognised(
    response: Response, control: Response | None, expected: bool
) -> None:
    assert leaks.is_invalid_json(response, control) is expected


@pytest.mark.parametrize(
    ("difference", "expected"),
    [
        (Difference("status", Change.VALUE, 200, 404), Severity.HIGH),
        (Difference("status", Change.VALUE, 409, 400), Severity.MEDIUM),
        (Difference("status", Change.VALUE, 200, "timed out"), Severity.HIGH),
        (Difference("body:$.a", Change.MISSING, 1), Severity.HIGH),
        (Difference("body:$.a", Change.TYPE, 1, "1"), Severity.HIGH),
        (Difference("body:$.a", Change.VALUE, 1, 2), Severity.MEDIUM),
        (Difference("body:$.a", Change.ADDED, None, 2), Severity.LOW),
        (Difference("header:vary", Change.MISSING, "a"), Severity.MEDIUM),
        (Difference("header:vary", Change.ADDED, None, "a"), Severity.LOW),
        (Difference("body:$.items", Change.LENGTH, 3, 2), Severity.MEDIUM),
        (Difference("body:$.items", Change.ORDER, [1, 2], [2, 1]), Severity.MEDIUM),
        (Difference("body:$.a", Change.VALUE, "a b", " a  b\n"), Severity.LOW),
        (Difference("body:$.a", Change.VALUE, "a b", "A b"), Severity.MEDIUM),
        (Difference("reason", Change.VALUE, "OK", "Fine"), Severity.LOW),
        (Difference("surplus", Change.ADDED, None, "3 bytes"), Severity.MEDIUM),
    ],
)
def test_severity_follows_the_table(difference: Difference, expected: Severity) -> None:
    assert of_difference(difference) is expected
    assert severity_of("regression", [difference]) is expected


def test_severities_have_an_order() -> None:
    assert is_at_least(Severity.HIGH, Severity.MEDIUM)
    assert is_at_least(Severity.LOW, Severity.LOW)
    assert not is_at_least(Severity.LOW, Severity.MEDIUM)
