"""What body mutators make of known bodies."""

import json
import re
from random import Random

import pytest

from mutators import CATALOG
from mutators._graphql import query_in
from shadow.content.coding import Fault
from shadow.content.entity import entity, undone
from shadow.content.protobuf import LENGTH, field_bytes
from shadow.model import Edit, Exchange, Expect, Known, Level, Request, Response, field

BY_NAME = {one.name: one for one in CATALOG}


def post(body: bytes, kind: bytes = b"application/json") -> Request:
    headers = ((b"Host", b"h"), (b"Content-Type", kind), (b"Content-Length", b"%d" % len(body)))
    return Request(b"POST", b"/v1/items", b"HTTP/1.1", headers, body)


def drawn(name: str, request: Request, known: Known | None = None, count: int = 300) -> list[Edit]:
    edits = (BY_NAME[name](request, Random(seed), known or Known()) for seed in range(count))
    return [edit for edit in edits if edit is not None]


DOCUMENT = post(
    b'{"name":"web-01","size":12,"on":true,"tags":["a","b"],"when":"2024-01-01T00:00:00Z","role":"reader"}'
)


@pytest.mark.parametrize(
    ("name", "pieces"),
    [
        ("surrogate_in_json", [b"\\ud800", b"\\udfff"]),
        ("control_in_json", [b"\\u0000", b"\\r\\n"]),
        ("oversize_json_integer", [b"9223372036854775808", b"18446744073709551616", b"9" * 4_301]),
        ("extreme_json_float", [b"1e400", b"-0.0"]),
        ("unjson_number", [b"nan", b"0x10"]),
        ("unjson_constant", [b"NaN", b"-Infinity"]),
        ("nest_json_value", [b"[" * 20_000, b'{"a":' * 1_025]),
        ("duplicate_json_key", [b'"size":null']),
        ("mark_json_byte_order", [b"\xef\xbb\xbf{", b"\xff\xfe{"]),
        ("near_miss_in_json", [b"2023-02-29", b"9999-12-31"]),
        ("bad_utf8_in_json", [b"\xed\xa0\x80", b"\xc0\xaf"]),
        ("shorten_json_text", [b'"w"']),
        ("assign_json_privilege", [b'"owner":', b'"is_admin":true', b'"role":"admin"']),
        ("inject_operator", [b'{"$ne":null}']),
        ("break_sql_string", [b"web-01'"]),
    ],
)
def test_every_family_is_drawn(name: str, pieces: list[bytes]) -> None:
    bodies = [edit.request.body for edit in drawn(name, DOCUMENT)]
    for piece in pieces:
        assert any(piece in body for body in bodies), piece


@pytest.mark.parametrize(
    "name",
    ["drop_json_value", "change_json_type", "null_json_value", "repeat_json_element", "swap_json_values"],
)
def test_structure_mutants_are_still_json_and_mean_something_else(name: str) -> None:
    edits = drawn(name, DOCUMENT, count=60)
    assert edits
    for edit in edits:
        value = json.loads(edit.request.body)
        assert value != json.loads(DOCUMENT.body)
        assert field(edit.request.headers, b"content-length") == b"%d" % len(edit.request.body)


def test_recorded_values_are_put_where_they_were_seen() -> None:
    known = Known(values={"body:$.name": ("db-07",), "body:$.tags[]": ("c",), "body:$.size": ("99",)})
    bodies = {edit.request.body for edit in drawn("recorded_in_json", DOCUMENT, known)}
    assert bodies == {
        DOCUMENT.body.replace(b"web-01", b"db-07"),
        DOCUMENT.body.replace(b'"a"', b'"c"'),
        DOCUMENT.body.replace(b'"b"', b'"c"'),
        DOCUMENT.body.replace(b"12", b"99"),
    }


def test_privileges_are_learned_from_answers() -> None:
    known = Known(values={"body:$.items[].owner": ("0xabc",), "body:$.price_hour": ("1.5",)})
    whats = {edit.what for edit in drawn("assign_json_privilege", DOCUMENT, known)}
    assert 'assigned "0xabc" to $.owner' in whats
    assert "assigned 1.5 to $.price_hour" in whats


def test_privileges_that_the_thing_itself_shows_come_first() -> None:
    answer = Response(200, body=b'{"id": "1", "owner": "0xabc", "name": "x"}')
    other = Exchange(0, "t", "s", 0.0, Request(b"GET", DOCUMENT.target), answer)
    values = {f"body:$.{name}": ("v",) for name in ("owner", "tenant", "price", "balance", "user_id")}
    whats = [
        edit.what for edit in drawn("assign_json_privilege", DOCUMENT, Known(values=values, others=(other,)))
    ]
    assert sum(what.endswith("$.owner") for what in whats) > len(whats) / 2


