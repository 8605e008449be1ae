"""Whose request it is, where a tap knows nothing of connections."""

import hashlib
from collections.abc import Iterable

from shadow.model import Headers, field

CREDENTIALS = (b"authorization", b"cookie", b"x-api-key")
"""Fields that tell one client from another."""


def session_by(tap: str, headers: Headers, names: Iterable[bytes]) -> str | None:
    """The session of the first of the fields `names` that has a value, which is hashed; None without any."""
    for name in names:
        value = field(headers, name)
        if value:
            return f"{tap}:{hashlib.sha256(name + value).hexdigest()[:16]}"
    return None
