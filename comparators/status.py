"""The status code, and whether the message came whole."""

from collections.abc import Iterator

from comparators._bounded import bounded_pair
from comparators._contract import comparator
from comparators._web_call import is_web
from shadow.model import Change, Difference, Response, field
from shadow.wire.grpc_status import UNKNOWN, call_status, is_call, status_name

_NAMES_OF = {
    302: frozenset((b"found", b"moved temporarily")),
    405: frozenset((b"method not allowed", b"not allowed")),
    408: frozenset((b"request timeout", b"request time-out")),
    413: frozenset((b"payload too large", b"content too large", b"request entity too large")),
    414: frozenset((b"uri too long", b"request-uri too long", b"request-uri too large")),
    416: frozenset((b"range not satisfiable", b"requested range not satisfiable")),
    422: frozenset((b"unprocessable entity", b"unprocessable content")),
    500: frozenset((b"internal server error", b"server error")),
    503: frozenset((b"service unavailable", b"service temporarily unavailable")),
    504: frozenset((b"gateway timeout", b"gateway time-out")),
}
"""By RFC 2068, 2616, 4918, 7231, 9110 and common servers."""
_MAX_CUT_BYTES = 1 << 20
"""Above, it may have been our own limit that cut the body."""


@comparator
def status(control: Response, other: Response) -> Iterator[Difference]:
    """The status code is the answer's meaning (RFC 9110 §15). That of a gRPC call, be it in gRPC-Web, is its
    own status: its HTTP status is always 200.
    """
    ours, theirs = _status(control), _status(other)
    if ours is not None and theirs is not None and ours != theirs:
        yield Difference("status", Change.VALUE, ours, theirs)


@comparator
def reason(control: Response, other: Response) -> Iterator[Difference]:
    """The reason phrase means nothing to clients (RFC 9112 §4), yet people read it. HTTP/2 has none, and of
    one code all phrases that standards ever gave it are the same.
    """
    if control.status == other.status and not is_reason_free(control, other):
        left, right = (each.reason.decode("latin-1") for each in (control, other))
        yield Difference("reason", Change.VALUE, *bounded_pair(left, right))


def is_reason_free(control: Response, other: Response) -> bool:
    """Whether two reason phrases are as good as equal."""
    if not control.reason or not other.reason:
        return True
    left, right = control.reason.strip().lower(), other.reason.strip().lower()
    return left == right or {left, right} <= _NAMES_OF.get(control.status, frozenset())


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
    if response.status != 200:
        return response.status
    if is_call(response):
        code = call_status(response)
        return None if code is None else status_name(code)
    if not is_web(response):
        return response.status
    stated = field(response.trailers, b"grpc-status") or b""
    return status_name(int(stated) if stated.isdigit() and len(stated) <= 3 else UNKNOWN)


def _is_endless(response: Response) -> bool:
    return (field(response.headers, b"content-type") or b"").lower().startswith(b"text/event-stream")
