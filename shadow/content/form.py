"""``application/x-www-form-urlencoded`` bodies (WHATWG URL §5): pairs, with ``+`` for a space."""

from collections.abc import Iterable

from shadow.content.entity import entity, media_type, replace_body
from shadow.content.query import Pair, join_pairs, split_pairs
from shadow.model import Request

MEDIA_TYPE = b"application/x-www-form-urlencoded"


def form_of(request: Request) -> list[Pair] | None:
    """The pairs of a form body in order; None where the request bears no form, or an empty one."""
    if media_type(request.headers) != MEDIA_TYPE:
        return None
    body = entity(request)
    return split_pairs(body) if body else None


def with_form(request: Request, pairs: Iterable[Pair]) -> Request:
    """`request` with its body replaced by `pairs`."""
    return replace_body(request, join_pairs(pairs))
