"""compare(): every content kind, every kind of change, and silence where nothing means anything else."""

import gzip
import json
import zlib
from math import isnan
from operator import ne
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from comparators import CATALOG, MAX_DIFFERENCES, compare
from shadow.model import Change, Difference, Headers, Response

JSON: Headers = ((b"Content-Type", b"application/json"),)


def answer(value: Any, *, status: int = 200, headers: Headers = JSON) -> Response:
    return Response(status, headers=headers, body=json.dumps(value).encode())


def raw(body: bytes, kind: bytes = b"application/json", *more: tuple[bytes, bytes]) -> Response:
    return Response(200, headers=((b"Content-Type", kind), *more), body=body)


def told(control: Response, other: Response) -> list[tuple[str, str]]:
    return [(difference.where, difference.change.value) for difference in compare(control, other)]


VM = {
    "id": "i-1",
    "name": "web",
    "price": 12.345,
    "count": 3,
    "active": True,
    "tags": ["a", "b"],
    "grants": [],
    "owner": {"id": "acc-1", "city": "Zürich"},
    "created_at": "2024-05-01T10:00:00Z",
}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        pytest.param({"price": ...}, [("body:$.price", "missing")], id="field gone"),
        pytest.param({"extra": 1}, [("body:$.extra", "added")], id="field added"),
        pytest.param({"count": "3"}, [("body:$.count", "type")], id="int to string"),
        pytest.param({"active": 1}, [("body:$.active", "type")], id="true to one"),
        pytest.param({"price": 12.35}, [("body:$.price", "value")], id="rounded"),
        pytest.param(
            {"created_at": "2024-05-01 10:00:00"}, [("body:$.created_at", "value")], id="time format"
        ),
        pytest.param({"grants": None}, [("body:$.grants", "type")], id="empty array to null"),
        pytest.param({"name": "WEB"}, [("body:$.name", "value")], id="case"),
        pytest.param(
            {"owner": {"id": "acc-1", "city": "Zu\u0308rich"}}, [("body:$.owner.city", "value")], id="nfd"
        ),
        pytest.param({"owner": None}, [("body:$.owner", "type")], id="object to null"),
        pytest.param({"tags": ["b", "a"]}, [("body:$.tags", "order")], id="order"),
        pytest.param(
            {"tags": ["a"]}, [("body:$.tags", "length"), ("body:$.tags[1]", "missing")], id="shorter"
        ),
        pytest.param(
            {"tags": ["new", "a", "b"]},
            [("body:$.tags", "length"), ("body:$.tags[0]", "added")],
            id="one insertion is no cascade",
        ),
        pytest.param({"count": 3.0}, [], id="one point nought"),
        pytest.param({"count": 2**70}, [("body:$.count", "value")], id="huge integer"),
    ],
)
def test_a_change_in_json_is_told_where_it_is(
    changed: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    other = {key: value for key, value in {**VM, **changed}.items() if value is not ...}
    assert told(answer(VM), answer(other)) == expected


def test_a_page_shifted_by_one_is_one_element_gone_and_one_come() -> None:
    items = [{"id": f"i-{number}", "price": number} for number in range(6)]
    assert told(answer({"items": items[:5]}), answer({"items": items[1:]})) == [
        ("body:$.items[0]", "missing"),
        ("body:$.items[4]", "added"),
    ]


def test_elements_with_new_ids_are_matched_by_what_still_names_them() -> None:
    left = [{"id": f"live-{number}", "name": name} for number, name in enumerate("abc")]
    right = [{"id": f"shadow-{number}", "name": name} for number, name in enumerate("acb")]
    assert told(answer(left), answer(right)) == [
        ("body:$", "order"),
        ("body:$[0].id", "value"),
        ("body:$[1].id", "value"),
        ("body:$[2].id", "value"),
    ]


def test_a_new_order_is_told_by_what_names_the_elements() -> None:
    left = [{"id": f"live-{name}", "name": name, "size": 1} for name in "abcd"]
    right = [{"id": f"shadow-{name}", "name": name, "size": 1} for name in "acbd"]
    assert compare(answer(left), answer(right))[0] == Difference(
        "body:$",
        Change.ORDER,
        [{"name": "b"}, {"name": "c"}, {"name": "d"}],
        [{"name": "c"}, {"name": "b"}, {"name": "d"}],
    )
    assert compare(answer([3, 1, 2]), answer([3, 2, 1])) == (
        Difference("body:$", Change.ORDER, [1, 2], [2, 1]),
    )
    (found,) = compare(answer(list(range(500))), answer(list(range(500))[::-1]))
    assert len(found.left) == len(found.right) == 40


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        pytest.param(
            {"7c9e6679-7425-40de-944b-e07fc1f90ae7": {"a": 1}},
            {"0b7e9a52-11d2-4b3f-8a6e-1f7c2d3e4f50": {"a": 2}},
            [("body:${7c9e6679-7425-40de-944b-e07fc1f90ae7}.a", "value")],
            id="other ids",
        ),
        pytest.param({"1": "x", "2": "y"}, {"2": "y", "3": "x"}, [], id="counted ids"),
        pytest.param(
            {"vm_0f3a9c1b": 1},
            {"vm_1e2d3c4b": 1, "vm_5a6b7c8d": 1},
            [
                ("body:$.vm_0f3a9c1b", "missing"),
                ("body:$.vm_1e2d3c4b", "added"),
                ("body:$.vm_5a6b7c8d", "added"),
            ],
            id="one more entry",
        ),
        pytest.param(
            {"colour": 1}, {"color": 1}, [("body:$.colour", "missing"), ("body:$.color", "added")], id="names"
        ),
    ],
)
def test_entries_named_by_new_ids_are_the_same_entries(
    left: Any, right: Any, expected: list[tuple[str, str]]
) -> None:
    assert told(answer(left), answer(right)) == expected


