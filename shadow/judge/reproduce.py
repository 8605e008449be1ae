"""A request as something to paste into a shell, byte for byte."""

import shlex
from base64 import b64encode

from shadow.model import Headers, Request, field, fields
from shadow.wire.http2_form import in_http2

_IMPLIED = (b"accept", b"user-agent", b"content-type", b"expect")
"""Fields that curl adds unless told otherwise; the last two only with a body."""


def curl(request: Request, origin: str, *, is_http2: bool = False) -> str | None:
    """A bash command line that sends `request` to `origin` (``"http://host:port"``) as it is.

    Bodies that are not printable go through base64, so that every byte survives the shell. None where curl
    cannot say the request: NUL or a line end in the head. Over HTTP/2 what speaks of the connection is left
    out, and a gRPC call says that it takes trailers.
    """
    head = [request.method, request.target, *(part for line in request.headers for part in line)]
    if any(byte in part for part in head for byte in b"\x00\r\n"):
        return None
    words = [b"curl", b"-sS", b"-i", _version(origin, is_http2=is_http2), b"--globoff"]
    words += [b"--path-as-is", *_method(request.method)]
    for name, value in _over_http2(request) if is_http2 else request.headers:
        if not _is_curls_own(request, name, value):
            words += [b"-H", name + b": " + value if value else name + b";"]
    for name in _IMPLIED if request.body else _IMPLIED[:2]:
        if field(request.headers, name) is None:
            words += [b"-H", name + b":"]
    feed = ""
    if request.body and _is_printable(request.body):
        words += [b"--data-raw", request.body]
    elif request.body:
        feed = f"printf %s {b64encode(request.body).decode()} | base64 -d | "
        words += [b"--data-binary", b"@-"]
    words += _address(request.target, origin.encode())
    return feed + " ".join(map(_quoted, words))


def _version(origin: str, *, is_http2: bool) -> bytes:
    if not is_http2:
        return b"--http1.1"
    return b"--http2" if origin.startswith("https:") else b"--http2-prior-knowledge"


def _over_http2(request: Request) -> Headers:
    """The fields as curl is to be told them: the authority as Host, and no crumbs of cookies."""
    return tuple(line for line in in_http2(request, "", joins_cookies=True) if line[0][:1] != b":") + tuple(
        (b"Host", value) for value in fields(request.headers, b"host")
    )


def _method(method: bytes) -> list[bytes]:
    return [b"--head"] if method == b"HEAD" else [b"-X", method]


def _is_curls_own(request: Request, name: bytes, value: bytes) -> bool:
    """Whether curl writes this very line by itself."""
    return (
        name.lower() == b"content-length" and bool(request.body) and value == str(len(request.body)).encode()
    )


def _address(target: bytes, origin: bytes) -> list[bytes]:
    is_plain = target.startswith(b"/") and not any(char in target for char in b"# \\") and _is_ascii(target)
    return [origin + target] if is_plain else [b"--request-target", target, origin + b"/"]


def _is_printable(body: bytes) -> bool:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return False
    return all(char.isprintable() or char in "\n\t" for char in text)


def _is_ascii(word: bytes) -> bool:
    return all(0x20 <= byte < 0x7F or byte in b"\n\t" for byte in word)


def _quoted(word: bytes) -> str:
    """Quoted for bash; what is not ASCII as ``$'\\xNN'``, so that the bytes do not hang on the locale."""
    if _is_ascii(word):
        return shlex.quote(word.decode("ascii"))
    return "$'" + "".join(map(_escaped, word)) + "'"


def _escaped(byte: int) -> str:
    char = chr(byte)
    if char in "'\\":
        return "\\" + char
    return char if 0x20 <= byte < 0x7F else f"\\x{byte:02x}"
