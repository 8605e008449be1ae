"""HTTP versions as the writers of recordings call them."""

import re

_NUMBER = re.compile(r"(?:http/|h)?([0-9](?:\.[0-9])?)", re.IGNORECASE)
_SPELLED = {"1": b"HTTP/1.1", "2.0": b"HTTP/2", "3.0": b"HTTP/3"}


def version_of(name: str) -> bytes:
    """The version as an exchange has it: ``HTTP/2`` for ``h2``; ``HTTP/1.1`` for what is no version."""
    found = _NUMBER.fullmatch(name.strip())
    if found is None:
        return b"HTTP/1.1"
    return _SPELLED.get(found[1], b"HTTP/" + found[1].encode())


def name_of(version: bytes) -> str:
    """What most others write: later versions have their ``.0``."""
    return {b"HTTP/2": "HTTP/2.0", b"HTTP/3": "HTTP/3.0"}.get(version, version.decode("latin-1"))
