"""JSON by its values: numbers, what texts hold, maps, arrays, and what hostile bodies cost."""

import json
import re
from base64 import b64encode, urlsafe_b64encode
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from comparators import compare
from comparators.json_body import compared
from shadow.judge.places import name, parent, template
from shadow.model import Change, Difference, Headers, Response

JSON: Headers = ((b"Content-Type", b"application/json"),)


def answer(value: Any) -> Response:
    return raw(json.dumps(value).encode())


def raw(body: bytes) -> Response:
    return Response(200, headers=JSON, body=body)


def told(left: Any, right: Any) -> list[str]:
    return [f"{each.where} {each.change}" for each in compare(answer(left), answer(right))]


@pytest.mark.parametrize(
    ("left", "right", "is_same"),
    [
        (b"0.30000000000000004", b"0.3", True),
        (b"19.989999999999998", b"19.99", True),
        (b"1", b"1.0", True),
        (b"1e3", b"1000", True),
        (b"1E+2", b"100.0", True),
        (b"-0.0", b"0", True),
        (b"3", b"3.0000000000000004", True),
        (b"123456789.12345679", b"123456789.12345678", True),
        (b"12.34", b"12.35", False),
        (b"99999999999.99", b"99999999999.98", False),
        (b"9999999999999.99", b"9999999999999.98", False),
        (b"0.1", b"0.10000000149011612", False),
        (b"12.345", b"12.35", False),
        (b"9007199254740993", b"9007199254740992", False),
        (b"18446744073709551616", b"18446744073709551617", False),
        (b"1", b"1e-300", False),
        (b"NaN", b"NaN", True),
        (b"NaN", b"0.30000000000000004", False),
        (b"Infinity", b"0.30000000000000004", False),
        (b"Infinity", b"-Infinity", False),
        (b"1", b'"1"', False),
        (b"1", b"true", False),
        (b"[true, 1]", b"[1, true]", False),
        (b'{"a": false, "b": 0}', b'{"a": 0, "b": false}', False),
    ],
    ids=str,
)
def test_numbers_are_one_where_only_rounding_tells_them_apart(
    left: bytes, right: bytes, is_same: bool
) -> None:
    assert (compare(raw(left), raw(right)) == ()) is is_same
    assert (compare(raw(right), raw(left)) == ()) is is_same


def token(claims: dict[str, Any], signature: str = "c2lnbmF0dXJl", **header: Any) -> str:
    parts = ({"alg": "HS256", "typ": "JWT", **header}, claims)
    packed = [urlsafe_b64encode(json.dumps(each).encode()).rstrip(b"=").decode() for each in parts]
    return ".".join((*packed, signature))


