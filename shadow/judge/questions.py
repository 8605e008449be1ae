"""What the answers to an edit and its twins say together: whether text is obeyed as code."""

import html
import json
from urllib.parse import quote, quote_plus

from msgspec.structs import replace

from shadow.content.entity import undone
from shadow.judge.classes import classify
from shadow.judge.evidence import failed
from shadow.model import AnswerClass, Expect, Judgement, Outcome, Question, Reply, Twin, field

_ANSWERED = frozenset({AnswerClass.SUCCESS, AnswerClass.REDIRECT})
_FULL = 0.8
"""So much of a delay at least is seen of it where it is obeyed."""
_NONE = 0.3
"""So much of a delay at most is seen without it: a busy machine."""
_LONGER = 1.25
"""So much may the ratio of two delays be exceeded by what they took: each may be obeyed once per row."""


def is_answered(outcome: Outcome | None) -> bool:
    """Whether it is an answer that another can be held against."""
    return isinstance(outcome, Reply) and classify(outcome) in _ANSWERED


def tells(outcome: Outcome | None) -> bool:
    """Whether it is an answer of the service at all: not silence, nor a rate limit."""
    return isinstance(outcome, Reply) and outcome.response.status != 429


def without_echo(outcome: Outcome, text: str, was: str) -> Outcome:
    """`outcome` as it would be had it echoed `was` wherever it echoes `text`, reduced to status and body.

    What services echo they write as it came, or as JSON, HTML, a URL or a form has it.
    """
    if not isinstance(outcome, Reply):
        return outcome
    body = undone(outcome.response).body
    if text:
        for spelled, before in sorted(set(zip(_spelled(text), _spelled(was), strict=True)), reverse=True):
            body = body.replace(spelled, before)
    kind = field(outcome.response.headers, b"content-type")
    headers = () if kind is None else ((b"Content-Type", kind),)
    return replace(outcome, response=replace(outcome.response, headers=headers, body=body))


def waited(outcome: Outcome | None, control: Outcome | None) -> float | None:
    """Seconds that `outcome` took beyond `control`, what our own network conditions added left out."""
    if not isinstance(outcome, Reply) or not isinstance(control, Reply):
        return None
    return _seconds(outcome) - _seconds(control)


def is_delayed(seconds: float | None, delay_seconds: float) -> bool:
    """Whether an answer so much later than the control obeyed such a delay."""
    return seconds is not None and seconds >= _FULL * delay_seconds


def waits_as_told(first: float, delay_seconds: float, twin: Twin, seconds: float | None) -> bool:
    """Whether `twin` was waited for as its delay says, where the edit's own delay took `first` seconds."""
    if seconds is None:
        return False
    if not twin.delay_seconds:
        return seconds <= _NONE * delay_seconds
    ratio = twin.delay_seconds / delay_seconds
    return is_delayed(seconds, twin.delay_seconds) and (ratio / _LONGER <= seconds / first <= ratio * _LONGER)


def found(question: Question, *, is_on_both: bool) -> Judgement:
    """The finding that a question's answers showed every time."""
    return failed(question.fault, question.what, Expect.SURVIVE, is_on_both=is_on_both)


def _seconds(outcome: Reply) -> float:
    return outcome.timing.total_seconds - outcome.timing.held_seconds


def _spelled(text: str) -> tuple[bytes, ...]:
    """`text` in the forms in which services echo it, always in the same order."""
    plain = text.encode("utf-8", "surrogatepass")
    escaped = html.escape(text)
    return (
        plain,
        json.dumps(text, ensure_ascii=False)[1:-1].encode("utf-8", "surrogatepass"),
        json.dumps(text)[1:-1].encode(),
        escaped.encode("utf-8", "surrogatepass"),
        escaped.replace("&#x27;", "&#39;").replace("&quot;", "&#34;").encode("utf-8", "surrogatepass"),
        escaped.replace("&#x27;", "&#39;").encode("utf-8", "surrogatepass"),
        json.dumps(text)
        .replace("<", "\\u003c")
        .replace(">", "\\u003e")
        .replace("&", "\\u0026")[1:-1]
        .encode(),
        json.dumps(text)
        .replace("<", "\\u003c")
        .replace(">", "\\u003e")
        .replace("&", "\\u0026")
        .replace("'", "\\u0027")[1:-1]
        .encode(),
        quote(plain, safe="").encode(),
        quote(plain).encode(),
        quote_plus(plain).encode(),
    )
