"""Whole runs against services that want tokens of their own, or verify signatures with another library."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import http_message_signatures as independent
import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from shadow.auth import SigningKey, SigningSettings, signer_of
from shadow.errors import TargetError
from shadow.model import Exchange, Request, Response
from shadow.run.execution import RunSettings, execute
from shadow.sinks.console import ConsoleSettings
from tests.run.conftest import Named, settings_for

FILE = RunSettings(is_live=False, view=ConsoleSettings(is_quiet=True))
TAP = RunSettings(is_live=True, view=ConsoleSettings(is_quiet=True))
PASSWORD = "the-password-of-the-shadow"
JSON = (b"Content-Type", b"application/json; charset=utf-8")


class Tokens:
    """A service whose tokens are its own, and end after so many uses."""

    def __init__(self, uses: int = 5, password: str = PASSWORD) -> None:
        self.uses = uses
        self.password = password
        self.left: dict[str, int] = {}
        self.issued: list[str] = []

    async def login(self, request: web.Request) -> web.Response:
        told = await request.json()
        if told["password"] != self.password:
            return web.json_response({"error": "wrong"}, status=401)
        token = secrets.token_urlsafe(20)
        self.issued.append(token)
        self.left[token] = self.uses
        return web.json_response({"access_token": token})

    async def me(self, request: web.Request) -> web.Response:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        left = self.left.get(token, 0)
        if left <= 0:
            return web.json_response({"error": "token"}, status=401)
        self.left[token] = left - 1
        # where a careless service shows it, nothing tells that it is a secret
        return web.json_response({"me": "ann", "seen": 1}, headers={"X-Echo": token})


@asynccontextmanager
async def served(
    get: Callable[[web.Request], Any], post: Callable[[web.Request], Any] | None = None
) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("GET", "/{any:.*}", get)
    app.router.add_route("POST", "/{any:.*}", post or get)
    async with TestServer(app) as server:
        yield f"http://127.0.0.1:{server.port}"


def recordings(count: int) -> list[Exchange]:
    """Requests of one client whose token was never seen to be given."""
    headers = ((b"Host", b"live.test"), (b"Authorization", b"Bearer opaque-token-of-live"))
    answer = Response(
        200, headers=(JSON, (b"X-Echo", b"opaque-token-of-live")), body=b'{"me": "ann", "seen": 1}'
    )
    return [
        Exchange(at, "test", f"s{at}", 1.6e9 + at, Request(b"GET", b"/me", headers=headers), answer)
        for at in range(count)
    ]


def identity() -> list[dict[str, Any]]:
    login = {"path": "/login", "json": {"user": "ann", "password": "env:ANN_PASSWORD"}}
    return [{"name": "ann", "match": {"anyone": True}, "login": login}]


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANN_PASSWORD", PASSWORD)


async def test_recorded_traffic_is_replayed_with_tokens_of_each_target(tmp_path: Path) -> None:
    ours, theirs = Tokens(), Tokens(uses=4)
    noise = {"ignore": ["header:x-echo"]}
    async with served(ours.me, ours.login) as candidate, served(theirs.me, theirs.login) as baseline:
        settings = settings_for(
            tmp_path / "out", candidate, baseline=baseline, identity=identity(), noise=noise, concurrency=1
        )
        async with asyncio.timeout(30):
            code = await execute(settings, Named(recordings(20)), FILE)
    summary = json.loads((tmp_path / "out" / "summary.json").read_bytes())
    assert code == 0
    assert summary["ledger"]["replayed"] == 20
    assert summary["trials"] == {"passed": 20, "failed": 0, "undecided": 0}
    assert summary["sent"]["originals"] == 40
    assert len(ours.issued) >= 4
    assert len(theirs.issued) >= 5
    assert summary["sent"]["probes"] >= 9, "logins, and what was sent again, are counted"


async def test_neither_passwords_nor_granted_tokens_are_stored_or_shown(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    service = Tokens()
    view = RunSettings(is_live=False, view=ConsoleSettings(is_json=True))
    async with served(service.me, service.login) as url:
        settings = settings_for(
            tmp_path / "out", url, identity=identity(), mutants=2, mutators=["level:header"]
        )
        async with asyncio.timeout(30):
            await execute(settings, Named(recordings(6)), view)
    shown = "".join(capfd.readouterr())
    stored = b"".join(file.read_bytes() for file in (tmp_path / "out").iterdir() if file.is_file())
    assert b"x-echo" in stored.lower(), "what differs is told, and its value is the token"
    for secret in (PASSWORD, *service.issued):
        assert secret not in shown
        assert secret.encode() not in stored


async def test_a_run_of_files_does_not_begin_where_nobody_can_log_in(tmp_path: Path) -> None:
    service = Tokens(password="another")
    async with served(service.me, service.login) as url:
        settings = settings_for(tmp_path / "out", url, identity=identity())
        with pytest.raises(
            TargetError, match="cannot log in as 'ann' at candidate: POST /login answered 401"
        ):
            await execute(settings, Named(recordings(1)), FILE)
    assert not (tmp_path / "out").exists()


async def test_a_tap_goes_on_and_what_lacks_a_login_is_undecided(tmp_path: Path) -> None:
    service = Tokens(password="another")
    async with served(service.me, service.login) as url:
        settings = settings_for(tmp_path / "out", url, identity=identity())
        async with asyncio.timeout(30):
            code = await execute(settings, Named(recordings(5)), TAP)
    summary = json.loads((tmp_path / "out" / "summary.json").read_bytes())
    assert code == 0
    assert summary["trials"] == {"passed": 0, "failed": 0, "undecided": 5}


SECRET = b"a secret that both sides share"


class Keys(independent.HTTPSignatureKeyResolver):
    """One shared secret."""

    def resolve_public_key(self, _key_id: str) -> Any:
        return SECRET

    def resolve_private_key(self, _key_id: str) -> Any:
        return SECRET


class Verifying:
    """A service that takes signed requests alone, by the independent library's judgement."""

    def __init__(self) -> None:
        self.nonces: set[str | None] = set()
        self.bodies: list[bytes] = []
        self.refused = 0

    async def take(self, request: web.Request) -> web.Response:
        if "Content-Encoding" in request.headers:  # undone here, and the digest is of what was sent
            return web.json_response({"error": "coding"}, status=415)
        body = await request.read()
        headers = {name.title(): value for name, value in request.headers.items()}
        message = SimpleNamespace(method=request.method, url=str(request.url), headers=headers)
        verifier = independent.HTTPMessageVerifier(
            signature_algorithm=independent.algorithms.HMAC_SHA256, key_resolver=Keys()
        )
        try:
            (result,) = verifier.verify(message, max_age=timedelta(minutes=5), body=body)
        except independent.InvalidSignature:
            self.refused += 1
            return web.json_response({"error": "signature"}, status=401)
        if result.nonce in self.nonces:
            return web.json_response({"error": "replay"}, status=409)
        self.nonces.add(result.nonce)
        self.bodies.append(body)
        return web.json_response({"ok": True})