def packed(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return b64encode(text.encode()).decode()


CLAIMS = {"sub": "7", "role": "user", "iat": 1000, "exp": 4600, "jti": "a"}


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        pytest.param('{"id": 1}', '{"id": 2}', ["body:$.p<json>.id value"], id="json"),
        pytest.param('{"a":1,"b":2}', '{ "b": 2, "a": 1 }', [], id="json written otherwise"),
        pytest.param(
            "[1, true]", "[true, 1]", ["body:$.p<json>[0] type", "body:$.p<json>[1] type"], id="one"
        ),
        pytest.param('{"a": 1}', "[1]", ["body:$.p<json> type"], id="another kind"),
        pytest.param('{"a": 1}', '{"a": 1', ["body:$.p value"], id="no json any more"),
        pytest.param("{a}", "{b}", ["body:$.p value"], id="neither"),
        pytest.param('"\ud800', '"\ud801', ["body:$.p value"], id="surrogates"),
        pytest.param(
            json.dumps({"q": json.dumps({"x": 1})}),
            json.dumps({"q": json.dumps({"x": 2})}),
            ["body:$.p<json>.q<json>.x value"],
            id="json in json in json",
        ),
        pytest.param(
            packed({"id": 1, "a": 1}), packed({"id": 2, "a": 1}), ["body:$.p<base64>.id value"], id="base64"
        ),
        pytest.param(
            packed("page:one of the many"),
            packed("page:two of the many"),
            ["body:$.p<base64> value"],
            id="text in base64",
        ),
        pytest.param("V2lkZ2V0OjQx", "V2lkZ2V0OjQy", ["body:$.p value"], id="too short to be sure"),
        pytest.param("AAECAwQFBgcICQoL", "AAECAwQFBgcICQoM", ["body:$.p value"], id="bytes in base64"),
        pytest.param("abcdefghijklmnopq", "abcdefghijklmnopr", ["body:$.p value"], id="words"),
        pytest.param(token(CLAIMS), token({**CLAIMS, "jti": "b"}, "other"), [], id="another token"),
        pytest.param(token(CLAIMS), token({**CLAIMS, "iat": 2000, "exp": 5601}), [], id="later token"),
        pytest.param(token(CLAIMS), token({**CLAIMS, "sub": "8"}), [], id="a counted subject"),
        pytest.param(
            token(CLAIMS),
            token({**CLAIMS, "sub": "bob"}),
            ["body:$.p<jwt>.claims.sub value"],
            id="another one",
        ),
        pytest.param(
            token(CLAIMS),
            token({**CLAIMS, "role": "admin"}),
            ["body:$.p<jwt>.claims.role value"],
            id="another role",
        ),
        pytest.param(
            token(CLAIMS),
            token(CLAIMS, "", alg="none"),
            ["body:$.p<jwt>.header.alg value", "body:$.p<jwt>.signed value"],
            id="not signed",
        ),
        pytest.param(
            token(CLAIMS),
            token({**CLAIMS, "exp": 90000}),
            ["body:$.p<jwt>.claims.exp value"],
            id="lives longer",
        ),
        pytest.param(
            token(CLAIMS),
            token({key: CLAIMS[key] for key in CLAIMS if key != "exp"}),
            ["body:$.p<jwt>.claims.exp missing"],
            id="lives for ever",
        ),
        pytest.param(
            token(CLAIMS), token({**CLAIMS, "exp": "soon"}), ["body:$.p<jwt>.claims.exp value"], id="no time"
        ),
    ],
)
def test_what_texts_hold_is_compared_inside(left: str, right: str, expected: list[str]) -> None:
    assert told({"p": left}, {"p": right}) == expected


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ({"after": 41, "sort": "name"}, {"after": 57, "sort": "name"}, []),
        ({"after": "user:41"}, {"after": "user:57"}, []),
        (
            {"after": 41, "sort": "name"},
            {"after": 57, "sort": "date"},
            ["body:$.next_cursor<base64>.sort value"],
        ),
        ({"after": 41, "more": True}, {"after": 57}, ["body:$.next_cursor<base64>.more missing"]),
        ("connection:of:10", "connection:of:25", []),
        ("connection:of:10", "connection:to:10", ["body:$.next_cursor<base64> value"]),
    ],
)
def test_positions_in_cursors_are_not_compared(left: Any, right: Any, expected: list[str]) -> None:
    assert told({"next_cursor": packed(left)}, {"next_cursor": packed(right)}) == expected
    assert told({"p": packed(left)}, {"p": packed(right)})


