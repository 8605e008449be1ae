"""JSON in positions: judged against the standard library's parser."""

import json as stdlib_json
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shadow.content import json
from shadow.content.json import Document, Kind, Node

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=5),
    max_leaves=20,
)
spellings = st.builds(
    lambda value, indent, is_ascii: stdlib_json.dumps(value, indent=indent, ensure_ascii=is_ascii).encode(
        "utf-8", "surrogatepass"
    ),
    values,
    st.sampled_from([None, 0, 2, "\t"]),
    st.booleans(),
)


def parsed(text: bytes) -> Document:
    document = json.parse(text)
    assert document is not None
    return document


def value_of(document: Document, node: Node) -> object:
    """The node's value, rebuilt from spans alone."""
    if node.kind is Kind.OBJECT:
        return {
            json.text_of(document.raw_key(child)): value_of(document, child)
            for child in document.children(node)
        }
    if node.kind is Kind.ARRAY:
        return [value_of(document, child) for child in document.children(node)]
    return stdlib_json.loads(document.raw(node))


@given(text=spellings)
def test_spans_rebuild_the_value(text: bytes) -> None:
    document = parsed(text)
    assert value_of(document, document.root) == stdlib_json.loads(text)


@settings(max_examples=400)
@given(text=st.text('{}[]",:\\ntrue1.e-+uABd8 ', max_size=12).map(str.encode) | st.binary(max_size=12))
def test_grammar_is_the_standard_librarys_without_its_extensions(text: bytes) -> None:
    def refuse(constant: str) -> object:
        raise ValueError(constant)

    try:
        stdlib_json.loads(text.decode(), parse_constant=refuse)
        is_json = True
    except ValueError:
        is_json = False
    if not is_json and json.parse(text) is not None:
        with pytest.raises(UnicodeDecodeError):  # bytes that are no UTF-8 are let pass inside strings
            text.decode()
    else:
        assert (json.parse(text) is not None) == is_json


@pytest.mark.parametrize(
    "text",
    [
        b'{"a":1,"a":2}',
        b'"\\ud800"',
        b'"\xff"',
        b"1e400",
        b"9" * 10_000,
        b" \n[ ]\t",
        b"\xef\xbb\xbf{}",
        b"[" * 50_000 + b"]" * 50_000,
    ],
    ids=["duplicates", "surrogate", "no-utf8", "huge-float", "huge-int", "space", "bom", "deep"],
)
def test_kept_as_it_is(text: bytes) -> None:
    assert parsed(text).text == text


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b" ",
        b"{",
        b"[1,]",
        b'{"a":1,}',
        b'{"a"}',
        b"[1 2]",
        b"01",
        b"1 1",
        b"NaN",
        b'"\n"',
        b"[}",
        b",",
        b"\xef\xbb\xbf",
    ],
)
def test_not_json(text: bytes) -> None:
    assert json.parse(text) is None


def test_too_large_is_not_parsed() -> None:
    assert json.parse(b'"' + b"a" * json.MAX_BYTES + b'"') is None


@given(text=spellings, seed=st.integers())
def test_replacing_one_value_leaves_every_other_byte(text: bytes, seed: int) -> None:
    document = parsed(text)
    node = Random(seed).choice(document.nodes)
    new = json.replace(document, node, b'"new"')
    assert new[: node.start] == text[: node.start]
    assert new[len(new) - (len(text) - node.end) :] == text[node.end :]
    changed = parsed(new)
    assert changed.raw(changed.nodes[node.index]) == b'"new"'


@given(text=spellings, seed=st.integers())
def test_dropping_takes_one_member_or_element_out(text: bytes, seed: int) -> None:
    document = parsed(text)
    if len(document.nodes) == 1:
        assert json.drop(document, document.root) == text
        return
    node = Random(seed).choice(document.nodes[1:])
    dropped = parsed(json.drop(document, node))
    holder = document.nodes[node.parent]
    left = [document.raw(child) for child in document.children(holder) if child.index != node.index]
    assert [dropped.raw(child) for child in dropped.children(dropped.nodes[holder.index])] == left


@given(text=spellings, seed=st.integers(), first=st.booleans())
def test_adding_puts_one_member_or_element_in(text: bytes, seed: int, first: bool) -> None:
    document = parsed(text)
    holders = [node for node in document.nodes if node.kind in {Kind.OBJECT, Kind.ARRAY}]
    if not holders:
        return
    holder = Random(seed).choice(holders)
    member = b'"new":"x"' if holder.kind is Kind.OBJECT else b'"x"'
    added = parsed(json.add(document, holder, member, first=first))
    children = added.children(added.nodes[holder.index])
    assert len(children) == len(holder.children) + 1
    assert added.raw(children[0 if first else -1]) == b'"x"'


@given(text=spellings, seed=st.integers())
def test_reordering_keeps_members_and_gaps(text: bytes, seed: int) -> None:
    document = parsed(text)
    holders = [node for node in document.nodes if node.children]
    if not holders:
        return
    rng = Random(seed)
    holder = rng.choice(holders)
    order = rng.sample(range(len(holder.children)), len(holder.children))
    new = json.reorder(document, holder, order)
    assert len(new) == len(text)
    children = document.children(holder)
    moved = parsed(new).children(parsed(new).nodes[holder.index])
    assert [parsed(new).raw(child) for child in moved] == [document.raw(children[at]) for at in order]


@given(text=spellings)
def test_paths_lead_to_their_nodes(text: bytes) -> None:
    document = parsed(text)
    paths = [json.path(document, node) for node in document.nodes]
    assert len(set(paths)) == len(paths)
    for node, path in zip(document.nodes, paths, strict=True):
        assert json.find(document, path) == node


@pytest.mark.parametrize(
    ("text", "index", "path", "place"),
    [
        (b'{"items":[0,1,2,{"price":5}]}', 6, "$.items[3].price", "$.items[].price"),
        (b'{"a b":1}', 1, '$["a b"]', '$["a b"]'),
        (b'{"\\u0061":1}', 1, "$.a", "$.a"),
        (b"[[1]]", 2, "$[0][0]", "$[][]"),
        (b"1", 0, "$", "$"),
    ],
)
def test_paths_as_text(text: bytes, index: int, path: str, place: str) -> None:
    document = parsed(text)
    assert json.path(document, document.nodes[index]) == path
    assert json.place(document, document.nodes[index]) == place


@given(text=st.text(st.characters(), max_size=20))
def test_quoting_is_undone_by_reading(text: str) -> None:
    raw = json.quote(text)
    assert stdlib_json.loads(raw) == text
    assert json.text_of(raw) == text


@pytest.mark.parametrize(
    "text", [b'{"a":{"b":1,"c":{}},"d":[{"e":2},{}],"f":{"g":3}}', b'[{"a":1 , "b":2},{ }]']
)
def test_a_moved_member_is_gone_from_where_it_was_and_the_last_of_where_it_is(text: bytes) -> None:
    document = json.parse(text)
    assert document is not None
    members = [node for node in document.nodes if node.key_start >= 0]
    holders = [node for node in document.nodes if node.kind is Kind.OBJECT]
    count = 0
    for node in members:
        for holder in holders:
            if holder.index == node.parent or node.start <= holder.start < node.end:
                continue
            moved = json.parse(json.move(document, node, holder))
            assert moved is not None
            assert len(moved.nodes) == len(document.nodes)
            key = document.raw_key(node)
            found = next(each for each in moved.nodes if moved.raw_key(each) == key)
            assert moved.keys(moved.nodes[found.parent])[:-1] == document.keys(holder)
            assert moved.raw(found) == document.raw(node)
            count += 1
    assert count >= 2
