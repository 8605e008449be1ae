"""GraphQL requests: the same query in other words, and queries that cost too much (GraphQL, October 2021)."""

import re
from collections.abc import Callable
from random import Random

from mutators._contract import mutator
from mutators._json import document_of, rewritten
from shadow.content import json
from shadow.content.entity import replace_body
from shadow.content.json import Document, Kind, Node
from shadow.content.query import Pair, encode, query_of, with_query
from shadow.model import Edit, Expect, Level, Request

_TOKEN = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*"""|"(?:[^"\\\n]|\\.)*"|#[^\n]*|\.\.\.|[A-Za-z_]\w*|-?\d[\d.eE+-]*|[^\s\w]',
    re.ASCII,
)
_INTROSPECTION = "{__schema{types{name fields{name args{name} type{name ofType{name}}}} directives{name}}}"
_IGNORED = (",", " ,, ", "\n", "\t", " # shadow\n")
_INLINABLE = {"String": Kind.STRING, "ID": Kind.STRING, "Int": Kind.NUMBER, "Boolean": Kind.BOOLEAN}


@mutator(level=Level.BODY, expect=Expect.SAME)
def ignored_graphql_tokens(request: Request, rng: Random) -> Edit | None:
    """White space, commas, comments and marks between tokens are ignored (GraphQL §2.1)."""

    def change(query: str) -> str:
        # after $ and @ too white space is allowed, but lexers that take sign and name as one are common
        places = [found.start() for found in _TOKEN.finditer(query) if query[found.start() - 1] not in "$@"]
        at = rng.choice(places or [0])
        return query[:at] + rng.choice(_IGNORED) + query[at:]

    return _edit(request, change, "put ignored tokens into the query")


@mutator(level=Level.BODY, expect=Expect.SAME)
def wrap_in_fragment(request: Request, rng: Random) -> Edit | None:
    """An inline fragment without a type condition selects the same fields (GraphQL §2.8.2)."""
    directive = rng.choice(("", "@include(if: true) ", "@skip(if: false) "))

    def change(query: str) -> str | None:
        span = _selection(query)
        if span is None or query.lstrip().startswith("subscription"):
            return None
        start, end = span
        return f"{query[: start + 1]} ... {directive}{query[start:end]} {query[end - 1 :]}"

    return _edit(request, change, "wrapped the selection in a fragment")


@mutator(level=Level.BODY, expect=Expect.SAME)
def spell_out_query(request: Request, _rng: Random) -> Edit | None:
    """A query without keyword is the shorthand of one with it (GraphQL §2.3)."""
    return _edit(
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

    return _edit(request, change, "selected a field twice")


@mutator(level=Level.BODY, expect=Expect.SAME)
def literal_for_variable(request: Request, rng: Random) -> Edit | None:
    """A variable's value may stand in the query itself (GraphQL §2.10). Built-in scalar types alone: an
    enumeration's or an input object's literal is written otherwise than in JSON.
    """
    found = _query(request)
    variables = _member(found[0], "variables") if found else None
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
    left = _member(without, "variables") if without else None
    if without is None or left is None:
        return None
    gone = next(
        child for child in without.children(left) if json.text_of(without.raw_key(child)) == definition[1]
    )
    return rewritten(request, document, json.drop(without, gone), f"wrote ${definition[1]} into the query")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def alias_many_times(request: Request, rng: Random) -> Edit | None:
    """One field under hundreds of names costs hundredfold: limited or served, never a hang (CWE-770)."""
    count = rng.choice((101, 1_001))

    def change(query: str) -> str | None:
        span = _selection(query)
        if span is None:
            return None
        aliases = " ".join(f"s{n}:__typename" for n in range(count))
        return f"{query[: span[0] + 1]}{aliases} {query[span[0] + 1 :]}"

    return _edit(request, change, f"selected one field under {count} names")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def deepen_query(request: Request, rng: Random) -> Edit | None:
    """A selection nested in itself is limited or refused, never a crash of the parser (CWE-674)."""
    depth = rng.choice((50, 1_001, 10_000))
    return _edit(request, lambda query: query + "{a" * depth + "}" * depth, f"nested {depth} selections")


@mutator(level=Level.BODY, expect=Expect.REJECT)
def circular_fragment(request: Request, rng: Random) -> Edit | None:
    """Fragments must not form cycles (GraphQL §5.5.2.2): an error, not an execution (§6.1), and never a
    hang.
    """
    loop = rng.choice(
        (
            " fragment s on Query { ...s }",
            " fragment s on Query { ...t } fragment t on Query { ...s }",
        )
    )

    def change(query: str) -> str | None:
        span = _selection(query)
        return f"{query[: span[0] + 1]} ...s {query[span[0] + 1 :]}{loop}" if span else None

    return _edit(request, change, "put in a circular fragment")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def introspect_schema(request: Request, _rng: Random) -> Edit | None:
    """Introspection is served or switched off (GraphQL §4): releases must agree on it."""
    return _edit(request, lambda _: _INTROSPECTION, "asked for the schema")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def overload_directives(request: Request, rng: Random) -> Edit | None:
    """Hundreds of directives on one field are refused (GraphQL §5.7.3) or ignored, at no great cost
    (CWE-770).
    """
    count = rng.choice((101, 5_001))

    def change(query: str) -> str | None:
        found = re.search(r"\{\s*([A-Za-z_]\w*)", query)
        return query[: found.end()] + " @shadow" * count + query[found.end() :] if found else None

    return _edit(request, change, f"put {count} directives on a field")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def break_graphql(request: Request, rng: Random) -> Edit | None:
    """A document that does not parse is a request error (GraphQL §7.1), never a crash."""

    def change(query: str) -> str:
        places = [found.span() for found in _TOKEN.finditer(query)]
        start, end = rng.choice(places)
        return query[:start] + rng.choice(("", "{", "}", '"', "$", "...", "@", "\x00", "!")) + query[end:]

    return _edit(request, change, "broke the query")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def unknown_graphql_field(request: Request, _rng: Random) -> Edit | None:
    """A field that the schema does not have is an error (GraphQL §5.3.1); one that hints at others
    leaks the schema.
    """

    def change(query: str) -> str | None:
        span = _selection(query)
        return f"{query[: span[0] + 1]} shadowUnknown {query[span[0] + 1 :]}" if span else None

    return _edit(request, change, "selected an unknown field")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def batch_graphql(request: Request, rng: Random) -> Edit | None:
    """An array of requests is served, limited or refused (not in the specification), at no great cost
    (CWE-770).
    """
    found = _query(request)
    if found is None:
        return None
    count = rng.choice((1, 2, 100))
    text = b"[" + b",".join([found[0].text] * count) + b"]"
    return rewritten(request, found[0], text, f"sent the query as a batch of {count}")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def graphql_over_get(request: Request, rng: Random) -> Edit | None:
    """A query may be taken from the URL; a mutation must not be (GraphQL over HTTP §6.2.1): any clean
    answer.
    """
    found = _query(request)
    if found is None or request.method != b"POST":
        return None
    document, node = found
    pairs = [
        *query_of(request.target),
        Pair(b"query", encode(json.text_of(document.raw(node)).encode("utf-8", "replace"))),
    ]
    variables = _member(document, "variables")
    if variables is not None and rng.random() < 0.8:
        pairs.append(Pair(b"variables", encode(document.raw(variables))))
    bare = replace_body(request, b"")
    headers = tuple(
        line for line in bare.headers if line[0].lower() not in {b"content-length", b"content-type"}
    )
    moved = Request(b"GET", with_query(request.target, pairs), request.version, headers)
    return Edit(moved, "sent the query by GET")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def misname_operation(request: Request, rng: Random) -> Edit | None:
    """An operation name that the document lacks is an error (GraphQL §6.1); lists of allowed names must
    not trust it.
    """
    found = _query(request)
    if found is None:
        return None
    document, _ = found
    name = rng.choice((b'"shadow"', b'""', b"null", b"1", b'"IntrospectionQuery"'))
    held = _member(document, "operationName")
    if held is not None:
        return rewritten(request, document, json.replace(document, held, name), "misnamed the operation")
    text = json.add(document, document.root, b'"operationName":' + name)
    return rewritten(request, document, text, "misnamed the operation")


def _query(request: Request) -> tuple[Document, Node] | None:
    """(document, its ``query`` string) of a GraphQL request over JSON; None for any other.

    One that states its query's hash (a persisted query) is rightly refused when they differ.
    """
    if b"query" not in request.body or b'"sha256Hash"' in request.body:
        return None
    document = document_of(request)
    node = _member(document, "query") if document else None
    if document is None or node is None or node.kind is not Kind.STRING:
        return None
    text = json.text_of(document.raw(node))
    return (
        (document, node)
        if re.match(r"\s*(\{|query\b|mutation\b|subscription\b|fragment\b|#)", text) and "{" in text
        else None
    )


def _member(document: Document, name: str) -> Node | None:
    if document.root.kind is not Kind.OBJECT:
        return None
    key = b'"%b"' % name.encode()
    return next((child for child in document.children(document.root) if document.raw_key(child) == key), None)


def _edit(request: Request, change: Callable[[str], str | None], what: str) -> Edit | None:
    found = _query(request)
    if found is None:
        return None
    document, node = found
    new = change(json.text_of(document.raw(node)))
    return (
        None
        if new is None
        else rewritten(request, document, json.replace(document, node, json.quote(new)), what)
    )


def _selection(query: str) -> tuple[int, int] | None:
    """(start, end) of the first operation's selection set, braces included; None where it is not found
    for sure.
    """
    depth = parens = 0
    start = -1
    for found in _TOKEN.finditer(query):
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
