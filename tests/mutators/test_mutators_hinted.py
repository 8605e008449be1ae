"""Mutators fed by what the service tells and by what traffic showed: what they make of it."""

import json
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mutators import CATALOG
from shadow.content.entity import entity
from shadow.model import Documented, Edit, Hint, Known, Request

BY_NAME = {one.name: one for one in CATALOG}
JSON = (b"Content-Type", b"application/json")
FORM = (b"Content-Type", b"application/x-www-form-urlencoded")
BODY = {"name": "abc", "cores": 4, "tags": ["x"], "deep": {"list": [{"n": 1}]}, "on": True, "owner_id": "u-1"}
REQUEST = Request(
    b"POST",
    b"/v1/things/7?limit=5&state=up",
    headers=((b"Host", b"h"), JSON, (b"X-Tenant", b"acme"), (b"Cookie", b"lang=de; a=1")),
    body=json.dumps(BODY).encode(),
)
FORMED = Request(b"POST", b"/f", headers=(FORM,), body=b"name=abc&n=4")


def drawn(name: str, known: Known, request: Request = REQUEST, count: int = 200) -> list[Edit]:
    edits = (BY_NAME[name](request, Random(seed), known) for seed in range(count))
    return [edit for edit in edits if edit is not None]


def values(name: str, hint: Hint, key: str) -> set[str]:
    """What a mutator puts at a member of the body, as JSON."""
    edits = drawn(name, Known(hints=(hint,)))
    return {json.dumps(json.loads(edit.request.body).get(key, "-")) for edit in edits}


@pytest.mark.parametrize(
    ("hint", "key", "expected"),
    [
        (Hint("body:$.cores", "integer", maximum=64), "cores", {"63", "64", "65"}),
        (Hint("body:$.cores", minimum=1), "cores", {"0", "1", "2"}),
        (Hint("body:$.cores", "number", minimum=0.5), "cores", {"-0.5", "0.5", "1.5", "0.49"}),
        (Hint("body:$.name", "string", max_size=5), "name", {'"abca"', '"abcab"', '"abcabc"'}),
        (Hint("body:$.name", min_size=1), "name", {'""', '"a"', '"ab"'}),
        (Hint("body:$.tags", "array", max_size=2), "tags", {'["x", "x"]', '["x", "x", "x"]'}),
        (Hint("body:$.name", "string", max_size=1 << 30), "name", set()),
        (Hint("body:$.nothing", maximum=3), "name", set()),
        (Hint("query:limit", maximum=3), "name", set()),
    ],
    ids=[
        "greatest",
        "least",
        "fraction",
        "longest",
        "shortest",
        "elements",
        "endless",
        "absent",
        "of the query",
    ],
)
def test_limits_are_met_and_crossed_by_one(hint: Hint, key: str, expected: set[str]) -> None:
    assert values("limit_in_body", hint, key) == expected


@pytest.mark.parametrize(
    ("place", "part"),
    [
        ("query:limit", b"limit=51"),
        ("path:-1", b"/v1/things/51?"),
        ("header:x-tenant", b"51"),
        ("cookie:lang", b"lang=51; a=1"),
    ],
)
def test_limits_of_parameters_are_crossed_where_they_stand(place: str, part: bytes) -> None:
    edits = drawn("limit_in_parameter", Known(hints=(Hint(place, "integer", maximum=50),)))
    assert any(
        part in b"\n".join((each.request.target, *(v for _, v in each.request.headers))) for each in edits
    )
    assert {each.request.body for each in edits} == {REQUEST.body}


@pytest.mark.parametrize("target", [b"/v1/things/7", b"/v1/things/7/", b"/prefix/v1/things/7?x=1"])
def test_segments_are_found_behind_whatever_prefix_a_target_has(target: bytes) -> None:
    known = Known(hints=(Hint("path:-1", maximum=9), Hint("path:-9", maximum=9), Hint("path:-0", maximum=9)))
    edits = drawn("limit_in_parameter", known, msgspec.structs.replace(REQUEST, target=target))
    assert {each.request.target for each in edits} == {
        target.replace(b"/7", b"/8"),
        target.replace(b"/7", b"/9"),
        target.replace(b"/7", b"/10"),
    }


