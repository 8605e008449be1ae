"""What the protobuf mutators share: a drawn field, also one of a message within a message, and the edit."""

from collections.abc import Callable
from random import Random

from shadow.content.entity import replace_body
from shadow.content.protobuf import LENGTH, Field, Message, message_of, parse, varint
from shadow.model import Edit, Request

_MAX_DEPTH = 5
_NESTED_SHARE = 0.5
_MIN_NESTED_BYTES = 2
"""A tag and a value; what is shorter is text or empty."""


def drawn_field_edit(
    request: Request, rng: Random, change: Callable[[Message, Field], bytes | None], what: str
) -> Edit | None:
    """An edit in which one field, at any depth, becomes the bytes ``change(message, field)``; the lengths of
    the messages around it are put right. None where there is none, or `change` gives None.
    """
    message = message_of(request)
    if message is None:
        return None
    field = rng.choice(message.fields)
    around: list[tuple[Message, Field]] = []
    inner = message
    while len(around) < _MAX_DEPTH and (found := _within(inner, field)) and rng.random() < _NESTED_SHARE:
        around.append((inner, field))
        inner, field = found, rng.choice(found.fields)
    new = change(inner, field)
    if new is None:
        return None
    text = inner.text[: field.start] + new + inner.text[field.end :]
    for outer, holder in reversed(around):
        text = (
            outer.text[: holder.value] + varint(len(text)) + text + outer.text[holder.end :]
        )  # the tag stays as it was spelled
    number = ".".join(str(each.number) for each in (*(holder for _, holder in around), field))
    return message_edit(request, lambda _: text, f"{what} {number}")


def message_edit(request: Request, change: Callable[[Message], bytes | None], what: str) -> Edit | None:
    """An edit in which the message's bytes become ``change(message)``; None where it is the same."""
    message = message_of(request)
    text = change(message) if message else None
    if message is None or text is None or text == message.text:
        return None
    return Edit(replace_body(request, message.body(text)), what)


def _within(message: Message, field: Field) -> Message | None:
    """What a field holds, where that can be read as a message."""
    if field.kind != LENGTH or field.end - field.content < _MIN_NESTED_BYTES:
        return None
    text = message.content(field)
    fields = parse(text)
    return Message(b"", text, fields) if fields else None
