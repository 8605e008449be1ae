"""Request targets and ``name=value`` lists, split and joined byte for byte."""

from collections.abc import Iterable
from urllib.parse import unquote_to_bytes

import msgspec


class Pair(msgspec.Struct, frozen=True, gc=False):
    """One ``name=value`` as written; `value` is None where there is no ``=``."""

    name: bytes
    value: bytes | None = None

    @property
    def key(self) -> bytes:
        """The name with its percent-encoding undone, which is what a server compares."""
        return decode(self.name)


def split_target(target: bytes) -> tuple[bytes, bytes, bytes | None]:
    """(scheme and authority, path, query) of a request target; the query is None where there is no ``?``.

    The first part is empty for origin-form. `join_target` is the way back.
    """
    before, mark, query = target.partition(b"?")
    authority = b""
    scheme, slashes, rest = before.partition(b"://")
    if slashes and b"/" not in scheme:
        host, slash, path = rest.partition(b"/")
        authority, before = scheme + slashes + host, slash + path
    return authority, before, query if mark else None


def join_target(authority: bytes, path: bytes, query: bytes | None) -> bytes:
    """What `split_target` took apart."""
    return authority + path if query is None else b"%b%b?%b" % (authority, path, query)


def split_pairs(text: bytes) -> list[Pair]:
    """The pairs of ``a=1&b=2``, in order, empty ones kept; no pair for an empty text."""
    pairs = []
    for piece in text.split(b"&") if text else ():
        name, mark, value = piece.partition(b"=")
        pairs.append(Pair(name, value if mark else None))
    return pairs


def join_pairs(pairs: Iterable[Pair]) -> bytes:
    """What `split_pairs` took apart."""
    return b"&".join(
        pair.name if pair.value is None else b"%b=%b" % (pair.name, pair.value) for pair in pairs
    )


def query_of(target: bytes) -> list[Pair]:
    """The pairs of a target's query; empty where it has none."""
    return split_pairs(split_target(target)[2] or b"")


def with_query(target: bytes, pairs: Iterable[Pair]) -> bytes:
    """`target` with its query replaced by `pairs`; without a ``?`` where there are none."""
    authority, path, _ = split_target(target)
    return join_target(authority, path, join_pairs(pairs) or None)


def with_path(target: bytes, path: bytes) -> bytes:
    """`target` with its path replaced."""
    authority, _, query = split_target(target)
    return join_target(authority, path, query)


def decode(text: bytes) -> bytes:
    """`text` read as a form value: ``+`` is a space, percent-encoding undone."""
    return unquote_to_bytes(text.replace(b"+", b" "))


def encode(text: bytes) -> bytes:
    """`text` with every byte but the unreserved percent-encoded (RFC 3986 §2.3)."""
    if not text.translate(None, _UNRESERVED):  # as most are, and the longest ones
        return text
    return b"".join([_ENCODED[byte] for byte in text])


_UNRESERVED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
_ENCODED = tuple(bytes([byte]) if byte in _UNRESERVED else b"%%%02X" % byte for byte in range(256))