@pytest.mark.parametrize(
    ("where", "pattern", "called", "held_by"),
    [
        ("body:$.p<json>.id", "body:$.p<json>.id", "id", "body:$.p<json>"),
        ("body:$.p<json>", "body:$.p<json>", "p", "body:$"),
        ("body:$.a[3]<base64>[1].x", "body:$.a[]<base64>[].x", "x", "body:$.a[3]<base64>[1]"),
        ("body:$.u{a@b.cd}.x", "body:$.u.{id}.x", "x", "body:$.u{a@b.cd}"),
        ("body:$.u{a@b.cd}", "body:$.u.{id}", "", "body:$.u"),
        ("body:$.u.{id}", "body:$.u.{id}", "", "body:$.u"),
        ("body:$.order_12345<json>.x", "body:$.{id}<json>.x", "x", "body:$.order_12345<json>"),
        ("header:set-cookie[s]<jwt>.claims.sub", "header:set-cookie[s]<jwt>.claims.sub", "sub", None),
    ],
    ids=str,
)
def test_places_are_understood_by_the_judge(
    where: str, pattern: str, called: str, held_by: str | None
) -> None:
    assert (template(where), name(where)) == (pattern, called)
    assert held_by is None or parent(where) == held_by


@pytest.mark.parametrize(
    "key",
    [
        "17",
        "2024-05-01",
        "3fa85f64-5717-4562-b3fc-2c963f66afa6",
        "a3fa85f6-5717-4562-b3fc-2c963f66afa6",
        "alice@example.com",
        "10.0.0.1",
        "fe80::1",
        "vm-17",
        "user:3",
        "/v1/users",
        "https://example.com/a",
        "x" * 120,
        "9f86d081884c7d65",
    ],
)
def test_members_named_by_ids_are_entries_of_a_map(key: str) -> None:
    (found,) = compare(answer({"u": {key: {"n": 1}}}), answer({"u": {key: {"n": 2}}}))
    assert template(found.where) == "body:$.u.{id}.n"


@pytest.mark.parametrize(
    "key", ["price", "address_1", "line2", "x-y", "@type", "$ref", "é", "p50", "_id", "a b"]
)
def test_members_named_by_words_are_fields(key: str) -> None:
    (found,) = compare(answer({"u": {key: {"n": 1}}}), answer({"u": {key: {"n": 2}}}))
    assert "{id}" not in template(found.where)
    assert name(parent(found.where)) == json.dumps(key)[1:-1]


def nodes(*ids: int) -> list[Any]:
    return [{"node": {"id": f"n-{each}", "size": each}, "on": True} for each in ids]


