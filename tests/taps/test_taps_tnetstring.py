"""Tnetstrings, written and read; mitmproxy's own codec is the witness."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.taps.tnetstring import decode, encode

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.binary(max_size=9)
    | st.text(st.characters(codec="utf-8"), max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES)
def test_value_comes_back(value: Any) -> None:
    assert decode(encode(value)) == value


@pytest.mark.filterwarnings("ignore::pyparsing.warnings.PyparsingDeprecationWarning")
@given(VALUES)
def test_mitmproxy_reads_and_writes_the_same(value: Any) -> None:
    from mitmproxy.io import tnetstring

    assert tnetstring.loads(encode(value)) == value
    assert decode(tnetstring.dumps(value)) == value


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"x",
        b"5:abc,",
        b"3:abc?",
        b"3:abc,junk",
        b"1:x#",
        b"4:9:a,]",
        b"3:0:,}",
        b"9" * 40 + b":",
        b"400:" * 9,
    ],
)
def test_what_is_none_is_a_value_error(text: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - which one is told elsewhere
        decode(text)


def test_nesting_without_end_is_given_up() -> None:
    value: list[Any] = []
    for _ in range(40):
        value = [value]
    with pytest.raises(ValueError, match="no length"):
        decode(encode(value))


def test_what_has_no_type_there_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="cannot be a tnetstring"):
        encode({1, 2})
