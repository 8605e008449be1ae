"""A user's own function signs; what it does wrong is told, and ends nothing."""

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shadow.auth import SigningKey, SigningSettings, signer_of
from shadow.errors import ConfigError
from shadow.model import Request, Signs, field

NOW = 1_700_000_000
SETTINGS = SigningSettings(
    signature="X-Sig",
    timestamp="X-Time",
    nonce="X-Nonce",
    callable="own_signing:sign",
    keys=(SigningKey("k", secret="a secret"),),
)
GOOD = """
import hashlib

def sign(method, target, headers, body, *, key_id, secret, at, nonce):
    text = f"{method} {target} {sorted(headers)} {at:.0f} {nonce}".encode() + body + secret
    signature = hashlib.sha256(text).hexdigest()
    return {"X-Sig": signature, "X-Time": f"{at:.0f}", "X-Nonce": nonce or ""}
"""
REQUEST = Request(
    b"POST",
    b"/x",
    headers=((b"Host", b"h"), (b"X-Sig", b"00"), (b"X-Time", b"1600000000"), (b"X-Nonce", b"n-0")),
    body=b"{}",
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working directory, where the user's module is looked for."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.modules.pop("own_signing", None)


def signer_with(folder: Path, source: str, told: list[str] | None = None) -> Signs:
    (folder / "own_signing.py").write_text(source, encoding="utf-8")
    signer = signer_of(SETTINGS, tell=(told if told is not None else []).append)
    assert signer is not None
    return signer


def test_a_function_signs_and_its_signature_is_recognised(folder: Path) -> None:
    signer = signer_with(folder, GOOD)
    assert str(folder) not in sys.path
    assert signer.key_id(REQUEST) == "k"
    assert signer.verifies(REQUEST) is False, "a stranger's"
    made = signer.sign(REQUEST, at=NOW, nonce="n-1")
    assert made is not None
    text = b"POST /x [('Host', 'h')] 1700000000 n-1{}a secret"
    assert field(made.headers, b"x-sig") == hashlib.sha256(text).hexdigest().encode()
    assert [name for name, _ in made.headers] == [name for name, _ in REQUEST.headers]
    assert signer.verifies(made) is True
    assert signer.sign(made) == made, "time and nonce are kept"
    assert signer.stated_time(made) == NOW
    assert signer.key_id(signer.bare(made)) is None


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("def sign(*_, **__):\n    raise KeyError('no such key')", "raised KeyError: 'no such key'"),
        ("def sign():\n    return {}", "raised TypeError"),
        ("def sign(*_, **__):\n    return 'abc'", "gave str where a dict"),
        ("def sign(*_, **__):\n    return {'X-Sig': b'00'}", "gave dict where a dict of header names"),
        ("def sign(*_, **__):\n    return {'X-Sig': 'a\\r\\nX: y'}", "gave dict"),
        ("async def sign(*_, **__):\n    return {}", "gave coroutine"),
    ],
    ids=["raises", "arguments", "text", "bytes", "line break", "coroutine"],
)
@pytest.mark.filterwarnings("ignore:coroutine 'sign' was never awaited")
def test_what_a_function_does_wrong_is_told_and_the_request_is_not_signed(
    folder: Path, source: str, said: str
) -> None:
    told: list[str] = []
    signer = signer_with(folder, source, told)
    assert signer.sign(REQUEST, at=NOW) is None
    assert said in told[0]
    assert "'own_signing:sign'" in told[0]
    assert "a secret" not in told[0]


def test_a_function_may_leave_a_request_unsigned(folder: Path) -> None:
    told: list[str] = []
    assert signer_with(folder, "def sign(*_, **__):\n    return None", told).sign(REQUEST) is None
    assert not told


@pytest.mark.parametrize(
    ("path", "source", "said"),
    [
        ("own_signing", GOOD, "write it as 'package.module:function'"),
        ("own_signing:sing", GOOD, "has no function 'sing'"),
        ("own_signing:sign", "1 / 0", "ZeroDivisionError"),
        ("no_such_module:sign", GOOD, "No module named 'no_such_module'"),
    ],
)
def test_a_function_that_cannot_be_imported_is_named(folder: Path, path: str, source: str, said: str) -> None:
    (folder / "own_signing.py").write_text(source, encoding="utf-8")
    settings: dict[str, Any] = {"signature": "X-Sig", "callable": path, "keys": SETTINGS.keys}
    with pytest.raises(ConfigError, match=said) as raised:
        signer_of(SigningSettings(**settings))
    assert path in str(raised.value)
