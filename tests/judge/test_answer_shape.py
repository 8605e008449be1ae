"""Two answers of one shape tell the same."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.judge.answer_shape import answer_shape
from shadow.model import NO_RESPONSE, Message, NoReply, Outcome, Reply, Response, Silence

JSON = ((b"Content-Type", b"application/json; charset=utf-8"),)


def answer(status: int, body: bytes = b"", kind: bytes = b"application/json") -> Reply:
    return Reply(Response(status, headers=((b"Content-Type", kind),), body=body))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (answer(200, b'{"id":1,"b":"x"}'), answer(200, b'{"b":"yy", "id":22}')),
        (answer(200, b'{"a":[{"b":1}]}'), answer(200, b'{"a":[{"b":1},{"b":2}]}')),
        (answer(200, b'{"u":{"7f3":1}}'), answer(200, b'{"u":{"9c1":1}}')),
        (answer(400, b'{"error":"no such name: x1"}'), answer(400, b'{"error":"no such name: \'y\'"}')),
        (answer(500, b"Traceback: 17", b"text/plain"), answer(500, b"Traceback: 99", b"text/plain")),
        (answer(200, b"x" * 65, b"text/plain"), answer(200, b"y" * 100, b"text/plain")),
        (NoReply(Silence.CLOSED, "a"), NoReply(Silence.CLOSED, "b")),
    ],
    ids=[
        "values and order",
        "longer array",
        "ids for keys",
        "value complained of",
        "numbers",
        "text",
        "silence",
    ],
)
def test_values_do_not_count(one: Outcome, other: Outcome) -> None:
    assert answer_shape(one) == answer_shape(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (answer(200, b"{}"), answer(201, b"{}")),
        (answer(200, b'{"a":1}'), answer(200, b'{"a":"1"}')),
        (answer(200, b'{"a":true}'), answer(200, b'{"a":1}')),
        (answer(200, b'{"a":1}'), answer(200, b'{"a":1,"b":2}')),
        (answer(200, b'{"a":[]}'), answer(200, b'{"a":[1]}')),
        (answer(400, b'{"error":"name is missing"}'), answer(400, b'{"error":"name is too long"}')),
        (answer(200, b"x", b"text/plain"), answer(200, b"x", b"text/html")),
        (answer(200), NoReply(Silence.CLOSED)),
        (NoReply(Silence.TIMED_OUT), NoReply(Silence.CLOSED)),
    ],
    ids=["status", "type", "boolean", "member", "empty", "error's text", "media type", "silence", "silences"],
)
def test_structure_status_and_texts_of_errors_count(one: Outcome, other: Outcome) -> None:
    assert answer_shape(one) != answer_shape(other)


@given(st.binary(max_size=300), st.sampled_from([200, 400, 503]), st.sampled_from([b"", b"gzip", b"br"]))
def test_any_bytes_have_a_shape(body: bytes, status: int, coding: bytes) -> None:
    headers = (*JSON, *(((b"Content-Encoding", coding),) if coding else ()))
    made = Reply(Response(status, headers=headers, body=body))
    assert 0 <= answer_shape(made) == answer_shape(made) < 2**32


def test_conversations_have_shapes() -> None:
    def talk(*bodies: bytes) -> Reply:
        return Reply(
            NO_RESPONSE, protocol="tcp", messages=tuple(Message(False, each, 0.0) for each in bodies)
        )

    assert answer_shape(talk(b"hello")) == answer_shape(talk(b"world"))
    assert len({answer_shape(each) for each in (talk(), talk(b"hello"), talk(b"h" * 99))}) == 3


def test_deep_document_is_no_trouble() -> None:
    assert answer_shape(answer(200, b"[" * 900 + b"]" * 900)) == answer_shape(
        answer(200, b"[" * 99 + b"]" * 99)
    )


def test_shape_is_the_same_in_every_process() -> None:
    """Workers tell each other of shapes; hashes of texts differ between processes."""
    code = (
        "from shadow.judge.answer_shape import answer_shape; from shadow.model import *;"
        'print(answer_shape(Reply(Response(200, body=b\'{"a":[1],"b":{}}\'))))'
    )
    said = {
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout for _ in "ab"
    }
    assert said == {b"%d\n" % answer_shape(Reply(Response(200, body=b'{"a":[1],"b":{}}')))}
