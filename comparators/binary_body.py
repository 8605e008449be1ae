"""Bodies that are neither text nor anything else that is understood."""

from collections.abc import Iterator
from hashlib import sha256

from comparators._body import Content, unequal
from comparators._contract import comparator
from shadow.model import Change, Difference, Response


@comparator
def binary_body(control: Response, other: Response) -> Iterator[Difference]:
    """Of opaque bytes only their number and their digest can be told."""
    bodies = unequal(control, other, Content.BINARY)
    if bodies is None:
        return
    left, right = bodies
    if len(left) != len(right):
        yield Difference("body", Change.LENGTH, len(left), len(right))
    else:
        yield Difference("body", Change.VALUE, _digest(left), _digest(right))


def _digest(body: bytes) -> str:
    return f"sha256:{sha256(body).hexdigest()}"
