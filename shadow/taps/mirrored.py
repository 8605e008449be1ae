"""What mirrors change in a request: undone where that is certain, and used to tell clients apart."""

import re

from shadow.model import Headers, field

_SHADOWED = re.compile(rb"(.+)-shadow((?::[0-9]+)?)", re.DOTALL)
_PORT = re.compile(rb":[0-9]+\Z")
_IPV4 = re.compile(rb"([0-9]{1,3}(?:\.[0-9]{1,3}){3})(?::[0-9]+)?")
_IPV6 = re.compile(rb"\[?([0-9a-fA-F]*:[0-9a-fA-F:.]{1,43})\]?(?:(?<=\]):[0-9]+)?")
_FORWARDED_FOR = re.compile(rb"(?:^|[;,\s])for=\"?([^\";,\s]+)", re.IGNORECASE)


def without_suffix(headers: Headers, live: bytes) -> Headers:
    """`headers` with the Host that the client sent: Envoy appends ``-shadow`` to the name.

    It is left alone where that is the name of the service itself, or nothing says that it was Envoy: neither
    a field of Envoy's own nor the Host of `live` (``host`` or ``host:port``; empty where it is not known).
    """
    host = field(headers, b"host") or b""
    found = _SHADOWED.fullmatch(host)
    if found is None or _is(host, live):
        return headers
    original = found[1] + found[2]
    if _is(original, live) or any(name[:8].lower() == b"x-envoy-" for name, _ in headers):
        return tuple((name, original if name.lower() == b"host" else value) for name, value in headers)
    return headers


def client_of(headers: Headers) -> str | None:
    """The address of the client as the mirror tells it; None where it does not."""
    for name in (b"x-forwarded-for", b"forwarded", b"x-real-ip"):
        value = field(headers, name)
        if value is None:
            continue
        if name == b"forwarded":
            found = _FORWARDED_FOR.search(value)
            value = found[1] if found else b""
        address = _address(value.partition(b",")[0].strip())
        if address is not None:
            return address
    return None


def _is(host: bytes, live: bytes) -> bool:
    """Whether `host` is `live`; a port counts only where both have one."""
    host, live = host.lower(), live.lower()
    if _PORT.search(host) is None or _PORT.search(live) is None:
        host, live = _PORT.sub(b"", host), _PORT.sub(b"", live)
    return host == live != b""


def _address(text: bytes) -> str | None:
    found = _IPV4.fullmatch(text) or _IPV6.fullmatch(text)
    return None if found is None else found[1].decode("ascii")
