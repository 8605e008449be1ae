"""What the settings say of answers: which amount to a success, which to a refusal."""

import re
from fnmatch import fnmatchcase
from typing import Any

import msgspec
import orjson

from shadow.content.entity import entity
from shadow.errors import ConfigError
from shadow.judge.envelope import shown
from shadow.model import AnswerClass, Reading, Request, Response, fields

_MAX_TEXT = 256
"""A pattern is held against so many characters of a value: what says how it went is short."""
_MAX_BODY_BYTES = 4 * 1024 * 1024
_STEP = re.compile(r"""\.([^.\[\]]+)|\[(\d*)\]""")
_MAX_ITEMS = 200
_HUNDREDS = re.compile(r"[1-5]xx")

type Scalar = str | int | float | bool | None


class SuccessRule(msgspec.Struct, frozen=True):
    """Which answers a rule is about: all that is given must hold."""

    endpoint: str = ""
    """``"METHOD path-glob"``; empty for all."""
    status: tuple[str, ...] = ()
    """``"200"`` or ``"2xx"``; empty for the successful ones."""
    place: str = ""
    """``"body:$.code"``, ``"header:x-error"``; empty for the status alone."""
    values: tuple[Scalar, ...] = ()
    pattern: re.Pattern[str] | None = None
    """What stands at the place; without either it is enough that there is something."""

    def concerns(self, request: Request, response: Response) -> bool:
        """Whether the rule is about this endpoint and status."""
        if self.endpoint and not fnmatchcase(_line(request), self.endpoint):
            return False
        text = str(response.status)
        if not self.status:
            return text.startswith("2")
        return any(text == each or (each.endswith("xx") and text[0] == each[0]) for each in self.status)

    def holds(self, response: Response) -> str | None:
        """What the answer says at the place, where that is as the rule has it; else None."""
        if not self.place:
            return f"status {response.status}"
        found = _found(response, self.place)
        for each in found:
            if self._is_meant(each):
                return f"{self.place.partition(':')[2].removeprefix('$.')}={shown(each)}"
        return None

    def _is_meant(self, value: Any) -> bool:
        if self.pattern is not None:
            return self.pattern.search(_text(value)[:_MAX_TEXT]) is not None
        return not self.values or any(_is_same(value, each) for each in self.values)


class SuccessRules(msgspec.Struct, frozen=True):
    """The rules of a run. What is refused goes first, then what is a success; what a success's rule is about,
    and none of them holds for, is refused."""

    rejected: tuple[SuccessRule, ...] = ()
    success: tuple[SuccessRule, ...] = ()

    def reading(self, request: Request, response: Response) -> Reading | None:
        """What the settings make of an answer; None where they say nothing of it."""
        for rule in self.rejected:
            if rule.concerns(request, response) and (said := rule.holds(response)):
                return Reading(AnswerClass.REJECTED, f"judge.rejected: {said}")
        about = [rule for rule in self.success if rule.concerns(request, response)]
        for rule in about:
            if said := rule.holds(response):
                return Reading(AnswerClass.SUCCESS, f"judge.success: {said}")
        return Reading(AnswerClass.REJECTED, "no rule of judge.success holds") if about else None


def success_rule(
    key: str,
    *,
    endpoint: str,
    status: tuple[str | int, ...],
    at: str,
    value: tuple[Scalar, ...],
    pattern: str,
) -> SuccessRule:
    """A rule of the settings, called `key` there. Raises ConfigError for what means nothing."""
    if endpoint and not re.match(r"[A-Z*?\[][^ ]* [/*?\[]", endpoint) and endpoint != "*":
        raise ConfigError(f"{key}.endpoint is {endpoint!r}: write a method and a path, as 'POST /api/*'")
    codes = tuple(map(str, status))
    for code in codes:
        if not _HUNDREDS.fullmatch(code) and not (code.isdigit() and 100 <= int(code) <= 599):
            raise ConfigError(f"{key}.status is {code!r}: write a status as 200, or '2xx'")
    if not at and not codes:
        raise ConfigError(f"{key} says neither at nor status, so that it would be about every answer")
    if not at and (value or pattern):
        raise ConfigError(f"{key} has a value and no place: say at = 'body:$.code' or 'header:NAME'")
    if value and pattern:
        raise ConfigError(f"{key} has both value and pattern; keep one")
    return SuccessRule(endpoint, codes, _place(key, at), value, _compiled(key, pattern))


def _place(key: str, at: str) -> str:
    """A place as differences have it; a JSON pointer (RFC 6901) becomes one."""
    if at.startswith("/"):
        words = (each.replace("~1", "/").replace("~0", "~") for each in at[1:].split("/"))
        return "body:$" + "".join(f"[{each}]" if each.isdigit() else f".{each}" for each in words)
    if at.startswith("$"):
        at = f"body:{at}"
    part, _, rest = at.partition(":")
    is_path = part == "body" and rest.startswith("$") and _STEP.sub("", rest[1:]) == ""
    if at and not is_path and not (part == "header" and rest):
        raise ConfigError(
            f"{key}.at is {at!r}: write 'body:$.code', a JSON pointer as '/code', or 'header:NAME'"
        )
    return at


def _compiled(key: str, pattern: str) -> re.Pattern[str] | None:
    try:
        return re.compile(pattern) if pattern else None
    except re.error as error:
        raise ConfigError(f"{key}.pattern is {pattern!r}, no regular expression: {error}") from error


def _line(request: Request) -> str:
    return f"{request.method.decode('latin-1')} {request.target.split(b'?', 1)[0].decode('latin-1')}"


def _found(response: Response, place: str) -> list[Any]:
    part, _, rest = place.partition(":")
    if part == "header":
        return [each.decode("latin-1") for each in fields(response.headers, rest.lower().encode("latin-1"))]
    body = entity(response) if len(response.body) <= _MAX_BODY_BYTES else None
    try:
        values = [orjson.loads(body)] if body else []
    except orjson.JSONDecodeError:
        return []
    for step in _STEP.finditer(rest):
        values = [inner for each in values for inner in _inner(each, step[1], step[2])][:_MAX_ITEMS]
    return values


def _inner(value: Any, key: str | None, index: str | None) -> list[Any]:
    if key is not None:
        return [value[key]] if isinstance(value, dict) and key in value else []
    if not isinstance(value, list):
        return []
    return value[:_MAX_ITEMS] if not index else value[int(index) : int(index) + 1]


def _is_same(value: Any, wanted: Scalar) -> bool:
    if isinstance(value, bool) or isinstance(wanted, bool):
        return value is wanted
    return bool(value == wanted)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else shown(value)
