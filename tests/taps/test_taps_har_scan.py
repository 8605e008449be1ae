"""The entries of a HAR, found in any slicing of it."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shadow.taps.har_scan import EntryScanner

WORDS = st.text(max_size=8) | st.sampled_from(["entries", "log", '"\\\\', "[{"])
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=12,
)
OBJECTS = st.dictionaries(WORDS, JSON, max_size=3)
OTHERS = st.dictionaries(WORDS.filter(lambda key: key not in ("log", "entries")), JSON, max_size=3)


def scan(text: bytes, step: int, most: int = 10_000) -> tuple[list[bytes | None], EntryScanner]:
    scanner = EntryScanner(most)
    found = [each for at in range(0, len(text), step) for each in scanner.feed(text[at : at + step])]
    return found, scanner


@given(
    entries=st.lists(OBJECTS | st.lists(JSON, max_size=2) | st.text(max_size=5), max_size=4),
    around=st.tuples(OTHERS, OTHERS, OTHERS, OTHERS),
    step=st.integers(1, 60),
    indent=st.sampled_from([None, 1]),
    is_ascii=st.booleans(),
)
@example([{"a": '\\"{["'}], ({"x": {"entries": [1]}}, {}, {"log": {"entries": [2]}}, {}), 1, None, True)
def test_entries_are_found_in_any_slicing(
    entries: list[Any], around: tuple[Any, ...], step: int, indent: int | None, is_ascii: bool
) -> None:
    before, first, last, after = around
    document = {**before, "log": {**first, "entries": entries, **last}, **after}
    text = json.dumps(document, indent=indent, ensure_ascii=is_ascii).encode()
    found, scanner = scan(text, step)
    assert [json.loads(each or b"") for each in found] == entries
    assert (scanner.has_entries, scanner.is_whole) == (True, True)


def test_entry_too_long_to_be_held_is_told_and_the_next_one_found() -> None:
    text = b'{"log": {"entries": [{"a": "%b"}, {"b": 1}]}}' % (b"x" * 1000)
    for step in (1, 100, 5000):
        assert scan(text, step, most=50)[0] == [None, b'{"b": 1}']


@pytest.mark.parametrize(
    "text",
    [
        b"{}",
        b'{"log": {}}',
        b'{"log": []}',
        b'{"log": ["entries", [{}]]}',
        b'{"entries": [{}]}',
        b'{"a": {"entries": [{}]}}',
        b'{"log": {"a": {"entries": [{}]}}}',
    ],
)
def test_document_without_entries_has_none(text: bytes) -> None:
    found, scanner = scan(text, 7)
    assert found == []
    assert not scanner.has_entries


def test_cut_document_gives_its_whole_entries() -> None:
    found, scanner = scan(b'{"log": {"entries": [{"a": 1}, {"b": "', 5)
    assert found == [b'{"a": 1}']
    assert (scanner.has_entries, scanner.is_whole) == (True, False)


def test_what_stands_between_entries_and_is_none_is_given_too() -> None:
    assert scan(b'{"log": {"entries": [ 1, {"a": 1}, null ,"s"]}}', 1000)[0] == [
        b"1",
        b'{"a": 1}',
        b"null",
        b'"s"',
    ]


@given(
    st.binary(max_size=200) | st.text(alphabet='{}[]",:\\loge ntris', max_size=200).map(str.encode),
    st.integers(1, 50),
)
def test_no_bytes_raise_and_nothing_is_made_up(text: bytes, step: int) -> None:
    text = b'{"log":{"entries":[' + text
    found, _ = scan(text, step, most=20)
    assert sum(len(each or b"") for each in found) <= len(text)
