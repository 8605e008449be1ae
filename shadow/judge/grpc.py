"""What the statuses of gRPC amount to (gRPC, Status codes)."""

from shadow.model import AnswerClass, Response
from shadow.wire.grpc_status import call_message, call_status, code_in

_CLASSES = {
    0: AnswerClass.SUCCESS,
    2: AnswerClass.BROKEN,  # UNKNOWN: what an exception becomes
    4: AnswerClass.HUNG,  # DEADLINE_EXCEEDED
    13: AnswerClass.BROKEN,  # INTERNAL
    14: AnswerClass.BROKEN,  # UNAVAILABLE, as 503
    15: AnswerClass.BROKEN,  # DATA_LOSS
}
_LAST = 16
_INTERNAL, _UNAVAILABLE = 13, 14
_UNREADABLE = (b"deserializ", b"unmarshal", b"pars", b"decod", b"protobuf", b"malformed")
"""Words of what the libraries say, each in its own way, of a message that they cannot read."""


def class_of_code(code: int) -> AnswerClass:
    """Every other status is a refusal; one that gRPC does not have is taken for UNKNOWN."""
    return _CLASSES.get(code, AnswerClass.REJECTED) if code <= _LAST else AnswerClass.BROKEN


def is_library_refusal(response: Response, *, is_broken_framing: bool) -> bool:
    """Whether a mutated call was refused by the server's library, before the service saw it.

    Libraries have INTERNAL for a message that they cannot read, and for framing that is broken (gRPC,
    Status codes, "some invariants expected by the underlying system have been broken"); some UNAVAILABLE.
    """
    code = call_status(response)
    if is_broken_framing:
        return code in (_INTERNAL, _UNAVAILABLE)
    said = call_message(response).lower()
    return code == _INTERNAL and any(word in said for word in _UNREADABLE)


def class_of_name(value: object) -> AnswerClass | None:
    """The class of a status as differences show it (``"13 INTERNAL"``); None for anything else."""
    code = code_in(value) if isinstance(value, str) else None
    return None if code is None else class_of_code(code)
