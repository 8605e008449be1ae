import pytest

from shadow.replay.token import (
    are_drawn,
    is_id_key,
    is_plain,
    is_token,
    kind_of_key,
    kind_of_path,
    kind_of_word,
)


@pytest.mark.parametrize(
    "text",
    [
        "0f1e2d3c-4b5a-4968-8796-a5b4c3d2e1f0",
        "0F1E2D3C4B5A49688796A5B4C3D2E1F0",
        "deadbeef01",
        "0x52908400098527886E0F7030069857D2E4169EE7",
        "vm-000123",
        "i-0abc1234",
        "op_8f3k2a",
        "cs_test_a1B2c3D4",
        "01HZX4Y6Q7V3T2S9R8P0N1M2K3",
        "cGFnZT0yJmxpbWl0PTEw",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-DEF_123",
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ],
)
def test_what_machines_make_up_stands_for_itself(text: str) -> None:
    assert is_token(text)
    assert is_token(text, has_id_key=True)


@pytest.mark.parametrize(
    "text",
    [
        "abc123",
        "ed25519",
        "secp256k1-recoverable",
        "hmac-sha256",
        "x86_64",
        "m5.large",
        "ubuntu-22.04",
        "web-01",
        "node-14-lts",
        "ISO8859-1",
        "http/1.1",
        "user123@example.com",
        "10.0.0.1",
        "2001:db8::1",
        "1700000123",
        "12.50",
        "-1.5e10",
        "512MiB",
        "1.2.3-rc1",
        "12:30:45",
        "PT15M30S",
    ],
)
def test_what_people_and_standards_call_things_needs_an_announcing_key(text: str) -> None:
    assert not is_token(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a1",
        "12345",
        "illegal_transition",
        "STARTED",
        "application",
        "2024-01-02",
        "2024-01-02T03:04:05Z",
        "two words 12",
        "naïve-12",
        "x" * 8193,
    ],
)
def test_what_never_stands_for_itself(text: str) -> None:
    assert not is_token(text)
    assert not is_token(text, has_id_key=True)


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("id", ""),
        ("_id", ""),
        ("ID", ""),
        ("uuid", ""),
        ("ids", ""),
        ("instance_id", "instance"),
        ("instance-ids", "instance"),
        ("instanceId", "instance"),
        ("userUUID", "user"),
        ("access_token", "accesstoken"),
        ("nextCursor", "nextcursor"),
        ("X-CSRF-Token", "xcsrftoken"),
        ("session", "session"),
        ("sid", "sid"),
    ],
)
def test_keys_that_announce_an_identifier(key: str, kind: str) -> None:
    assert is_id_key(key)
    assert kind_of_key(key) == kind


@pytest.mark.parametrize(
    "key", ["paid", "valid", "void", "grid", "android", "Android", "size", "version", "", "idea"]
)
def test_keys_that_announce_none(key: str) -> None:
    assert not is_id_key(key)
    assert kind_of_key(key) == key.lower()


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("instances", "instance"),
        ("policies", "policy"),
        ("addresses", "address"),
        ("boxes", "box"),
        ("status", "status"),
        ("dns-records", "dnsrecord"),
        ("items", ""),
        ("data", ""),
        ("5", ""),
        ("", ""),
        ("deadbeef01", ""),
    ],
)
def test_kinds_of_words(word: str, kind: str) -> None:
    assert kind_of_word(word) == kind


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/v1/instances", "instance"),
        ("/v1/instances/7", "instance"),
        ("/v1/instances/7/transfers", "transfer"),
        ("/v1/instances/0f1e2d3c-4b5a-4968-8796-a5b4c3d2e1f0", "instance"),
        ("/", ""),
    ],
)
def test_kinds_of_paths(path: str, kind: str) -> None:
    assert kind_of_path(path.split("/")) == kind


def test_a_date_names_nothing() -> None:
    assert is_plain("2024-01-02")
    assert not is_plain("vm-000123")


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("zucwkgwzzq", "dpdvoxppby", True),
        ("ZUCWKGWZZQ", "DPDVOXPPBY", True),
        ("running", "stopped", False),
        ("success", "failure", False),
        ("success", "failed", False),
        ("abc123", "def456", False),
    ],
)
def test_letters_drawn_by_lot_are_no_words(one: str, other: str, *, expected: bool) -> None:
    assert are_drawn(one, other) is expected
