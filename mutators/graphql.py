"""GraphQL requests that cost much, ask for what was not meant to be asked, or do not parse (GraphQL, October
2021).
"""

import re
from functools import lru_cache
from random import Random

from mutators._bytes import repeats
from mutators._contract import mutator
from mutators._graphql import TOKEN, query_edit, query_in, selection
from mutators._json import member, rewritten
from shadow.content import json
from shadow.content.entity import replace_body
from shadow.content.query import Pair, encode, query_of, with_query
from shadow.model import Edit, Expect, Level, Request

_INTROSPECTION = "{__schema{types{name fields{name args{name} type{name ofType{name}}}} directives{name}}}"
_PROBES = (
    "{__typename}",
    '{__type(name:"Query"){fields{name}}}',
    "query IntrospectionQuery{__schema{queryType{name}}}",
    "{\n__schema\n{types{name}}}",
    "{_service{sdl}}",
    "subscription{__typename}",
    "mutation{__typename}",
)
"""Among them introspection as filters of patterns do not expect it, and a federation's schema."""
_HASHES = ("0" * 64, "", "a", "x" * 5_000)


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def alias_many_times(request: Request, rng: Random) -> Edit | None:
    """One field under hundreds of names costs hundredfold: limited or served, never a hang (CWE-770)."""
    count = rng.choice((101, 1_001))

    def change(query: str) -> str | None:
        span = selection(query)
        if span is None:
            return None
        return f"{query[: span[0] + 1]}{_aliases(count)} {query[span[0] + 1 :]}"

    return query_edit(request, change, f"selected one field under {count} names")


