"""Mutators of third parties, found through entry points."""

import sys
from importlib.metadata import EntryPoint
from random import Random
from types import ModuleType

import pytest

from mutators import (
    CATALOG,
    PLUGIN_GROUP,
    SESSION_CATALOG,
    TALK_CATALOG,
    load_plugins,
    mutator,
    talk_mutator,
)
from shadow.errors import ConfigError
from shadow.model import Edit, Exchange, Expect, Level, Request, TalkEdit


@mutator(level=Level.HEADER, expect=Expect.SURVIVE)
def third_party(request: Request, rng: Random) -> Edit | None:
    """Does nothing, for a reason that the specification of nothing gives."""
    return None


@talk_mutator("tcp", level=Level.BYTES, expect=Expect.SURVIVE)
def third_party_of_talks(talk: Exchange, rng: Random) -> TalkEdit | None:
    """Does nothing, for a reason that the specification of nothing gives."""
    return None


def point(value: str) -> EntryPoint:
    return EntryPoint("one", value, PLUGIN_GROUP)


def test_nothing_installed_means_nothing_loaded() -> None:
    assert load_plugins(()) == ((), (), ())


def test_what_is_installed_here_is_loaded_without_trouble() -> None:
    singles, sessions, talks = load_plugins()
    assert not set(singles) & set(CATALOG)
    assert not set(sessions) & set(SESSION_CATALOG)
    assert not set(talks) & set(TALK_CATALOG)


def test_a_module_or_a_single_mutator_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("third_party_mutators")
    module.third_party = third_party  # type: ignore[attr-defined]  # a module made by hand
    module.third_party_of_talks = third_party_of_talks  # type: ignore[attr-defined]  # likewise
    monkeypatch.setitem(sys.modules, module.__name__, module)
    assert load_plugins([point("third_party_mutators")]) == ((third_party,), (), (third_party_of_talks,))
    assert load_plugins([point("third_party_mutators:third_party")]) == ((third_party,), (), ())
    with pytest.raises(ConfigError, match="'third_party'"):
        load_plugins([point("third_party_mutators"), point("third_party_mutators:third_party")])


@pytest.mark.parametrize(
    ("value", "part"),
    [
        ("no_such_module_at_all", "cannot import"),
        ("mutators.network:no_such_name", "cannot import"),
        ("json", "offers no mutator"),
        ("mutators.network:slow_body", "'slow_body'"),
    ],
    ids=["module", "name", "empty", "taken"],
)
def test_what_cannot_be_used_is_named(value: str, part: str) -> None:
    with pytest.raises(ConfigError, match=part):
        load_plugins([point(value)])


def test_the_catalogue_does_not_know_plugins() -> None:
    assert third_party not in CATALOG
