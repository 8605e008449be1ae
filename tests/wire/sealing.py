"""TLS connections made by hand, the same bytes each time: key updates, padding, early data, refused hellos,
another handshake. Keys are derived with code of this file's own, or of cryptography.
"""

import hashlib
import hmac
from collections.abc import Callable

from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, HashAlgorithm
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from bench.capture import Talk

CLIENT, SERVER = 0, 1
ALERT, HANDSHAKE, APPLICATION = 21, 22, 23
CHANGE = b"\x14\x03\x03\x00\x01\x01"
CLOSE = b"\x01\x00"
RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
_SUITES: dict[int, tuple[Callable[[bytes], AESGCM | AESCCM | ChaCha20Poly1305], int, HashAlgorithm]] = {
    0x1301: (AESGCM, 16, SHA256()),
    0x1302: (AESGCM, 32, SHA384()),
    0x1303: (ChaCha20Poly1305, 32, SHA256()),
    0x1304: (AESCCM, 16, SHA256()),
    0x1305: (lambda key: AESCCM(key, tag_length=8), 16, SHA256()),
}
_NAMES = {
    ("early", CLIENT): "CLIENT_EARLY_TRAFFIC_SECRET",
    ("handshake", CLIENT): "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
    ("handshake", SERVER): "SERVER_HANDSHAKE_TRAFFIC_SECRET",
    ("traffic", CLIENT): "CLIENT_TRAFFIC_SECRET_0",
    ("traffic", SERVER): "SERVER_TRAFFIC_SECRET_0",
}


def record(kind: int, text: bytes, version: bytes = b"\x03\x03") -> bytes:
    """A record as it stands on the wire."""
    return bytes((kind,)) + version + len(text).to_bytes(2) + text


def message(kind: int, body: bytes = b"") -> bytes:
    """A handshake message."""
    return bytes((kind,)) + len(body).to_bytes(3) + body


def extension(kind: int, body: bytes = b"") -> bytes:
    return kind.to_bytes(2) + len(body).to_bytes(2) + body


def client_hello(random: bytes, *extensions: bytes) -> bytes:
    """The client's hello, as a message."""
    listed = b"".join(extensions)
    body = b"\x03\x03" + random + b"\0" + b"\0\x02\x13\x01" + b"\x01\0" + len(listed).to_bytes(2) + listed
    return message(1, body)


def server_hello(random: bytes, suite: int, *extensions: bytes, version: bytes = b"\x03\x03") -> bytes:
    """The server's hello, as a message."""
    listed = b"".join(extensions)
    body = version + random + b"\0" + suite.to_bytes(2) + b"\0" + len(listed).to_bytes(2) + listed
    return message(2, body)


