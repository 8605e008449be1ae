"""Bodies that are neither text nor anything else that is understood."""

from collections.abc import Iterator
from hashlib import sha256

from comparators import _archives, _tree
from comparators._body import Content, unequal
from comparators._contract import comparator
from comparators._pictures import kind_of, size_of
from comparators.text_body import compared as compared_text
from shadow.model import Change, Difference, Response

_PICTURES = frozenset({"avif", "bmp", "gif", "ico", "jpeg", "png", "webp"})


@comparator
def binary_body(control: Response, other: Response) -> Iterator[Difference]:
    """What it is by its first bytes; then pictures by their size, archives by what they hold, and opaque
    bytes by their number and their digest. When an archive or a PDF was made means nothing."""
    bodies = unequal(control, other, Content.BINARY)
    if bodies is None:
        return
    left, right = bodies
    kind, its = kind_of(left), kind_of(right)
    if kind != its:
        yield Difference("body", Change.TYPE, kind or "binary", its or "binary")
    elif kind in _PICTURES:
        yield from _pictures(left, right, kind)
    elif kind == "zip":
        yield from _zips(left, right)
    elif kind == "gzip":
        yield from _gzips(left, right)
    elif kind == "pdf":
        yield from _pdfs(left, right)
    else:
        yield from _bytes(left, right)


def _bytes(left: bytes, right: bytes) -> Iterator[Difference]:
    if len(left) != len(right):
        yield Difference("body", Change.LENGTH, len(left), len(right))
    elif left != right:
        yield Difference("body", Change.VALUE, _digest(left), _digest(right))


def _pictures(left: bytes, right: bytes, kind: str) -> Iterator[Difference]:
    """One that was encoded anew has other bytes, and another number of them, for the same picture or not."""
    ours, theirs = size_of(left, kind), size_of(right, kind)
    if ours != theirs:
        yield Difference("body:size", Change.VALUE, _shown(ours), _shown(theirs))
    elif ours is None:
        yield from _bytes(left, right)
    else:
        yield Difference("body", Change.VALUE, _digest(left), _digest(right))


def _zips(left: bytes, right: bytes) -> Iterator[Difference]:
    ours, theirs = _archives.members(left), _archives.members(right)
    if ours is None or theirs is None:
        yield from _bytes(left, right)
    else:
        yield from _tree.walk(ours, theirs, "body:$")


def _gzips(left: bytes, right: bytes) -> Iterator[Difference]:
    """The head of the file says when it was made, and how hard it was packed shows nowhere."""
    ours, theirs = _archives.unpacked(left), _archives.unpacked(right)
    if ours is None or theirs is None:
        yield from _bytes(left, right)
    elif _is_text(ours) and _is_text(theirs):
        yield from compared_text(ours, theirs)
    else:
        yield from _bytes(ours, theirs)


def _pdfs(left: bytes, right: bytes) -> Iterator[Difference]:
    if _archives.is_same_pdf(left, right):
        return
    ours, theirs = _archives.pages(left), _archives.pages(right)
    if ours != theirs:
        yield Difference("body:pages", Change.VALUE, ours, theirs)


def _is_text(body: bytes) -> bool:
    try:
        return "\0" not in body.decode()
    except UnicodeDecodeError:
        return False


def _shown(size: object) -> str:
    return "unknown" if size is None else str(size)


def _digest(body: bytes) -> str:
    return f"sha256:{sha256(body).hexdigest()}"
