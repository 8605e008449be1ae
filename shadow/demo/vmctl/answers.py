"""Answers as bytes: JSON documents, and the fields that go with them."""

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from shadow.demo.vmctl.service import Service


def answer(
    service: Service, document: Any, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """`document` as JSON. A member's place in an object is a matter of release, and means nothing."""
    is_sorted = service.settings.release == "candidate"
    text = json.dumps(document, separators=(",", ":"), sort_keys=is_sorted)
    return web.Response(
        body=text.encode(), status=status, headers=headers, content_type="application/json", charset="utf-8"
    )


def nothing() -> web.Response:
    return web.Response(status=204)


def number(service: Service, value: float) -> float | int:
    """A measured number: the newer release writes whole ones as 1.0, the older as 1."""
    if service.settings.release == "candidate" or not float(value).is_integer():
        return float(value)
    return int(value)
