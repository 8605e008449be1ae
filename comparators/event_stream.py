"""Server-sent events."""

from collections.abc import Iterator
from typing import Any

from comparators import _tree
from comparators._body import Content, unequal
from comparators._contract import comparator
from comparators.json_body import has_long_number, parse
from shadow.model import Difference, Response

_BLANK_LINE = b"\n\n"
_PLAIN_EVENT = "message"
"""What an event is called that does not say."""
_HEARTBEATS = frozenset({"ping", "heartbeat", "keepalive", "keep-alive", "keep_alive"})
"""Sent to keep the connection open, as often as time allows."""


@comparator
def event_stream(control: Response, other: Response) -> Iterator[Difference]:
    """Comments, line ends and the split of data over lines mean nothing, nor do events without data, which
    no client is given (HTML Living Standard §9.2.6). Data are compared as JSON where they are.
    """
    if bodies := unequal(control, other, Content.EVENTS):
        left, right = bodies
        is_exact = any(word in body for body in bodies for word in (b"true", b"false"))
        yield from _tree.walk(_events(left), _events(right), "body:$", is_exact=is_exact)


def _events(body: bytes) -> list[dict[str, Any]]:
    """Every event as its fields by name; an incomplete last event is dropped, unless it is all there is."""
    text = body.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    *blocks, _ = text.split(_BLANK_LINE) if _BLANK_LINE in text else [text, b""]
    is_exact = has_long_number(body)
    events = (_event(block, is_exact=is_exact) for block in blocks)
    return [event for event in events if _is_given(event)]


def _is_given(event: dict[str, Any]) -> bool:
    """Whether a client is told of it, by the time at which it reconnects if by nothing else."""
    return ("data" in event or "retry" in event) and event.get("event") not in _HEARTBEATS


def _event(block: bytes, *, is_exact: bool) -> dict[str, Any]:
    fields: dict[str, list[bytes]] = {}
    for line in block.split(b"\n"):
        name, _, value = line.partition(b":")
        if name in (b"event", b"data", b"id", b"retry"):  # others are ignored
            fields.setdefault(name.decode(), []).append(value.removeprefix(b" "))
    found = {name: _value(name, values, is_exact=is_exact) for name, values in fields.items()}
    if found.get("event") in ("", _PLAIN_EVENT):
        del found["event"]
    return found


def _value(name: str, values: list[bytes], *, is_exact: bool) -> Any:
    """Lines of data are one text; of all other fields the last counts."""
    value = b"\n".join(values) if name == "data" else values[-1]
    parsed = parse(value, is_exact=is_exact) if name == "data" else None
    return value.decode("utf-8", "backslashreplace") if parsed is None else parsed.value
