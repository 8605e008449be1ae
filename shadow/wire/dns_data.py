"""The data of DNS records in words, as zone files have it (RFC 1035 §5.1, RFC 8659, RFC 9460)."""

import struct
from base64 import b64encode
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv6Address

from shadow.wire.dns_message import read_name

type _Reader = Callable[[bytes, int, int], str | None]
"""From a message, and where the data of one record in it begins and ends, to words; None for other data."""

_SERVICE_KEYS = ("mandatory", "alpn", "no-default-alpn", "port", "ipv4hint", "ech", "ipv6hint")
"""RFC 9460 §14.3.2, in the order of their numbers."""


def data_text(kind: int, text: bytes, start: int, end: int) -> str:
    """The data of a record of type `kind`, between `start` and `end` in the message `text`.

    In hexadecimal where the type is none of those known here, or the data is not what its type says.
    """
    read = _READERS.get(kind)
    try:
        found = None if read is None else read(text, start, end)
    except (ValueError, IndexError, struct.error):
        found = None
    return text[start:end].hex() if found is None else found


def _ipv4(text: bytes, start: int, end: int) -> str:
    return str(IPv4Address(text[start:end]))


def _ipv6(text: bytes, start: int, end: int) -> str:
    return str(IPv6Address(text[start:end]))


def _names(text: bytes, start: int, end: int, count: int = 1) -> list[str] | None:
    """`count` names one after the other, that fill the data."""
    names: list[str] = []
    for _ in range(count):
        found = read_name(text, start)
        if found is None:
            return None
        names.append(found[0])
        start = found[1]
    return names if start == end else None


def _name(text: bytes, start: int, end: int) -> str | None:
    names = _names(text, start, end)
    return names[0] if names else None


def _soa(text: bytes, start: int, end: int) -> str | None:
    names = _names(text, start, end - 20, 2)
    if names is None:
        return None
    return " ".join([*names, *map(str, struct.unpack_from("!IIIII", text, end - 20))])


def _numbers_and_name(form: str) -> _Reader:
    """Reads numbers in `form`, followed by a name: MX and SRV."""

    def read(text: bytes, start: int, end: int) -> str | None:
        names = _names(text, start + struct.calcsize(form), end)
        if names is None:
            return None
        return " ".join([*map(str, struct.unpack_from(form, text, start)), *names])

    return read


def _texts(text: bytes, start: int, end: int) -> str | None:
    """Character strings (RFC 1035 §3.3)."""
    parts: list[str] = []
    while start < end:
        stop = start + 1 + text[start]
        if stop > end:
            return None
        parts.append(_quoted(text[start + 1 : stop]))
        start = stop
    return " ".join(parts)


def _caa(text: bytes, start: int, end: int) -> str | None:
    """RFC 8659 §4.1."""
    flags, size = text[start], text[start + 1]
    tag, value = text[start + 2 : start + 2 + size], text[start + 2 + size : end]
    if start + 2 + size > end or not tag.isalnum():
        return None
    return f"{flags} {tag.decode('ascii')} {_quoted(value)}"


def _service(text: bytes, start: int, end: int) -> str | None:
    """SVCB and HTTPS (RFC 9460 §2.2)."""
    found = read_name(text, start + 2)
    if found is None:
        return None
    parts = [str(int.from_bytes(text[start : start + 2])), found[0]]
    at = found[1]
    while at < end:
        key, size = struct.unpack_from("!HH", text, at)
        at += 4
        if at + size > end:
            return None
        parts.append(_parameter(key, text[at : at + size]))
        at += size
    return " ".join(parts)


def _parameter(key: int, value: bytes) -> str:
    """One parameter of a service (RFC 9460 §7, §8 and RFC 9848). Raises ValueError where it is malformed."""
    if key >= len(_SERVICE_KEYS):
        return f"key{key}={value.hex()}" if value else f"key{key}"
    name = _SERVICE_KEYS[key]
    match name:
        case "no-default-alpn":
            return name
        case "port" if len(value) == 2:
            return f"{name}={int.from_bytes(value)}"
        case "mandatory":
            keys = struct.unpack(f"!{len(value) // 2}H", value)
            return f"{name}={','.join(map(_service_key, keys))}"
        case "alpn":
            return f"{name}={','.join(_protocols(value))}"
        case "ech":
            return f"{name}={b64encode(value).decode('ascii')}"
        case "ipv4hint":
            return f"{name}={','.join(str(IPv4Address(each)) for each in _pieces(value, 4))}"
        case "ipv6hint":
            return f"{name}={','.join(str(IPv6Address(each)) for each in _pieces(value, 16))}"
    raise ValueError(name)


def _pieces(value: bytes, size: int) -> list[bytes]:
    return [value[at : at + size] for at in range(0, len(value), size)]


def _service_key(key: int) -> str:
    return _SERVICE_KEYS[key] if key < len(_SERVICE_KEYS) else f"key{key}"


def _protocols(value: bytes) -> Iterator[str]:
    at = 0
    while at < len(value):
        stop = at + 1 + value[at]
        if stop > len(value):
            raise ValueError(value)
        yield value[at + 1 : stop].decode("latin-1").replace(",", "\\,")
        at = stop


def _quoted(text: bytes) -> str:
    return '"' + "".join(map(_character, text)) + '"'


def _character(each: int) -> str:
    if each in b'"\\':
        return "\\" + chr(each)
    return chr(each) if 0x20 <= each <= 0x7E else f"\\{each:03d}"


_READERS: dict[int, _Reader] = {
    1: _ipv4,
    2: _name,
    5: _name,
    6: _soa,
    12: _name,
    15: _numbers_and_name("!H"),
    16: _texts,
    28: _ipv6,
    33: _numbers_and_name("!HHH"),
    39: _name,
    64: _service,
    65: _service,
    99: _texts,
    257: _caa,
}