def test_limits_of_forms_and_of_elements_deep_inside() -> None:
    formed = drawn("limit_in_body", Known(hints=(Hint("body:n", "integer", maximum=9),)), FORMED)
    assert {entity(each.request) for each in formed} == {b"name=abc&n=8", b"name=abc&n=9", b"name=abc&n=10"}
    deep = drawn("limit_in_body", Known(hints=(Hint("body:$.deep.list[].n", maximum=9),)))
    assert {json.loads(each.request.body)["deep"]["list"][0]["n"] for each in deep} == {8, 9, 10}


def test_told_words_and_their_neighbours_are_put() -> None:
    found = values("told_word_in_body", Hint("body:$.name", words=("abc", "xyz")), "name")
    assert {'"xyz"', '"XYZ"'} <= found
    numbers = values("told_word_in_body", Hint("body:$.cores", words=("4", "8")), "cores")
    assert numbers == {"8"}


def test_named_members_and_parameters_are_added_once() -> None:
    hints = (
        Hint("body:$.new", "integer", maximum=7),
        Hint("body:$.name"),
        Hint("body:$.deep.more", words=("a",)),
    )
    bodies = [json.loads(each.request.body) for each in drawn("told_member_added", Known(hints=hints))]
    added = {json.dumps({"new": each.get("new"), "more": each["deep"].get("more")}) for each in bodies}
    assert added == {'{"new": 7, "more": null}', '{"new": null, "more": "a"}'}
    hints = (Hint("query:page", "integer"), Hint("query:limit"), Hint("header:x-new", "boolean"))
    edits = drawn("told_parameter_added", Known(hints=hints))
    assert {each.request.target for each in edits} == {REQUEST.target, REQUEST.target + b"&page=1"}
    assert {each.request.headers[len(REQUEST.headers) :] for each in edits} == {(), ((b"x-new", b"true"),)}


def test_required_values_are_dropped() -> None:
    hints = (
        Hint("body:$.cores", is_required=True),
        Hint("query:limit", is_required=True),
        Hint("path:-1", is_required=True),
    )
    edits = drawn("told_required_dropped", Known(hints=hints))
    assert {each.what for each in edits} == {"dropped body:$.cores", "dropped query:limit"}


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("beyond_documented_limit_in_body", Hint("body:$.cores", "integer", maximum=9)),
        ("beyond_documented_limit_in_parameter", Hint("query:limit", "integer", maximum=9)),
        ("outside_documented_words", Hint("body:$.name", words=("abc",))),
        ("undocumented_type_in_body", Hint("body:$.cores", "integer")),
        ("undocumented_type_in_parameter", Hint("query:limit", "integer")),
        ("undocumented_null", Hint("body:$.cores", "integer", is_required=True)),
        ("documented_required_dropped", Hint("body:$.cores", is_required=True)),
        ("undocumented_member", Hint("body:$", "object", is_closed=True)),
    ],
)
def test_only_what_is_documented_must_be_refused(name: str, hint: Hint) -> None:
    assert drawn(name, Known(hints=(hint,))) == []
    assert drawn(name, Known(hints=(msgspec.structs.replace(hint, is_documented=True),)))
    assert not BY_NAME[name].is_stated


