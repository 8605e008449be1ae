"""Requests freed of what lets a service answer 304, which tells nothing of who may ask."""

import msgspec

from shadow.model import Request

_CONDITIONS = frozenset({b"if-none-match", b"if-modified-since"})


def unconditional(request: Request) -> Request:
    """`request` without If-None-Match and If-Modified-Since, where it reads (RFC 9110 §13.1)."""
    if request.method not in (b"GET", b"HEAD"):
        return request
    headers = tuple(pair for pair in request.headers if pair[0].lower() not in _CONDITIONS)
    return (
        request if len(headers) == len(request.headers) else msgspec.structs.replace(request, headers=headers)
    )
