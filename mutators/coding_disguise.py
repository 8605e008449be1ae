"""Lines that some hops read as Transfer-Encoding: chunked and others do not: the permutations by which
requests are smuggled (RFC 9112 §11.2).
"""

from random import Random

from mutators._contract import mutator
from mutators._message import chunked, framed, is_http11, odd_edit
from shadow.model import Edit, Expect, Level, Request

NAMES: dict[str, bytes] = {
    "underjoin": b"Transfer_Encoding: chunked",
    "spacejoin": b"Transfer Encoding: chunked",
    "space": b"Transfer-Encoding : chunked",
    "tab": b"Transfer-Encoding\t: chunked",
    "spjunk": b"Transfer-Encoding x: chunked",
    "backslash": b"Transfer\\-Encoding: chunked",
    "nbsp": b"Transfer-Encoding\xa0: chunked",
    "nel": b"Transfer-Encoding\x85: chunked",
    "shy": b"Transfer\xadEncoding: chunked",
    "nul": b"Transfer-Encoding\x00: chunked",
    "accent": b"Transf\xe9r-Encoding: chunked",
    "percent": b"Transfer-%45ncoding: chunked",
    "multiCase": b"tRANSFER-eNCODING: chunked",
    "UPPERCASE": b"TRANSFER-ENCODING: chunked",
    "nospace": b"Transfer-Encoding:chunked",
    "valueprefix": b"Transfer-Encoding:  chunked",
    "doublecolon": b"Transfer-Encoding:: chunked",
    "contentEnc": b"Content-Encoding: chunked",
    "nameprefix": b" Transfer-Encoding: chunked",
    "tabprefix": b"\tTransfer-Encoding: chunked",
}
"""Names beside Transfer-Encoding, each with what testers call it."""
WRAPS: dict[str, bytes] = {
    "linewrapped": b"Transfer-Encoding:\r\n chunked",
    "barewrapped": b"Transfer-Encoding:\n chunked",
    "tabwrap": b"Transfer-Encoding:\r\n\tchunked",
    "vertwrap": b"Transfer-Encoding:\r\n\x0bchunked",
    "doublewrapped": b"Transfer-Encoding:\r\n \r\n chunked",
    "namewrapped": b"Transfer-Encoding\r\n : chunked",
    "nameprefix1": b"X: x\r\n Transfer-Encoding: chunked",
    "nameprefix2": b"X: x\r\n\tTransfer-Encoding: chunked",
    "0dspam": b"Transfer\r-Encoding: chunked",
    "0dprefix": b"\rTransfer-Encoding: chunked",
    "0dsuffix": b"Transfer-Encoding: chunked\r",
    "badsetupCR": b"X: x\rTransfer-Encoding: chunked",
    "badsetupLF": b"X: x\nTransfer-Encoding: chunked",
    "0dvalue": b"X: \rxTransfer-Encoding: chunked",
    "badwrap": b"X: x\r\rTransfer-Encoding: chunked",
    "bodysplit": b"X: x\n\rTransfer-Encoding: chunked",
    "lfsuffix": b"Transfer-Encoding: chunked\nX: x",
    "revlistwrap": b"Transfer-Encoding: cow,\r\n chunked",
    "listwrap": b"Transfer-Encoding: chunked\r\n , cow",
}
"""Line ends where none belong, and folded lines (RFC 9112 §5.2)."""
ODD_BYTES = bytes((*range(0x01, 0x20), *range(0x7F, 0x100)))
PLACES: dict[str, bytes] = {
    "midspace": b"Transfer-Encoding:%bchunked",
    "postspace": b"Transfer-Encoding%b: chunked",
    "prespace": b"%bTransfer-Encoding: chunked",
    "endspace": b"Transfer-Encoding: chunked%b",
    "xprespace": b"X: x%bTransfer-Encoding: chunked",
    "endspacex": b"Transfer-Encoding: chunked%bX: x",
    "rxprespace": b"X: x\r%bTransfer-Encoding: chunked",
    "xnprespace": b"X: x%b\nTransfer-Encoding: chunked",
    "endspacerx": b"Transfer-Encoding: chunked\r%bX: x",
    "endspacexn": b"Transfer-Encoding: chunked%b\nX: x",
}
"""Where one odd byte is put."""


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def disguised_coding_name(request: Request, rng: Random) -> Edit | None:
    """Names beside Transfer-Encoding, by themselves or next to a length: read as it, ignored or refused
    (RFC 9112 §5.1, §11.2).
    """
    name = rng.choice(tuple(NAMES))
    return _beside_length(request, rng, NAMES[name], name)


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def wrapped_coding(request: Request, rng: Random) -> Edit | None:
    """Transfer-Encoding behind or before a bare CR, a bare LF or a fold, by itself or next to a length:
    read, ignored or refused (RFC 9112 §2.2, §5.2, §11.2).
    """
    name = rng.choice(tuple(WRAPS))
    return _beside_length(request, rng, WRAPS[name], name)


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def spaced_coding(request: Request, rng: Random) -> Edit | None:
    """One odd byte before, within, after or behind Transfer-Encoding, by itself or next to a length: taken
    for white space, ignored or refused (RFC 9112 §5.1, §11.2).
    """
    name = rng.choice(tuple(PLACES))
    byte = bytes((rng.choice(ODD_BYTES),))
    return _beside_length(request, rng, PLACES[name] % byte, f"{name}-{byte.hex()}")


def _beside_length(request: Request, rng: Random, line: bytes, name: str) -> Edit | None:
    if not is_http11(request):
        return None
    body = chunked(request.body, (4096,))
    lines = [b"Content-Length: %d" % len(body), line] if rng.random() < 0.5 else [line]
    return odd_edit(request, framed(request, lines, body), f"wrote {line!r} ({name})")
