"""Syntax of other query languages in any place that holds text: LDAP, XPath, document databases, look-ups."""

from random import Random

from mutators._contract import mutator
from mutators._json import document_of
from mutators._message import with_target
from mutators._places import injected, shown
from shadow.content import json
from shadow.content.entity import replace_body
from shadow.content.form import form_of, with_form
from shadow.content.json import Document, Kind, Node
from shadow.content.query import Pair, query_of, with_query
from shadow.model import Edit, Expect, Level, Question, Request, Twin

_QUERIES = (
    *("*)(uid=*))(|(uid=*", "*", "*)(&", "' or '1'='1' or ''='", "' or count(/*)=1 or 'a'='b"),
    *("x'] | //* | //*['", ")(cn=*", "' || '1'=='1", "'; return true; var a='", '{"$gt":""}', "[$ne]=1"),
    *("1; return 1", "${jndi:ldap://127.0.0.1:1/a}", "${env:PATH}", "*:*", "_exists_:id", "{!func}1"),
)
_OPERATORS = (
    b'{"$ne":null}',
    b'{"$gt":""}',
    b'{"$regex":".*"}',
    b'{"$where":"1"}',
    b'{"$in":[]}',
    b'{"not":{}}',
    b'["$ne",1]',
)
_OBEYED = "an operator put into {} is evaluated as part of a database query"


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def inject_other_query(request: Request, rng: Random) -> Edit | None:
    """LDAP, XPath, search, NoSQL and look-up syntax is text (CWE-90, CWE-643, CWE-943, CVE-2021-44228)."""
    piece = rng.choice(_QUERIES)
    return injected(request, rng, lambda text: rng.choice((text + piece, piece)), f"put {piece!r} into")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def inject_operator(request: Request, rng: Random) -> Edit | None:
    """An object of operators where a scalar stood must not become part of a database query (CWE-943)."""
    found = _scalar(request, rng)
    if found is None:
        return None
    document, node = found
    operator = rng.choice(_OPERATORS)
    text = json.replace(document, node, operator)
    return Edit(replace_body(request, text), f"put {operator.decode()} into {json.path(document, node)}")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def ask_operator(request: Request, rng: Random) -> Edit | None:
    """An operator in place of a scalar is refused. Obeyed, one that holds for the value is answered as the
    value is, and its opposite otherwise, and so is an operator that does not exist (CWE-943).
    """
    found = _scalar(request, rng)
    if found is None or b'"$' in request.body:  # a service that takes operators by design evaluates them
        return None
    document, node = found
    name, raw = json.path(document, node), document.raw(node)

    def put(operator: bytes, value: bytes) -> tuple[Request, str]:
        text = b'{"%b":%b}' % (operator, value)
        return replace_body(request, json.replace(document, node, text)), text.decode("utf-8", "replace")

    return _asked(
        name,
        raw.decode("utf-8", "replace"),
        put(b"$in", b"[%b]" % raw),
        put(b"$shadow", b"[%b]" % raw),
        put(b"$nin", b"[%b]" % raw),
        put(b"$eq", raw),
        put(b"$ne", raw),
    )


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def ask_operator_in_name(request: Request, rng: Random) -> Edit | None:
    """As `ask_operator`, where a framework makes an object of ``name[$in]`` (CWE-943)."""
    query, form = query_of(request.target), form_of(request) or []
    pairs = query + form
    if not pairs or any(b"[" in pair.name or b"$" in pair.name for pair in pairs):
        return None
    at = rng.randrange(len(pairs))
    old = pairs[at]

    def put(operator: bytes) -> tuple[Request, str]:
        new = Pair(old.name + operator, old.value)
        if at < len(query):
            return with_target(request, with_query(request.target, [*query[:at], new, *query[at + 1 :]])), ""
        place = at - len(query)
        return with_form(request, [*form[:place], new, *form[place + 1 :]]), ""

    operators = (b"[$in][]", b"[$shadow][]", b"[$nin][]", b"[$eq]", b"[$ne]")
    return _asked(f"the name {shown(old.name)}", "", *map(put, operators))


def _asked(name: str, was: str, first: tuple[Request, str], *others: tuple[Request, str]) -> Edit:
    """The edit that must be answered as the unedited request is, and its twins, of which one must be."""
    alike = (False, False, True, False)
    twins = tuple(
        Twin(Edit(made, f"put another operator into {name}"), text, is_alike)
        for (made, text), is_alike in zip(others, alike, strict=True)
    )
    asks = Question("nosql-injection", _OBEYED.format(name), was, first[1], twins)
    return Edit(first[0], f"asked by an operator in {name}", asks=asks)


def _scalar(request: Request, rng: Random) -> tuple[Document, Node] | None:
    document = document_of(request)
    found = [node for node in document.nodes if node.kind in {Kind.STRING, Kind.NUMBER}] if document else []
    return (document, rng.choice(found)) if document is not None and found else None
