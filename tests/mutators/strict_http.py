"""A strict reading of HTTP/1.1 requests, written from the ABNF of RFC 9112, RFC 9110 and RFC 3986 alone."""

import re

_TCHAR = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]"
_TOKEN = re.compile(_TCHAR + rb"+")
_VERSION = re.compile(rb"HTTP/[0-9]\.[0-9]")
_TARGET = re.compile(rb"[!-~]+")
_VALUE = re.compile(rb"(?:[!-~\x80-\xff](?:[ \t!-~\x80-\xff]*[!-~\x80-\xff])?)?")
_EXTENSION = re.compile(
    rb"(?:[ \t]*;[ \t]*"
    + _TCHAR
    + rb"+(?:[ \t]*=[ \t]*(?:"
    + _TCHAR
    + rb'+|"(?:[^"\\\x00-\x08\x0a-\x1f\x7f]|'
    rb'\\[\t -~\x80-\xff])*"))?)*'
)
_HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]*)(?::[0-9]*)?")


def violations(text: bytes) -> set[str]:
    """The rules that the first request in `text` breaks, by the names that the tests give them."""
    text = text.removeprefix(b"\r\n")  # RFC 9112 §2.2 lets one empty line stand before
    head, end, rest = text.partition(b"\r\n\r\n")
    if not end:
        return {"incomplete"}
    start, *lines = head.split(b"\r\n")
    found = _of_request_line(start)
    fields: list[tuple[bytes, bytes]] = []
    for line in lines:
        found |= _of_field_line(line)
        name, _, value = line.partition(b":")
        fields.append((name.strip(b" \t").lower(), value.strip(b" \t")))
    hosts = [value for name, value in fields if name == b"host"]
    if len(hosts) != 1 or not _HOST.fullmatch(hosts[0]):
        found.add("host")
    return found | _of_framing(fields, rest)


def _of_request_line(line: bytes) -> set[str]:
    parts = line.split(b" ")
    if len(parts) != 3:
        return {"request-line"}
    method, target, version = parts
    found = set()
    if not _TOKEN.fullmatch(method):
        found.add("method")
    if not _TARGET.fullmatch(target):
        found.add("target")
    if not _VERSION.fullmatch(version):
        found.add("version")
    return found


def _of_field_line(line: bytes) -> set[str]:
    if line[:1] in (b" ", b"\t"):
        return {"fold"}
    name, colon, value = line.partition(b":")
    if not colon:
        return {"colon"}
    if name.rstrip(b" \t") != name:
        return {"space before colon"}
    if not _TOKEN.fullmatch(name):
        return {"field-name"}
    return set() if _VALUE.fullmatch(value.strip(b" \t")) else {"field-value"}


def _of_framing(fields: list[tuple[bytes, bytes]], rest: bytes) -> set[str]:
    lengths = [
        piece.strip(b" \t")
        for name, value in fields
        if name == b"content-length"
        for piece in value.split(b",")
    ]
    codings = [
        piece.strip(b" \t").lower()
        for name, value in fields
        if name == b"transfer-encoding"
        for piece in value.split(b",")
    ]
    found = set()
    if any(not re.fullmatch(rb"[0-9]+", length) for length in lengths) or len(set(lengths)) > 1:
        found.add("content-length")
    if codings and codings[-1] != b"chunked":
        found.add("transfer-encoding")
    if codings and lengths:
        found.add("both framings")
    if found:
        return found
    if codings:
        return _of_chunks(rest)
    return {"incomplete"} if lengths and len(rest) < int(lengths[0]) else set()


def _of_chunks(rest: bytes) -> set[str]:
    while True:
        line, end, rest = rest.partition(b"\r\n")
        if not end:
            return {"incomplete"}
        size = re.match(rb"[0-9A-Fa-f]+", line)
        if size is None or not _EXTENSION.fullmatch(line, size.end()):
            return {"chunk-size"}
        count = int(size[0], 16)
        if not count:
            break
        if len(rest) < count + 2:
            return {"incomplete"}
        if rest[count : count + 2] != b"\r\n":
            return {"chunk-data"}
        rest = rest[count + 2 :]
    found: set[str] = set()
    while True:
        line, end, rest = rest.partition(b"\r\n")
        if not end:
            return {"incomplete"}
        if not line:
            return found
        found |= _of_field_line(line)