@pytest.mark.parametrize(
    ("hint", "key", "expected"),
    [
        (Hint("body:$.cores", "integer", 1, 64, is_documented=True), "cores", {"0", "65"}),
        (Hint("body:$.cores", maximum=64, is_below=True, is_documented=True), "cores", {"64"}),
        (Hint("body:$.cores", minimum=1, is_above=True, is_documented=True), "cores", {"1"}),
        (Hint("body:$.name", min_size=1, max_size=3, is_documented=True), "name", {'""', '"abca"'}),
        (Hint("body:$.tags", "array", max_size=1, is_documented=True), "tags", {'["x", "x"]'}),
        (Hint("body:$.name", min_size=0, is_documented=True), "name", set()),
        (Hint("body:$.cores", "number", maximum=9.3e18, is_documented=True), "cores", set()),
    ],
    ids=["both", "below", "above", "sizes", "elements", "nothing is shorter", "one more is none"],
)
def test_documented_limits_are_crossed_and_not_only_met(hint: Hint, key: str, expected: set[str]) -> None:
    assert values("beyond_documented_limit_in_body", hint, key) == expected


def test_documented_nulls_and_lenient_types_are_left_alone() -> None:
    hint = Hint("body:$.cores", "integer", is_required=True, is_nullable=True, is_documented=True)
    assert values("undocumented_null", hint, "cores") == set()
    assert values("undocumented_type_in_body", hint, "cores") == {'"shadow"', "[]", "{}", "1.5"}


def test_undocumented_methods_are_those_that_the_path_does_not_have() -> None:
    edits = drawn("undocumented_method", Known(documented=Documented(("GET", "POST", "DELETE"))))
    assert {each.request.method for each in edits} == {b"PUT", b"PATCH"}
    assert drawn("undocumented_method", Known()) == []
    assert drawn("undocumented_method", Known(documented=Documented(("GET",)))) == [], (
        "the path may be another's"
    )


def test_undocumented_media_types_replace_a_documented_one_alone() -> None:
    documented = Documented(("POST",), (), ("application/json",))
    edits = drawn("undocumented_media_type", Known(documented=documented))
    assert {dict(each.request.headers)[b"Content-Type"] for each in edits} == {
        b"application/xml",
        b"text/plain",
        b"application/x-www-form-urlencoded",
    }
    for types in ((), ("text/csv",), ("application/json", "*/*")):
        assert drawn("undocumented_media_type", Known(documented=Documented(("POST",), (), types))) == []


def test_ids_of_answers_are_put_where_their_kind_is_wanted() -> None:
    known = Known(made={"thing": ("8",), "owner": ("u-2",), "other": ("no",)})
    assert {each.request.target for each in drawn("answered_id_in_path", known)} == {
        b"/v1/things/8?limit=5&state=up"
    }
    assert {json.loads(each.request.body)["owner_id"] for each in drawn("answered_id_in_json", known)} == {
        "u-2"
    }
    asked = Request(b"GET", b"/x?owner_id=u-1")
    assert {each.request.target for each in drawn("answered_id_in_query", known, asked)} == {
        b"/x?owner_id=u-2"
    }


def test_numbers_go_beyond_those_seen() -> None:
    known = Known(ranges={"body:$.cores": (1, 8), "query:limit": (5, 50)})
    cores = {json.loads(each.request.body)["cores"] for each in drawn("beyond_seen_in_json", known)}
    assert {0, 9} <= cores
    assert not cores & set(range(1, 9))
    assert any(b"limit=51" in each.request.target for each in drawn("beyond_seen_in_query", known))


def test_foreign_values_are_of_the_same_kind_from_another_place() -> None:
    known = Known(
        kinds={"word": (("query:state", "up"), ("body:$.mood", "well")), "integer": (("query:n", "77"),)}
    )
    targets = {each.request.target for each in drawn("foreign_in_query", known)}
    assert targets == {b"/v1/things/7?limit=77&state=up", b"/v1/things/7?limit=5&state=well"}
    bodies = {each.request.body for each in drawn("foreign_in_json", known)}
    assert REQUEST.body.replace(b'"cores": 4', b'"cores": 77') in bodies
    assert REQUEST.body.replace(b'"abc"', b'"well"') in bodies


