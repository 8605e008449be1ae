"""The status code, and whether the message came whole."""

from collections.abc import Iterator

from comparators._contract import comparator
from shadow.model import Change, Difference, Response


@comparator
def status(control: Response, other: Response) -> Iterator[Difference]:
    """The status code is the answer's meaning (RFC 9110 §15); the reason phrase has none (RFC 9112 §4)."""
    if control.status != other.status:
        yield Difference("status", Change.VALUE, control.status, other.status)


@comparator
def completeness(control: Response, other: Response) -> Iterator[Difference]:
    """A message that ends before its framing says so is incomplete (RFC 9112 §8) and must not be trusted."""
    if control.is_complete and not other.is_complete:
        yield Difference("body:end", Change.MISSING, "complete", "cut short")