async def test_mutants_of_signed_requests_pass_an_independent_verifier(tmp_path: Path) -> None:
    settings = SigningSettings(keys=(SigningKey("k", secret=SECRET.decode()),))
    signer = signer_of(settings)
    assert signer is not None
    covered = b'("@method" "@target-uri" "@authority" "content-digest")'
    said = b"sig=" + covered + b';created=1600000000;nonce="n-%d";keyid="k"'
    exchanges = []
    for at in range(6):
        body = json.dumps({"n": at, "name": "a name"}).encode()
        lines = (
            (b"Host", b"live.test"),
            JSON,
            (b"Content-Length", b"%d" % len(body)),
            (b"Content-Digest", b"sha-256=:AAAA:"),
            (b"Signature-Input", said % at),
            (b"Signature", b"sig=:AAAA:"),
        )
        request = signer.sign(Request(b"POST", b"/v1/things?a=1", headers=lines, body=body))
        assert request is not None
        answer = Response(200, headers=(JSON,), body=b'{"ok": true}')
        exchanges.append(Exchange(at, "test", "s", 1.6e9, request, answer))
    service = Verifying()
    async with served(service.take) as url:
        options = {
            "mutants": 4,
            "allow_writes": True,
            "mutators": ["level:body"],
            "no_mutators": ["expect:reject"],
        }
        run = settings_for(
            tmp_path / "out", url, signing={"keys": [{"id": "k", "secret": SECRET.decode()}]}, **options
        )
        async with asyncio.timeout(30):
            await execute(run, Named(exchanges), FILE)
    assert service.refused == 0
    assert len(set(service.bodies)) > 12, "edited bodies got past the door"
    assert len(service.bodies) == len(service.nonces)
    strange = msgspec.structs.replace(exchanges[0].request, body=b"{}")
    assert signer.verifies(strange) is False
