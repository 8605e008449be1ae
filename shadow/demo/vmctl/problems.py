"""Refusals: raised where a request cannot be granted, turned into an answer at the service's edge."""

from collections.abc import Mapping, Sequence
from typing import Any


class Problem(Exception):  # noqa: N818 - the word of RFC 9457
    """The request is refused with `status` and an error `code`."""

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or {}

    def document(self, request_id: str) -> Any:
        """The JSON body."""
        return {"error": {"code": self.code, "message": self.message, "request_id": request_id}}


class Unprocessable(Problem):
    """The request is understood, its content is not acceptable: a list of (path, message)."""

    def __init__(self, faults: Sequence[tuple[str, str]]) -> None:
        super().__init__(422, "unprocessable", "content not acceptable")
        self.faults = faults

    def document(self, request_id: str) -> Any:  # noqa: ARG002 - a list has no place for the id
        return [{"path": path, "msg": message} for path, message in self.faults]


def unauthorized(code: str, message: str) -> Problem:
    return Problem(401, code, message, {"WWW-Authenticate": "Signature"})


def forbidden(message: str = "not allowed for this account") -> Problem:
    return Problem(403, "forbidden", message)


def not_found(what: str) -> Problem:
    return Problem(404, "not_found", f"no such {what}")


def conflict(message: str) -> Problem:
    return Problem(409, "conflict", message)
