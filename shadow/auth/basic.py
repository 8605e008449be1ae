"""Basic credentials: user and password in base64 (RFC 7617)."""

import binascii
from base64 import b64encode

from shadow.auth.credentials import authorization
from shadow.model import Headers


def read_basic(headers: Headers) -> tuple[bytes, bytes] | None:
    """User and password of a Basic Authorization field; None where there is none that can be read."""
    found = authorization(headers)
    if found is None or found[0] != b"basic":
        return None
    try:
        user, mark, password = binascii.a2b_base64(found[1], strict_mode=True).partition(b":")
    except ValueError:
        return None
    return (user, password) if mark else None


def write_basic(user: bytes, password: bytes) -> bytes:
    """The Authorization field's value."""
    return b"Basic " + b64encode(user + b":" + password)
