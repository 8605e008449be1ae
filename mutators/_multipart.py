"""What the multipart mutators share: a drawn part changed, and the edit."""

from collections.abc import Callable
from random import Random

from shadow.content.entity import replace_body
from shadow.content.multipart import Multipart, Part, multipart_of
from shadow.model import Edit, Request


def change_part(request: Request, rng: Random, change: Callable[[Part], Part], what: str) -> Edit | None:
    """An edit in which one part, drawn by the dice, becomes ``change(part)``; `what` ends with its name."""
    body = multipart_of(request)
    if body is None:
        return None
    at = rng.randrange(len(body.parts))
    parts = (*body.parts[:at], change(body.parts[at]), *body.parts[at + 1 :])
    return parts_edit(request, with_parts(body, parts), f"{what} the part {body.parts[at].name!r}")


def with_parts(body: Multipart, parts: tuple[Part, ...]) -> Multipart:
    """`body` with other parts."""
    return Multipart(body.boundary, body.preamble, parts, body.closing)


def parts_edit(request: Request, body: Multipart, what: str) -> Edit | None:
    """An edit with `body` as the multipart body, unless nothing would change."""
    edited = replace_body(request, body.render())
    return None if edited.body == request.body else Edit(edited, what)