def test_scalars_shifted_within_an_array_of_one_length_are_other_values() -> None:
    left, right = [1, 2, 3, 4, 5, 6, 7], [2, 3, 4, 9, 6, 7, 8]
    assert compare(answer(left), answer(right)) == (
        Difference("body:$[0]", Change.VALUE, 1, 8),
        Difference("body:$[4]", Change.VALUE, 5, 9),
    )
    assert compare(answer(left), answer(right[:-1])) == (
        Difference("body:$", Change.LENGTH, 7, 6),
        Difference("body:$[4]", Change.VALUE, 5, 9),
        Difference("body:$[0]", Change.MISSING, 1, None),
    )


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        pytest.param(b'{"a":1}', b'{"a":NaN}', [("body:syntax", "type"), ("body:$.a", "value")], id="nan"),
        pytest.param(b'{"a":NaN}', b'{"a": NaN}', [], id="nan on both"),
        pytest.param(b'{"a":1}', b'{"a":1', [("body", "type")], id="cut json"),
        pytest.param(b'{"a":1', b'{"a":2', [("body", "value")], id="neither is json"),
        pytest.param(b'{"a":1}', b'{"a":1,"a":1}', [('body:$["a#2"]', "added")], id="duplicate member"),
        pytest.param(b"18446744073709551616", b"18446744073709551617", [("body:$", "value")], id="65 bits"),
        pytest.param(b'"\\ud800"', b'"\\ud801"', [("body:$", "value")], id="lone surrogates"),
        pytest.param(b"[true, 1]", b"[1, 1]", [("body:$[0]", "type")], id="true is not one in arrays"),
        pytest.param(b'{"a":1.0}', b'{"a" : 1}', [], id="layout and number form"),
        pytest.param(b'"\\u00e9"', '"é"'.encode(), [], id="escapes"),
        pytest.param(b"null", b"{}", [("body:$", "type")], id="null to object"),
        pytest.param(b"[]", b"", [("body", "missing")], id="body gone"),
        pytest.param(b"", b"{}", [("body", "added")], id="body came"),
    ],
)
def test_json_beyond_the_fast_parser(left: bytes, right: bytes, expected: list[tuple[str, str]]) -> None:
    assert told(raw(left), raw(right)) == expected


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        pytest.param(
            (b"Vary", b"Accept, Origin"),
            (b"vary", b"origin,accept"),
            [],
            id="sets have neither order nor case",
        ),
        pytest.param(
            (b"Vary", b"Accept, Origin"),
            (b"Vary", b"Accept"),
            [("header:vary[origin]", "missing")],
            id="vary",
        ),
        pytest.param((b"Vary", b"Accept"), None, [("header:vary", "missing")], id="vary gone"),
        pytest.param((b"ETag", b'"a"'), (b"ETag", b'W/"a"'), [("header:etag", "type")], id="weak etag"),
        pytest.param((b"ETag", b'"a"'), (b"ETag", b'"b"'), [("header:etag", "value")], id="other etag"),
        pytest.param((b"Date", b"a"), (b"Date", b"b"), [], id="date"),
        pytest.param((b"Server", b"a"), (b"Server", b"b"), [], id="server"),
        pytest.param((b"Server", b"a"), None, [("header:server", "missing")], id="server gone"),
        pytest.param(None, (b"Date", b"a"), [], id="date came"),
        pytest.param((b"X-Cache", b"HIT"), None, [], id="cache"),
        pytest.param((b"Content-Length", b"9"), (b"Transfer-Encoding", b"chunked"), [], id="framing"),
        pytest.param((b"X-Request-Id", b"1"), (b"x-request-id", b"2"), [], id="volatile value"),
        pytest.param((b"X-Request-Id", b"1"), None, [("header:x-request-id", "missing")], id="volatile gone"),
        pytest.param(None, (b"X-New", b"1"), [("header:x-new", "added")], id="added"),
        pytest.param(
            (b"Cache-Control", b"no-cache, max-age=60"),
            (b"Cache-Control", b"max-age=30,no-cache"),
            [("header:cache-control[max-age]", "value")],
            id="directive",
        ),
        pytest.param(
            (b"Set-Cookie", b"sid=1; Path=/; HttpOnly; SameSite=Lax"),
            (b"set-cookie", b"sid=2; path=/; samesite=lax"),
            [("header:set-cookie[sid]", "value"), ("header:set-cookie[sid].httponly", "missing")],
            id="cookie",
        ),
        pytest.param(
            (b"Set-Cookie", b"a=1"),
            (b"Set-Cookie", b"b=1"),
            [("header:set-cookie[a]", "missing"), ("header:set-cookie[b]", "added")],
            id="cookie name",
        ),
    ],
)
def test_header_fields(
    left: tuple[bytes, bytes] | None, right: tuple[bytes, bytes] | None, expected: list[tuple[str, str]]
) -> None:
    def with_line(line: tuple[bytes, bytes] | None) -> Response:
        return Response(204, headers=(line,) if line else ())

    assert told(with_line(left), with_line(right)) == expected


