"""What a test asserts so that it fails while a finding is there, as lines of Python.

In the lines `answer` is the last answer, `answers` are those of all judged requests and `control` is that to
the unedited request, all as `pytest_file` has them.
"""

import json
from collections.abc import Mapping
from typing import Any

from shadow.judge.places import parent
from shadow.model import Expect, Finding

_MIN_WORDS_CHARS = 8
_MAX_WORDS_CHARS = 120
_SURVIVAL = frozenset({"F100", "hang", "crash"})
_UNTOLD = {
    "left-trace": "what it leaves behind shows in other answers",
    "slow": "how long is too long hangs on the machine",
    "unhealthy": "what follows it shows in other answers",
}
_NO_GOOD = "the folder does not hold what the answer should be"
_RACE = ["assert sum(each.is_accepted for each in answers) <= 1, answers"]
_MISSING = object()


def claims(finding: Finding, good: Mapping[str, Any] | None) -> list[str] | str:
    """The assertions; or why no single answer can tell. `good` is the answer that is right, as findings have
    it: the baseline's or the live one; None where none is known."""
    if finding.fault in _UNTOLD:
        return _UNTOLD[finding.fault]
    if finding.fault in _SURVIVAL:
        return ["assert answer.is_sound, answer"]
    if finding.fault == "race":
        return _RACE if "no order" not in finding.why else "the end state of a race shows in other answers"
    if finding.kind == "regression":
        lines = _as_good(finding, good)
        return [*_as_before(finding, good), *lines] if lines else _NO_GOOD
    return _by_expectation(finding, good) or "nothing in its answer tells it from others"


def _by_expectation(finding: Finding, good: Mapping[str, Any] | None) -> list[str]:
    if finding.expect == Expect.REJECT:
        return ["assert not answer.is_accepted, answer"]
    if finding.expect == Expect.SAME:
        return ["assert answer.kind == control.kind, (control, answer)", *_like_control(finding)]
    if finding.expect == Expect.AGREE and good is not None:
        is_by_class = "status" in finding.where  # codes of refusals differ for less than the finding says
        by_class = [f"assert answer.kind == {_kind(good)!r}, answer"]
        return by_class if is_by_class else _as_good(finding, good) or by_class
    return _without_words(finding)


def _as_before(finding: Finding, good: Mapping[str, Any] | None) -> list[str]:
    """Where the finding is of the content of a success: what is no success tells nothing of it."""
    if "status" in finding.where or good is None or good.get("status", 0) >= 300:
        return []
    return ["if not answer.is_accepted:", '    skip(f"there is nothing to compare: {answer}")']


def _as_good(finding: Finding, good: Mapping[str, Any] | None) -> list[str]:
    """Each place as it is in the good answer. What the good and the bad answer share is not asserted."""
    if good is None:
        return []
    lines = []
    for where in finding.where:
        part, _, rest = where.partition(":")
        if part == "status":
            if "status" in good:
                lines.append(f"assert answer.status == {good['status']!r}, answer")
        elif part == "header":
            lines += _header(rest.partition("[")[0], good)
        elif part == "body" and rest.startswith("$"):
            lines += _member(rest, _document(good), _document(finding.answer))
    return list(dict.fromkeys(lines))


def _header(name: str, good: Mapping[str, Any]) -> list[str]:
    values = [value for key, value in good.get("headers", ()) if key.lower() == name]
    if not values:
        return [f"assert answer.header({name!r}) is None, answer"]
    return [f"assert answer.header({name!r}) == {', '.join(values)!r}, answer"]


def _member(path: str, good: Any, bad: Any) -> list[str]:
    """What holds of one place: presence, then type, then value, the first that tells good from bad."""
    mine, its = found_at(good, path), found_at(bad, path)
    if good is _MISSING:
        return []
    if bool(mine) != bool(its) or bad is _MISSING:
        holder = parent(path) if path != "$" else path
        if mine:
            return [f"assert answer.count({path!r}) == answer.count({holder!r}) > 0, answer"]
        return [f"assert answer.count({path!r}) == 0, answer"]
    types = sorted({_type(each) for each in mine})
    if types != sorted({_type(each) for each in its}):
        return [f"assert answer.types({path!r}) <= {set(types)!r}, answer"]
    return [f"assert answer.at({path!r}) == {mine!r}, answer"]


def _like_control(finding: Finding) -> list[str]:
    places = [where.partition(":")[2] for where in finding.where if where.startswith("body:$")]
    return [f"assert answer.at({path!r}) == control.at({path!r}), (control, answer)" for path in places]


def _without_words(finding: Finding) -> list[str]:
    """That what only the bad answer says is not said: for leaks, and for text that was run as code."""
    bad, fine = _text(finding.answer), _text(finding.control)
    told = [line.strip() for line in bad.replace('"', "\n").replace("\\n", "\n").splitlines()]
    words = [each for each in told if len(each) >= _MIN_WORDS_CHARS and each not in fine]
    if not words:
        return []
    word = max(words, key=len)[:_MAX_WORDS_CHARS]
    return [f"assert {word!r} not in answer.text, answer"]


def found_at(value: Any, path: str) -> list[Any]:
    """The values at a place such as ``$.items[].price``, one for each item; none where there are none."""
    if value is _MISSING:
        return []
    found = [value]
    for step in _steps(path):
        if step == "[]":
            found = [item for each in found if isinstance(each, list) for item in each]
        else:
            found = [each[step] for each in found if isinstance(each, dict) and step in each]
    return found


def _steps(path: str) -> list[str]:
    """``$.items[].price`` as ``items``, ``[]``, ``price``."""
    return [step for step in path.replace("[]", ".[]").removeprefix("$").split(".") if step]


def _document(told: Mapping[str, Any] | None) -> Any:
    text = _text(told)
    try:
        return json.loads(text) if text else _MISSING
    except (ValueError, RecursionError):
        return _MISSING


def _text(told: Mapping[str, Any] | None) -> str:
    return "" if told is None else str(told.get("body", ""))


def _type(value: Any) -> str:
    return type(value).__name__


def _kind(told: Mapping[str, Any]) -> str:
    return str(told["class"])
