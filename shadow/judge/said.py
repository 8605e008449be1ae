"""What the answers of conversations amount to: DNS codes, how a WebSocket was closed."""

import re

from shadow.model import CONVERSATIONS, AnswerClass, Change, Difference, Reply
from shadow.wire.dns_message import parse
from shadow.wire.dns_records import code_name

_BROKEN_CODES = frozenset({"SERVFAIL"})
_BROKEN_CLOSES = frozenset({1002, 1007, 1011, 1014})
"""RFC 6455 §7.4.1: faults of whoever says so, or, of our frames, which were as recorded."""
_REJECTING_CLOSES = frozenset({1003, 1008, 1009, 1010})
_NO_CODE = 1005
_UNIX_TIME = re.compile(r"(?<![\w.])[1-3]\d{9}(?:\d{3})?(?:\.\d+)?(?![\w.])")
"""From 2001 to 2096."""


def class_of_dns(reply: Reply) -> AnswerClass:
    """By the code: SERVFAIL is a fault of the server, all others but NOERROR refuse (RFC 1035 §4.1.1)."""
    code = rcode(reply)
    if code in ("", "NOERROR"):
        return AnswerClass.SUCCESS
    return AnswerClass.BROKEN if code in _BROKEN_CODES else AnswerClass.REJECTED


def class_of_websocket(reply: Reply) -> AnswerClass:
    """By the code with which the server closed, if it did; its own codes, from 3000 on, say nothing here."""
    code = close_code(reply)
    if code in _BROKEN_CLOSES:
        return AnswerClass.BROKEN
    return AnswerClass.REJECTED if code in _REJECTING_CLOSES else AnswerClass.SUCCESS


def rcode(reply: Reply) -> str:
    """``"NXDOMAIN"``; empty where there is no answer to read."""
    for message in reply.messages[-1:]:
        read = parse(message.body)
        if not isinstance(read, str):
            return code_name(read, message.body)
    return ""


def close_code(reply: Reply) -> int | None:
    """The code of the server's close frame; 1005 where it has none, None where there is no such frame."""
    for message in reversed(reply.messages):
        if message.kind == "close":
            return int.from_bytes(message.body[:2]) if len(message.body) >= 2 else _NO_CODE
    return None


def is_clock(difference: Difference) -> bool:
    """Whether two texts, or numbers, differ in nothing but Unix times, in seconds or milliseconds."""
    left, right = difference.left, difference.right
    if difference.change is not Change.VALUE or isinstance(left, bool) or isinstance(right, bool):
        return False
    is_numbers = isinstance(left, int | float) and isinstance(right, int | float)
    if not is_numbers and not (isinstance(left, str) and isinstance(right, str)):
        return False
    ours, theirs = (_UNIX_TIME.sub("<time>", str(each)) for each in (left, right))
    return ours == theirs != str(left)


def words_of(reply: Reply) -> str:
    """How a conversation's answer is called, in place of a status; empty for HTTP."""
    if reply.response.status:
        return "" if reply.protocol == "http" else str(reply.response.status)
    if reply.protocol not in CONVERSATIONS:
        return ""
    return rcode(reply) or "answered"
