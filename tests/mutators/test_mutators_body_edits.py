"""Edits of bodies: what they leave alone, what they put right around it, what they mean to others."""

import base64
import hashlib
import json
from random import Random
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from mutators import CATALOG, Mutator, dice
from shadow.content.coding import gzip, redo
from shadow.content.entity import entity
from shadow.content.json import parse
from shadow.model import Edit, Exchange, Expect, Known, Request, field
from tests.mutators.graphql_meaning import asked
from tests.mutators.meaning import protobuf_fields

BY_NAME = {one.name: one for one in CATALOG}


def of_module(*names: str) -> list[Mutator]:
    return [one for one in CATALOG if one.edit.__module__.removeprefix("mutators.") in names]


def post(body: bytes, kind: bytes = b"application/json", *more: tuple[bytes, bytes]) -> Request:
    headers = ((b"Host", b"h"), (b"Content-Type", kind), (b"Content-Length", b"%d" % len(body)), *more)
    return Request(b"POST", b"/v1/items", b"HTTP/1.1", headers, body)


def drawn(name: str, request: Request, count: int = 60) -> list[Edit]:
    edits = (BY_NAME[name](request, Random(seed), Known()) for seed in range(count))
    return [edit for edit in edits if edit is not None]


def changed_span(before: bytes, after: bytes) -> tuple[int, int]:
    """(start, end) in `before` of all that `after` has otherwise."""
    start = 0
    while start < min(len(before), len(after)) and before[start] == after[start]:
        start += 1
    tail = 0
    while tail < min(len(before), len(after)) - start and before[-1 - tail] == after[-1 - tail]:
        tail += 1
    return start, len(before) - tail


SINGLE_VALUE = [
    *(
        "bound_json_number",
        "oversize_json_integer",
        "extreme_json_float",
        "unjson_number",
        "unjson_constant",
        "nudge_json_number",
    ),
    *("flip_json_boolean", "write_number_as_text", "lengthen_json_number", "ordinal_in_json"),
    *("change_json_type", "retype_json_scalar", "null_json_value", "empty_json_value", "nest_json_value"),
    *("respell_json_number", "escape_json_value", "bad_utf8_in_json", "inject_operator"),
]
ODDLY_WRITTEN = (
    b' {\r\n"b" : 1.50e+1 ,"a":[ true,null , "x\\u0041\\/y" ],'
    b'\t"b2":{"n":-0,"s":"\\ud83d\\ude00" },"z":1E2}\n'
)


@pytest.mark.parametrize("name", SINGLE_VALUE)
def test_an_edit_of_one_value_keeps_every_other_byte(name: str) -> None:
    document = parse(ODDLY_WRITTEN)
    assert document is not None
    spans = [(node.start, node.end) for node in document.nodes]
    edits = drawn(name, post(ODDLY_WRITTEN))
    assert edits
    for edit in edits:
        start, end = changed_span(ODDLY_WRITTEN, edit.request.body)
        assert any(first <= start and end <= last for first, last in spans), edit.what


documents = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
BODIES = of_module(
    *("json_structure", "json_members", "json_values", "json_text", "json_spelling", "json_syntax"),
    *("raw_bytes", "raw_blocks", "raw_words", "injection_query"),
)


@pytest.mark.parametrize("one", BODIES, ids=lambda one: one.name)
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    value=documents, seed=st.integers(0, 2**32), coding=st.sampled_from((b"gzip", b"deflate", b"br", b"zstd"))
)
def test_a_packed_body_is_edited_inside_its_coding_as_the_plain_one_is(
    one: Mutator, value: Any, seed: int, coding: bytes
) -> None:
    plain = post(json.dumps({"at": value, "name": "web-01"}).encode())
    packed = post(redo(plain.body, coding) or b"", b"application/json", (b"Content-Encoding", coding))
    known = Known(others=(Exchange(1, "t", "s", 0.0, post(b'{"other":[1,2,3]}')),))
    bare, inside = one(plain, Random(seed), known), one(packed, Random(seed), known)
    if bare is None or inside is None or bare.request.target != plain.target:
        return
    if one.name not in NOT_OF_BODY:
        assert entity(inside.request) == bare.request.body
    assert field(inside.request.headers, b"content-length") == b"%d" % len(inside.request.body)