def test_words_beside_those_that_were_seen_for_a_parameter() -> None:
    edits = drawn("seen_neighbour_in_query", Known(values={"query:state": ("up",), "query:limit": ("5",)}))
    assert {b"/v1/things/7?limit=5&state=UP", b"/v1/things/7?limit=5&state=ups"} <= {
        e.request.target for e in edits
    }
    assert all(b"limit=5&" in each.request.target for each in edits)


def test_fields_that_graphql_named_are_selected_too() -> None:
    asked = Request(b"POST", b"/graphql", headers=(JSON,), body=b'{"query": "{ pet(id: 1) { name } }"}')
    edits = drawn("told_graphql_field", Known(hints=(Hint("graphql:secret"),)), asked)
    assert {json.loads(each.request.body)["query"] for each in edits} == {"{ pet(id: 1) { name secret } }"}


def test_elements_of_xml_get_what_was_seen_in_them() -> None:
    asked = Request(
        b"POST", b"/", headers=((b"Content-Type", b"text/xml"),), body=b"<r><a:n x='1'>old</a:n><m>z</m></r>"
    )
    edits = drawn("recorded_in_xml", Known(values={"body:<n>": ("old", "a<b")}), asked)
    assert {each.request.body for each in edits} == {b"<r><a:n x='1'>a&lt;b</a:n><m>z</m></r>"}


places = st.sampled_from(
    (
        "body:$",
        "body:$.a",
        "body:$.a[].b",
        "body:x",
        "query:a",
        "header:a",
        "cookie:a",
        "path:-1",
        "path:x",
        "graphql:a",
        "",
        "?",
    )
)
hints = st.builds(
    Hint,
    places,
    st.sampled_from(("", "integer", "number", "string", "boolean", "array", "object")),
    st.none() | st.integers(-99, 99) | st.floats(allow_nan=False, allow_infinity=False),
    st.none() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.booleans(),
    st.none() | st.integers(0, 300_000),
    st.none() | st.integers(0, 300_000),
    st.text(max_size=4),
    st.sampled_from(("", "uuid", "date", "x")),
    st.lists(st.text(max_size=4), max_size=3).map(tuple),
    *(st.booleans() for _ in range(4)),
)
requests = st.builds(
    Request,
    st.sampled_from((b"GET", b"POST", b"\xff")),
    st.sampled_from((b"/a/b?a=1&a=2", b"*", b"", b"http://h/a?a")) | st.binary(max_size=20),
    st.just(b"HTTP/1.1"),
    st.lists(st.sampled_from((JSON, FORM, (b"a", b"b"), (b"Cookie", b"a=1"))), max_size=3).map(tuple),
    st.sampled_from((b'{"a":[{"b":1}]}', b'{"a":"x"}', b"[]", b"x=1&y", b"<a>1</a>", b""))
    | st.binary(max_size=20),
)
FED = [
    *(
        name
        for name in BY_NAME
        if name.startswith(("told_", "limit_in_", "answered_", "beyond_", "undocumented_"))
    ),
    *("documented_required_dropped", "outside_documented_words", "foreign_in_query", "recorded_in_xml"),
]


@given(requests, st.lists(hints, max_size=4).map(tuple), st.sampled_from(FED), st.integers(0, 99))
def test_no_hint_makes_a_mutator_raise_or_grow_a_request_beyond_bounds(
    request_: Request, told: tuple[Hint, ...], name: str, seed: int
) -> None:
    known = Known(
        hints=told,
        documented=Documented(("GET",), ("a",), ("application/json",)),
        made={"a": ("1", "é\r\n")},
        ranges={"body:$.a[].b": (-1, 1e300), "query:a": (0, 1)},
        kinds={"integer": (("x", "1"),)},
        values={"body:<a>": ("\ud800",)},
    )
    edit = BY_NAME[name](request_, Random(seed), known)
    assert edit == BY_NAME[name](request_, Random(seed), known)
    if edit is not None:
        assert edit.request != request_
        assert edit.what
        assert len(edit.request.body) + len(edit.request.target) < 400_000
        assert not any(b"\n" in value for _, value in edit.request.headers)
