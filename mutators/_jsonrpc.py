"""What the mutators of JSON-RPC share: the single call that a body is, and a member of it set anew."""

from random import Random

from mutators._json import document_of, member, rewritten
from shadow.content import json
from shadow.content.json import Document
from shadow.model import Edit, Request


def call_of(request: Request) -> Document | None:
    """The body where it is a single JSON-RPC call."""
    document = document_of(request) if b'"jsonrpc"' in request.body else None
    return document if document is not None and member(document, "method") is not None else None


def set_member(request: Request, rng: Random, name: str, values: tuple[bytes, ...]) -> Edit | None:
    """An edit in which the call's member `name` is one of `values`; None where there is no such member."""
    document = call_of(request)
    node = member(document, name) if document else None
    if document is None or node is None:
        return None
    value = rng.choice(values)
    shown = value[:40].decode()
    return rewritten(request, document, json.replace(document, node, value), f"set {shown} as", node)
