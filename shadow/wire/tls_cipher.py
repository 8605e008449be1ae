"""Records of TLS undone, whole or not at all. The only file of this folder that imports cryptography.

Wrong keys, wrong numbers and damaged bytes are all the same here: None.
"""

import hmac

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM, ChaCha20Poly1305

from shadow.wire.tls_derivation import TLS_1_0, TLS_1_3, Protection
from shadow.wire.tls_epoch import Opener
from shadow.wire.tls_records import Record

type _Aead = AESGCM | AESCCM | ChaCha20Poly1305

_TAG_BYTES = 16
_SHORT_TAG_BYTES = 8
_EXPLICIT_BYTES = 8
"""Of the nonce, at the start of each record."""
_BLOCK_BYTES = 16
_MAC_BYTES = {"sha1": 20, "sha256": 32, "sha384": 48}


def opener(protection: Protection) -> Opener:
    """What opens records with that protection."""
    suite = protection.suite
    if suite.mode == "cbc":
        return _Cbc(protection)
    aead: _Aead
    tag_bytes = _SHORT_TAG_BYTES if suite.mode == "ccm8" else _TAG_BYTES
    if suite.mode == "gcm":
        aead = AESGCM(protection.key)
    elif suite.mode == "chacha20":
        aead = ChaCha20Poly1305(protection.key)
    else:
        aead = AESCCM(protection.key, tag_length=tag_bytes)
    if protection.version == TLS_1_3:
        return _Sealed(aead, protection.iv, tag_bytes)
    if suite.mode == "chacha20":
        return _Counted(aead, protection.iv)
    return _Explicit(aead, protection.iv, tag_bytes)


class _Sealed:
    """AEAD as TLS 1.3 has it (RFC 8446 §5.2): what is authenticated is the record's head."""

    def __init__(self, aead: _Aead, iv: bytes, tag_bytes: int) -> None:
        self._aead = aead
        self._iv = int.from_bytes(iv)
        self.overhead_bytes = tag_bytes

    def open(self, number: int, record: Record) -> bytes | None:
        nonce = (self._iv ^ number).to_bytes(12)
        try:
            return self._aead.decrypt(nonce, record.fragment, record.head)
        except (InvalidTag, ValueError):  # ValueError: shorter than a tag
            return None


class _Counted:
    """ChaCha20-Poly1305 in TLS 1.2 (RFC 7905): no part of the nonce stands in the record."""

    def __init__(self, aead: _Aead, iv: bytes) -> None:
        self._aead = aead
        self._iv = int.from_bytes(iv)
        self.overhead_bytes = _TAG_BYTES

    def open(self, number: int, record: Record) -> bytes | None:
        nonce = (self._iv ^ number).to_bytes(12)
        try:
            return self._aead.decrypt(
                nonce, record.fragment, _authenticated(number, record, self.overhead_bytes)
            )
        except (InvalidTag, ValueError):
            return None


class _Explicit:
    """GCM and CCM in TLS 1.2 (RFC 5288 §3, RFC 6655 §3): the nonce's second part stands in the record."""

    def __init__(self, aead: _Aead, salt: bytes, tag_bytes: int) -> None:
        self._aead = aead
        self._salt = salt
        self.overhead_bytes = _EXPLICIT_BYTES + tag_bytes

    def open(self, number: int, record: Record) -> bytes | None:
        fragment = record.fragment
        nonce = self._salt + fragment[:_EXPLICIT_BYTES]
        try:
            return self._aead.decrypt(
                nonce, fragment[_EXPLICIT_BYTES:], _authenticated(number, record, self.overhead_bytes)
            )
        except (InvalidTag, ValueError):
            return None


class _Cbc:
    """CBC with HMAC: the MAC of the plain text, before encryption, or of the encrypted text (RFC 7366)."""

    overhead_bytes = None  # the padding varies

    def __init__(self, protection: Protection) -> None:
        self._algorithm = algorithms.AES(protection.key)
        self._mac_key = protection.mac_key
        self._mac = protection.suite.mac
        self._mac_bytes = _MAC_BYTES[protection.suite.mac]
        self._is_mac_last = protection.is_mac_last
        self._chain = protection.iv if protection.version == TLS_1_0 else None
        """Of TLS 1.0: the last block of the record before, whichever that was."""
        self._record: Record | None = None
        self._text = b""
        """Of the record that was last looked at, decrypted once for all numbers that are tried."""

    def open(self, number: int, record: Record) -> bytes | None:
        if record is not self._record:
            self._text, self._record = self._decrypted(record.fragment), record
        return self._checked(number, record) if self._text else None

    def _decrypted(self, fragment: bytes) -> bytes:
        """The text of a record with its padding, and its MAC where that is inside; empty for garbage."""
        encrypted = fragment[: -self._mac_bytes] if self._is_mac_last else fragment
        chain = self._chain
        if chain is not None:
            self._chain = encrypted[-_BLOCK_BYTES:]
        else:
            chain, encrypted = encrypted[:_BLOCK_BYTES], encrypted[_BLOCK_BYTES:]
        if not encrypted or len(encrypted) % _BLOCK_BYTES or len(chain) != _BLOCK_BYTES:
            return b""
        decryptor = Cipher(self._algorithm, modes.CBC(chain)).decryptor()
        return decryptor.update(encrypted) + decryptor.finalize()

    def _checked(self, number: int, record: Record) -> bytes | None:
        text = self._text
        end = len(text) - 1 - text[-1]
        if not self._is_mac_last:
            end -= self._mac_bytes
        if end < 0:
            return None
        if self._is_mac_last:
            fragment = record.fragment
            signed, mac = fragment[: -self._mac_bytes], fragment[-self._mac_bytes :]
        else:
            signed, mac = text[:end], text[end : end + self._mac_bytes]
        head = number.to_bytes(8) + record.head[:3] + len(signed).to_bytes(2)
        found = hmac.digest(self._mac_key, head + signed, self._mac)
        return text[:end] if hmac.compare_digest(found, mac) else None


def _authenticated(number: int, record: Record, overhead_bytes: int) -> bytes:
    """What TLS 1.2 authenticates besides the text (RFC 5246 §6.2.3.3)."""
    size = len(record.fragment) - overhead_bytes
    if size < 0:
        raise ValueError("shorter than a tag")
    return number.to_bytes(8) + record.head[:3] + size.to_bytes(2)
