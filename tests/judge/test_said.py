"""What the answers of conversations amount to."""

import dns.message
import dns.rcode
import pytest

from shadow.judge.classes import classify, status_text
from shadow.judge.said import is_clock
from shadow.model import NO_RESPONSE, AnswerClass, Change, Difference, Message, Reply, Response


def dns_reply(code: str) -> Reply:
    made = dns.message.make_response(dns.message.make_query("a.example", "A", use_edns=True))
    made.set_rcode(dns.rcode.from_text(code))
    return Reply(NO_RESPONSE, protocol="dns", messages=(Message(False, made.to_wire(), 0.0),))


def closed(code: int | None) -> Reply:
    body = b"" if code is None else code.to_bytes(2)
    return Reply(Response(101), protocol="websocket", messages=(Message(False, body, 0.0, "close"),))


@pytest.mark.parametrize(
    ("reply", "expected", "words"),
    [
        (dns_reply("NOERROR"), AnswerClass.SUCCESS, "NOERROR"),
        (dns_reply("NXDOMAIN"), AnswerClass.REJECTED, "NXDOMAIN"),
        (dns_reply("SERVFAIL"), AnswerClass.BROKEN, "SERVFAIL"),
        (dns_reply("BADVERS"), AnswerClass.REJECTED, "BADVERS"),
        (closed(1000), AnswerClass.SUCCESS, "101"),
        (closed(None), AnswerClass.SUCCESS, "101"),
        (closed(1008), AnswerClass.REJECTED, "101"),
        (closed(1011), AnswerClass.BROKEN, "101"),
        (closed(4001), AnswerClass.SUCCESS, "101"),
        (Reply(Response(403), protocol="websocket"), AnswerClass.REJECTED, "403"),
        (Reply(Response(503), protocol="websocket"), AnswerClass.BROKEN, "503"),
        (Reply(NO_RESPONSE, protocol="tcp"), AnswerClass.SUCCESS, "answered"),
        (Reply(NO_RESPONSE, protocol="udp"), AnswerClass.SUCCESS, "answered"),
        (Reply(Response(200)), AnswerClass.SUCCESS, "200"),
    ],
)
def test_answers_have_a_class_and_a_word(reply: Reply, expected: AnswerClass, words: str) -> None:
    assert (classify(reply), status_text(reply)) == (expected, words)


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (":1795397641", ":1795397700", True),
        ("at 1795397641.25 ok", "at 1795397700.5 ok", True),
        ("1795397641250", "1795397700500", True),
        (":1795397641", ":-1", False),
        ("a", "b", False),
        ("17953976411", "17953976422", False),
        (1795397641, 1795397700, True),
        (1795397641.25, 1795397700.5, True),
        (1795397641, 5, False),
        (0.25, 0.5, False),
        (True, False, False),
        (1795397641, "1795397700", False),
    ],
)
def test_texts_that_differ_in_the_time_alone_are_known(left: object, right: object, expected: bool) -> None:
    assert is_clock(Difference("message[0]:line[0]", Change.VALUE, left, right)) is expected