NOT_OF_BODY = {"state_wrong_charset", "splice_recorded_body", "cross_recorded_body", "put_recorded_part"}


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("Content-MD5", lambda body: base64.b64encode(hashlib.md5(body).digest())),
        ("Digest", lambda body: b"SHA-256=" + base64.b64encode(hashlib.sha256(body).digest())),
        ("Content-Digest", lambda body: b"sha-256=:%b:" % base64.b64encode(hashlib.sha256(body).digest())),
        ("x-content-sha256", lambda body: base64.b64encode(hashlib.sha256(body).digest())),
        ("x-content-sha256", lambda body: hashlib.sha256(body).hexdigest().encode()),
        ("X-Payload-Hash", lambda body: hashlib.sha512(body).hexdigest().encode()),
    ],
    ids=["md5", "digest", "content-digest", "sha256-base64", "sha256-hex", "sha512-hex"],
)
@pytest.mark.parametrize("is_packed", [False, True], ids=["plain", "gzip"])
def test_digests_are_those_of_the_edited_body(name: str, write: Any, is_packed: bool) -> None:
    body = gzip(b'{"a":1,"b":"x"}') if is_packed else b'{"a":1,"b":"x"}'
    more = ((b"Content-Encoding", b"gzip"),) if is_packed else ()
    request = post(body, b"application/json", (name.encode(), write(body)), *more)
    for mutator in ("bound_json_number", "drop_json_value", "flip_bit", "ask_sql_string"):
        for edit in drawn(mutator, request, 10):
            assert field(edit.request.headers, name.lower().encode()) == write(edit.request.body)


def test_a_hash_of_something_else_is_left_alone() -> None:
    told = hashlib.sha256(b"another thing").hexdigest().encode()
    for edit in drawn("drop_json_value", post(b'{"a":1}', b"application/json", (b"X-File-Sha256", told)), 5):
        assert field(edit.request.headers, b"x-file-sha256") == told


texts = st.text("ab &<>é\n", max_size=6)


@st.composite
def element(draw: st.DrawFn, depth: int = 3) -> str:
    name = draw(st.sampled_from(("a", "b", "x:c", "d")))
    attributes = draw(st.dictionaries(st.sampled_from(("p", "q", "x:r")), texts, max_size=3))
    head = name + "".join(f" {key}={quoteattr(value)}" for key, value in attributes.items())
    inner = [escape(draw(texts))]
    for _ in range(draw(st.integers(0, 2)) if depth else 0):
        inner += [draw(element(depth - 1)), escape(draw(texts))]
    body = "".join(inner)
    if not body:
        return draw(st.sampled_from((f"<{head}/>", f"<{head}></{name}>")))
    return f"<{head}>{body}</{name}>"


@pytest.mark.parametrize("one", of_module("xml_spelling"), ids=lambda one: one.name)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(inner=element(), seed=st.integers(0, 2**32))
def test_xml_spelled_otherwise_is_the_same_canonical_document(one: Mutator, inner: str, seed: int) -> None:
    text = f'<x:root xmlns:x="urn:x" z="1">{inner}<![CDATA[<c>]]></x:root>'.encode()
    edit = one(post(text, b"application/xml"), Random(seed), Known())
    if edit is not None:
        assert edit.request.body != text
        assert _canonical(edit.request.body) == _canonical(text)


def _canonical(text: bytes) -> bytes:
    """Canonical XML without comments, by libxml2; prefixes as their URIs."""
    root = etree.fromstring(text)
    flat = [(each.tag, sorted(each.attrib.items())) for each in root.iter("*")]
    bare = etree.tostring(root, method="c14n", with_comments=False)
    return repr((flat, etree.fromstring(bare).xpath("string()"))).encode()


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("break_xml", b"<a><b c='d'>text</b></a>"),
        ("change_attribute", b"<a b='1'/>"),
    ],
)
def test_broken_xml_is_broken_to_another_reader(name: str, body: bytes) -> None:
    broken = 0
    for edit in drawn(name, post(body, b"text/xml"), 100):
        try:
            etree.fromstring(edit.request.body, etree.XMLParser(resolve_entities=False))
        except etree.XMLSyntaxError:
            broken += 1
    assert broken > 10


QUERIES = (
    {
        "query": "query Q($id: ID!, $n: Int = 5) { item(id: $id, first: $n) { id name } }",
        "variables": {"id": "7", "n": 2},
    },
    {"query": "{ a { b c { d } } }"},
    {"query": "query { a { ...F } } fragment F on A { b c }"},
    {"query": "{ a { ...F ...G x } }\nfragment F on A { b }\nfragment G on A { c }", "variables": {}},
    {"query": "mutation M($s: String) { add(name: $s, size: 4) { id } }", "variables": {"s": 'a"b'}},
)


@pytest.mark.parametrize("one", of_module("graphql_spelling"), ids=lambda one: one.name)
def test_graphql_in_other_words_asks_for_the_same(one: Mutator) -> None:
    tried = 0
    for query in QUERIES:
        request = post(json.dumps(query).encode())
        for attempt in range(20):
            edit = one(request, dice(1, 0, one.name, attempt), Known())
            if edit is not None:
                tried += 1
                assert edit.request.body != request.body
                assert asked(edit.request.body) == asked(request.body), edit.request.body
    assert tried


