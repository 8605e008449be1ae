"""What there is to know of an extraction besides what it found."""

from collections.abc import Iterator

import msgspec


class TlsRemarks(msgspec.Struct, frozen=True):
    """Of TLS connections, where there is a key log."""

    seen: int = 0
    """That were seen from their beginning."""
    read: int = 0
    """Of which something was read."""
    keyless: int = 0
    """That were not read, for their secrets are missing."""
    junk_lines: int = 0
    """Of key logs, that are no secrets."""

    def __add__(self, other: "TlsRemarks") -> "TlsRemarks":
        """Of two shares of one capture; each share's reader has all key logs."""
        return TlsRemarks(
            self.seen + other.seen,
            self.read + other.read,
            self.keyless + other.keyless,
            max(self.junk_lines, other.junk_lines),
        )


class Remarks(msgspec.Struct, frozen=True):
    """What was passed over, and why."""

    others: dict[str, int] = {}
    """Connections that were no HTTP, by kind: ``"TLS"``, ``"SSH"``, ``"other"``."""
    other_bytes: int = 0
    """Payload of connections, or of parts of them, that was no HTTP."""
    gap_bytes: int = 0
    """Of HTTP connections, that were not captured."""
    unread: int = 0
    """Responses that could not be read; `unread_why` says why the first could not."""
    unread_why: str = ""
    unknown_links: frozenset[int] = frozenset()
    """Link types of frames that could not be read."""
    malformed: int = 0
    """Frames that end inside their own headers."""
    tls: TlsRemarks = TlsRemarks()

    def __add__(self, other: "Remarks") -> "Remarks":
        """Of two shares of one capture; frames that belong to none are looked at for each."""
        kinds = {
            kind: self.others.get(kind, 0) + other.others.get(kind, 0) for kind in self.others | other.others
        }
        return Remarks(
            kinds,
            self.other_bytes + other.other_bytes,
            self.gap_bytes + other.gap_bytes,
            self.unread + other.unread,
            self.unread_why or other.unread_why,
            self.unknown_links | other.unknown_links,
            max(self.malformed, other.malformed),
            self.tls + other.tls,
        )

    def lines(self) -> Iterator[str]:
        """For a person."""
        if self.others:
            kinds = ", ".join(f"{number} {kind}" for kind, number in sorted(self.others.items()))
            yield f"skipped connections that are not read: {kinds}"
        if self.other_bytes:
            yield f"skipped {self.other_bytes} bytes of TCP payload that are not read"
        if self.gap_bytes:
            yield f"{self.gap_bytes} bytes of HTTP connections were not captured; their messages are cut"
        if self.unread:
            why = f"the first because of: {self.unread_why}"
            yield f"{self.unread} responses or messages could not be read, {why}"
        if self.unknown_links:
            numbers = ", ".join(map(str, sorted(self.unknown_links)))
            yield f"frames of unknown link type {numbers} were skipped"
        if self.tls.junk_lines:
            yield f"{self.tls.junk_lines} lines of key logs are no secrets and were skipped"
        if self.malformed:
            yield f"{self.malformed} frames that end inside their headers were skipped"
