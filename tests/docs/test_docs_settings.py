"""Every TOML example in the documents is a configuration that a run would take."""

import re
import tomllib
from pathlib import Path

import pytest

from mutators import CATALOG, SESSION_CATALOG, TALK_CATALOG
from shadow.auth import signer_of
from shadow.auth.canonical import reader
from shadow.auth.place import FieldPlace
from shadow.config import Settings, load
from shadow.content.redaction import Redactor
from shadow.errors import ConfigError
from shadow.judge import Noise, NoiseSettings
from shadow.pipeline.scheduler import chosen
from shadow.replay import Guard, GuardSettings

ROOT = Path(__file__).parents[2]
CONFIGURATION = ROOT / "docs" / "configuration.md"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
EXAMPLES = [
    pytest.param(text, id=f"{path.name}:{at}")
    for path in DOCUMENTS
    for at, text in enumerate(re.findall(r"^```toml\n(.*?)^```$", path.read_text(), re.DOTALL | re.MULTILINE))
]
SIGNING_PARTS = ("key_id", "algorithm", "timestamp", "nonce", "body_digest", "signature")


@pytest.fixture
def settings(example: str, tmp_path: Path) -> Settings:
    file = tmp_path / "shadow.toml"
    file.write_text(example, encoding="utf-8")
    return load(file, {})


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_loads_and_says_something(settings: Settings) -> None:
    assert settings != Settings()


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_parts_that_an_example_sets_up_take_it(settings: Settings) -> None:
    """What only the parts themselves check: patterns, places, the parts of the canonical string."""
    Noise(NoiseSettings(ignore=settings.noise.ignore))
    Guard(GuardSettings(allow=settings.safety.allow, kill_file=settings.safety.kill_file), [])
    Redactor(settings.redaction, b"key")
    if settings.signing is None or not settings.signing.callable:  # which is the user's own
        signer_of(settings.signing, settings.tokens)
    for each in settings.identity:
        each.match.to_match()


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_pattern_of_mutators_matches_some(settings: Settings) -> None:
    for pattern in (*settings.mutators, *settings.no_mutators):
        assert [
            *chosen(CATALOG, wanted=[pattern], unwanted=[]),
            *chosen(SESSION_CATALOG, wanted=[pattern], unwanted=[]),
            *chosen(TALK_CATALOG, wanted=[pattern], unwanted=[]),
        ], pattern


@pytest.mark.parametrize(
    "table", ["scope", "session", "safety", "noise", "redaction", "signing", "tokens", "identity"]
)
def test_there_is_an_example_of_every_table(table: str) -> None:
    assert any(table in tomllib.loads(str(each.values[0])) for each in EXAMPLES)


def test_the_parts_of_the_canonical_string_that_are_listed_are_those_there_are() -> None:
    rows = CONFIGURATION.read_text().partition("| part | is |\n|---|---|\n")[2].partition("\n\n")[0]
    listed = [part for row in rows.splitlines() for part in re.findall(r"`([^`]+)`", row.split("|")[1])]
    headers = {part: FieldPlace(f"x-{part}") for part in SIGNING_PARTS}
    for part in listed:
        reader(part, headers)
    with pytest.raises(ConfigError) as error:
        reader("no such part", headers)
    choices = str(error.value).partition("none of ")[2].split(", ")
    assert {each.replace("'literal'", "'text'") for each in choices} == set(listed)
