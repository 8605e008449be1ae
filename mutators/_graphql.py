"""What the GraphQL mutators share: the query of a request, its tokens, its selection, and the edit."""

import re
from collections.abc import Callable

from mutators._json import document_of, member, rewritten
from shadow.content import json
from shadow.content.json import Document, Kind, Node
from shadow.model import Edit, Request

TOKEN = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*"""|"(?:[^"\\\n]|\\.)*"|#[^\n]*|\.\.\.|[A-Za-z_]\w*|-?\d[\d.eE+-]*|[^\s\w]',
    re.ASCII,
)
_BEGINS = re.compile(
    r"[\s,]*(?:\{[\s,]*(?:\.\.\.|[A-Za-z_]\w*+\s*+(?:(?![=!~<>:])|:\s*[A-Za-z_]))"
    r"|(?:query|mutation|subscription|fragment)\b[^{]*\{|#)"
)
"""How a query begins. Selectors of logs and metrics (``{app="web"}``), and filters of databases, do not."""


def query_in(request: Request) -> tuple[Document, Node] | None:
    """(document, its ``query`` string) of a GraphQL request over JSON; None for any other.

    One that states its query's hash (a persisted query) is rightly refused when they differ.
    """
    if b"query" not in request.body or b'"sha256Hash"' in request.body:
        return None
    document = document_of(request)
    node = member(document, "query") if document else None
    if document is None or node is None or node.kind is not Kind.STRING:
        return None
    text = json.text_of(document.raw(node))
    return (document, node) if _BEGINS.match(text) and "{" in text else None


def query_edit(request: Request, change: Callable[[str], str | None], what: str) -> Edit | None:
    """An edit in which the query's text becomes ``change(text)``; None where that is None or the same."""
    found = query_in(request)
    if found is None:
        return None
    document, node = found
    new = change(json.text_of(document.raw(node)))
    return (
        None
        if new is None
        else rewritten(request, document, json.replace(document, node, json.quote(new)), what)
    )


def selection(query: str) -> tuple[int, int] | None:
    """(start, end) of the first operation's selection set, braces included; None where it is not found
    for sure.
    """
    depth = parens = 0
    start = -1
    for found in TOKEN.finditer(query):
        piece = found[0]
        if start < 0:
            parens += (piece == "(") - (piece == ")")
            if piece == "fragment" and not parens:
                return None
        if piece == "{" and not parens:
            start = found.start() if start < 0 else start
            depth += 1
        elif piece == "}" and start >= 0:
            depth -= 1
            if depth == 0:
                return start, found.end()
    return None