def rows(*keys: tuple[str, int]) -> list[Any]:
    return [{"type": kind, "number": number, "of": f"{kind}{number}"[:1]} for kind, number in keys]


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        pytest.param(nodes(1, 2, 3), nodes(2, 1, 3), ["body:$ order"], id="named one level down, moved"),
        pytest.param(
            nodes(1, 2, 3),
            nodes(4, 1, 3),
            ["body:$[1] missing", "body:$[0] added"],
            id="named one level down, one came and one went",
        ),
        pytest.param(
            rows(("a", 1), ("a", 2), ("b", 1), ("b", 2)),
            rows(("a", 1), ("b", 1), ("b", 2)),
            ["body:$ length", "body:$[1] missing"],
            id="named by two members together",
        ),
        pytest.param(
            ["a", "b", "c"], ["c", "a", "d"], ["body:$ order", "body:$[1] value"], id="set, one other"
        ),
        pytest.param(
            ["a", "b"], ["b", "c", "a"], ["body:$ length", "body:$ order", "body:$[1] added"], id="set"
        ),
        pytest.param([0.5, 0.6, 0.7], [0.6, 0.7, 0.8], ["body:$[0] value"], id="series"),
        pytest.param([[1, 2], [3, 4]], [[1, 2], [3, 5]], ["body:$[1][1] value"], id="arrays of arrays"),
        pytest.param([[1], [2]], [[2], [1]], ["body:$ order"], id="arrays of arrays, moved"),
        pytest.param([1, 1, 2], [1, 2, 2], ["body:$[1] value"], id="duplicates"),
        pytest.param([{}, {}], [{}], ["body:$ length", "body:$[1] missing"], id="empty objects"),
        pytest.param(None, {}, ["body:$ type"], id="null is not empty"),
        pytest.param({"a": None}, {}, ["body:$.a missing"], id="null is not missing"),
        pytest.param({"a": ""}, {"a": None}, ["body:$.a type"], id="empty text is not null"),
        pytest.param({"a": []}, {}, ["body:$.a missing"], id="empty array is not missing"),
        pytest.param({"a": "ACTIVE"}, {"a": "active"}, ["body:$.a value"], id="case of a word"),
        pytest.param(
            [{"jsonrpc": "2.0", "id": 1, "result": 1}, {"jsonrpc": "2.0", "id": 2, "result": 2}],
            [{"jsonrpc": "2.0", "id": 2, "result": 2}, {"jsonrpc": "2.0", "id": 1, "result": 3}],
            ["body:$[0].result value"],
            id="a batch has no order",
        ),
    ],
)
def test_arrays_and_emptiness(left: Any, right: Any, expected: list[str]) -> None:
    assert told(left, right) == expected


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        pytest.param(
            {"data": None, "errors": [{"message": "no", "path": ["a", 0], "extensions": {"code": "GONE"}}]},
            {"data": None, "errors": [{"message": "no", "path": ["a", 0], "extensions": {"code": "LOST"}}]},
            ["body:$.errors[0].extensions.code value"],
            id="graphql",
        ),
        pytest.param(
            {"included": [{"type": "a", "id": "1", "n": 1}, {"type": "b", "id": "1", "n": 2}]},
            {"included": [{"type": "b", "id": "1", "n": 2}, {"type": "a", "id": "1", "n": 3}]},
            ["body:$.included order", "body:$.included[0].n value"],
            id="json:api",
        ),
        pytest.param(
            {"items": [{"metadata": {"name": "a"}, "n": 1}, {"metadata": {"name": "b"}, "n": 1}]},
            {"items": [{"metadata": {"name": "b"}, "n": 2}]},
            ["body:$.items length", "body:$.items[1].n value", "body:$.items[0] missing"],
            id="named by what they hold",
        ),
    ],
)
def test_known_kinds_of_documents(left: Any, right: Any, expected: list[str]) -> None:
    assert told(left, right) == expected


def test_large_values_keep_their_kind_where_they_are_shown() -> None:
    large = {f"k{number}": {"x": ["y" * 500] * 90} for number in range(60)}
    (came,) = compare(answer({}), answer({"a": large}))
    assert came.right["k0"]["x"][-1] == "…"
    assert came.right["…"] == "20 more"
    (gone,) = compare(answer({"a": [{"x": "y" * 3000}]}), answer({"a": None}))
    assert isinstance(gone.left, list)
    assert isinstance(gone.left[0], dict)
    turned = [{"x": f"{number} " + "y" * 3000} for number in range(4)]
    (order,) = compare(answer(turned), answer(turned[::-1]))
    assert (order.change, len(order.left), type(order.left[0])) == (Change.ORDER, 4, dict)
    texts = [f"{number} " + "y" * 3000 for number in range(4)]
    (order,) = compare(answer(texts), answer(texts[::-1]))
    assert isinstance(order.left, list)
    assert isinstance(order.left[0], str)
    for found in (came, gone, order):
        assert len(json.dumps([found.left, found.right])) < 40_000