class Sealed:
    """A TLS 1.3 connection. Each method's bytes become segments of `talk`."""

    def __init__(
        self, suite: int = 0x1301, *, talk: Talk | None = None, mss: int = 1448, name: bytes = b"one"
    ) -> None:
        self.talk = talk or Talk(server=("10.0.0.2", 443)).open()
        self.suite = suite
        self.random = hashlib.sha256(name).digest()
        self._mss = mss
        self._make, self._key_bytes, self._hash = _SUITES[suite]
        self._secrets = [b"", b""]
        self._numbers = [0, 0]

    def key_log(self, *stages: str) -> bytes:
        """The secrets of `stages`, by default of all, as a key log."""
        lines = [
            f"{label} {self.random.hex()} {self._secret(stage, side).hex()}\n"
            for (stage, side), label in _NAMES.items()
            if not stages or stage in stages
        ]
        return "".join(lines).encode()

    def open(self, *, accepts_early: bool = False) -> "Sealed":
        """The handshake."""
        return self.hello().answer(accepts_early=accepts_early).finish()

    def hello(self, *extensions: bytes) -> "Sealed":
        return self.send(CLIENT, record(HANDSHAKE, client_hello(self.random, *extensions), b"\x03\x01"))

    def answer(self, *, accepts_early: bool = False) -> "Sealed":
        """The server's whole flight."""
        version = extension(43, b"\x03\x04")
        said = record(HANDSHAKE, server_hello(b"S" * 32, self.suite, version)) + CHANGE
        self.enter("handshake", SERVER)
        listed = extension(42) if accepts_early else b""
        flight = (
            message(8, len(listed).to_bytes(2) + listed) + message(11, b"C" * 700) + message(15, b"V" * 70)
        )
        said += self.seal(SERVER, flight, HANDSHAKE)
        said += self.seal(SERVER, message(20, b"F" * self._hash.digest_size), HANDSHAKE)
        self.enter("traffic", SERVER)
        return self.send(SERVER, said)

    def finish(self) -> "Sealed":
        """The client's part of the handshake's end."""
        self.enter("handshake", CLIENT)
        self.send(CLIENT, CHANGE + self.seal(CLIENT, message(20, b"f" * self._hash.digest_size), HANDSHAKE))
        return self.enter("traffic", CLIENT)

    def say(self, side: int, text: bytes, *, padding: int = 0, size: int = 16_384) -> "Sealed":
        """Application data, in records of `size` bytes."""
        parts = (text[at : at + size] for at in range(0, len(text), size))
        return self.send(side, b"".join(self.seal(side, part, padding=padding) for part in parts))

    def update(self, side: int) -> "Sealed":
        """A KeyUpdate, and the keys after it."""
        self.send(side, self.seal(side, message(24, b"\0"), HANDSHAKE))
        secret = self._expand(self._secrets[side], b"traffic upd", self._hash.digest_size)
        self._secrets[side], self._numbers[side] = secret, 0
        return self

    def close(self) -> "Sealed":
        for side in (CLIENT, SERVER):
            self.send(side, self.seal(side, CLOSE, ALERT))
        self.talk.close()
        return self

    def enter(self, stage: str, side: int) -> "Sealed":
        """What a side says from now on is of that stage."""
        self._secrets[side], self._numbers[side] = self._secret(stage, side), 0
        return self

    def seal(self, side: int, text: bytes, kind: int = APPLICATION, *, padding: int = 0) -> bytes:
        """The side's next encrypted record."""
        secret, number = self._secrets[side], self._numbers[side]
        self._numbers[side] += 1
        key, iv = self._expand(secret, b"key", self._key_bytes), self._expand(secret, b"iv", 12)
        nonce = (int.from_bytes(iv) ^ number).to_bytes(12)
        inner = text + bytes((kind,)) + b"\0" * padding
        size = len(inner) + (8 if self.suite == 0x1305 else 16)
        head = b"\x17\x03\x03" + size.to_bytes(2)
        return head + self._make(key).encrypt(nonce, inner, head)

    def send(self, side: int, text: bytes) -> "Sealed":
        self.talk.say(side, text, mss=self._mss)
        return self

    def _secret(self, stage: str, side: int) -> bytes:
        named = self.random + f"{stage}{side}".encode()
        return hashlib.sha384(named).digest()[: self._hash.digest_size]

    def _expand(self, secret: bytes, label: bytes, size: int) -> bytes:
        label = b"tls13 " + label
        info = size.to_bytes(2) + bytes((len(label),)) + label + b"\0"
        return HKDFExpand(self._hash, size, info).derive(secret)


class SealedOld:
    """A TLS 1.2 connection with ECDHE_RSA_WITH_AES_128_GCM_SHA256."""

    def __init__(self, talk: Talk | None = None, *, mss: int = 1448) -> None:
        self.talk = talk or Talk(server=("10.0.0.2", 443)).open()
        self._mss = mss
        self.key_log = b""
        self._keys: dict[int, tuple[bytes, bytes]] = {}
        self._numbers = [0, 0]

    def open(self, name: bytes = b"one") -> "SealedOld":
        """A handshake; inside a connection that is open, another one."""
        client, server = hashlib.sha256(b"c" + name).digest(), hashlib.sha256(b"s" + name).digest()
        master = hashlib.sha384(name).digest()
        self.key_log += f"CLIENT_RANDOM {client.hex()} {master.hex()}\n".encode()
        block = _expanded(master, b"key expansion" + server + client, 40)
        keys = (block[:16], block[32:36]), (block[16:32], block[36:40])
        self.send(CLIENT, HANDSHAKE, client_hello(client))
        flight = (
            server_hello(server, 0xC02F) + message(11, b"C" * 2000) + message(12, b"K" * 99) + message(14)
        )
        self.send(SERVER, HANDSHAKE, flight)
        self.send(CLIENT, HANDSHAKE, message(16, b"k" * 65))
        for side in (CLIENT, SERVER):
            self.send(side, 20, b"\x01")
            self._keys[side] = keys[side]
            self._numbers[side] = 0
            self.send(side, HANDSHAKE, message(20, b"F" * 12))
        return self

    def say(self, side: int, text: bytes) -> "SealedOld":
        return self.send(side, APPLICATION, text)

    def send(self, side: int, kind: int, text: bytes) -> "SealedOld":
        """A record, encrypted once the side's keys are in use."""
        self.talk.say(side, self.made(side, kind, text), mss=self._mss)
        return self

    def made(self, side: int, kind: int, text: bytes) -> bytes:
        if side not in self._keys:
            return record(kind, text)
        key, salt = self._keys[side]
        number = self._numbers[side].to_bytes(8)
        self._numbers[side] += 1
        head = bytes((kind,)) + b"\x03\x03"
        sealed = AESGCM(key).encrypt(salt + number, text, number + head + len(text).to_bytes(2))
        return record(kind, number + sealed)


def _expanded(secret: bytes, seed: bytes, size: int) -> bytes:
    found, chain = b"", seed
    while len(found) < size:
        chain = hmac.digest(secret, chain, "sha256")
        found += hmac.digest(secret, chain + seed, "sha256")
    return found[:size]
