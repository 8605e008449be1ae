"""Which requests aiohttp puts on the wire exactly as they are."""

import re

from yarl import URL

from shadow.model import Request

_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_METHOD = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Z-]+")  # aiohttp would raise small letters
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
_NO_LENGTH_NEEDED = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE"))
"""aiohttp adds ``Content-Length: 0`` to an empty request with any other method."""


def is_sayable(request: Request) -> bool:
    """Whether aiohttp sends `request` byte for byte: its start line, its fields in their order, its body.

    It cannot where it would put something right or add to it: small letters in the method, a target that it
    would normalise, a Host that is not the first field, names twice in different case, values that are no
    UTF-8 or hold control characters, a transfer coding, a length that is missing or wrong.
    """
    if request.version != b"HTTP/1.1" or request.trailers or _METHOD.fullmatch(request.method) is None:
        return False
    if not _is_sayable_target(request.target) or request.method == b"CONNECT":
        return False
    if not request.headers or request.headers[0][0] not in (b"Host", b"host"):
        return False
    return _are_sayable_fields(request) and _is_length_right(request)


def _is_sayable_target(target: bytes) -> bool:
    if not target.startswith(b"/") or not target.isascii() or not _VALUE.fullmatch(target) or b" " in target:
        return False
    return (
        str(URL(f"http://target.invalid{target.decode('ascii')}", encoded=True).raw_path_qs).encode("ascii")
        == target
    )


def _are_sayable_fields(request: Request) -> bool:
    spellings: dict[bytes, bytes] = {}
    for name, value in request.headers:
        if _TOKEN.fullmatch(name) is None or _VALUE.fullmatch(value) is None or value != value.strip():
            return False
        lower = name.lower()
        if spellings.setdefault(lower, name) != name or lower in (b"transfer-encoding", b"expect"):
            return False
        try:
            value.decode("utf-8")
        except UnicodeDecodeError:
            return False
    hosts = [name for name, _ in request.headers if name.lower() == b"host"]
    return len(hosts) == 1


def _is_length_right(request: Request) -> bool:
    lengths = [value for name, value in request.headers if name.lower() == b"content-length"]
    if not lengths:
        return not request.body and request.method in _NO_LENGTH_NEEDED
    return lengths == [b"%d" % len(request.body)]