@lru_cache(maxsize=2)
def _aliases(count: int) -> str:
    return " ".join(f"s{n}:__typename" for n in range(count))


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def deepen_query(request: Request, rng: Random) -> Edit | None:
    """A selection nested in itself is limited or refused, never a crash of the parser (CWE-674)."""
    depth = rng.choice((50, 1_001, 10_000))
    return query_edit(request, lambda query: query + "{a" * depth + "}" * depth, f"nested {depth} selections")


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
        span = selection(query)
        return f"{query[: span[0] + 1]} ...s {query[span[0] + 1 :]}{loop}" if span else None

    return query_edit(request, change, "put in a circular fragment")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def introspect_schema(request: Request, _rng: Random) -> Edit | None:
    """Introspection is served or switched off (GraphQL §4): releases must agree on it."""
    return query_edit(request, lambda _: _INTROSPECTION, "asked for the schema")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def overload_directives(request: Request, rng: Random) -> Edit | None:
    """Hundreds of directives on one field are refused (GraphQL §5.7.3) or ignored, at no great cost
    (CWE-770).
    """
    count = rng.choice((101, 5_001))

    def change(query: str) -> str | None:
        found = re.search(r"\{\s*([A-Za-z_]\w*)", query)
        return query[: found.end()] + " @shadow" * count + query[found.end() :] if found else None

    return query_edit(request, change, f"put {count} directives on a field")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def break_graphql(request: Request, rng: Random) -> Edit | None:
    """A document that does not parse is a request error (GraphQL §7.1), never a crash."""

    def change(query: str) -> str:
        places = [found.span() for found in TOKEN.finditer(query)]
        start, end = rng.choice(places)
        return query[:start] + rng.choice(("", "{", "}", '"', "$", "...", "@", "\x00", "!")) + query[end:]

    return query_edit(request, change, "broke the query")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def unknown_graphql_field(request: Request, _rng: Random) -> Edit | None:
    """A field that the schema does not have is an error (GraphQL §5.3.1); one that hints at others
    leaks the schema.
    """

    def change(query: str) -> str | None:
        span = selection(query)
        return f"{query[: span[0] + 1]} shadowUnknown {query[span[0] + 1 :]}" if span else None

    return query_edit(request, change, "selected an unknown field")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def batch_graphql(request: Request, rng: Random) -> Edit | None:
    """An array of requests is served, limited or refused (not in the specification), at no great cost
    (CWE-770).
    """
    found = query_in(request)
    if found is None:
        return None
    count = repeats(found[0].text, rng.choice((1, 2, 100)))
    text = b"[" + b",".join([found[0].text] * count) + b"]"
    return rewritten(request, found[0], text, f"sent the query as a batch of {count}")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def graphql_over_get(request: Request, rng: Random) -> Edit | None:
    """A query may be taken from the URL; a mutation must not be (GraphQL over HTTP §6.2.1): any clean
    answer.
    """
    found = query_in(request)
    if found is None or request.method != b"POST":
        return None
    document, node = found
    pairs = [
        *query_of(request.target),
        Pair(b"query", encode(json.text_of(document.raw(node)).encode("utf-8", "replace"))),
    ]
    variables = member(document, "variables")
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
    found = query_in(request)
    if found is None:
        return None
    document, _ = found
    name = rng.choice((b'"shadow"', b'""', b"null", b"1", b'"IntrospectionQuery"'))
    held = member(document, "operationName")
    if held is not None:
        return rewritten(request, document, json.replace(document, held, name), "misnamed the operation")
    text = json.add(document, document.root, b'"operationName":' + name)
    return rewritten(request, document, text, "misnamed the operation")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def introspect_otherwise(request: Request, rng: Random) -> Edit | None:
    """Introspection in other words is served or switched off as the whole of it is (GraphQL §4)."""
    query = rng.choice(_PROBES)
    return query_edit(request, lambda _: query, f"asked {query!r}")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def repeat_graphql_selection(request: Request, rng: Random) -> Edit | None:
    """A field selected thousands of times is merged into one (GraphQL §5.3.2), at a cost that does not grow
    out of hand (CWE-407).
    """
    count = rng.choice((100, 3_000))

    def change(query: str) -> str | None:
        span = selection(query)
        return None if span is None else query[: span[0] + 1] + "__typename " * count + query[span[0] + 1 :]

    return query_edit(request, change, f"selected a field {count} times")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def multiply_fragments(request: Request, rng: Random) -> Edit | None:
    """Fragments that spread each other twice double with each step: limited or refused, never a hang
    (CWE-776).
    """
    depth = rng.choice((10, 30))

    def change(query: str) -> str | None:
        span = selection(query)
        if span is None:
            return None
        steps = " ".join(f"fragment s{n} on Query{{...s{n + 1} ...s{n + 1}}}" for n in range(depth))
        last = f" fragment s{depth} on Query{{__typename}}"
        return f"{query[: span[0] + 1]} ...s0 {query[span[0] + 1 :]} {steps}{last}"

    return query_edit(request, change, f"put in {depth} fragments that double")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def ask_persisted_query(request: Request, rng: Random) -> Edit | None:
    """A persisted query that is not known is asked for in full; a hash that is not the query's is refused
    (GraphQL over HTTP, appendix on persisted documents): never a crash.
    """
    found = query_in(request)
    if found is None:
        return None
    document, node = found
    if member(document, "extensions") is not None:
        return None
    stated = b'{"persistedQuery":{"version":1,"sha256Hash":%b}}' % json.quote(rng.choice(_HASHES))
    text = json.add(document, document.root, b'"extensions":' + stated)
    parsed = json.parse(text)
    if parsed is not None and rng.random() < 0.5:
        text = json.drop(parsed, parsed.nodes[node.index])
    return rewritten(request, document, text, "asked for a persisted query")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def variable_for_literal(request: Request, rng: Random) -> Edit | None:
    """A literal may stand in a variable of the right type (GraphQL §2.10); which is right only a schema
    tells: any clean answer.
    """
    found = query_in(request)
    if found is None or member(found[0], "variables") is not None:
        return None
    document, node = found
    query = json.text_of(document.raw(node))
    literals = list(re.finditer(r'(?<=:)\s*("[^"\\\n]*"|-?\d+)(?=\s*[,)])', query))
    head = re.match(r"\s*(query|mutation)(\s+\w+)?\s*\{|\s*\{", query)
    if not literals or head is None:
        return None
    literal = rng.choice(literals)
    kind = rng.choice(("String!", "ID!")) if literal[1].startswith('"') else "Int!"
    body = query[head.end() - 1 : literal.start()] + "$shadow" + query[literal.end() :]
    operation = query[: head.end() - 1].strip() or "query"
    without = json.parse(json.replace(document, node, json.quote(f"{operation}($shadow: {kind}) {body}")))
    if without is None:
        return None
    text = json.add(without, without.root, b'"variables":{"shadow":%b}' % literal[1].encode())
    return rewritten(request, document, text, "put a literal into a variable")
