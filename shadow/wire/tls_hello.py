"""Handshake messages of TLS, as far as who reads along needs them (RFC 5246 §7.4, RFC 8446 §4)."""

from enum import IntEnum
from typing import NamedTuple

_RANDOM_BYTES = 32
_RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
"""The server's random that makes its hello a request for another one of the client (RFC 8446 §4.1.3)."""
_ENCRYPT_THEN_MAC, _EARLY_DATA, _SUPPORTED_VERSIONS = 22, 42, 43
_MAX_BODY_BYTES = 65_536
"""Hellos with many key shares have some thousand; of certificates nothing is needed."""


class Kind(IntEnum):
    """Types of handshake messages."""

    CLIENT_HELLO = 1
    SERVER_HELLO = 2
    END_OF_EARLY_DATA = 5
    ENCRYPTED_EXTENSIONS = 8
    FINISHED = 20
    KEY_UPDATE = 24


_KINDS = frozenset({0, 1, 2, 3, 4, 5, 8, 11, 12, 13, 14, 15, 16, 20, 21, 22, 23, 24, 25, 67})
"""All that are registered."""


class ClientHello(NamedTuple):
    """What the client's hello says."""

    random: bytes
    offers_early_data: bool


class ServerHello(NamedTuple):
    """What the server's hello says."""

    random: bytes
    version: int
    suite: int
    is_retry: bool
    is_compressed: bool
    encrypts_then_macs: bool


class Handshake:
    """The handshake messages of one side, from the records that carry them."""

    def __init__(self) -> None:
        self._text = b""
        """Of the message that is being read, its head included; its body only as far as it is kept."""
        self._missing = 0
        """Bytes of its body still to come."""
        self._is_lost = False

    def feed(self, fragment: bytes) -> list[tuple[int, bytes]]:
        """The messages that a record completes: type and body; a long body is cut."""
        if self._is_lost:
            if not _is_whole(fragment):
                return []
            self._is_lost = False
        found: list[tuple[int, bytes]] = []
        while fragment:
            if len(self._text) < 4:
                wanted = 4 - len(self._text)
                self._text, fragment = self._text + fragment[:wanted], fragment[wanted:]
                if len(self._text) < 4:
                    break
                self._missing = int.from_bytes(self._text[1:4])
            part = fragment[: self._missing]
            fragment = fragment[len(part) :]
            self._missing -= len(part)
            if len(self._text) < _MAX_BODY_BYTES:
                self._text += part
            if not self._missing:
                found.append((self._text[0], self._text[4:]))
                self._text = b""
        return found

    def lose(self) -> tuple[int, bytes]:
        """Bytes are missing: the message that was begun, 0 for none. The next one is looked for."""
        text, self._text, self._missing, self._is_lost = self._text, b"", 0, True
        return (text[0], text[4:]) if len(text) > 4 else (0, b"")


def client_hello(body: bytes) -> ClientHello | None:
    """The client's hello, of which the end may be missing; None without its random."""
    if len(body) < 2 + _RANDOM_BYTES:
        return None
    at = 35 + body[34] if len(body) > 34 else len(body)
    at += 2 + int.from_bytes(body[at : at + 2])
    at += 1 + (body[at] if at < len(body) else 0)
    return ClientHello(body[2:34], _EARLY_DATA in _extensions(body, at))


def server_hello(body: bytes) -> ServerHello | None:
    """The server's hello; None where it is none."""
    if len(body) < 38 or len(body) < 38 + body[34]:
        return None
    at = 35 + body[34]
    extensions = _extensions(body, at + 3)
    version = int.from_bytes(extensions.get(_SUPPORTED_VERSIONS) or body[:2])
    return ServerHello(
        body[2:34],
        version,
        int.from_bytes(body[at : at + 2]),
        body[2:34] == _RETRY,
        bool(body[at + 2]),
        _ENCRYPT_THEN_MAC in extensions,
    )


def accepts_early_data(body: bytes) -> bool:
    """Whether the server's encrypted extensions take the early data that the client offered."""
    return _EARLY_DATA in _extensions(body, 0)


def _extensions(body: bytes, at: int) -> dict[int, bytes]:
    """The extensions whose list begins at position `at`, as far as they are there."""
    end = min(len(body), at + 2 + int.from_bytes(body[at : at + 2]))
    at += 2
    found: dict[int, bytes] = {}
    while at + 4 <= end:
        size = int.from_bytes(body[at + 2 : at + 4])
        found[int.from_bytes(body[at : at + 2])] = body[at + 4 : at + 4 + size]
        at += 4 + size
    return found


def _is_whole(fragment: bytes) -> bool:
    """Whether a record holds whole messages, and nothing else."""
    at = 0
    while at + 4 <= len(fragment) and fragment[at] in _KINDS:
        at += 4 + int.from_bytes(fragment[at + 1 : at + 4])
    return at == len(fragment)
