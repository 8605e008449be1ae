"""Injection probes in any place that holds text. They need no signature: what they break shows as an
error, a delay,
a leak, or as a change of mind between two releases that both ought to take them for plain text.
"""

from collections.abc import Callable
from random import Random

from mutators._contract import mutator
from mutators._json import document_of, nodes
from mutators._message import appended, with_target
from shadow.content import json
from shadow.content.entity import replace_body
from shadow.content.form import form_of, with_form
from shadow.content.json import Document, Kind, Node
from shadow.content.query import Pair, decode, encode, query_of, split_target, with_path, with_query
from shadow.model import Edit, Expect, Level, Request

_STRINGS = frozenset({Kind.STRING})
_QUOTES = ("'", '"', "`", "')", "'))", "\\", "';", "'\"", "%27", "\u02bc", "''", "'||'")
_TRUE = (
    "' and '1'='1",
    '" and "1"="1',
    " and 1=1",
    "' or '1'='1",
    "') and ('1'='1",
    "'||'",
    "-0",
    "*1",
    "/**/",
)
_FALSE = ("' and '1'='2", '" and "1"="2', " and 1=2", "') and ('1'='2", "'||'shadow", "-1", "*0", "' and 0--")
_ORDERS = (
    " desc",
    ",1",
    ",(select 1)",
    " limit 0",
    " union select null--",
    ",(case when 1=1 then 1 else 2 end)",
    ")--",
)
_DELAYS = (
    *(
        "' or sleep(3)-- ",
        "'; select pg_sleep(3)-- ",
        "'; waitfor delay '0:0:3'-- ",
        " or sleep(3)",
        "1;select pg_sleep(3)",
    ),
    "' or randomblob(300000000) is not null-- ",  # SQLite has no sleep, but can be kept busy
    *(
        "; sleep 3",
        "| sleep 3",
        "$(sleep 3)",
        "`sleep 3`",
        "& ping -n 4 127.0.0.1 &",
        "';sleep(3000);'",
        "\n sleep 3",
    ),
)
_COMMANDS = (
    "; id",
    "| id",
    "$(id)",
    "`id`",
    "& whoami",
    "\n id",
    "|| id",
    ";/usr/bin/id",
    "{{`id`}}",
    "-h",
    "--version",
)
_TEMPLATES = (
    "{{7*7}}",
    "${7*7}",
    "#{7*7}",
    "<%= 7*7 %>",
    "{7*7}",
    "*{7*7}",
    "@(7*7)",
    "{{'7'*7}}",
    "[[${7*7}]]",
    "%{7*7}",
)
_MARKUP = (
    "<shadow>",
    '"><shadow>',
    "'-shadow-'",
    "<script>shadow</script>",
    "javascript:shadow",
    "</title><shadow>",
    "&lt;shadow",
)
_LINE_ENDS = (
    "\r\nX-Shadow: 1",
    "\r\n\r\n<shadow>",
    "\nX-Shadow: 1",
    "\u560d\u560aX-Shadow: 1",
    "\rX-Shadow: 1",
)
_PATHS = (
    *(
        "../../../../../../etc/passwd",
        "..\\..\\..\\windows\\win.ini",
        "/etc/passwd",
        "file:///etc/passwd",
        "/proc/self/environ",
    ),
    *(
        "....//....//etc/passwd",
        "/etc/passwd\x00.png",
        "\\\\127.0.0.1\\shadow",
        "php://filter/resource=index",
        ".",
    ),
)
_ADDRESSES = (
    *(
        "http://127.0.0.1:1/",
        "http://localhost:1/",
        "http://[::1]:1/",
        "http://2130706433:1/",
        "http://0177.0.0.1:1/",
    ),
    *(
        "gopher://127.0.0.1:1/_",
        "dict://127.0.0.1:1/",
        "http://shadow.invalid/",
        "//127.0.0.1:1/",
        "ftp://127.0.0.1:1/",
    ),
)
_QUERIES = (
    *(
        "*)(uid=*))(|(uid=*",
        "*",
        "*)(&",
        "' or '1'='1' or ''='",
        "' or count(/*)=1 or 'a'='b",
        "x'] | //* | //*['",
        ")(cn=*",
    ),
    *(
        "' || '1'=='1",
        "'; return true; var a='",
        '{"$gt":""}',
        "[$ne]=1",
        "1; return 1",
        "${jndi:ldap://127.0.0.1:1/a}",
    ),
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


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def break_sql_string(request: Request, rng: Random) -> Edit | None:
    """A quote is text: an error of the database in its place means that text is glued into SQL (CWE-89,
    WFC F200).
    """
    piece = rng.choice(_QUOTES)
    return _inject(request, rng, lambda text: text + piece, f"put {piece!r} into")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def inject_true_condition(request: Request, rng: Random) -> Edit | None:
    """With a condition that is always true a value is another text, not found or refused; where it is
    glued into SQL the answer equals the original's, which differs from what a sound release says
    (CWE-89).
    """
    piece = rng.choice(_TRUE)
    return _inject(request, rng, lambda text: text + piece, f"put the true condition {piece!r} into")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def inject_false_condition(request: Request, rng: Random) -> Edit | None:
    """The counterpart of `inject_true_condition`: as plain text it fares as that one does (CWE-89)."""
    piece = rng.choice(_FALSE)
    return _inject(request, rng, lambda text: text + piece, f"put the false condition {piece!r} into")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def inject_sql_order(request: Request, rng: Random) -> Edit | None:
    """Where a column is named (sort, order) no placeholder helps, and names must come from a list
    (CWE-89).
    """
    piece = rng.choice(_ORDERS)
    return _inject(request, rng, lambda text: text + piece, f"put {piece!r} into")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def inject_delay(request: Request, rng: Random) -> Edit | None:
    """A delay written as SQL, shell or script is text: the answer comes as fast as to any other
    (CWE-89, CWE-78).
    """
    piece = rng.choice(_DELAYS)
    return _inject(request, rng, lambda text: text + piece, f"put the delay {piece!r} into")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def inject_command(request: Request, rng: Random) -> Edit | None:
    """Shell syntax is text, never run (CWE-78, CWE-88)."""
    piece = rng.choice(_COMMANDS)
    return _inject(
        request, rng, lambda text: rng.choice((text + piece, piece)), f"put the command {piece!r} into"
    )


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def inject_template(request: Request, rng: Random) -> Edit | None:
    """A template is text, never evaluated: no 49 comes back for 7*7 (CWE-1336)."""
    piece = rng.choice(_TEMPLATES)
    return _inject(
        request, rng, lambda text: rng.choice((text + piece, piece)), f"put the template {piece!r} into"
    )


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def inject_markup(request: Request, rng: Random) -> Edit | None:
    """Markup is text, escaped wherever a page shows it (CWE-79, WFC F201)."""
    piece = rng.choice(_MARKUP)
    return _inject(
        request, rng, lambda text: rng.choice((text + piece, piece)), f"put the markup {piece!r} into"
    )


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def inject_line_end(request: Request, rng: Random) -> Edit | None:
    """A line end in a value must not end a line of a header or a log (CWE-93, CWE-113)."""
    piece = rng.choice(_LINE_ENDS)
    return _inject(request, rng, lambda text: text + piece, f"put a line end {piece!r} into")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def inject_file_path(request: Request, rng: Random) -> Edit | None:
    """A path in a value must not lead out of where files are kept (CWE-22)."""
    piece = rng.choice(_PATHS)
    return _inject(request, rng, lambda _: piece, f"put the path {piece!r} into")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def inject_address(request: Request, rng: Random) -> Edit | None:
    """An address in a value must not be called without a check (CWE-918, WFC F202). Port 1 answers
    nowhere.
    """
    piece = rng.choice(_ADDRESSES)
    return _inject(request, rng, lambda _: piece, f"put the address {piece!r} into")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def inject_other_query(request: Request, rng: Random) -> Edit | None:
    """LDAP, XPath, NoSQL and look-up syntax is text (CWE-90, CWE-643, CWE-943, CVE-2021-44228)."""
    piece = rng.choice(_QUERIES)
    return _inject(request, rng, lambda text: rng.choice((text + piece, piece)), f"put {piece!r} into")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def inject_operator(request: Request, rng: Random) -> Edit | None:
    """An object of operators where a scalar stood must not become part of a database query (CWE-943)."""
    document = document_of(request)
    found = [node for node in document.nodes if node.kind in {Kind.STRING, Kind.NUMBER}] if document else []
    if document is None or not found:
        return None
    node = rng.choice(found)
    operator = rng.choice(_OPERATORS)
    text = json.replace(document, node, operator)
    return Edit(replace_body(request, text), f"put {operator.decode()} into {json.path(document, node)}")


@mutator(level=Level.HEADER, expect=Expect.SURVIVE)
def inject_into_header(request: Request, rng: Random) -> Edit | None:
    """Fields that get logged and shown (User-Agent, Referer, X-Forwarded-For) hold text (CWE-117,
    CVE-2021-44228).
    """
    name = rng.choice(
        (b"Referer", b"X-Forwarded-For", b"X-Request-Id", b"X-Api-Version", b"Origin", b"X-Client-Id")
    )
    piece = rng.choice((*_TEMPLATES, *_MARKUP, *_QUOTES[:9], *_COMMANDS[:3], _QUERIES[-1], _DELAYS[0]))
    return Edit(appended(request, (name, piece.encode())), f"added {name.decode()}: {piece}")


def _inject(request: Request, rng: Random, change: Callable[[str], str], what: str) -> Edit | None:
    """An edit of one text, drawn from all that the request holds: its JSON, form, query, and the path's
    last segment.

    None where it holds none.
    """
    document = document_of(request)
    strings = nodes(document, _STRINGS) if document else []
    form = [] if document else form_of(request) or []
    query = query_of(request.target)
    total = len(strings) + len(form) + len(query)
    at = rng.randrange(total + 1)  # the path counts as one place
    if document is not None and at < len(strings):
        return _into_json(request, document, strings[at], change, what)
    at -= len(strings)
    if at < len(form):
        edited = with_form(request, _changed(form, at, change))
        return Edit(edited, f"{what} the field {form[at].name!r}") if edited.body != request.body else None
    at -= len(form)
    if at < len(query):
        target = with_query(request.target, _changed(query, at, change))
        return _to(request, target, f"{what} the parameter {query[at].name!r}")
    return _into_path(request, change, what)


def _into_json(
    request: Request, document: Document, node: Node, change: Callable[[str], str], what: str
) -> Edit | None:
    text = json.replace(document, node, json.quote(change(json.text_of(document.raw(node)))))
    return (
        Edit(replace_body(request, text), f"{what} {json.path(document, node)}")
        if text != document.text
        else None
    )


def _into_path(request: Request, change: Callable[[str], str], what: str) -> Edit | None:
    _, path, _ = split_target(request.target)
    before, slash, last = path.rpartition(b"/")
    if not last or not slash:
        return None
    changed = change(decode(last.replace(b"+", b"%2B")).decode("utf-8", "replace"))
    return _to(
        request,
        with_path(request.target, before + slash + encode(changed.encode())),
        f"{what} the path's end",
    )


def _changed(pairs: list[Pair], at: int, change: Callable[[str], str]) -> list[Pair]:
    text = decode(pairs[at].value or b"").decode("utf-8", "replace")
    pair = Pair(pairs[at].name, encode(change(text).encode()))
    return [*pairs[:at], pair, *pairs[at + 1 :]]


def _to(request: Request, target: bytes, what: str) -> Edit | None:
    return Edit(with_target(request, target), what) if target != request.target else None
