"""Messages that are neither JSON nor text."""

from collections.abc import Iterator

from shadow.model import Change, Difference

_WINDOW_BYTES = 16


def compared(left: bytes, right: bytes, where: str) -> Iterator[Difference]:
    """The number of bytes where that differs, else what stands at the first place that does."""
    if len(left) != len(right):
        yield Difference(where, Change.LENGTH, len(left), len(right))
    elif left != right:
        at = next(at for at, (ours, theirs) in enumerate(zip(left, right, strict=True)) if ours != theirs)
        yield Difference(where, Change.VALUE, _shown(left, at), _shown(right, at))


def _shown(text: bytes, at: int) -> str:
    return f"{text[at : at + _WINDOW_BYTES].hex(' ')} at {at}"
