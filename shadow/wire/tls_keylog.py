"""The secrets of TLS connections, from a key log in the format of NSS (draft-ietf-tls-keylogfile).

Each line is a label, the random value of the client's hello, and a secret. Secrets leave this file only to
whoever derives keys of them.
"""

import re
from collections.abc import Callable
from enum import Enum

_MAX_SESSIONS = 262_144
"""About 200 MB. In a key log that grows without end, the sessions that are needed are the youngest."""
_MAX_LINE_BYTES = 1024
_LINE = re.compile(rb"([A-Z][A-Z0-9_]*)[ \t]+([0-9A-Fa-f]{64})[ \t]+((?:[0-9A-Fa-f]{2}){1,128})")
_OTHER = re.compile(rb"RSA [0-9A-Fa-f]+ [0-9A-Fa-f]+|RSA Session-ID:[0-9A-Fa-f]* Master-Key:[0-9A-Fa-f]+")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_MASTER_SECRET_BYTES = 48
_HASH_BYTES = (32, 48)
"""Of SHA-256 and SHA-384: the secrets of TLS 1.3 are as long as its hashes."""


class Label(Enum):
    """What a secret is for."""

    MASTER = b"CLIENT_RANDOM"
    """Up to TLS 1.2, the master secret; the others are of TLS 1.3 (RFC 8446 §7.1)."""
    CLIENT_EARLY = b"CLIENT_EARLY_TRAFFIC_SECRET"
    CLIENT_HANDSHAKE = b"CLIENT_HANDSHAKE_TRAFFIC_SECRET"
    SERVER_HANDSHAKE = b"SERVER_HANDSHAKE_TRAFFIC_SECRET"
    CLIENT_TRAFFIC = b"CLIENT_TRAFFIC_SECRET_0"
    SERVER_TRAFFIC = b"SERVER_TRAFFIC_SECRET_0"


_LABELS = {label.value: label for label in Label}


class KeyLog:
    """Secrets by the client's random value. More may be added at any time."""

    def __init__(
        self, refresh: Callable[[], None] | None = None, *, max_sessions: int = _MAX_SESSIONS
    ) -> None:
        """`refresh` is called where a secret is missing: it may add what has come meanwhile."""
        self._refresh = refresh
        self._max_sessions = max_sessions
        self._sessions: dict[bytes, dict[Label, bytes]] = {}
        self.may_grow = refresh is not None
        """Whether a secret that is missing may still come."""
        self.secret_count = 0
        """Lines that hold a secret which may be needed."""
        self.junk_count = 0
        """Lines that hold nothing that is known; comments are none."""
        self.dropped_count = 0
        """Sessions that had to make room for younger ones."""

    def add(self, text: bytes) -> None:
        """Takes whole lines."""
        for line in text.removeprefix(_BYTE_ORDER_MARK).splitlines():
            self._add_line(line[: _MAX_LINE_BYTES + 1].strip())

    def secret(self, random: bytes, label: Label) -> bytes | None:
        """The secret of the connection whose client sent `random`; None where it is not known (yet)."""
        found = self._sessions.get(random, {}).get(label)
        if found is None and self._refresh is not None:
            self._refresh()
            found = self._sessions.get(random, {}).get(label)
        return found

    def look(self) -> None:
        """Takes what has come meanwhile."""
        if self._refresh is not None:
            self._refresh()

    def _add_line(self, line: bytes) -> None:
        if not line or line.startswith(b"#"):
            return
        match = _LINE.fullmatch(line)
        if match is None:
            self.junk_count += _OTHER.fullmatch(line) is None
            return
        label = _LABELS.get(match[1])
        if label is None:
            return  # of exporters, of encrypted hellos: not what records are protected with
        secret = bytes.fromhex(match[3].decode("ascii"))
        if not (len(secret) == _MASTER_SECRET_BYTES if label is Label.MASTER else len(secret) in _HASH_BYTES):
            self.junk_count += 1
            return
        self.secret_count += 1
        self._keep(bytes.fromhex(match[2].decode("ascii")), label, secret)

    def _keep(self, random: bytes, label: Label, secret: bytes) -> None:
        session = self._sessions.get(random)
        if session is None:
            if len(self._sessions) >= self._max_sessions:
                del self._sessions[next(iter(self._sessions))]
                self.dropped_count += 1
            session = self._sessions[random] = {}
        session[label] = secret
