"""The same edit, longer or shorter: to see how what it costs grows with it."""

import re

import msgspec

from shadow.judge.minimise import new_text
from shadow.model import Request, field, with_field

_RUN = re.compile(rb"(.{1,4}?)\1{7,}", re.DOTALL)
"""A unit of a few bytes, eight times or more."""
_LENGTH_MAX = 1 << 18


def resized(edited: Request, plain: Request, factor: float) -> Request | None:
    """`edited` with the run that the edit brought in `factor` times as long; None where there is none."""
    if edited.body != plain.body:
        body = _stretched(plain.body, edited.body, factor)
        if body is None or field(edited.headers, b"transfer-encoding") is not None:
            return None
        headers = edited.headers
        if field(headers, b"content-length") is not None:
            headers = with_field(headers, b"Content-Length", b"%d" % len(body))
        return msgspec.structs.replace(edited, body=body, headers=headers)
    if edited.target != plain.target:
        target = _stretched(plain.target, edited.target, factor)
        return None if target is None else msgspec.structs.replace(edited, target=target)
    for at, (name, value) in enumerate(edited.headers):
        before = field(plain.headers, name) or b""
        if value != before and (longer := _stretched(before, value, factor)) is not None:
            headers = (*edited.headers[:at], (name, longer), *edited.headers[at + 1 :])
            return msgspec.structs.replace(edited, headers=headers)
    return None


def _stretched(before: bytes, after: bytes, factor: float) -> bytes | None:
    start, end = new_text(before, after)
    runs = list(_RUN.finditer(after[:_LENGTH_MAX], start, min(end, _LENGTH_MAX)))
    if not runs:
        return None
    run = max(runs, key=lambda each: each.end() - each.start())
    unit = run[1]
    count = round((run.end() - run.start()) / len(unit) * factor)
    if count < 1 or count * len(unit) > _LENGTH_MAX:
        return None
    return after[: run.start()] + unit * count + after[run.end() :]
