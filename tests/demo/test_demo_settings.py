"""The settings: bugs by name, principals by seed, and the configuration that a user of Shadow would write."""

import time
import tomllib

import msgspec
import pytest

from shadow.auth.scheme import CanonicalScheme
from shadow.auth.settings import SigningSettings
from shadow.demo.principals import ALGORITHMS, principals
from shadow.demo.settings import shadow_config
from shadow.demo.vmctl import BUGS, parse_bugs
from shadow.errors import ConfigError
from shadow.model import Request
from tests.demo.conftest import SEED, Serving


@pytest.mark.parametrize(
    ("text", "release", "bugs"),
    [
        ("B01,B07", "candidate", {"B01", "B07"}),
        (" b01 , b07 ", "candidate", {"B01", "B07"}),
        ("none", "candidate", set()),
        ("all", "candidate", set(BUGS)),
        (None, "candidate", set(BUGS)),
        ("all", "stable", set()),
        ("B01", "stable", set()),
        (None, "stable", set()),
    ],
)
def test_bugs_are_parsed(text: str | None, release: str, bugs: set[str]) -> None:
    assert parse_bugs(text, release) == bugs


@pytest.mark.parametrize("release", ["stable", "candidate"])
def test_an_unknown_bug_is_refused_with_the_nearest(release: str) -> None:
    with pytest.raises(ConfigError, match="unknown id 'B99'"):
        parse_bugs("B01,B99", release)
    with pytest.raises(ConfigError, match="'B011', did you mean 'B"):
        parse_bugs("B011", release)


def test_principals_depend_on_the_seed_alone() -> None:
    assert principals(1) == principals(1)
    assert {key.id for one in principals(1) for key in one.keys}.isdisjoint(
        key.id for one in principals(2) for key in one.keys
    )


def test_every_algorithm_and_a_revoked_key_are_there() -> None:
    keys = [key for principal in principals(3) for key in principal.keys]
    assert {key.algorithm for key in keys if key.status == "active"} == set(ALGORITHMS)
    assert any(key.status == "revoked" for key in keys)
    assert all(principal.key.status == "active" for principal in principals(3))


def test_the_configuration_names_every_key_and_identity() -> None:
    written = tomllib.loads(shadow_config(5))
    known = principals(5)
    assert [key["id"] for key in written["signing"]["keys"]] == [key.id for one in known for key in one.keys]
    assert [one["name"] for one in written["identity"]] == [one.name for one in known]
    assert {one["key"] for one in written["identity"]} <= {key["id"] for key in written["signing"]["keys"]}
    assert written["signing"]["separator"] == "\n"


@pytest.mark.parametrize("method", [b"GET", b"POST"])
async def test_the_service_accepts_what_is_signed_by_the_configuration(
    serving: Serving, method: bytes
) -> None:
    scheme = CanonicalScheme(msgspec.convert(tomllib.loads(shadow_config(SEED))["signing"], SigningSettings))
    async with serving() as ground:
        host = f"127.0.0.1:{ground.port}".encode()
        for key in (*scheme.keys(), *scheme.revoked_keys()):
            target = b"/v1/instances?sort=name&limit=2&x=%7e" if method == b"GET" else b"/v1/tokens"
            request = Request(method, target, headers=((b"Host", host), (b"Connection", b"close")))
            signed = scheme.sign(request, key=key, at=time.time(), nonce=f"nonce-{key}")
            assert signed is not None
            lines = b"".join(name + b": " + value + b"\r\n" for name, value in signed.headers)
            answer = await ground.raw(method + b" " + target + b" HTTP/1.1\r\n" + lines + b"\r\n")
            assert answer.split()[1] == (
                b"401" if key in scheme.revoked_keys() else {b"GET": b"200"}.get(method, b"201")
            )
