"""`[judge]`: which answers are successes, from the file to the rule."""

from pathlib import Path

import pytest

from shadow.config import load
from shadow.errors import ConfigError
from shadow.model import Reply, Request, Response
from shadow.run.configured import success_rules

ASKED = Request(b"POST", b"/api/x?y=1")


def written(folder: Path, text: str) -> Path:
    path = folder / "shadow.toml"
    path.write_text(text)
    return path


def test_rules_are_read_as_written(tmp_path: Path) -> None:
    text = """
        [judge]
        learn = false
        [[judge.success]]
        endpoint = "POST /api/*"
        at = "/code"
        value = [0, "00"]
        [[judge.rejected]]
        at = "header:x-error"
        status = "2xx"
    """
    settings = load(written(tmp_path, text), {})
    rules = success_rules(settings)
    assert not settings.judge.learn
    for body, fields, why in (
        (b'{"code":"00"}', (), "judge.success: code=00"),
        (b'{"code":5}', (), "no rule of judge.success holds"),
        (b'{"code":0}', ((b"X-Error", b"E1"),), "judge.rejected: x-error=E1"),
    ):
        reading = rules.reading(ASKED, Reply(Response(200, headers=fields, body=body)).response)
        assert reading is not None
        assert reading.why == why
    assert rules.reading(Request(b"GET", b"/api/x"), Response(200, body=b'{"code":5}')) is None


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[judge]\nlearns = true", "learn"),
        ('[[judge.success]]\nplace = "/code"', "place"),
        ('[[judge.success]]\nat = "/code"\nvalue = []\npattern = "["', "judge.success[0].pattern is '['"),
        ('[[judge.rejected]]\nat = "code"', "judge.rejected[0].at is 'code'"),
        ("[[judge.rejected]]\nstatus = 42", "judge.rejected[0].status is '42'"),
    ],
)
def test_what_means_nothing_is_refused_by_its_name(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        success_rules(load(written(tmp_path, text), {}))
    assert complaint in str(caught.value)
