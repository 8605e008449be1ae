"""Checking a configuration file, and its schema."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from shadow.cli import main
from shadow.cli.config import config
from shadow.config import json_schema


def test_schema_is_json() -> None:
    result = CliRunner().invoke(config, ["schema"])
    assert json.loads(result.stdout) == json.loads(json.dumps(json_schema()))


def test_right_file_is_ok(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text("candidate = 'http://c'\nmutators = ['level:body']\n[scope]\ninclude = ['GET *']\n")
    result = CliRunner().invoke(config, ["check", str(file)], catch_exceptions=False)
    assert result.stdout == f"{file}: ok\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cadidate = 'x'", "did you mean 'candidate'?"),
        ("[safety]\nallow = ['10.0.0.0/99']", "10.0.0.0/99"),
        ("[redaction]\npatterns = ['(']", "'('"),
        ("[noise]\nignore = ['foo']", "'foo'"),
        ("mutators = ['no_such_thing']", "'no_such_thing'"),
    ],
    ids=["key", "network", "pattern", "place", "mutator"],
)
def test_file_that_a_run_would_refuse_is_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    file = tmp_path / "a.toml"
    file.write_text(text)
    with pytest.raises(SystemExit) as raised:
        main(["config", "check", str(file)])
    assert raised.value.code == 2
    out, err = capsys.readouterr()
    assert said in err
    assert (len(err.splitlines()), out) == (1, "")
