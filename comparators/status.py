"""The status code, and whether the message came whole."""

from collections.abc import Iterator

from comparators._contract import comparator
from shadow.model import Change, Difference, Response, field

_MAX_CUT_BYTES = 1 << 20
"""Above, it may have been our own limit that cut the body."""


@comparator
def status(control: Response, other: Response) -> Iterator[Difference]:
    """The status code is the answer's meaning (RFC 9110 §15); the reason phrase has none (RFC 9112 §4)."""
    if control.status != other.status:
        yield Difference("status", Change.VALUE, control.status, other.status)


@comparator
def completeness(control: Response, other: Response) -> Iterator[Difference]:
    """A message that ends before its framing says so is incomplete (RFC 9112 §8) and must not be trusted."""
    if control.is_complete is other.is_complete or _is_endless(control) or _is_endless(other):
        return
    cut, whole = (control, other) if other.is_complete else (other, control)
    if len(cut.body) >= min(len(whole.body), _MAX_CUT_BYTES):
        return
    if cut is other:
        yield Difference("body:end", Change.MISSING, "complete", "cut short")
    else:
        yield Difference("body:end", Change.ADDED, None, "complete")


def _is_endless(response: Response) -> bool:
    return (field(response.headers, b"content-type") or b"").lower().startswith(b"text/event-stream")
