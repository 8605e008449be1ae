"""How bad a finding is, as tables."""

import re
from collections.abc import Iterable

from shadow.judge.grpc import class_of_name
from shadow.judge.leak_shapes import Leak
from shadow.judge.places import is_page
from shadow.model import AnswerClass, Change, Difference, Severity

OF_FAULT: dict[str, Severity] = {
    "F100": Severity.HIGH,
    "F103": Severity.HIGH,
    "F200": Severity.HIGH,
    "F201": Severity.HIGH,
    "F202": Severity.HIGH,
    "F204": Severity.LOW,
    "F206": Severity.HIGH,
    "F209": Severity.HIGH,
    "amplified": Severity.MEDIUM,
    "auth-bypass": Severity.HIGH,
    "code-injection": Severity.HIGH,
    "crash": Severity.HIGH,
    "field-injection": Severity.HIGH,
    "file-disclosure": Severity.HIGH,
    "framing": Severity.MEDIUM,
    "growth": Severity.HIGH,
    "hang": Severity.HIGH,
    "illegal-transition": Severity.HIGH,
    "invalid-json": Severity.MEDIUM,
    "inner-detail": Severity.MEDIUM,
    "left-trace": Severity.HIGH,
    "metamorphic": Severity.MEDIUM,
    "mutation-regression": Severity.MEDIUM,
    "no-effect": Severity.HIGH,
    "nosql-injection": Severity.HIGH,
    "race": Severity.HIGH,
    "secret-leak": Severity.HIGH,
    "slow": Severity.MEDIUM,
    "unhealthy": Severity.HIGH,
    "validation": Severity.MEDIUM,
}
"""By WFC code or our own name. A fault that is not here is as bad as its differences."""

OF_CHANGE: dict[Change, Severity] = {
    Change.MISSING: Severity.HIGH,
    Change.TYPE: Severity.HIGH,
    Change.VALUE: Severity.MEDIUM,
    Change.LENGTH: Severity.MEDIUM,
    Change.ORDER: Severity.MEDIUM,
    Change.ADDED: Severity.LOW,
}
REFUSED = " refused"
"""Ends a status, as a difference shows it, that would be a success, were it not for what the body says."""
_MINOR_LEAKS = frozenset({Leak.SOURCE, Leak.ADDRESS})
_TELLING = frozenset({"close", "dns:rcode"})
"""How a conversation's answer went: as much as a status."""
_TELLING_ELEMENTS = frozenset(
    ["a", "button", "form", "input", "option", "select", "table", "td", "textarea", "th", "tr"]
)
"""Of a page: what users act with and read data from."""
_TELLING_ATTRIBUTES = frozenset(
    [
        "accept",
        "action",
        "checked",
        "content",
        "disabled",
        "enctype",
        "formaction",
        "href",
        "max",
        "maxlength",
        "method",
        "min",
        "multiple",
        "name",
        "pattern",
        "readonly",
        "required",
        "selected",
        "src",
        "step",
        "type",
        "value",
    ]
)
"""Of its elements: what they do, and with what. All others are looks."""
_TAG = re.compile(r"[a-z0-9]+")
_RANKS = {Severity.LOW: 0, Severity.MEDIUM: 1, Severity.HIGH: 2}


def severity_of(fault: str, differences: Iterable[Difference] = (), *, is_on_both: bool = False) -> Severity:
    """By the fault where the table knows it, else by the worst difference.

    What the live release does too (`is_on_both`) is no reason to stop a release: one step less.
    """
    found = OF_FAULT.get(fault)
    if found is None:
        found = max(
            (of_difference(each) for each in differences), key=_RANKS.__getitem__, default=Severity.MEDIUM
        )
    return Severity.MEDIUM if is_on_both and found is Severity.HIGH else found


def of_difference(difference: Difference) -> Severity:
    """Fields of the message head weigh less than the body; a status that changed its class weighs most, and
    so does a redirect to another host."""
    if difference.where == "status":
        return Severity.HIGH if _hundreds(difference.left) != _hundreds(difference.right) else Severity.MEDIUM
    if difference.where.startswith("leak:"):
        return Severity.MEDIUM if difference.where.removeprefix("leak:") in _MINOR_LEAKS else Severity.HIGH
    if difference.where == "reason" or _is_cosmetic(difference):
        return Severity.LOW
    if difference.where == "surplus":
        return Severity.MEDIUM  # who reads on takes it for the next answer
    if difference.where in _TELLING or (difference.where == "messages" and _is_fewer(difference)):
        return Severity.HIGH
    if difference.where == "header:location.origin":
        return Severity.HIGH
    found = OF_CHANGE[difference.change]
    if is_page(difference.where):
        return min(found, of_page(difference.where), key=_RANKS.__getitem__)
    is_in_head = difference.where.startswith(("header:", "trailer:"))
    return Severity.MEDIUM if is_in_head and found is Severity.HIGH else found


def _is_cosmetic(difference: Difference) -> bool:
    """Whether texts differ in white space alone."""
    left, right = difference.left, difference.right
    is_text = isinstance(left, str) and isinstance(right, str) and difference.change is Change.VALUE
    return is_text and left.split() == right.split()


def of_page(where: str) -> Severity:
    """The most that a difference at this place of a page may weigh: a form lost is worse than a colour."""
    path, _, attribute = where.partition("@")
    if attribute:
        is_telling = attribute in _TELLING_ATTRIBUTES or attribute.startswith("data-")
        return Severity.MEDIUM if is_telling else Severity.LOW
    tag = _TAG.match(path.rpartition(".")[2])
    return Severity.HIGH if tag is not None and tag[0] in _TELLING_ELEMENTS else Severity.MEDIUM


def is_breakage(status: object) -> bool:
    """Whether a status, as a difference shows it, is none that a sound service answers; silence is one."""
    if (found := class_of_name(status)) is not None:
        return found in (AnswerClass.BROKEN, AnswerClass.HUNG)
    if isinstance(status, str) and status.endswith(REFUSED):
        return False
    return not isinstance(status, int) or status >= 500


def is_at_least(found: Severity, limit: Severity) -> bool:
    return _RANKS[found] >= _RANKS[limit]


def _is_fewer(difference: Difference) -> bool:
    """Whether messages are missing. Each side's number may be followed by words."""
    left, right = (str(each).split(" ", 1)[0] for each in (difference.left, difference.right))
    return left.isdigit() and right.isdigit() and int(left) > int(right)


def _hundreds(status: object) -> object:
    """The class of a status: of gRPC's, what it amounts to."""
    if (found := class_of_name(status)) is not None:
        return found
    return status // 100 if isinstance(status, int) else status
