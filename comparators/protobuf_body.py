"""Bodies that are one message of Protocol Buffers."""

from collections.abc import Iterator

from comparators import _tree
from comparators._body import Content, unequal
from comparators._contract import comparator
from comparators._protobuf import values_of
from shadow.content.protobuf import parse
from shadow.model import Change, Difference, Response


@comparator
def protobuf_body(control: Response, other: Response) -> Iterator[Difference]:
    """Read without a schema: a field is known by its number (``body:$.f3``), fields have no order, and an
    absent one has its default (protobuf.dev, Encoding).
    """
    bodies = unequal(control, other, Content.PROTOBUF)
    if bodies is None:
        return
    left, right = bodies
    is_sound, is_right_sound = parse(left) is not None, parse(right) is not None
    if is_sound is not is_right_sound:
        yield Difference("body", Change.TYPE, _kind(is_sound), _kind(is_right_sound))
        return
    ours, theirs = values_of([left, right])
    yield from _tree.walk(ours, theirs, "body:$")


def _kind(is_sound: bool) -> str:  # named where it is made
    return "a message" if is_sound else "no message"