def test_a_nonce_of_a_content_security_policy_is_new_in_every_answer() -> None:
    def page(policy: bytes) -> Response:
        return Response(200, headers=((b"Content-Security-Policy", policy),))

    control = page(b"default-src 'self'; script-src 'self' 'nonce-r4nd0m'")
    assert told(control, page(b"default-src 'self'; script-src 'self' 'nonce-0ther=='")) == []
    assert told(control, page(b"default-src 'self'; script-src 'self'")) != []


def test_a_media_type_has_no_case_and_its_charset_is_a_part_of_its_own() -> None:
    control = raw(b"{}", b"application/json; charset=utf-8")
    assert told(control, raw(b"{}", b"Application/JSON;Charset=UTF-8")) == []
    assert told(control, raw(b"{}", b"application/json")) == [("header:content-type[charset]", "missing")]


def test_trailers_are_compared_as_headers_are() -> None:
    left = Response(200, trailers=((b"grpc-status", b"0"),))
    right = Response(200, trailers=((b"grpc-status", b"13"),))
    assert told(left, right) == [("trailer:grpc-status", "value")]


@pytest.mark.parametrize(
    ("kind", "left", "right", "expected"),
    [
        pytest.param("text/plain", b"a\nb\nc\n", b"a\r\nb\r\nc", [], id="line ends"),
        pytest.param(
            "text/plain", b"a\nload 1\nc", b"a\nload 2\nc", [("body:line[1].load", "value")], id="line"
        ),
        pytest.param("text/plain", b"a\nb\nc", b"b\nc", [("body:line[0].a", "missing")], id="line gone"),
        pytest.param(
            "application/x-ndjson",
            b'{"a":1}\n{"b":2}\n',
            b'{"a": 1}\n{"b":3}',
            [("body:$[1].b", "value")],
            id="lines",
        ),
        pytest.param(
            "text/event-stream",
            b': hi\nevent: x\ndata: {"a":1}\n\n',
            b'event:x\r\ndata:{"a":2}\r\n\r\n',
            [("body:$[0].data.a", "value")],
            id="events",
        ),
        pytest.param("application/x-www-form-urlencoded", b"a=1&b=x+y", b"b=x%20y&a=1", [], id="form order"),
        pytest.param(
            "application/x-www-form-urlencoded",
            b"a=1&a=2",
            b"a=1",
            [("body:$.a", "type")],
            id="form field once",
        ),
        pytest.param(
            "application/xml",
            b'<r xmlns:p="u"><p:a x="1" y="2">t</p:a><!-- c --></r>',
            b'<r xmlns:q="u">\n <q:a y="2" x="1"><![CDATA[t]]></q:a>\n</r>',
            [],
            id="xml forms",
        ),
        pytest.param(
            "application/xml", b"<r><a>1</a></r>", b"<r><a>2</a></r>", [("body:$.r.a", "value")], id="xml"
        ),
        pytest.param("application/xml", b"<r/>", b"<r", [("body", "type")], id="no xml"),
        pytest.param("image/png", b"\x00\x01", b"\x00\x02", [("body", "value")], id="bytes"),
        pytest.param("image/png", b"\x00\x01", b"\x00", [("body", "length")], id="fewer bytes"),
        pytest.param("", b'{"a": 1}', b'{"a":1}', [], id="json that nothing states"),
        pytest.param("", b'{"a": 1}', b"oops", [("body", "type")], id="other kind"),
    ],
)
def test_other_kinds_of_content(
    kind: str, left: bytes, right: bytes, expected: list[tuple[str, str]]
) -> None:
    assert told(raw(left, kind.encode()), raw(right, kind.encode())) == expected


