"""Server-sent events."""

from collections.abc import Iterator
from typing import Any

from comparators import _tree
from comparators._body import Content, unequal
from comparators._contract import comparator
from comparators.json_body import parse
from shadow.model import Difference, Response

_BLANK_LINE = b"\n\n"


@comparator
def event_stream(control: Response, other: Response) -> Iterator[Difference]:
    """Comments, line ends and the split of data over lines mean nothing (HTML Living Standard §9.2.6)."""
    if bodies := unequal(control, other, Content.EVENTS):
        left, right = bodies
        yield from _tree.walk(_events(left), _events(right), "body:$")


def _events(body: bytes) -> list[dict[str, Any]]:
    """Every event as its fields by name; an incomplete last event is dropped, unless it is all there is."""
    text = body.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    *blocks, _ = text.split(_BLANK_LINE) if _BLANK_LINE in text else [text, b""]
    events = (_event(block) for block in blocks)
    return [event for event in events if event]


def _event(block: bytes) -> dict[str, Any]:
    fields: dict[str, list[bytes]] = {}
    for line in block.split(b"\n"):
        name, _, value = line.partition(b":")
        if name:
            fields.setdefault(name.decode("utf-8", "replace"), []).append(value.removeprefix(b" "))
    return {name: _value(name, b"\n".join(values)) for name, values in fields.items()}


def _value(name: str, value: bytes) -> Any:
    parsed = parse(value) if name == "data" else None
    return value.decode("utf-8", "backslashreplace") if parsed is None else parsed.value
