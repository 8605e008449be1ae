"""GraphQL requests in other words: the same query, spelled otherwise (GraphQL, October 2021)."""

import re
from random import Random

from mutators._contract import mutator
from mutators._graphql import TOKEN, query_edit, query_in, selection
from mutators._json import member, rewritten
from shadow.content import json
from shadow.content.json import Kind
from shadow.model import Edit, Expect, Level, Request

_IGNORED = (",", " ,, ", "\n", "\t", " # shadow\n")
_INLINABLE = {"String": Kind.STRING, "ID": Kind.STRING, "Int": Kind.NUMBER, "Boolean": Kind.BOOLEAN}


@mutator(level=Level.BODY, expect=Expect.SAME)
def ignored_graphql_tokens(request: Request, rng: Random) -> Edit | None:
    """White space, commas, comments and marks between tokens are ignored (GraphQL §2.1)."""

    def change(query: str) -> str:
        # after $ and @ too white space is allowed, but lexers that take sign and name as one are common
        places = [found.start() for found in TOKEN.finditer(query) if query[found.start() - 1] not in "$@"]
        at = rng.choice(places or [0])
        return query[:at] + rng.choice(_IGNORED) + query[at:]

    return query_edit(request, change, "put ignored tokens into the query")


@mutator(level=Level.BODY, expect=Expect.SAME)
def wrap_in_fragment(request: Request, rng: Random) -> Edit | None:
    """An inline fragment without a type condition selects the same fields (GraphQL §2.8.2)."""
    directive = rng.choice(("", "@include(if: true) ", "@skip(if: false) "))

    def change(query: str) -> str | None:
        span = selection(query)
        if span is None or re.search(r"\bsubscription\b", query):
            return None  # a subscription's root is one field, without a condition (GraphQL §5.2.3.1)
        start, end = span
        return f"{query[: start + 1]} ... {directive}{query[start:end]} {query[end - 1 :]}"

    return query_edit(request, change, "wrapped the selection in a fragment")


@mutator(level=Level.BODY, expect=Expect.SAME)
def spell_out_query(request: Request, _rng: Random) -> Edit | None:
    """A query without keyword is the shorthand of one with it (GraphQL §2.3)."""
    return query_edit(
        request,
        lambda query: "query " + query if query.lstrip().startswith("{") else None,
        "spelled out `query`",
    )


@mutator(level=Level.BODY, expect=Expect.SAME)
def repeat_graphql_field(request: Request, rng: Random) -> Edit | None:
    """A field selected twice is merged into one (GraphQL §5.3.2). Plain queries alone, without
    arguments, aliases, directives or fragments, so that the name is a field's for sure.
    """

    def change(query: str) -> str | None:
        leaves = list(re.finditer(r"(?<=[{\s])([A-Za-z_]\w*)(?=\s*\})", query))
        if not leaves or any(sign in query for sign in '"#$(:@.'):
            return None
        leaf = rng.choice(leaves)
        return query[: leaf.end()] + " " + leaf[1] + query[leaf.end() :]

    return query_edit(request, change, "selected a field twice")


@mutator(level=Level.BODY, expect=Expect.SAME)
def literal_for_variable(request: Request, rng: Random) -> Edit | None:
    """A variable's value may stand in the query itself (GraphQL §2.10). Built-in scalar types alone: an
    enumeration's or an input object's literal is written otherwise than in JSON.
    """
    found = query_in(request)
    variables = member(found[0], "variables") if found else None
    if found is None or variables is None:
        return None
    document, node = found
    query = json.text_of(document.raw(node))
    held = {json.text_of(document.raw_key(child)): child for child in document.children(variables)}
    chosen = [
        definition
        for definition in re.finditer(r"\$(\w+)\s*:\s*(\w+)\b!?(?!\s*[=@!])\s*,?", query)
        if definition[1] in held and _INLINABLE.get(definition[2]) is held[definition[1]].kind
    ]
    if not chosen or '"' in query or "#" in query or query.count("query") + query.count("mutation") > 1:
        return None
    definition = rng.choice(chosen)
    value = document.raw(held[definition[1]]).decode("utf-8", "replace")
    if "\\u" in value:  # GraphQL reads escaped surrogate pairs otherwise than JSON
        return None
    if held[definition[1]].kind is Kind.NUMBER and not value.lstrip("-").isdigit():
        return None  # 1.0 is an Int as a variable, and none as a literal
    rest = query[: definition.start()] + query[definition.end() :]
    inlined = re.sub(rf"\${definition[1]}\b", lambda _: value, re.sub(r"\(\s*\)", "", rest, count=1))
    without = json.parse(json.replace(document, node, json.quote(inlined)))
    left = member(without, "variables") if without else None
    if without is None or left is None:
        return None
    gone = next(
        child for child in without.children(left) if json.text_of(without.raw_key(child)) == definition[1]
    )
    return rewritten(request, document, json.drop(without, gone), f"wrote ${definition[1]} into the query")


