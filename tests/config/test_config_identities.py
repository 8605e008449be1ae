"""Identities as the file states them, with their secrets from elsewhere."""

from pathlib import Path

import pytest

from shadow.config import Settings, load, secret_values
from shadow.errors import ConfigError
from shadow.model import Identity, Match


def settings_of(toml: str, tmp_path: Path) -> Settings:
    file = tmp_path / "shadow.toml"
    file.write_text(f'[[identity]]\nname = "ann"\n{toml}', encoding="utf-8")
    return load(file, {})


def identity_of(toml: str, tmp_path: Path) -> Identity:
    return settings_of(toml, tmp_path).identities[0]


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ANN_SECRET", "s3cret-of-ann")
    (tmp_path / "secret").write_text("from a file\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("toml", "headers"),
    [
        ('bearer = "env:ANN_SECRET"', ((b"Authorization", b"Bearer s3cret-of-ann"),)),
        ('bearer = "plain"', ((b"Authorization", b"Bearer plain"),)),
        (
            'basic = {user = "ann", password = "file:secret"}',
            ((b"Authorization", b"Basic YW5uOmZyb20gYSBmaWxl"),),
        ),
        (
            'basic = {user = "ann", password_env = "ANN_SECRET"}',
            ((b"Authorization", b"Basic YW5uOnMzY3JldC1vZi1hbm4="),),
        ),
        ('cookie = "a=1; b={env:ANN_SECRET}"', ((b"Cookie", b"a=1; b=s3cret-of-ann"),)),
        ('cookie = {a = "1", b = "env:ANN_SECRET"}', ((b"Cookie", b"a=1; b=s3cret-of-ann"),)),
        ('api_key = {header = "X-Key", value = "env:ANN_SECRET"}', ((b"X-Key", b"s3cret-of-ann"),)),
        ('headers = {X-Team = "{env:ANN_SECRET}/blue"}', ((b"X-Team", b"s3cret-of-ann/blue"),)),
    ],
)
def test_credentials_become_fields(
    toml: str, headers: tuple[tuple[bytes, bytes], ...], tmp_path: Path
) -> None:
    assert identity_of(toml, tmp_path).headers == headers


def test_an_api_key_may_stand_in_the_query(tmp_path: Path) -> None:
    made = identity_of('api_key = {query = "key", value = "env:ANN_SECRET"}', tmp_path)
    assert made.query == ((b"key", b"s3cret-of-ann"),)
    assert made.headers == ()


def test_what_tells_an_identity_is_stated(tmp_path: Path) -> None:
    made = identity_of('match = {claims = {sub = "7"}, user = "ann", anyone = true}', tmp_path)
    assert made.match == Match(claims=(("sub", "7"),), user="ann", is_anyone=True)


def test_a_login_has_its_secrets_in_place(tmp_path: Path) -> None:
    toml = """
    [identity.login]
    path = "/token?for={env:ANN_SECRET}"
    headers = {X-Client = "env:ANN_SECRET"}
    json = {user = "ann", deep = {password = "env:ANN_SECRET", n = [1, "{file:secret}!"]}}
    """
    made = settings_of(toml, tmp_path)
    login = made.logins["ann"]
    body = b'{"user":"ann","deep":{"password":"s3cret-of-ann","n":[1,"from a file!"]}}'
    assert login.request.body == body
    assert login.request.target == b"/token?for=s3cret-of-ann"
    assert dict(login.request.headers) == {
        b"X-Client": b"s3cret-of-ann",
        b"Content-Type": b"application/json",
        b"Content-Length": b"%d" % len(body),
    }
    assert login.plain == (("user", "ann"),)
    assert login.take == (("token", "body:$.access_token"), ("expires_in", "body:$.expires_in"))
    assert made.identities[0].logs_in
    assert {"s3cret-of-ann", "from a file"} <= set(secret_values(made))


def test_a_form_is_encoded(tmp_path: Path) -> None:
    made = settings_of('login = {path = "/l", form = {u = "a b", p = "env:ANN_SECRET"}}', tmp_path)
    login = made.logins["ann"]
    assert login.request.body == b"u=a+b&p=s3cret-of-ann"
    assert login.plain == (("u", "a b"),)


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ('bearer = "env:NOT_SET"', "identity 'ann': the variable 'NOT_SET' is not set"),
        ('bearer = "file:/no/such/file"', "identity 'ann': cannot read '/no/such/file'"),
        ('bearer = "a"\nbasic = {user = "u"}', "states 'Authorization' twice"),
        ('api_key = {value = "x"}', "api_key names no place, or two"),
        ('api_key = {value = "x", header = "a", query = "b"}', "api_key names no place, or two"),
        ('basic = {user = "u", password = "a", password_env = "ANN_SECRET"}', "leave one out"),
        ('headers = {X = "a\\r\\nY: b"}', "has a line break"),
        ('login = {path = "login"}', "path is 'login'"),
        ('login = {path = "/l", body = "x", form = {a = "b"}}', "several of json, form and body"),
        ('login = {path = "/l", json = {p = "env:NOT_SET"}}', "the variable 'NOT_SET' is not set"),
        ('login = {path = "/l", take = {t = "$.t"}}', "login of identity 'ann'.take.t is '$.t'"),
        ('login = {path = "/l", put = "Bearer {token}"}', "'Bearer {token}'"),
    ],
)
def test_what_is_wrong_is_named(toml: str, said: str, tmp_path: Path) -> None:
    made = settings_of(toml, tmp_path)
    with pytest.raises(ConfigError) as raised:
        _ = made.identities, made.logins
    assert said in str(raised.value)


def test_a_secret_is_never_quoted(tmp_path: Path) -> None:
    made = settings_of('headers = {X = "env:ANN_SECRET", x = "a"}', tmp_path)
    with pytest.raises(ConfigError) as raised:
        _ = made.identities
    assert "s3cret" not in str(raised.value)


def test_an_unknown_key_of_a_login_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'pth' in \[identity.login\], did you mean 'path'"):
        settings_of('login = {pth = "/l"}', tmp_path)
