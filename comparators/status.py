"""The status code, and whether the message came whole."""

from collections.abc import Iterator

from comparators._contract import comparator
from shadow.model import Change, Difference, Response, field
from shadow.wire.grpc_status import call_status, is_call, status_name

_MAX_CUT_BYTES = 1 << 20
"""Above, it may have been our own limit that cut the body."""


@comparator
def status(control: Response, other: Response) -> Iterator[Difference]:
    """The status code is the answer's meaning (RFC 9110 §15); the reason phrase has none (RFC 9112 §4). That
    of a gRPC call is its own status: its HTTP status is always 200.
    """
    ours, theirs = _status(control), _status(other)
    if ours is not None and theirs is not None and ours != theirs:
        yield Difference("status", Change.VALUE, ours, theirs)


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


def _status(response: Response) -> int | str | None:
    """None for a call that was cut before its status."""
    if not is_call(response):
        return response.status
    code = call_status(response)
    return None if code is None else status_name(code)


def _is_endless(response: Response) -> bool:
    return (field(response.headers, b"content-type") or b"").lower().startswith(b"text/event-stream")
