"""Bodies of gRPC: their messages, read without a schema."""

from collections.abc import Iterator, Sequence

from comparators import _tree, json_body
from comparators._body import Content, plain, unequal
from comparators._contract import comparator
from comparators._protobuf import values_of
from shadow.content.coding import undo_one
from shadow.content.entity import media_type
from shadow.model import Change, Difference, Response, field
from shadow.wire.grpc import messages_in


@comparator
def grpc_body(control: Response, other: Response) -> Iterator[Difference]:
    """Fields may come in any order, and an absent one has its default (protobuf.dev, Encoding); how messages
    are cut into frames means nothing. Without a schema a field is known by its number: ``body:$.f3``, and of
    a stream ``body:$[2].f3``.
    """
    if unequal(control, other, Content.GRPC) is None:
        return
    left, right = _messages(control), _messages(other)
    if left is None or right is None:
        if left is not right:
            yield Difference("body", Change.TYPE, _kind(left), _kind(right))
        return
    yield from compared(left, right, is_json=media_type(control.headers).endswith(b"+json"))


def compared(left: Sequence[bytes], right: Sequence[bytes], *, is_json: bool = False) -> Iterator[Difference]:
    """The differences of two sequences of messages, their frames and compression undone."""
    if is_json:
        yield from _json(left, right)
        return
    values = values_of([*left, *right])
    ours, theirs = values[: len(left)], values[len(left) :]
    if len(ours) == len(theirs) == 1:
        yield from _tree.walk(ours[0], theirs[0], "body:$")
    else:
        yield from _tree.walk(ours, theirs, "body:$")


def _messages(response: Response) -> list[bytes] | None:
    """The messages, their compression undone; None where the body does not consist of messages."""
    found, is_whole = messages_in(plain(response), lambda _: 0.0, is_from_client=False)
    if not is_whole:
        return None
    coding = (field(response.headers, b"grpc-encoding") or b"identity").lower()
    return [undo_one(each.body, coding).body if each.kind == "compressed" else each.body for each in found]


def _kind(messages: list[bytes] | None) -> str:
    return "no gRPC messages" if messages is None else "gRPC messages"


def _json(left: Sequence[bytes], right: Sequence[bytes]) -> Iterator[Difference]:
    if len(left) != len(right):
        yield Difference("body:$", Change.LENGTH, len(left), len(right))
    for ours, theirs in zip(left, right, strict=False):
        yield from json_body.compared(ours, theirs)
