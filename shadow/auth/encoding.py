"""Signatures and secrets as text: hex, base64, base64url."""

import binascii
from base64 import b64encode, urlsafe_b64encode
from typing import NamedTuple

ENCODINGS = ("hex", "base64", "base64url")

_URL_SAFE = bytes.maketrans(b"-_", b"+/")


class Written(NamedTuple):
    """A signature as it stands in a field: ``sha256=6b8a…`` is prefix, raw bytes and encoding."""

    prefix: bytes
    raw: bytes
    encoding: str
    """One of `ENCODINGS`."""

    def text(self, raw: bytes | None = None) -> bytes:
        """The field's value, with `raw` in place of the signature's bytes where given."""
        return self.prefix + encode(self.raw if raw is None else raw, self.encoding)


def encode(raw: bytes, encoding: str) -> bytes:
    """`raw` as text; base64url goes without padding (RFC 7515 §2), hex in lower case."""
    match encoding:
        case "hex":
            return raw.hex().encode("ascii")
        case "base64":
            return b64encode(raw)
        case _:
            return urlsafe_b64encode(raw).rstrip(b"=")


def decode(text: bytes, encoding: str) -> bytes | None:
    """The bytes that `text` stands for; None when it is not written so. Missing padding is forgiven."""
    try:
        match encoding:
            case "hex":
                return binascii.unhexlify(text)
            case "base64":
                return binascii.a2b_base64(_padded(text), strict_mode=True)
            case _:
                return binascii.a2b_base64(_padded(text.translate(_URL_SAFE)), strict_mode=True)
    except ValueError:
        return None


def written(value: bytes) -> Written | None:
    """How the signature in a field's `value` is written, as far as its looks tell; None when they do not.

    Hex wins over base64, since a digest in base64 that happens to be all hex digits is next to impossible.
    """
    prefix, text = _split(value)
    for encoding in ENCODINGS:
        raw = decode(text, encoding)
        if raw is not None and len(raw) >= 8:  # shorter ones are words, not signatures
            return Written(prefix, raw, encoding)
    return None


def _split(value: bytes) -> tuple[bytes, bytes]:
    """``sha256=`` or ``v1,`` or ``Bearer `` before the signature, and the signature."""
    body = value.rstrip(b"=")
    at = max(body.rfind(mark) for mark in (b"=", b",", b" ", b":"))
    return value[: at + 1], value[at + 1 :]


def _padded(text: bytes) -> bytes:
    return text.rstrip(b"=") + b"=" * (-len(text.rstrip(b"=")) % 4)