def test_content_codings_are_undone_before_bodies_are_compared() -> None:
    body = b'{"a": 1}'
    left = raw(gzip.compress(body), b"application/json", (b"Content-Encoding", b"gzip"))
    right = raw(zlib.compress(b'{"a":1}'), b"application/json", (b"Content-Encoding", b"deflate"))
    assert told(left, right) == [("header:content-encoding", "value")]


def test_a_body_cut_short_is_told_and_not_compared() -> None:
    whole = answer(VM)
    cut = Response(200, headers=JSON, body=whole.body[:20], is_complete=False)
    assert told(whole, cut) == [("body:end", "missing")]
    assert told(cut, whole) == [("body:end", "added")]
    events = raw(b"data: 1\n\ndata: 2\n\n", b"text/event-stream")
    assert told(events, replace(events, body=b"data: 1\n\n", is_complete=False)) == []
    large = raw(b"x" * (1 << 21), b"text/plain")
    assert told(large, replace(large, body=large.body[: 1 << 20], is_complete=False)) == []


def test_members_of_a_large_object_are_entries_and_not_fields() -> None:
    left = {f"key{number}": number for number in range(60)}
    assert told(answer(left), answer({**left, "key7": 0})) == [("body:$" + "{key7}", "value")]


def test_the_number_and_size_of_differences_is_bounded() -> None:
    left = {f"k{number}": "x" * 5000 for number in range(MAX_DIFFERENCES + 50)}
    found = compare(answer(left), answer(dict.fromkeys(left, "y" * 5000)))
    assert len(found) == MAX_DIFFERENCES
    assert all(len(difference.left) < 2100 for difference in found)


def test_long_texts_are_shown_around_their_first_difference() -> None:
    (found,) = compare(answer("x" * 10_000 + "left"), answer("x" * 10_000 + "right"))
    assert found.left.endswith("xleft")
    assert found.right.endswith("xright")


def test_extreme_nesting_is_compared_without_a_crash() -> None:
    left, right = b"[" * 900 + b"1" + b"]" * 900, b"[" * 900 + b"2" + b"]" * 900
    ((where, change),) = told(raw(left), raw(right))
    assert (where.count("[0]"), change) == (201, "value")
    assert told(raw(b"[" * 100_000), raw(b"[" * 90_000)) == [("body", "value")]


@pytest.mark.parametrize("member", CATALOG, ids=lambda member: member.name)
def test_every_comparator_says_why(member: Any) -> None:
    assert len(member.reason) > 40


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
responses = st.builds(
    Response,
    status=st.sampled_from([200, 404]),
    headers=st.lists(
        st.tuples(
            st.sampled_from([b"Vary", b"ETag", b"Set-Cookie", b"X-A", b"Content-Encoding", b"Cache-Control"]),
            st.binary(max_size=12),
        )
        | st.tuples(
            st.just(b"Content-Type"),
            st.sampled_from([b"application/json", b"text/plain", b"application/xml", b"text/event-stream"]),
        ),
        max_size=4,
    ).map(tuple),
    body=st.binary(max_size=40) | values.map(lambda value: json.dumps(value).encode()),
)


@given(responses)
def test_an_answer_never_differs_from_itself(response: Response) -> None:
    again = replace(response, reason=b"in other words")
    assert compare(response, again) == ()


