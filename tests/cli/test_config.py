import json
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.auth import owner_of
from shadow.config import Settings, json_schema, load, parse_address, parse_duration, parse_live, parse_target
from shadow.errors import ConfigError
from shadow.model import Request


def test_file_is_read_and_options_win(tmp_path: Path) -> None:
    file = tmp_path / "shadow.toml"
    file.write_text(
        'candidate = "http://a:1"\nseed = 3\n[noise]\nignore = ["header:x"]\nclock_drift_seconds = 9\n'
    )
    settings = load(file, {"seed": 4, "noise": {"ignore": ["status"]}})
    assert (settings.candidate, settings.seed) == ("http://a:1", 4)
    assert settings.noise.ignore == ("status",)
    assert settings.noise.clock_drift_seconds == 9


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cadidate = 'http://a'", r"unknown key 'cadidate', did you mean 'candidate'\?"),
        ("[scope]\nexlude = []", r"unknown key 'exlude' in \[scope\], did you mean 'exclude'\?"),
        ("zzz = 1", r"unknown key 'zzz'; known keys: admin, allow_writes"),
        (
            "[[identity]]\nname = 'a'\nroll = 'b'",
            r"unknown key 'roll' in \[identity\], did you mean 'role'\?",
        ),
        ("mutants = -1", "mutants is -1: expected `int` >= 0"),
        ("seed = 'x'", "seed is 'x': expected `int`, got `str`"),
        ("candidate = 'ftp://x'", r"candidate 'ftp://x' is no http or https URL"),
        ("candidate = 'http://x:99999'", "candidate 'http://x:99999' is no URL"),
        ("live = 'ftp://x'", r"live 'ftp://x' is no http or https URL"),
        (
            "live = 'tcp://x'",
            r"live 'tcp://x' must name a host and a port alone; write it as tcp://HOST:PORT",
        ),
        ("live = 'udp://x:1/a'", r"live 'udp://x:1/a' must name a host and a port alone"),
        ("live = 'dns://x:99999'", r"live 'dns://x:99999' is no URL: .*; write it as dns://HOST:PORT"),
        ("candidate = 'tcp://x'", r"candidate 'tcp://x' must name a host and a port alone"),
        ("candidate = 'udp://x:1/a'", r"candidate 'udp://x:1/a' must name a host and a port alone"),
        ("candidate = 'dtls://x:1'", r"candidate 'dtls://x:1' is no http or https URL"),
        ("listen = '8080'", "listen '8080' is no HOST:PORT"),
        ("duration = 'soon'", "duration 'soon' is no duration"),
        ("rate = 'fast'", "rate 'fast' is not a positive number per second"),
        ("rate = -1.0", "rate -1.0 is not a positive number"),
        ("speed = 0", "speed 0.0 is not a positive number or 'max'"),
        (
            "[scope]\nprotocols = {9000 = 'smtp'}",
            "scope.protocols is {'9000': 'smtp'}: choose one of 'tcp', 'udp', 'dns'",
        ),
        (
            "[scope]\nprotocols = {web = 'tcp'}",
            "scope.protocols names 'web': a port is a number from 1 to 65535",
        ),
        ("fail_on = 'hihg'", "fail_on is 'hihg': choose one of 'low', 'medium', 'high', 'never'"),
        ("session.by = 'user'", "session.by 'user' is not 'connection'"),
        ("scope.sample = 0", "scope.sample is 0: expected `float` > 0.0"),
        ("a = ", "is no TOML"),
    ],
)
def test_wrong_settings_are_named_with_the_way_out(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "shadow.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load(file, {})


@pytest.mark.parametrize(
    "text",
    [
        "[[signing.keys]]\nid = 'k'\nsecret = 57005570055",
        "[[tokens.keys]]\nsecret = '57005570055'",
        "[[identity]]\nname = 'a'\nbasic = {password = '57005570055'}",
        "[[identity]]\nname = 'a'\nbearer = ['57005570055']",
        "[[identity]]\nname = 'a'\nheaders = 'Authorization: 57005570055'",
        "[[identity]]\nname = 'a'\ncookie = 57005570055",
        "[[identity]]\nname = 'a'\nlogin = {json = {password = '57005570055'}}",
        "[[identity]]\nbearer = '57005570055'",
        "identity = '57005570055'",
        "[reset]\nrequest = 'POST /r'\nbody = 57005570055",
        "[[probe]]\nname = 'x'\nheaders = {Authorization = '57005570055'}",
        "[[correlation.values]]\ncandidate = '57005570055'",
        "candidate = 'http://ann:57005570055@x'",
        "live = 'tcp://57005570055@x:1'",
    ],
)
def test_a_secret_in_wrong_settings_is_not_shown(tmp_path: Path, text: str) -> None:
    file = tmp_path / "shadow.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as raised:
        load(file, {})
    assert "57005570055" not in str(raised.value)


def test_missing_and_binary_files_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read configuration .*: No such file"):
        load(tmp_path / "none.toml", {})
    (tmp_path / "b.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="is no TOML"):
        load(tmp_path / "b.toml", {})


def test_every_key_has_a_default_and_stands_in_the_schema() -> None:
    schema = json_schema()
    keys = schema["$defs"]["Settings"]["properties"]
    assert set(keys) == {field.encode_name for field in msgspec.structs.fields(Settings)}
    assert json.dumps(schema)
    assert load(None, {}) == Settings()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30m", 1800.0),
        ("1h30m", 5400.0),
        ("500ms", 0.5),
        (90, 90.0),
        ("2", 2.0),
        ("1.5s", 1.5),
        ("1d", 86400.0),
    ],
)
def test_durations(text: str | float, seconds: float) -> None:
    assert parse_duration("duration", text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("http://a", ("http", "a", 80, "")),
        ("https://a/x/", ("https", "a", 443, "/x")),
        ("http://[::1]:8080", ("http", "::1", 8080, "")),
        ("localhost:9000", ("http", "localhost", 9000, "")),
    ],
)
def test_target_urls(url: str, place: tuple[str, str, int, str]) -> None:
    target = parse_target("candidate", url)
    assert (target.scheme, target.host, target.port, target.path_prefix) == place


def test_addresses() -> None:
    assert parse_address("metrics", "127.0.0.1:0") == ("127.0.0.1", 0)
    assert parse_address("metrics", "[::1]:80") == ("::1", 80)


@given(st.text(max_size=20))
def test_no_text_makes_the_small_parsers_raise_anything_else(text: str) -> None:
    for parse in (parse_duration, parse_address, parse_target):
        with suppress(ConfigError):
            assert parse("x", text) is not None


@pytest.mark.parametrize(
    ("url", "authority"),
    [
        ("http://a", "a"),
        ("a:8000", "a:8000"),
        ("https://a:8443/", "a:8443"),
        ("tcp://a:5432", "a:5432"),
        ("tls://[::1]:5432/", "[::1]:5432"),
        ("udp://a:53", "a:53"),
        ("dns://a", "a:53"),
    ],
)
def test_live_service_may_speak_more_than_http(url: str, authority: str) -> None:
    assert parse_live(url).authority == authority


def test_an_identity_is_told_by_a_header_in_any_letter_case(tmp_path: Path) -> None:
    file = tmp_path / "shadow.toml"
    file.write_text("[[identity]]\nname = 'bob'\nmatch = {headers = {X-User = 'bob'}}")
    (bob,) = load(file, {}).identities
    assert owner_of(Request(b"GET", b"/", headers=((b"x-uSer", b"bob"),)), [bob], None) == bob