def test_reordering_spares_objects_with_a_name_twice() -> None:
    assert drawn("reorder_json_keys", post(b'{"a":1,"a":2}')) == []
    assert drawn("reorder_json_keys", post(b'{"a":1,"\\u0061":2}')) == []


def test_text_that_is_no_json_is_left_alone() -> None:
    assert drawn("drop_json_value", post(b"12", b"text/plain")) == []
    assert drawn("truncate_json", post(b"12", b"application/json")) != []


def test_broken_codings_cannot_be_undone_and_bombs_are_large() -> None:
    faults = {undone(edit.request).fault for edit in drawn("break_packed_body", DOCUMENT)}
    assert Fault.BROKEN in faults
    edits = drawn("send_zip_bomb", DOCUMENT, count=8)
    assert edits
    for edit in edits:
        assert undone(edit.request).fault is Fault.TOO_LARGE
        assert len(edit.request.body) < 200_000


def test_a_packed_body_is_mutated_inside_its_coding() -> None:
    packed = drawn("pack_body", DOCUMENT)
    coded = next(
        edit.request for edit in packed if field(edit.request.headers, b"content-encoding") == b"gzip"
    )
    assert entity(coded) == DOCUMENT.body
    edits = drawn("drop_json_value", coded, count=20)
    assert edits
    for edit in edits:
        assert field(edit.request.headers, b"content-encoding") == b"gzip"
        json.loads(entity(edit.request) or b"")


QUERY = "query Q($id: ID!, $n: Int = 5, $s: String) { item(id: $id, first: $n, name: $s) { id name } }"
GRAPHQL = post(json.dumps({"query": QUERY, "variables": {"id": "7", "n": 2, "s": 'a"b'}}).encode())


def tokens(query: str) -> list[str]:
    """The query's tokens, without what GraphQL ignores."""
    return re.findall(r'"(?:[^"\\]|\\.)*"|\.\.\.|\w+|[^\s\w,]', re.sub(r"#[^\n]*", "", query))


def test_ignored_tokens_leave_the_others() -> None:
    edits = drawn("ignored_graphql_tokens", GRAPHQL)
    assert edits
    for edit in edits:
        assert tokens(json.loads(edit.request.body)["query"]) == tokens(QUERY)


def test_a_fragment_wraps_the_whole_selection() -> None:
    edits = drawn("wrap_in_fragment", GRAPHQL, count=20)
    assert edits
    for edit in edits:
        found = tokens(json.loads(edit.request.body)["query"])
        inner = tokens(QUERY[QUERY.index("{") :])
        assert found[-len(inner) - 1 :] == [*inner, "}"]
        assert found.count("{") == found.count("}") == 3


def test_variables_become_literals_unless_their_definition_says_more() -> None:
    texts = {edit.what: json.loads(edit.request.body) for edit in drawn("literal_for_variable", GRAPHQL)}
    assert texts.keys() == {"wrote $id into the query", "wrote $s into the query"}
    inlined = texts["wrote $id into the query"]
    assert inlined["variables"] == {"n": 2, "s": 'a"b'}
    assert tokens(inlined["query"])[:9] == ["query", "Q", "(", "$", "n", ":", "Int", "=", "5"]
    assert 'item(id: "7", first: $n' in inlined["query"]
    assert 'name: "a\\"b"' in texts["wrote $s into the query"]["query"]


def test_only_plain_fields_are_selected_twice() -> None:
    assert drawn("repeat_graphql_field", GRAPHQL) == []
    assert drawn("repeat_graphql_field", post(b'{"query":"{ a { x: b } }"}')) == []
    (text, *_) = {
        edit.request.body for edit in drawn("repeat_graphql_field", post(b'{"query":"{ a { b } }"}'))
    }
    assert text == b'{"query":"{ a { b b } }"}'


def test_notifications_are_not_asked_for_an_error() -> None:
    assert drawn("unknown_rpc_method", post(b'{"jsonrpc":"2.0","method":"m"}')) == []
    assert BY_NAME["unknown_rpc_method"].expect is Expect.REJECT
    assert drawn("unknown_rpc_method", post(b'{"jsonrpc":"2.0","id":1,"method":"m"}')) != []


def test_safe_requests_are_overridden_by_safe_methods_alone() -> None:
    request = Request(b"GET", b"/", headers=((b"Host", b"h"),))
    edits = drawn("override_method", request)
    assert edits
    for edit in edits:
        assert not re.search(
            rb"POST|PUT|PATCH|DELETE", edit.request.target + repr(edit.request.headers).encode()
        )


XML = b'<a:r xmlns:a="urn:x"><a:v k="1" l="2">text</a:v><a:w></a:w><a:e/></a:r>'
XML_SPELLINGS = [
    "reorder_attributes",
    "requote_attribute",
    "cdata_for_text",
    "refer_to_character",
    "expand_empty_element",
    "close_empty_element",
    "space_in_tag",
    "rename_prefix",
    "comment_in_xml",
]


