"""How many requests were hidden behind one, by the answers that followed its own."""

import pytest

from shadow.judge import further_answers
from shadow.model import NoReply, Outcome, Reply, Response, Silence

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
MISSING = b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n"
BAD = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\nwhat?"
OPEN_END = b"HTTP/1.1 200 OK\r\n\r\nto the end"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"


@pytest.mark.parametrize(
    ("surplus", "count"),
    [
        (b"", 0),
        (OK, 1),
        (MISSING, 1),
        (OK + MISSING, 2),
        (BAD, 0),
        (OK + BAD, 1),
        (OPEN_END, 1),
        (OK[:-1], 1),
        (OK[:9], 0),
        (b"<html>", 0),
        (OK + b"\x00\x01", 1),
    ],
    ids=[
        "nothing",
        "one",
        "one that finds nothing",
        "two",
        "a refusal of what is no request",
        "one, then such a refusal",
        "one to the end of the connection",
        "one cut short",
        "the beginning of a head",
        "no HTTP",
        "one, then no HTTP",
    ],
)
def test_answers_to_hidden_requests_are_counted(surplus: bytes, count: int) -> None:
    assert further_answers(Reply(Response(200), surplus=surplus)) == count


def test_answers_that_follow_a_head_request_have_no_body() -> None:
    assert further_answers(Reply(Response(200), surplus=HEAD + HEAD), b"HEAD") == 2


@pytest.mark.parametrize("outcome", [NoReply(Silence.CLOSED), NoReply(Silence.TIMED_OUT)])
def test_nothing_follows_silence(outcome: Outcome) -> None:
    assert further_answers(outcome) == 0
