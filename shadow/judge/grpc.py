"""What the statuses of gRPC amount to (gRPC, Status codes)."""

from shadow.model import AnswerClass
from shadow.wire.grpc_status import code_in

_CLASSES = {
    0: AnswerClass.SUCCESS,
    2: AnswerClass.BROKEN,  # UNKNOWN: what an exception becomes
    4: AnswerClass.HUNG,  # DEADLINE_EXCEEDED
    13: AnswerClass.BROKEN,  # INTERNAL
    14: AnswerClass.BROKEN,  # UNAVAILABLE, as 503
    15: AnswerClass.BROKEN,  # DATA_LOSS
}
_LAST = 16


def class_of_code(code: int) -> AnswerClass:
    """Every other status is a refusal; one that gRPC does not have is taken for UNKNOWN."""
    return _CLASSES.get(code, AnswerClass.REJECTED) if code <= _LAST else AnswerClass.BROKEN


def class_of_name(value: object) -> AnswerClass | None:
    """The class of a status as differences show it (``"13 INTERNAL"``); None for anything else."""
    code = code_in(value) if isinstance(value, str) else None
    return None if code is None else class_of_code(code)
