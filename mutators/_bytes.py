"""What the mutators of plain bytes share: a drawn block, bytes put in, and the edit inside of the coding."""

from collections.abc import Callable
from random import Random

from shadow.content.entity import entity, replace_body
from shadow.model import Edit, Request

MAX_BLOCK_BYTES = 4_096
MAX_REPEATED_BYTES = 200_000


def repeats(piece: bytes, wanted: int) -> int:
    """How often `piece` is repeated: `wanted` times, once at least, and no more than bears being sent."""
    return min(wanted, MAX_REPEATED_BYTES // (len(piece) + 1) + 1)


def bytes_edit(request: Request, change: Callable[[bytes], bytes | None], what: str) -> Edit | None:
    """An edit of the body with its coding undone; None without a body, or where nothing would change."""
    text = entity(request) if request.body else None
    new = change(text) if text else None
    return None if new is None or new == text else Edit(replace_body(request, new), what)


def insert_edit(request: Request, rng: Random, piece: bytes, what: str) -> Edit | None:
    """An edit with `piece` anywhere in the body, put in or written over what stands there."""

    def change(text: bytes) -> bytes:
        at = rng.randint(0, len(text))
        return text[:at] + piece + text[at:] if rng.random() < 0.7 else put(text, at, piece)

    return bytes_edit(request, change, what)


def put(text: bytes, at: int, piece: bytes) -> bytes:
    """`text` with `piece` written over what stands at `at`."""
    return text[:at] + piece + text[at + len(piece) :]


def block_of(text: bytes, rng: Random) -> tuple[int, int]:
    """(start, end) of a block of at least one byte, mostly short."""
    size = min(len(text), rng.choice((1, 1, 2, 4, 16, 256, MAX_BLOCK_BYTES)))
    start = rng.randint(0, len(text) - size)
    return start, start + size
