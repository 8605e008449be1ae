"""The code that the Web Fuzzing Commons have for a fault, where the tool can tell one."""

import re

from shadow.model import Difference

_CODE = re.compile(r"F\d{3}")
_ANONYMOUS = frozenset({"as_anonymous", "credential_emptied", "signature_dropped", "unsigned"})
"""Mutators that leave nobody's credentials in the request."""
_DELETED = frozenset({"deleted_twice", "read_after_delete", "use_after_delete"})
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_UNAUTHENTICATED = 401
_BYPASSES = frozenset({"F206", "auth-bypass", "mutation-regression"})


def wfc_code(
    fault: str, endpoint: str, mutator: str | None, differences: tuple[Difference, ...] = ()
) -> str | None:
    """``"F100"``; None where the commons have no such fault. `endpoint` is ``"GET /x/{id}"``.

    F103 is a delete that does not work, F104 a creation that failed and left effects, F205 a request of
    somebody who is known and was not recognised, F207 and F208 what nobody may read, or change, and anyone
    can.
    """
    method = endpoint.partition(" ")[0]
    if mutator in _ANONYMOUS and fault in _BYPASSES:
        return "F207" if method in _READS else "F208"
    if fault == "illegal-transition" and mutator in _DELETED:
        return "F103"
    if fault == "left-trace" and method in ("POST", "PUT"):
        return "F104"
    if mutator is None and any(_is_unrecognised(each) for each in differences):
        return "F205"
    return fault if _CODE.fullmatch(fault) else None


def _is_unrecognised(difference: Difference) -> bool:
    """Whether a success became a 401."""
    left = difference.left
    return (
        difference.where == "status"
        and difference.right == _UNAUTHENTICATED
        and isinstance(left, int)
        and left < 400
    )
