"""What tells two edits of one endpoint apart: the same change of other requests is the same edit."""

from zlib import crc32

from shadow.model import Edit, Request

_LOOKED_AT_BYTES = 64 * 1024
"""Of a body: what is changed further on is told apart by its words alone."""


def edit_key(edit: Edit, request: Request) -> int:
    """A number for what was changed in `request`, whatever stands around it.

    Framing is told apart by its words: its bytes hold all of the request.
    """
    made = edit.request
    key = crc32(edit.what.encode("utf-8", "surrogatepass"))
    if edit.wire is not None:
        return key
    for before, after in ((request.target, made.target), (request.body, made.body)):
        key = crc32(_changed(before[:_LOOKED_AT_BYTES], after[:_LOOKED_AT_BYTES]), key)
    if made.headers != request.headers:
        held = set(request.headers)
        for name, value in made.headers:
            if (name, value) not in held:
                key = crc32(b"%b:%b" % (name, value), key)
    return crc32(made.method, key)


def _changed(before: bytes, after: bytes) -> bytes:
    """What of `after` is new: less what both begin and end with."""
    if before == after:
        return b""
    begin = _shared(before, after)
    left, right = before[begin:], after[begin:]
    end = _shared(left[::-1], right[::-1])
    return right[: len(right) - end] + b"\0%d" % (len(left) - end)


def _shared(one: bytes, other: bytes) -> int:
    """How many bytes both begin with."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
