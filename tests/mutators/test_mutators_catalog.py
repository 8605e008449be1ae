"""What every mutator of one request must keep to, whatever the request."""

import json
from collections import Counter
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mutators import CATALOG, SESSION_CATALOG, Mutator, SessionMutator, dice, json_spelling, members, network
from shadow.content.coding import gzip
from shadow.content.entity import entity
from shadow.model import Documented, Edit, Exchange, Expect, Hint, Known, Level, Request, fields

MARKS = ((b"Shadow-Run", b"r1"), (b"Shadow-Trial", b"t1"))
OWN_LEVELS = {Level.BYTES, Level.FRAMING, Level.TARGET, Level.HEADER, Level.COOKIE, Level.BODY, Level.NETWORK}
SEVERAL_REQUESTS = {"pipeline_requests", *(one.name for one in CATALOG if one.name.startswith("smuggle_"))}
"""What they send holds more than one request, and each must bear the marks."""
OF_ANY = tuple(one for one in CATALOG if one.level in OWN_LEVELS)
OWN = tuple(one for one in OF_ANY if not one.over)
"""Without those of HTTP/2 and gRPC, which need a request of that kind, and have tests of their own."""

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
)
documents = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
XML = (
    b'<?xml version="1.0"?><a:r xmlns:a="urn:x" x="1" y=\'2\'><b>text &amp; more</b><b>plain</b><c/>'
    b"<d></d><![CDATA[<e>]]></a:r>"
)
GRAPHQL = {
    "query": "query Q($id: ID!, $n: Int) { item(id: $id, first: $n) { id name } }",
    "variables": {"id": "1", "n": 2},
}
MULTIPART = (
    b'--XX\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
    b'--XX\r\nContent-Disposition: form-data; name="f"; filename="x.txt"\r\n'
    b"Content-Type: text/plain\r\n\r\nhi\r\n--XX--\r\n"
)
PROTOBUF = b"\x08\x96\x01\x12\x07testing\x1d\x01\x02\x03\x04\x21" + b"\x00" * 8
bodies = st.one_of(
    st.just((b"", b"")),
    documents.map(lambda value: (b"application/json", json.dumps(value).encode())),
    documents.map(
        lambda value: (
            b"application/json",
            json.dumps({"name": "é", "at": value}, ensure_ascii=False).encode(),
        )
    ),
    st.binary(min_size=1, max_size=40).map(lambda body: (b"application/json", body)),
    st.binary(min_size=1, max_size=40).map(lambda body: (b"application/octet-stream", body)),
    st.binary(max_size=40).map(lambda body: (b"application/x-www-form-urlencoded", b"a=1+2&b=%41&c=" + body)),
    st.just((b"multipart/form-data; boundary=XX", MULTIPART)),
    st.just((b"application/xml", XML)),
    st.just((b"application/x-protobuf", PROTOBUF)),
    st.just((b"application/json", json.dumps(GRAPHQL).encode())),
    st.just((b"application/json", b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x"}}')),
    st.just((b"application/json", b'[{"a":1,"a":2},[],{},"\\ud800",1e400,"2024-01-01T00:00:00Z"]')),
)
tokens = st.text("abcXYZ-", min_size=1, max_size=8).map(str.encode)
values = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=12
).map(lambda text: text.strip().encode("latin-1"))
targets = st.one_of(
    st.sampled_from(
        (
            b"/",
            b"*",
            b"/v1/items/42?limit=10&q=a+b&x=%41",
            b"/v1/users/9f8b1c2d-aaaa-4bbb-8ccc-0123456789ab",
            b"",
        )
    ),
    st.binary(max_size=20).map(lambda tail: b"/a%2fb/" + tail.translate(None, b" \r\n\t")),
    st.sampled_from((b"http://h.example/a?b", b"/a?", b"/a?&&=&x", b"/a/b.c/?b[]=1&b[]=2&c=%20")),
)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    """A request as a tap may see it, bearing the marks."""
    kind, body = draw(bodies)
    lines = draw(st.lists(st.tuples(tokens, values), max_size=4))
    lines += draw(
        st.lists(
            st.sampled_from(((b"Accept", b"a/b, c/d"), (b"Cookie", b"a=1; b=2"), (b"If-Match", b'"1"'))),
            max_size=3,
        )
    )
    framing = draw(st.sampled_from((b"length", b"chunked", b"none")))
    if kind:
        lines.append((b"Content-Type", kind))
    if framing == b"length" and body:
        lines.append((b"Content-Length", b"%d" % len(body)))
    if framing == b"chunked":
        lines.append((b"Transfer-Encoding", b"chunked"))
    method = draw(st.sampled_from((b"GET", b"POST", b"PATCH", b"DELETE", b"SHADOW")))
    version = draw(st.sampled_from((b"HTTP/1.1", b"HTTP/1.1", b"HTTP/1.0")))
    return Request(method, draw(targets), version, ((b"Host", b"h.example"), *lines, *MARKS), body)


HINTS = (
    Hint("body:$", "object", is_closed=True, is_documented=True),
    Hint("body:$.name", "string", min_size=1, max_size=5, is_required=True, is_documented=True),
    Hint("body:$.n", "integer", 1, 100, is_below=True, is_required=True, is_documented=True),
    Hint("body:$.s", words=("a", "b"), is_documented=True),
    Hint("body:$.l", "array", max_size=4, is_documented=True),
    Hint("body:$.when", form="date", pattern="^[0-9-]+$"),
    Hint("body:$.o.x", is_required=True),
    Hint("body:$.o.new", "integer", maximum=8),
    Hint("body:a", words=("1", "2")),
    Hint("body:zz", form="uuid"),
    Hint("query:limit", "integer", 1, 50, is_required=True, is_documented=True),
    Hint("query:q", pattern="^a$", words=("a", "b")),
    Hint("query:page", "integer"),
    Hint("header:x-when", form="date"),
    Hint("header:x-new"),
    Hint("cookie:a", "string", max_size=3),
    Hint("graphql:name"),
    Hint("path:-1", "string", max_size=2, is_documented=True),
)


def known_from(request: Request) -> Known:
    other = Request(b"POST", b"/other", b"HTTP/1.1", (), b'{"other":true}')
    return Known(
        values={
            "body:$.name": ('"x"',),
            "body:a": ("7",),
            "query:limit": ("5",),
            "query:q": ("up",),
            "header:accept": ("x/y",),
            "cookie:a": ("z",),
            "body:<b>": ("v",),
            "body:$.s": ("up", "down"),
        },
        kinds={
            "word": (("body:$.name", "xy"), ("query:limit", "ab")),
            "text": (("body:$.name", "x y"),),
            "integer": (("query:a", "7"), ("body:$.id", "8")),
            "uuid": (("body:$.id", "12345678-1234-1234-1234-123456789012"),),
            "id": (("body:$.id", "i-12345678"),),
        },
        ranges={"body:$.n": (1, 9), "body:$.limit": (1, 9), "query:limit": (0, 50), "query:a": (1, 2)},
        made={"item": ("i-7", "8"), "a": ("3",), "user": ("u-1",), "instance": ("i-12345678",)},
        hints=HINTS,
        documented=Documented(("GET", "POST"), ("a",), ("application/json",)),
        others=(Exchange(1, "test", "s", 0.0, other), Exchange(2, "test", "s", 0.0, request)),
    )


def sent(edit: Edit) -> bytes:
    """All that leaves for the wire, marks included."""
    if edit.wire is not None:
        return b"".join(edit.wire.segments)
    return b"\r\n".join(b"%b: %b" % line for line in edit.request.headers)


@pytest.mark.parametrize("one", OWN, ids=lambda one: one.name)
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(request=requests(), seed=st.integers(0, 2**32))
def test_every_mutator_keeps_its_contract(one: Mutator, request: Request, seed: int) -> None:
    known = known_from(request)
    edit = one(request, Random(seed), known)
    assert edit == one(request, Random(seed), known), "the same dice must give the same mutant"
    if edit is None:
        return
    assert edit.what
    assert edit.wire is not None or edit.request != request, "an edit must change something"
    if edit.wire is None:
        for name, value in MARKS:
            assert list(fields(edit.request.headers, name.lower())) == [value]
    elif one.level is not Level.NETWORK:
        for name, value in MARKS:
            count = sent(edit).count(b"%b: %b" % (name, value))
            assert count > 1 if one.name in SEVERAL_REQUESTS else count == 1
    if edit.wire is not None:
        assert not edit.signs_again
        assert all(edit.wire.segments), "an empty segment would send nothing"
        assert edit.wire.pause_seconds * len(edit.wire.segments) <= 5


EVERY: list[Mutator | SessionMutator] = [*CATALOG, *SESSION_CATALOG]


@pytest.mark.parametrize("one", EVERY, ids=lambda one: one.name)
def test_every_mutator_is_documented_with_its_reason(one: Mutator | SessionMutator) -> None:
    assert len(one.reason) > 40, "the docstring says why the expectation holds"


@pytest.mark.parametrize(
    "one", [one for one in OF_ANY if one.expect in {Expect.SAME, Expect.REJECT}], ids=lambda one: one.name
)
def test_strong_expectations_cite_a_specification(one: Mutator) -> None:
    assert any(
        source in one.reason
        for source in (
            "RFC",
            "WHATWG",
            "XML",
            "GraphQL §",
            "JSON-RPC",
            "protobuf.dev",
            "JSON Schema",
            "OpenAPI",
            "MCP 2",
        )
    )


def test_names_are_unique() -> None:
    names = Counter(one.name for one in EVERY)
    assert [name for name, count in names.items() if count > 1] == []


def test_catalogue_collects_what_a_module_defines_and_nothing_else() -> None:
    assert [one.name for one in members(json_spelling)] == [
        "reorder_json_keys",
        "space_json",
        "escape_json_value",
        "escape_json_key",
        "respell_json_number",
    ]
    assert set(members(network)) <= set(CATALOG)


PROTOBUF_REQUEST = Request(
    b"POST", b"/p", b"HTTP/1.1", ((b"Host", b"h"), (b"Content-Type", b"application/x-protobuf")), PROTOBUF
)
EXAMPLES = (
    PROTOBUF_REQUEST,
    Request(
        b"POST",
        b"/v1/items/42?limit=10&q=a+b&x=%2f%20",
        b"HTTP/1.1",
        (
            (b"Host", b"h"),
            (b"Accept", b"a/b, c/d"),
            (b"Cookie", b"a=1; b=2"),
            (b"X-When", b"2024-01-01"),
            (b"If-Match", b'"1"'),
            (b"Content-Type", b"application/json"),
            (b"Content-Length", b"93"),
        ),
        '{"name":"é","n":12,"b":true,"when":"2024-01-01","l":[1,2],"o":{"x":"y","z":1.5},"s":"a"}\n\n'.encode(),
    ),
    Request(b"GET", b"/", b"HTTP/1.1", ((b"Host", b"h"), (b"User-Agent", b"a"))),
    Request(
        b"POST",
        b"/f",
        b"HTTP/1.1",
        (
            (b"Host", b"h"),
            (b"Transfer-Encoding", b"chunked"),
            (b"Content-Type", b"application/x-www-form-urlencoded"),
        ),
        b"a=1+2&b=x",
    ),
    Request(
        b"POST",
        b"/m",
        b"HTTP/1.1",
        ((b"Host", b"h"), (b"Content-Type", b"multipart/form-data; boundary=XX")),
        MULTIPART,
    ),
    Request(b"POST", b"/x", b"HTTP/1.1", ((b"Host", b"h"), (b"Content-Type", b"application/xml")), XML),
    Request(
        b"PATCH",
        b"/v1/items/1",
        b"HTTP/1.1",
        ((b"Host", b"h"), (b"Content-Type", b"application/json-patch+json")),
        b'[{"op":"add","path":"/a","value":1},{"op":"move","from":"/a","path":"/b"}]',
    ),
    Request(
        b"PATCH",
        b"/v1/items/1",
        b"HTTP/1.1",
        ((b"Host", b"h"), (b"Content-Type", b"application/merge-patch+json")),
        b'{"title":"x","host":"a.example.org"}',
    ),
    Request(
        b"POST",
        b"/range",
        b"HTTP/1.1",
        ((b"Host", b"h"), (b"Content-Type", b"application/json")),
        b'{"from":"2024-01-01","to":"2024-02-01","type":"card","in":{"kind":"a","phone":"+1 555 0100 22"}}',
    ),
    Request(
        b"POST",
        b"/mcp",
        b"HTTP/1.1",
        (
            (b"Host", b"h"),
            (b"Content-Type", b"application/json"),
            (b"Mcp-Session-Id", b"s1"),
            (b"MCP-Protocol-Version", b"2025-06-18"),
        ),
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","arguments":{"a":1,"b":"x"}}}',
    ),
    Request(
        b"POST",
        b"/mcp",
        b"HTTP/1.1",
        ((b"Host", b"h"), (b"Content-Type", b"application/json")),
        b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","uri":"a:b"}}',
    ),
    Request(
        b"POST",
        b"/g",
        b"HTTP/1.1",
        ((b"Host", b"h"), (b"Content-Type", b"application/json")),
        b'{"query":"query Q { a { ...F } item(id: 7) { id } } fragment F on A { b c }"}',
    ),
    Request(
        b"POST",
        b"/p",
        b"HTTP/1.1",
        ((b"Host", b"h"), (b"Content-Type", b"application/x-protobuf")),
        b"\x08\x01\x08\x02\x08\x03\x12\x02\x01\x02\x1a\x04\n\x02hi",
    ),
    Request(
        b"POST",
        b"/soap",
        b"HTTP/1.1",
        ((b"Host", b"h"), (b"Content-Type", b"text/xml"), (b"SOAPAction", b'"urn:get"')),
        b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body/></s:Envelope>',
    ),
    Request(
        b"POST",
        b"/g",
        b"HTTP/1.1",
        ((b"Host", b"h"), (b"Content-Type", b"application/json")),
        json.dumps(GRAPHQL).encode(),
    ),
    Request(
        b"POST",
        b"/g",
        b"HTTP/1.1",
        ((b"Host", b"h"), (b"Content-Type", b"application/json")),
        b'{"query":"{ a { b } }"}',
    ),
    Request(
        b"POST",
        b"/r",
        b"HTTP/1.1",
        ((b"Host", b"h"), (b"Content-Type", b"application/json")),
        b'{"jsonrpc":"2.0","id":1,"method":"m","params":[]}',
    ),
    Request(
        b"POST",
        b"/z",
        b"HTTP/1.1",
        ((b"Host", b"h"), (b"Content-Encoding", b"gzip"), (b"Content-Type", b"text/plain")),
        gzip(b"line one\nline two\n" * 20),
    ),
    Request(
        b"POST",
        b"/v1/items/41?instance_id=i-1",
        b"HTTP/1.1",
        ((b"Host", b"h"), (b"Content-Type", b"application/json")),
        b'{"user_id":"u-9"}',
    ),
)


@pytest.mark.parametrize("one", OWN, ids=lambda one: one.name)
def test_every_mutator_finds_something_to_edit_in_usual_requests(one: Mutator) -> None:
    edits = [
        one(request, dice(1, 1, one.name, attempt), known_from(EXAMPLES[1]))
        for request in EXAMPLES
        for attempt in range(12)
    ]
    assert any(edits), "a mutator that never applies is dead"


@pytest.mark.parametrize("one", OWN, ids=lambda one: one.name)
def test_a_bare_request_raises_nothing(one: Mutator) -> None:
    for seed in range(20):
        one(Request(b"", b""), Random(seed), Known())


JSON_SAME = [
    one
    for one in OWN
    if one.name in {"reorder_json_keys", "space_json", "escape_json_value", "escape_json_key"}
]


@pytest.mark.parametrize("one", JSON_SAME, ids=lambda one: one.name)
@settings(max_examples=100, deadline=None)
@given(value=documents, seed=st.integers(0, 2**32), is_ascii=st.booleans())
def test_same_json_mutants_mean_the_same_to_another_parser(
    one: Mutator, value: object, seed: int, is_ascii: bool
) -> None:
    body = json.dumps(value, ensure_ascii=is_ascii).encode("utf-8", "surrogatepass")
    request = Request(b"POST", b"/", headers=((b"Content-Type", b"application/json"),), body=body)
    edit = one(request, Random(seed), Known())
    if edit is not None:
        mutated = entity(edit.request)
        assert mutated is not None
        assert mutated != body
        assert json.loads(mutated) == json.loads(body)