@pytest.mark.parametrize(
    ("left", "right"),
    [
        pytest.param(b"[" * 1_000_000, b"[" * 1_000_001, id="nesting without end"),
        pytest.param(b"[" * 50_000 + b"]" * 50_000, b"[" * 60_000 + b"]" * 60_000, id="deep nesting"),
        pytest.param(
            b'{"a":' * 900 + b"1" + b"}" * 900, b'{"a":' * 900 + b"2" + b"}" * 900, id="deep objects"
        ),
        pytest.param(b"9" * 1_000_000, b"8" * 1_000_000, id="huge integers"),
        pytest.param(b"1e" + b"9" * 1000, b"1e" + b"-8" * 1000, id="huge exponents"),
        pytest.param(
            b"{" + b",".join([b'"a":1'] * 50_000) + b"}",
            b"{" + b",".join([b'"a":1'] * 50_001) + b"}",
            id="one member many times",
        ),
        pytest.param(
            json.dumps(["[" * 50_000] * 3).encode(), json.dumps(["[" * 50_001] * 3).encode(), id="nested text"
        ),
        pytest.param(
            json.dumps({"cursor": b64encode(b"[" * 900 + b"1" + b"]" * 900).decode()}).encode(),
            json.dumps({"cursor": b64encode(b"[" * 900 + b"2" + b"]" * 900).decode()}).encode(),
            id="deep cursor",
        ),
        pytest.param(
            json.dumps({"p": "eyJ" + "A" * 500_000 + ".e30.x"}).encode(),
            json.dumps({"p": "eyJ" + "B" * 500_000 + ".e30.x"}).encode(),
            id="endless token",
        ),
        pytest.param(
            json.dumps(["x", "y"] * 20_000).encode(), json.dumps(["y", "z"] * 20_000).encode(), id="long"
        ),
        pytest.param(
            json.dumps([{"a": 1, "b": 2}] * 10_000).encode(),
            json.dumps([{"a": 1, "b": 3}] * 10_001).encode(),
            id="many objects that nothing tells apart",
        ),
    ],
)
def test_hostile_bodies_are_compared_in_bounds(left: bytes, right: bytes) -> None:
    found = compare(raw(left), raw(right))
    assert found
    assert len(json.dumps([[each.left, each.right] for each in found])) < 5_000_000
    assert compare(raw(right), raw(left))


def test_ten_thousand_objects_are_matched_by_what_names_them() -> None:
    items = [{"id": number, "state": "on"} for number in range(10_000)]
    other = [each for each in items if each["id"] not in (5, 7000)]
    other[100] = {**other[100], "state": "off"}
    assert told(items, other) == [
        "body:$ length",
        "body:$[101].state value",
        "body:$[5] missing",
        "body:$[7000] missing",
    ]


def test_long_arrays_without_names_are_cut_at_elements_that_stand_once() -> None:
    items = [number * 7919 % 100_003 for number in range(5000)]
    other = [-1, *items[:2500], -2, *items[2500:4000], *items[4001:]]
    assert told(items, other) == [
        "body:$ length",
        "body:$[4000] missing",
        "body:$[0] added",
        "body:$[2501] added",
    ]


keys = st.text('abc."\\[]é -', min_size=1, max_size=4) | st.sampled_from(
    ["17", "a@b.cd", "vm-3", "2024-05-01"]
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.decimals(-1000, 1000, places=2).map(float)
    | st.text("ab1é\n", max_size=6)
)
documents = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)
FRESH = "a value that stands nowhere else"


