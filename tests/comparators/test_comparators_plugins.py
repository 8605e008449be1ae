"""Comparators of third parties, found through entry points."""

import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from itertools import repeat
from types import ModuleType
from typing import Any

import pytest

from comparators import MAX_DIFFERENCES, PLUGIN_GROUP, comparator, compare, compare_with, load_plugins
from shadow.errors import ConfigError
from shadow.model import Change, Difference, Response

LEFT, RIGHT = Response(200, headers=((b"Server", b"a"),)), Response(200, headers=((b"Server", b"b"),))
SPOT = Difference("header:server", Change.VALUE, "a", "b")


@comparator
def third_party(control: Response, other: Response) -> Iterator[Difference]:
    """Notices one thing."""
    yield SPOT


def point(value: str) -> EntryPoint:
    return EntryPoint("one", value, PLUGIN_GROUP)


def test_a_module_or_a_single_comparator_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("third_party_comparators")
    module.third_party = third_party  # type: ignore[attr-defined]  # a module made by hand
    monkeypatch.setitem(sys.modules, module.__name__, module)
    assert load_plugins([point("third_party_comparators")]) == (third_party,)
    assert load_plugins([point("third_party_comparators:third_party")]) == (third_party,)
    with pytest.raises(ConfigError, match="'third_party'"):
        load_plugins([point("third_party_comparators"), point("third_party_comparators:third_party")])


@pytest.mark.parametrize(
    ("value", "part"),
    [
        ("no_such_module_at_all", "cannot import"),
        ("comparators:no_such_name", "cannot import"),
        ("json", "offers no comparator"),
        ("comparators:status", "'status'"),
    ],
    ids=["module", "name", "empty", "taken"],
)
def test_what_cannot_be_used_is_named(value: str, part: str) -> None:
    with pytest.raises(ConfigError, match=part):
        load_plugins([point(value)])


def test_what_a_plugin_notices_comes_after_the_rest() -> None:
    noticing = compare_with((third_party,), lambda *_: None)
    worse = Response(500, headers=RIGHT.headers)
    assert noticing(LEFT, RIGHT) == (*compare(LEFT, RIGHT), SPOT)
    assert [each.where for each in noticing(LEFT, worse)] == ["status", "header:server"]
    assert noticing(LEFT, LEFT) == ()
    assert compare_with((), lambda *_: None) is compare


def failing(*_: Response) -> Iterator[Any]:
    """Notices one thing, then breaks."""
    yield SPOT
    raise ValueError("no luck")


def nonsense(*_: Response) -> Iterator[Any]:
    """Yields what is none."""
    yield "header:server"


def endless(*_: Response) -> Iterator[Any]:
    """Never has enough."""
    yield from repeat(SPOT)


@pytest.mark.parametrize(
    ("notice", "count", "told"),
    [
        (failing, 0, "raised ValueError: no luck"),
        (nonsense, 0, "no Difference"),
        (endless, MAX_DIFFERENCES, ""),
    ],
)
def test_a_plugin_that_fails_costs_its_own_differences_alone(notice: Any, count: int, told: str) -> None:
    troubles: list[str] = []
    noticing = compare_with((comparator(notice), third_party), lambda name, why: troubles.append(name + why))
    found = noticing(LEFT, RIGHT)
    assert len(found) == min(count + 1, MAX_DIFFERENCES)
    assert bool(troubles) is bool(told)
    assert not told or (told in troubles[0] and troubles[0].startswith(notice.__name__))
