"""Keys of TLS records from the secrets of a key log (RFC 5246 §5 and §6.3, RFC 8446 §7)."""

import hmac
from typing import NamedTuple

from shadow.wire.tls_suites import Hash, Suite

TLS_1_0, TLS_1_1, TLS_1_2, TLS_1_3 = 0x0301, 0x0302, 0x0303, 0x0304
_HASH_BYTES = {"sha1": 20, "sha256": 32, "sha384": 48}
_NONCE_BYTES = 12
_SALT_BYTES = 4
"""Of GCM and CCM before TLS 1.3; the other eight bytes of a nonce stand in the record."""
_BLOCK_BYTES = 16


class Protection(NamedTuple):
    """What the records of one side are protected with."""

    suite: Suite
    version: int
    key: bytes
    iv: bytes
    """The nonce's fixed part; of TLS 1.0 in CBC mode the first initialisation vector; else empty."""
    mac_key: bytes = b""
    is_mac_last: bool = False
    """In CBC mode, whether the MAC is of the encrypted text and stands after it (RFC 7366)."""


def of_master(
    master: bytes, randoms: tuple[bytes, bytes], suite: Suite, version: int, *, is_mac_last: bool
) -> tuple[Protection, Protection]:
    """The client's protection and the server's, of a master secret and the randoms of client and server."""
    mac_bytes = _HASH_BYTES[suite.mac] if suite.mode == "cbc" else 0
    iv_bytes = _iv_bytes(suite, version)
    sizes = [mac_bytes, mac_bytes, suite.key_bytes, suite.key_bytes, iv_bytes, iv_bytes]
    seed = b"key expansion" + randoms[1] + randoms[0]
    if version >= TLS_1_2:
        block = _expanded(master, seed, sum(sizes), suite.prf)
    else:
        halves = (
            _expanded(master[:24], seed, sum(sizes), "md5"),
            _expanded(master[24:], seed, sum(sizes), "sha1"),
        )
        block = bytes(one ^ other for one, other in zip(*halves, strict=True))
    parts = []
    for size in sizes:
        parts.append(block[:size])
        block = block[size:]
    macs, keys, ivs = parts[:2], parts[2:4], parts[4:]
    client, server = (
        Protection(suite, version, key, iv, mac, is_mac_last)
        for mac, key, iv in zip(macs, keys, ivs, strict=True)
    )
    return client, server


def of_traffic_secret(secret: bytes, suite: Suite) -> Protection:
    """The protection of TLS 1.3 under a traffic secret."""
    key = _expand_label(secret, b"key", suite.key_bytes, suite.prf)
    return Protection(suite, TLS_1_3, key, _expand_label(secret, b"iv", _NONCE_BYTES, suite.prf))


def next_traffic_secret(secret: bytes, suite: Suite) -> bytes:
    """The secret after a KeyUpdate."""
    return _expand_label(secret, b"traffic upd", _HASH_BYTES[suite.prf], suite.prf)


def _iv_bytes(suite: Suite, version: int) -> int:
    if suite.mode == "chacha20":
        return _NONCE_BYTES  # RFC 7905 §2
    if suite.mode == "cbc":
        return _BLOCK_BYTES if version == TLS_1_0 else 0
    return _SALT_BYTES


def _expanded(secret: bytes, seed: bytes, size: int, name: str) -> bytes:
    """P_hash of RFC 5246 §5."""
    found, chain = b"", seed
    while len(found) < size:
        chain = hmac.digest(secret, chain, name)
        found += hmac.digest(secret, chain + seed, name)
    return found[:size]


def _expand_label(secret: bytes, label: bytes, size: int, name: Hash) -> bytes:
    """HKDF-Expand-Label of RFC 8446 §7.1 without context, for no more than one block of the hash."""
    label = b"tls13 " + label
    text = size.to_bytes(2) + bytes((len(label),)) + label + b"\0\x01"
    return hmac.digest(secret, text, name)[:size]
