"""URL-encoded bodies."""

from collections.abc import Iterator
from urllib.parse import parse_qsl

from comparators import _tree
from comparators._body import Content, unequal
from comparators._contract import comparator
from shadow.model import Difference, Response


@comparator
def form_body(control: Response, other: Response) -> Iterator[Difference]:
    """Fields of different names have no order, and ``+`` is ``%20`` (URL Living Standard §5.1)."""
    if bodies := unequal(control, other, Content.FORM):
        left, right = bodies
        yield from _tree.walk(_fields(left), _fields(right), "body:$")


def _fields(body: bytes) -> dict[str, str | list[str]]:
    """Each field's value, or its values in order where it stands more than once."""
    found: dict[str, list[str]] = {}
    for name, value in parse_qsl(body.decode("latin-1"), keep_blank_values=True):
        found.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}
