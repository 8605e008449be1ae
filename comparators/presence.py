"""Whether there is a body at all, and whether both are of the same kind."""

from collections.abc import Iterator

from comparators._body import Content, content
from comparators._contract import comparator
from shadow.model import Change, Difference, Response


@comparator
def presence(control: Response, other: Response) -> Iterator[Difference]:
    """An answer that gained or lost its body, or changed its kind, broke whoever reads it."""
    ours, theirs = content(control), content(other)
    if ours is theirs:
        return
    if theirs is Content.EMPTY:
        yield Difference("body", Change.MISSING, ours.value, None)
    elif ours is Content.EMPTY:
        yield Difference("body", Change.ADDED, None, theirs.value)
    else:
        yield Difference("body", Change.TYPE, ours.value, theirs.value)
