"""What an answer's body gives away: stack traces, database errors, broken JSON."""

import re

import orjson

from shadow.content import json
from shadow.content.coding import Fault
from shadow.content.entity import media_type, undone
from shadow.model import Response
from shadow.wire.grpc_status import call_message, is_call

_SCANNED_BYTES = 256 * 1024
_PARTIAL = 206
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
# every repetition is bounded: the candidate's bodies may be built to make a pattern backtrack
_LEAKS: dict[str, re.Pattern[bytes]] = {
    "a stack trace": re.compile(
        rb"Traceback \(most recent call last\)|File \\?\"[^\"\r\n]{1,200}\\?\", line \d{1,7}, in "
        rb"|(?:\n|\\n|>)[ \t]{0,40}at [\w$.<>]{1,200}\([\w$]{1,100}\.(?:java|kt|scala|groovy):\d{1,7}\)"
        rb"|(?:\n|\\n)[ \t]{0,40}at [^\r\n(]{1,120} \((?:/|file:|node:)[^\r\n)]{1,200}:\d{1,7}:\d{1,7}\)"
        rb"|(?:\n|\\n)[ \t]{0,40}at [\w.`<>]{1,200}\([^)\r\n]{0,200}\) in [^\r\n]{1,200}:line \d"
        rb"|goroutine \d{1,9} \[running\]|thread '[^'\r\n]{1,80}' panicked at"
        rb"|<b>(?:Fatal|Parse) error</b>:|\.rb:\d{1,7}:in [`']"
    ),
    "a database error": re.compile(
        rb"sqlite3?\.(?:Operational|Integrity|Programming)Error|near \\?\"[^\"\r\n]{0,80}\\?\": syntax error"
        rb"|unrecognized token: |You have an error in your SQL syntax|ORA-\d{5}:"
        rb"|syntax error at or near \\?\"|SQLSTATE\[|PG::\w+Error|psycopg2?\.errors"
        rb"|Unclosed quotation mark after"
        rb"|MongoServerError|com\.mysql\.jdbc|org\.postgresql\.util\.PSQLException"
    ),
}


def leak(answer: Response, control: Response | None) -> str | None:
    """What kind of inner detail `answer` shows that `control` does not; None for nothing."""
    body = _scanned(answer)
    for what, pattern in _LEAKS.items():
        if pattern.search(body) and not (control is not None and pattern.search(_scanned(control))):
            return what
    return None


def is_invalid_json(answer: Response, control: Response | None) -> bool:
    """Whether `answer` says that it is JSON and is not, while the control's JSON is sound."""
    if not _is_broken_json(answer):
        return False
    return control is None or not _is_broken_json(control)


def _is_broken_json(response: Response) -> bool:
    kind = media_type(response.headers)
    if not (kind == b"application/json" or kind.endswith(b"+json")) or not response.is_complete:
        return False
    if response.status == _PARTIAL:
        return False  # a part of JSON, as it was asked for
    found = undone(response)
    if found.fault in (Fault.UNKNOWN, Fault.TOO_LARGE) or not found.body:
        return False  # nothing is known of it; HEAD, 304 and 204 carry none
    return not _is_json(found.body)


def _is_json(body: bytes) -> bool:
    """Whether it is JSON by RFC 8259, which allows what orjson refuses: lone surrogates (§8.2), any depth."""
    for text in (body, _SURROGATE.sub(rb"\\u0041", body)):
        try:
            orjson.loads(text)
        except orjson.JSONDecodeError as error:
            is_deep = "depth limit" in str(error).lower()
        else:
            return True
    return is_deep and (len(body) > json.MAX_BYTES or json.parse(body) is not None)


def _scanned(response: Response) -> bytes:
    if is_call(response):
        return call_message(response)[:_SCANNED_BYTES]
    return undone(response).body[:_SCANNED_BYTES]
