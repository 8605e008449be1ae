"""What captures of TLS hold, read with a key log: the start of every test of it."""

from collections import Counter
from collections.abc import Iterable
from itertools import count
from typing import NamedTuple

from bench.capture import Packet
from shadow.model import Exchange, Settled
from shadow.taps.keylog import decryption as reading
from shadow.wire.extraction import Extraction
from shadow.wire.succession import Decrypting
from shadow.wire.tls_keylog import KeyLog


class Read(NamedTuple):
    """What an extraction found."""

    exchanges: list[Exchange]
    unparsed: list[str]
    others: Counter[str]
    other_bytes: int
    counts: tuple[int, int]
    """TLS connections that were read, and those without a key."""

    @property
    def pairs(self) -> list[tuple[bytes, bytes | None]]:
        """Target and response body of each, in the order of their indexes."""
        return [
            (each.request.target, each.response.body if each.response else None) for each in self.exchanges
        ]


def read(packets: Iterable[Packet], key_log: bytes | KeyLog) -> Read:
    """Reads a whole capture."""
    keys = key_log if isinstance(key_log, KeyLog) else KeyLog()
    if isinstance(key_log, bytes):
        keys.add(key_log)
    extraction, decryption = opened(keys)
    extraction.take_all([(time, 1, frame) for time, frame in packets])
    extraction.finish()
    return found(extraction, decryption)


def opened(keys: KeyLog) -> tuple[Extraction, Decrypting]:
    """An extraction that reads TLS with `keys`."""
    numbers, decryption = count(), reading(keys)
    return Extraction("pcap", lambda _: next(numbers), decryption=decryption), decryption


def found(extraction: Extraction, decryption: Decrypting) -> Read:
    exchanges = [each for each in extraction.found if isinstance(each, Exchange)]
    return Read(
        sorted(exchanges, key=lambda each: each.index),
        [each.why for each in extraction.found if isinstance(each, Settled)],
        Counter(extraction.remarks().others),
        extraction.remarks().other_bytes,
        (decryption.remarks().read, decryption.remarks().keyless),
    )


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: h\r\n\r\n".encode()


def post(path: str, body: bytes) -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def ok(body: bytes = b"") -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
