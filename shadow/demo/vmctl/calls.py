"""One request on its way through a route."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from aiohttp import web

from shadow.demo.vmctl.authentication import Caller
from shadow.demo.vmctl.bodies import read_object
from shadow.demo.vmctl.checks import Check, Invalid
from shadow.demo.vmctl.problems import Unprocessable
from shadow.demo.vmctl.service import Service


@dataclass(frozen=True, slots=True)
class Call:
    """A request whose caller is known."""

    service: Service
    request: web.Request
    caller: Caller
    body: bytes

    def path(self, name: str) -> str:
        """The decoded part of the path that the route calls `name`."""
        return self.request.match_info[name]

    def document(self) -> dict[str, Any]:
        """The body, a JSON object. Raises Problem 413, 415, or 422."""
        return read_object(self.request, self.body, self.service.bugs)

    def optional_document(self) -> dict[str, Any]:
        """The body, or an empty object where there is none."""
        return self.document() if self.body else {}

    def query(self, checks: dict[str, Check]) -> dict[str, Any]:
        """The query's acceptable parameters by name; those not in `checks` mean nothing and are left out."""
        values: dict[str, Any] = {}
        faults: list[tuple[str, str]] = []
        for name, value in _parameters(self.request.raw_path):
            if name not in checks:
                continue
            if value is None or name in values:
                faults.append((f"query:{name}", "must be given once, in UTF-8"))
                continue
            try:
                values[name] = checks[name](value)
            except Invalid as error:
                faults.append((f"query:{name}", str(error)))
        if faults:
            raise Unprocessable(faults)
        return values


def _parameters(target: str) -> list[tuple[str, str | None]]:
    """Name and decoded value, in order; the value is None where it is not UTF-8."""
    raw = target.encode("utf-8", "surrogateescape").partition(b"?")[2]
    found: list[tuple[str, str | None]] = []
    for pair in raw.split(b"&"):
        name, _, value = pair.replace(b"+", b" ").partition(b"=")
        found.append((unquote_to_bytes(name).decode("utf-8", "replace"), _text(unquote_to_bytes(value))))
    return found


def _text(raw: bytes) -> str | None:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return None