@given(responses, responses)
def test_silence_is_symmetric(left: Response, right: Response) -> None:
    assert (compare(left, right) == ()) == (compare(right, left) == ())


@given(values, values)
def test_json_silence_means_equal_values(left: Any, right: Any) -> None:
    found = compare(answer(left), answer(right))
    assert (found == ()) == (plainly(left) == plainly(right))


@given(values, st.randoms())
def test_shuffled_members_are_no_difference(value: Any, random: Any) -> None:
    assert compare(answer(value), answer(shuffled(value, random))) == ()


def shuffled(value: Any, random: Any) -> Any:
    if isinstance(value, dict):
        pairs = [(key, shuffled(inner, random)) for key, inner in value.items()]
        random.shuffle(pairs)
        return dict(pairs)
    return [shuffled(inner, random) for inner in value] if isinstance(value, list) else value


def plainly(value: Any) -> Any:
    """Values in which True is not 1, 1.0 is 1, and NaN is itself."""
    match value:
        case bool():
            return ("boolean", value)
        case int() | float():
            return ("number", "nan" if isnan(value) else value)
        case dict():
            return {key: plainly(inner) for key, inner in value.items()}
        case list():
            return [plainly(inner) for inner in value]
        case _:
            return value


@given(st.lists(st.integers(0, 9), max_size=12), st.lists(st.integers(0, 9), max_size=12))
def test_elements_that_came_and_went_account_for_the_length(left: list[int], right: list[int]) -> None:
    changes = [change for _, change in told(answer(left), answer(right))]
    assert len(left) - changes.count("missing") + changes.count("added") == len(right)
    assert ("length" in changes) is (len(left) != len(right))


@given(
    st.lists(st.integers(0, 60), max_size=10, unique=True),
    st.lists(st.integers(0, 60), max_size=10, unique=True),
)
def test_objects_with_ids_are_told_as_sets_are(left: list[int], right: list[int]) -> None:
    def listed(ids: list[int]) -> Response:
        return answer([{"id": number, "double": 2 * number} for number in ids])

    changes = [change for _, change in told(listed(left), listed(right))]
    common, shorter = len({*left} & {*right}), min(len(left), len(right))
    in_place = len(left) == len(right) and sum(map(ne, left, right)) <= 1
    if common and 2 * common >= shorter and not in_place:
        assert changes.count("missing") == len({*left} - {*right})
        assert changes.count("added") == len({*right} - {*left})
        assert not {"value", "type"} & {*changes}


def test_listed_objects_that_only_their_ids_tell_apart_are_matched() -> None:
    def listed(*ids: str) -> Response:
        rows = [{"id": one, "title": title} for one, title in zip(ids, ("a", "b", "c"), strict=True)]
        return raw(json.dumps(rows).encode(), b"application/json")

    assert told(listed("1", "2", "zz1"), listed("1", "yy2", "yy1")) == [
        ("body:$[1].id", "value"),
        ("body:$[2].id", "value"),
    ]


def test_listed_objects_that_differ_otherwise_too_came_and_went() -> None:
    left = raw(b'[{"id": "1", "title": "a"}, {"id": "2", "title": "b"}]', b"application/json")
    right = raw(
        b'[{"id": "1", "title": "a"}, {"id": "4", "title": "b"}, {"id": "3", "title": "c"}]',
        b"application/json",
    )
    assert told(left, right) == [
        ("body:$", "length"),
        ("body:$[1].id", "value"),
        ("body:$[2]", "added"),
    ]


def test_answer_over_http2_equals_the_same_over_http1() -> None:
    """Version, reason, the case of names and fields of the connection are no part of what is said."""
    body = b'{"a": 1}'
    over_http2 = Response(
        200,
        b"",
        b"HTTP/2",
        ((b"content-type", b"application/json"), (b"x-a", b"1"), (b"set-cookie", b"a=b"), (b"date", b"now")),
        body,
        ((b"x-sum", b"1"),),
    )
    over_http1 = Response(
        200,
        b"OK",
        b"HTTP/1.1",
        (
            (b"Date", b"then"),
            (b"Set-Cookie", b"a=b"),
            (b"Connection", b"keep-alive"),
            (b"Transfer-Encoding", b"chunked"),
            (b"Trailer", b"X-Sum"),
            (b"X-A", b"1"),
            (b"Content-Type", b"application/json"),
        ),
        body,
        ((b"X-Sum", b"1"),),
    )
    assert compare(over_http2, over_http1) == compare(over_http1, over_http2) == ()
