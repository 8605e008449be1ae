"""Settings that cannot be a run are refused; those that can are put together as they say."""

from typing import Any

import pytest

from shadow.config import load
from shadow.errors import ConfigError
from shadow.model import Event
from shadow.run.assembly import assemble
from shadow.run.checking import check

GIVEN = {"candidate": "http://127.0.0.1:8001"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"mutators": ["expect:sam"]}, "'expect:sam' matches no mutator"),
        ({"no_mutators": ["zzz*"]}, "'zzz*' matches no mutator"),
        ({"noise": {"ignore": ["foo"]}}, "'foo'"),
        ({"safety": {"allow": ["10.0.0.0/99"]}}, "10.0.0.0/99"),
        ({"signing": {"signature": "", "keys": []}}, "signing names neither keys nor a scheme"),
        ({"identity": [{"name": "bob", "key": "k1"}]}, "identity 'bob': no key 'k1'"),
        ({"signing": {"signature": "x", "canonical": ["pth"]}}, "did you mean 'path'"),
    ],
    ids=["mutator", "left out", "place", "network", "signing", "identity", "canonical"],
)
def test_settings_that_cannot_be_a_run_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        check(load(None, GIVEN | options))
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("options", [{}, GIVEN, GIVEN | {"mutators": ["level:race", "credential_*"]}])
def test_settings_that_can_be_a_run_are_fine(options: dict[str, Any]) -> None:
    check(load(None, options))


@pytest.mark.parametrize(
    ("options", "targets"),
    [
        ({}, ["candidate"]),
        ({"baseline": "http://127.0.0.1:8002"}, ["candidate", "baseline"]),
    ],
)
async def test_targets_are_those_of_the_settings(options: dict[str, Any], targets: list[str]) -> None:
    heard: list[Event] = []
    assembly = assemble(load(None, GIVEN | options), run="r", is_live=False, hear=heard.append)
    assert [each.name for each in assembly.targets] == targets
    assert [link.target.name for link in assembly.environment.links] == targets
    assert heard == []
    await assembly.environment.close()