@pytest.mark.parametrize("name", XML_SPELLINGS)
def test_xml_that_every_reader_takes_is_spelled_otherwise(name: str) -> None:
    assert drawn(name, post(XML, b"application/xml"), count=5)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        pytest.param(XML.replace(b' xmlns:a="urn:x"', b""), b"application/xml", id="a prefix not declared"),
        pytest.param(XML.replace(b"text", b"a &b; c"), b"application/xml", id="an entity not declared"),
        pytest.param(XML.replace(b'l="2"', b'k="2"'), b"application/xml", id="an attribute twice"),
        pytest.param(b"<!DOCTYPE r>" + XML, b"application/xml", id="a DTD"),
        pytest.param(
            b'<?xml version="1.0" encoding="gbk"?>' + XML,
            b"application/xml",
            id="characters of several bytes",
        ),
        pytest.param(XML, b"application/xml; charset=utf-16", id="another charset beside it"),
    ],
)
def test_xml_that_readers_refuse_or_read_differently_is_not_respelled(text: bytes, kind: bytes) -> None:
    for name in XML_SPELLINGS:
        assert not drawn(name, post(text, kind), count=20), name


def test_a_prefix_that_a_value_lists_is_not_renamed() -> None:
    listed = XML.replace(b'k="1"', b'k="b a"')
    assert not drawn("rename_prefix", post(listed, b"application/xml"), count=5)


@pytest.mark.parametrize(
    ("query", "is_one"),
    [
        ("{a}", True),
        (" { a : b }", True),
        ("{ ... { a } }", True),
        ("query Q($a: Int) { a }", True),
        ("# note\n{a}", True),
        ('{app="web"} |= "error"', False),
        ('{ app =~ "web" }', False),
        ('{"a": 1}', False),
        ("{name: 'x'}", False),
        ("query letters", False),
    ],
)
def test_graphql_is_told_from_other_query_languages(query: str, is_one: bool) -> None:
    request = post(json.dumps({"query": query}).encode())
    assert (query_in(request) is not None) is is_one


def test_what_stands_around_the_parts_is_put_in_by_itself() -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--b--\r\n'
    request = post(body, b"multipart/form-data; boundary=b")
    assert {edit.request.body for edit in drawn("put_epilogue", request)} == {body + b"epilogue"}
    assert {edit.request.body for edit in drawn("put_preamble", request)} == {b"preamble\r\n" + body}


TEXT = b"lorem ipsum " * 20_000


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (b"application/json", b'{"jsonrpc":"2.0","id":1,"method":"a/b","params":{"t":"' + TEXT + b'"}}'),
        (b"application/json", b'{"query":"{ a { b } }","variables":{"t":"' + TEXT + b'"}}'),
        (b"application/x-www-form-urlencoded", b"a=" + TEXT.replace(b" ", b"+")),
        (b"application/xml", b"<r><a>" + TEXT + b"</a></r>"),
        (b"multipart/form-data; boundary=b", b"--b\r\nX: 1\r\n\r\n" + TEXT + b"\r\n--b--\r\n"),
        (b"application/x-protobuf", field_bytes(1, LENGTH, TEXT)),
        (b"text/plain", (TEXT + b"\n") * 2),
    ],
)
def test_large_bodies_do_not_grow_by_their_own_size_times_over(kind: bytes, body: bytes) -> None:
    request = post(body, kind)
    for one in CATALOG:
        if one.level in {Level.BODY, Level.BYTES}:
            for edit in drawn(one.name, request, count=1):
                most = 6 * len(body) if one.name == "escape_json_value" else 3 * len(body)
                assert len(edit.request.body) <= most + 600_000, one.name


@pytest.mark.parametrize(
    ("name", "body", "kind"),
    [
        ("reorder_json_keys", b'{"$type":"A","a":1}', b"application/json"),
        ("reorder_json_keys", b'{"sort":{"a":1,"b":-1}}', b"application/json"),
        ("escape_json_key", b'{"$type":"A"}', b"application/json"),
        ("space_json", b'{"a":1}', b"application/x-ndjson"),
        ("space_json", b'{"a":1}', b"application/vnd.oci.image.manifest.v1+json"),
    ],
)
def test_json_whose_spelling_counts_is_not_respelled(name: str, body: bytes, kind: bytes) -> None:
    assert drawn(name, post(body, kind), count=50) == []


def test_a_text_that_may_be_one_of_several_lines_stays_on_its_line() -> None:
    edits = drawn("space_json", post(b'{"delete":{"_id":1}}\n'))
    assert edits
    assert {edit.request.body.count(b"\n") for edit in edits} == {1}