def test_cycles_and_broken_queries_do_not_parse_or_end() -> None:
    request = post(json.dumps(QUERIES[1]).encode())
    for edit in drawn("circular_fragment", request, 10):
        with pytest.raises(RecursionError):
            asked(edit.request.body)
    failures = 0
    for edit in drawn("break_graphql", request, 60):
        try:
            asked(edit.request.body)
        except (ValueError, KeyError):
            failures += 1
    assert failures > 20


def varints(raw: bytes) -> list[bytes]:
    found, current = [], b""
    for byte in raw:
        current += bytes([byte])
        if byte < 0x80:
            found.append(current)
            current = b""
    return found


def numbers(body: bytes) -> dict[int, list[bytes]]:
    """Repeated numbers of a message, packed or not."""
    found: dict[int, list[bytes]] = {}
    for number, values in protobuf_fields(body).items():
        for kind, raw in values:
            found.setdefault(number, []).extend(varints(raw) if kind == 2 else [raw])
    return found


@settings(max_examples=60, deadline=None)
@given(values=st.lists(st.integers(0, 2**63), min_size=2, max_size=6), seed=st.integers(0, 2**32))
def test_packed_numbers_are_the_same_numbers(values: list[int], seed: int) -> None:
    def varint(value: int) -> bytes:
        out = b""
        while value > 0x7F:
            out += bytes([value & 0x7F | 0x80])
            value >>= 7
        return out + bytes([value])

    body = b"\x1d\x01\x02\x03\x04" + b"".join(b"\x08" + varint(value) for value in values)
    request = post(body, b"application/x-protobuf")
    edit = BY_NAME["pack_protobuf_field"](request, Random(seed), Known())
    assert edit is not None
    assert len(protobuf_fields(edit.request.body)[1]) == 1
    assert numbers(edit.request.body)[1] == numbers(body)[1]
    back = BY_NAME["unpack_protobuf_field"](edit.request, Random(seed), Known())
    if back is not None:
        assert numbers(back.request.body)[1] == numbers(body)[1]


def test_a_field_within_a_message_is_edited_and_the_lengths_around_it_put_right() -> None:
    inner = b"\x0a\x02hi\x10\x07"
    middle = b"\x1a" + bytes([len(inner)]) + inner
    body = b"\x08\x01\x12" + bytes([len(middle)]) + middle
    depths = set()
    for edit in drawn("spoil_protobuf_text", post(body, b"application/x-protobuf"), 80):
        outer = protobuf_fields(edit.request.body)
        number = edit.what.rpartition(" ")[2]
        depths.add(number)
        if number == "2.3.1":
            deepest = protobuf_fields(protobuf_fields(outer[2][0][1])[3][0][1])
            assert deepest[1][0][1].startswith(b"hi")
            assert deepest[2] == [(0, b"\x07")]
    assert "2.3.1" in depths


@pytest.mark.parametrize(
    ("name", "body", "pieces"),
    [
        ("change_patch_path", b'[{"op":"add","path":"/a","value":1}]', [b'"/__proto__', b'"//"']),
        ("swap_json_discriminator", b'{"type":"card"}', [b'"CARD"']),
        (
            "invert_json_range",
            b'{"from":"2024-01-01","to":"2024-02-01"}',
            [b'{"from":"2024-02-01","to":"2024-01-01"}'],
        ),
        ("widen_json_text", b'{"a":"x1"}', ["ｘ１".encode()]),
        ("growing_text_in_json", b'{"a":"x"}', ["ﬃ".encode(), "ẞ".encode()]),
        ("near_miss_in_json", b'{"a":"+1 555 0100 22"}', [b"tel:", "＋１５".encode()]),
        ("near_miss_in_json", b'{"a":"YWJjZGVmZ2hpamtsbW5vcA=="}', [b"YQ===", b"-_-_"]),
        ("near_miss_in_json", b'{"a":"{\\"b\\":1}"}', [b"NaN"]),
        (
            "call_unknown_tool",
            b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"}}',
            [b"shadow_unknown"],
        ),
        ("turn_integer", b"\x00\x01\x02\x03\x04\x05\x06\x07", [b"\x01\x00"]),
    ],
)
def test_every_kind_of_edit_is_drawn(name: str, body: bytes, pieces: list[bytes]) -> None:
    bodies = [edit.request.body for edit in drawn(name, post(body), 400)]
    for piece in pieces:
        assert any(piece in each for each in bodies), piece


@pytest.mark.parametrize(
    "one", [one for one in CATALOG if one.expect is Expect.SAME], ids=lambda one: one.name
)
def test_same_edits_of_bodies_stay_small(one: Mutator) -> None:
    request = post(b'{"a":[' + b"1," * 2_000 + b"1]}")
    edit = one(request, Random(0), Known())
    assert edit is None or len(edit.request.body) < 3 * len(request.body)