@mutator(level=Level.BODY, expect=Expect.SAME)
def rename_graphql_variable(request: Request, rng: Random) -> Edit | None:
    """A variable's name is the client's own (GraphQL §2.10): another one, in the query and beside it, is the
    same request.
    """
    found = query_in(request)
    variables = member(found[0], "variables") if found else None
    if found is None or variables is None or variables.kind is not Kind.OBJECT:
        return None
    document, node = found
    query = json.text_of(document.raw(node))
    held = document.children(variables)
    defined = set(re.findall(r"\$(\w+)\s*:", query))
    chosen = [child for child in held if json.text_of(document.raw_key(child)) in defined]
    if not chosen or any(sign in query for sign in '"#'):
        return None
    child = rng.choice(chosen)
    name, other = json.text_of(document.raw_key(child)), f"shadow{rng.getrandbits(16)}"
    if other in query:
        return None
    renamed = json.quote(re.sub(rf"\${re.escape(name)}\b", f"${other}", query))
    spans = sorted(
        ((node.start, node.end, renamed), (child.key_start, child.key_end, json.quote(other))), reverse=True
    )
    text = document.text
    for start, end, piece in spans:
        text = text[:start] + piece + text[end:]
    return rewritten(request, document, text, f"renamed the variable ${name}")


@mutator(level=Level.BODY, expect=Expect.SAME)
def alias_to_itself(request: Request, rng: Random) -> Edit | None:
    """The response key of a field is its name unless an alias says otherwise (GraphQL §2.7): one that says
    the same changes nothing. Plain queries alone, so that the name is a field's for sure.
    """

    def change(query: str) -> str | None:
        leaves = list(re.finditer(r"(?<=[{\s])([A-Za-z_]\w*)(?=\s*\})", query))
        if not leaves or any(sign in query for sign in '"#$(:@.'):
            return None
        leaf = rng.choice(leaves)
        return f"{query[: leaf.start()]}{leaf[1]}: {query[leaf.start() :]}"

    return query_edit(request, change, "gave a field its own name as alias")


@mutator(level=Level.BODY, expect=Expect.SAME)
def inline_fragment(request: Request, rng: Random) -> Edit | None:
    """A fragment that is spread is an inline fragment of its type condition (GraphQL §2.8): written out in
    the place of its only spread, it selects the same.
    """

    def change(query: str) -> str | None:
        found = list(re.finditer(r"\bfragment\s+(\w+)\s+on\s+(\w+)\s*(\{[^{}]*\})", query))
        if not found or any(sign in query for sign in '"#'):
            return None
        fragment = rng.choice(found)
        spreads = list(re.finditer(rf"\.\.\.\s*{fragment[1]}\b(?!\s*@)", query))
        if len(spreads) != 1 or fragment.start() <= spreads[0].start() < fragment.end():
            return None
        rest = query[: fragment.start()] + " " * len(fragment[0]) + query[fragment.end() :]
        inlined = f"... on {fragment[2]} {fragment[3]}"
        return rest[: spreads[0].start()] + inlined + rest[spreads[0].end() :]

    return query_edit(request, change, "inlined a fragment")


@mutator(level=Level.BODY, expect=Expect.SAME)
def rename_graphql_fragment(request: Request, rng: Random) -> Edit | None:
    """A fragment's name is the document's own (GraphQL §2.8), and is not seen by whoever is asked."""

    def change(query: str) -> str | None:
        names = re.findall(r"\bfragment\s+(\w+)\s+on\b", query)
        if not names or any(sign in query for sign in '"#'):
            return None
        name, other = rng.choice(names), f"Shadow{rng.getrandbits(16)}"
        pattern = rf"(\bfragment\s+|\.\.\.\s*){name}\b"
        return None if other in query else re.sub(pattern, rf"\g<1>{other}", query)

    return query_edit(request, change, "renamed a fragment")
