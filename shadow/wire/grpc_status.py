"""How a gRPC call ended: status and message, wherever the server put them (gRPC over HTTP/2, Responses)."""

from urllib.parse import unquote_to_bytes

import msgspec

from shadow.model import Response, field
from shadow.wire.grpc import is_grpc

_NAMES = (
    *("OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS"),
    *("PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE"),
    *("UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"),
)
UNKNOWN = 2
"""What a client makes of an answer that ends without a status."""
RESOURCE_EXHAUSTED = 8


def is_call(response: Response) -> bool:
    """Whether `response` answers a gRPC call in gRPC's own way: then its HTTP status says nothing."""
    return response.status == 200 and is_grpc(response.headers)


def call_status(response: Response) -> int | None:
    """The status of a call; None where the answer is no call's, or was cut before it.

    An answer that ended without one, or with one that is no number, has the status UNKNOWN.
    """
    if not is_call(response):
        return None
    stated = field(response.trailers, b"grpc-status") or field(response.headers, b"grpc-status")
    if stated is None:
        return UNKNOWN if response.is_complete else None
    return int(stated) if stated.isdigit() and len(stated) <= 3 else UNKNOWN


def status_name(code: int) -> str:
    """``"13 INTERNAL"``"""
    return f"{code} {_NAMES[code]}" if code < len(_NAMES) else f"{code}"


def code_in(text: str) -> int | None:
    """The code that `status_name` made `text` of; None where it did not."""
    number = text.partition(" ")[0]
    is_code = number.isascii() and number.isdigit() and len(number) <= 3
    return int(number) if is_code and status_name(int(number)) == text else None


def call_message(response: Response) -> bytes:
    """What the server says of the status, its percent-encoding undone; empty where it says nothing."""
    stated = field(response.trailers, b"grpc-message") or field(response.headers, b"grpc-message")
    return unquote_to_bytes(stated or b"")


def with_trailers(response: Response) -> Response:
    """`response`, an answer that consists of trailers alone in the form of one that has a head before them.

    A server that has no message to send may say all in one block (Trailers-Only), and clients do not tell
    the two apart.
    """
    if not is_call(response) or response.trailers or field(response.headers, b"grpc-status") is None:
        return response
    head = tuple(line for line in response.headers if line[0].lower() in _OF_HEAD)
    rest = tuple(line for line in response.headers if line[0].lower() not in _OF_HEAD)
    return msgspec.structs.replace(response, headers=head, trailers=rest)


_OF_HEAD = frozenset((b"content-type", b"date", b"grpc-accept-encoding", b"grpc-encoding", b"server"))