def steps_of(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all values within `value`, itself included."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for step, each in inner for found in steps_of(each, (*path, step)))]


def at(value: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


def with_value(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    made = dict(value) if isinstance(value, dict) else list(value)
    made[path[0]] = with_value(value[path[0]], path[1:], new)
    return made


_STEP = re.compile(r'\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]|\{([^}]*)\}|\.([^.\[\]{}]+)')


def parsed(where: str) -> tuple[Any, ...]:
    """The path that a place names."""
    assert where.startswith("body:$")
    rest = where.removeprefix("body:$")
    found = list(_STEP.finditer(rest))
    assert "".join(each[0] for each in found) == rest
    return tuple(
        int(each[1]) if each[1] else json.loads(each[2]) if each[2] else each[3] or each[4] for each in found
    )


@given(documents, st.data())
def test_one_edit_is_told_at_its_place_alone(value: Any, data: Any) -> None:
    path = data.draw(st.sampled_from(steps_of(value)))
    before = at(value, path)
    (found,) = compare(answer(value), answer(with_value(value, path, FRESH)))
    assert parsed(found.where) == path
    assert found.change is (Change.VALUE if isinstance(before, str) else Change.TYPE)


@given(documents, st.data())
def test_one_member_or_element_more_is_told_at_its_place(value: Any, data: Any) -> None:
    holders = [path for path in steps_of(value) if isinstance(at(value, path), dict | list)]
    assume(holders)
    path = data.draw(st.sampled_from(holders))
    holder = at(value, path)
    if isinstance(holder, dict):
        made, step, count = {**holder, "fresh": FRESH}, "fresh", 1
    else:
        where = data.draw(st.integers(0, len(holder)))
        made, step, count = [*holder[:where], FRESH, *holder[where:]], where, 2  # type: ignore[assignment]  # either
    for left, right, change in (
        (value, with_value(value, path, made), Change.ADDED),
        (with_value(value, path, made), value, Change.MISSING),
    ):
        found = compare(answer(left), answer(right))
        assert [each.change for each in found] == [Change.LENGTH, change][-count:]
        assert parsed(found[-1].where) == (*path, step)


def rewritten(value: Any, random: Any) -> str:
    """`value` as JSON, written in one of many ways."""
    gap = random.choice(["", " ", "\n\t"])
    match value:
        case dict():
            pairs = [(key, rewritten(inner, random)) for key, inner in value.items()]
            random.shuffle(pairs)
            inner = f"{gap},{gap}".join(f"{rewritten(key, random)}{gap}:{gap}{text}" for key, text in pairs)
            return f"{{{gap}{inner}}}"
        case list():
            return f"[{gap}{f'{gap},'.join(rewritten(each, random) for each in value)}{gap}]"
        case str():
            return json.dumps(value, ensure_ascii=random.choice([True, False]))
        case bool() | None:
            return json.dumps(value)
        case int() if abs(value) < 10**15 and random.random() < 0.5:
            return f"{value}.0"
    return json.dumps(value)


@given(documents, st.randoms(use_true_random=False))
def test_a_document_written_otherwise_is_the_same(value: Any, random: Any) -> None:
    assert compare(answer(value), raw(rewritten(value, random).encode())) == ()


def exactly(value: Any) -> Any:
    """What tells values apart: kinds, and numbers as numbers."""
    match value:
        case bool() | None:
            return ("constant", value)
        case int() | float():
            return ("number", value)
        case dict():
            return {key: exactly(inner) for key, inner in value.items()}
        case list():
            return [exactly(inner) for inner in value]
    return value


@given(documents, documents)
def test_silence_means_equal_values_and_is_symmetric_in_number(left: Any, right: Any) -> None:
    there, back = compare(answer(left), answer(right)), compare(answer(right), answer(left))
    assert (there == ()) is (exactly(left) == exactly(right))
    assert (there == ()) is (back == ())
    assert sum(each.change is Change.TYPE for each in there) == sum(
        each.change is Change.TYPE for each in back
    )


@given(st.lists(documents, max_size=5), st.data())
def test_places_lead_back_to_the_values(left: list[Any], data: Any) -> None:
    right = data.draw(st.permutations(left)) + data.draw(st.lists(documents, max_size=2))
    for each in compare(answer(left), answer(right)):
        where = parsed(each.where)
        if each.change is Change.MISSING:
            assert at(left, where) == each.left
        elif each.change is Change.ADDED and all(isinstance(step, int) for step in where[:1]):
            assert len(where) > 1 or at(right, where) == each.right
        elif each.change in (Change.VALUE, Change.TYPE) and not isinstance(each.left, int):
            assert at(left, where) == each.left


def test_messages_and_other_parts_may_be_compared_at_a_place_of_their_own() -> None:
    assert list(compared(b'{"a": 1}', b'{"a": 2}', "message[3]")) == [
        Difference("message[3]:$.a", Change.VALUE, 1, 2)
    ]
