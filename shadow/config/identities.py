"""``[[identity]]``: the principals that requests come from, and how they get their credentials."""

import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from shadow.auth.basic import write_basic
from shadow.auth.credentials import cookies
from shadow.auth.login import Login, check_login, plain_members
from shadow.errors import ConfigError
from shadow.model import Headers, Identity, Match, Request

_TAKE = {"token": "body:$.access_token", "expires_in": "body:$.expires_in"}
"""What an OAuth server answers (RFC 6749 §5.1)."""
_EMBEDDED = re.compile(r"\{((?:env|file):[^{}]+)\}")


class BasicSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Basic credentials, as `[identity.basic]`."""

    user: str
    """The user's name."""
    password: str = ""
    """The password, or where it stands: ``"env:NAME"``, ``"file:PATH"``."""
    password_env: str = ""
    """Name of the environment variable that holds the password instead."""


class ApiKeySettings(Struct, frozen=True, forbid_unknown_fields=True):
    """An API key, as `[identity.api_key]`: in a header, or in the query."""

    value: str
    """The key, or where it stands: ``"env:NAME"``, ``"file:PATH"``."""
    header: str = ""
    """The header that carries it."""
    query: str = ""
    """The parameter of the query that carries it instead."""


class MatchSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """What tells that a recorded request is an identity's, as `[identity.match]`; all of it must hold. Values
    may hold ``*``."""

    claims: dict[str, str] = {}
    """Claims of a bearer JWT: ``{sub = "alice"}``."""
    headers: dict[str, str] = {}
    """Headers."""
    cookies: dict[str, str] = {}
    """Cookies."""
    query: dict[str, str] = {}
    """Parameters of the query."""
    user: str = ""
    """The user of Basic credentials."""
    anyone: bool = False
    """Whether every request with credentials that are nobody else's is this identity's."""

    def to_match(self) -> Match:
        return Match(
            tuple(self.claims.items()),
            tuple((name.lower(), value) for name, value in self.headers.items()),
            tuple(self.cookies.items()),
            tuple(self.query.items()),
            self.user,
            self.anyone,
        )


class LoginSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """How an identity logs in, as `[identity.login]`. Each target is asked by itself. Texts may be, or hold
    in braces, ``env:NAME`` and ``file:PATH``."""

    path: str
    """Where to log in: ``"/oauth/token"``."""
    method: str = "POST"
    """The request's method."""
    headers: dict[str, str] = {}
    """Its headers."""
    json: dict[str, Any] | None = None
    """Its body as JSON."""
    form: dict[str, str] | None = None
    """Its body as a form."""
    body: str = ""
    """Its body as it is."""
    take: dict[str, str] = {}
    """What is taken of the answer: ``body:$.PATH``, ``header:NAME`` or ``cookie:NAME``, by names you choose;
    `expires_in` (seconds) and `expires_at` (Unix time or ISO 8601) say how long it holds. Left out:
    ``{token = "body:$.access_token", expires_in = "body:$.expires_in"}``."""
    put: str | tuple[str, ...] = ()
    """Where it belongs: ``"header:NAME: {token}"``, ``"cookie:NAME={token}"``, ``"query:NAME={token}"``. Left
    out: a cookie where it came from, anything else as a bearer token."""


class IdentitySettings(Struct, frozen=True, forbid_unknown_fields=True):
    """One principal, as `[[identity]]`. What holds a secret may be ``"env:NAME"`` or ``"file:PATH"``."""

    name: str
    """What findings call it."""
    role: str = ""
    """Free text such as ``"readonly"``; those of one role and tenant are never swapped for each other."""
    rank: int = 0
    """Higher may do more: what `may` does not list for a lower rank must be denied to it."""
    tenant: str = ""
    """Identities of different tenants must not reach each other's resources; empty for none."""
    key: str = ""
    """Id of the signing key it uses; empty where it signs nothing."""
    headers: dict[str, str] = {}
    """Header fields that carry its credentials: Authorization, Cookie, an API key."""
    may: tuple[str, ...] | None = None
    """What it may do, as ``"METHOD path-glob"``: ``"GET *"``, ``"POST */start"``. Left out: not stated."""
    bearer: str = ""
    """Its bearer token."""
    basic: BasicSettings | None = None
    """Its Basic credentials: ``{user = "alice", password = "env:NAME"}``."""
    cookie: str | dict[str, str] = ""
    """Its cookies: ``"sid=1; x=2"``, or ``{sid = "env:NAME"}``."""
    api_key: ApiKeySettings | None = None
    """Its API key: ``{header = "X-Api-Key", value = "env:NAME"}``."""
    match: MatchSettings = MatchSettings()
    """What tells its requests, besides its credentials."""
    login: LoginSettings | None = None
    """How it gets its credentials from each target."""

    def to_identity(self) -> Identity:
        """The identity with its secrets in place. Raises ConfigError where one is not to be had."""
        where = f"identity {self.name!r}"
        headers, query = self._credentials(where)
        _check_names(where, headers)
        return Identity(
            self.name,
            self.role,
            self.rank,
            self.key,
            headers,
            self.may,
            self.tenant,
            query,
            self.match.to_match(),
            logs_in=self.login is not None,
        )

    def _credentials(self, where: str) -> tuple[Headers, Headers]:
        """Fields, and parameters of the query."""
        told = [(name, secret_text(value, where)) for name, value in self.headers.items()]
        if self.bearer:
            told.append(("Authorization", f"Bearer {secret_text(self.bearer, where)}"))
        if self.cookie:
            told.append(("Cookie", _cookie_line(self.cookie, where)))
        if self.basic is not None:
            told.append(("Authorization", _basic(self.basic, where)))
        query: Headers = ()
        if self.api_key is not None:
            key = secret_text(self.api_key.value, where)
            if bool(self.api_key.header) == bool(self.api_key.query):
                raise ConfigError(f"{where}: api_key names no place, or two; give it a header or a query")
            if self.api_key.header:
                told.append((self.api_key.header, key))
            else:
                query = ((self.api_key.query.encode(), key.encode()),)
        return tuple((name.encode("latin-1", "replace"), text.encode()) for name, text in told), query

    def secrets(self) -> list[str]:
        """All that is secret of it, each by itself. Raises ConfigError where one is not to be had."""
        where = f"identity {self.name!r}"
        headers, query = self._credentials(where)
        found = [value.decode() for _, value in (*headers, *query)]
        found += [text.rpartition(" ")[2] for text in found]
        found += [value.decode("latin-1") for _, value in cookies(headers)]
        if self.basic is not None:
            found.append(_password(self.basic, where))
        if self.login is not None:
            told = (self.login.json, self.login.form, self.login.headers, self.login.body, self.login.path)
            found += _referred(told, where)
        return found

    def to_login(self) -> Login | None:
        """Its login with its secrets in place; None where it has none. Raises ConfigError."""
        if self.login is None:
            return None
        where = f"login of identity {self.name!r}"
        login = _login(self.login, where)
        check_login(where, login)
        return login


def secret_text(text: str, where: str) -> str:
    """`text`, or what ``"env:NAME"`` or ``"file:PATH"`` stands for; also within braces in it.

    Raises ConfigError, which names `where`, for a variable that is not set and a file that cannot be read.
    """
    if text.startswith(("env:", "file:")):
        return _secret(text, where)
    return _EMBEDDED.sub(lambda found: _secret(found[1], where), text)


def _secret(reference: str, where: str) -> str:
    kind, _, name = reference.partition(":")
    if kind == "env":
        if name not in os.environ:
            raise ConfigError(f"{where}: the variable {name!r} is not set; set it, or write the value itself")
        return os.environ[name]
    try:
        return Path(name).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{where}: cannot read {name!r}: {error}") from error


def _is_secret(text: object) -> bool:
    return isinstance(text, str) and (text.startswith(("env:", "file:")) or bool(_EMBEDDED.search(text)))


def _cookie_line(cookie: str | dict[str, str], where: str) -> str:
    if isinstance(cookie, str):
        return secret_text(cookie, where)
    return "; ".join(f"{name}={secret_text(value, where)}" for name, value in cookie.items())


def _basic(basic: BasicSettings, where: str) -> str:
    return write_basic(basic.user.encode(), _password(basic, where).encode()).decode()


def _password(basic: BasicSettings, where: str) -> str:
    if bool(basic.password) and bool(basic.password_env):
        raise ConfigError(f"{where}: basic has password and password_env; leave one out")
    return secret_text(f"env:{basic.password_env}" if basic.password_env else basic.password, where)


def _referred(value: Any, where: str) -> list[str]:
    """What all references to secrets in a value stand for."""
    match value:
        case str() if value.startswith(("env:", "file:")):
            return [_secret(value, where)]
        case str():
            return [_secret(reference, where) for reference in _EMBEDDED.findall(value)]
        case dict():
            return [text for inner in value.values() for text in _referred(inner, where)]
        case list() | tuple():
            return [text for inner in value for text in _referred(inner, where)]
        case _:
            return []


def _check_names(where: str, headers: Headers) -> None:
    names = [name.lower() for name, _ in headers]
    for name, value in headers:
        if names.count(name.lower()) > 1:
            raise ConfigError(f"{where} states {name.decode('latin-1')!r} twice; say it once")
        if any(mark in name + value for mark in b"\r\n\0"):
            raise ConfigError(
                f"{where}: the value of {name.decode('latin-1')!r} has a line break; take it out"
            )


def _login(settings: LoginSettings, where: str) -> Login:
    bodies = [each for each in (settings.json, settings.form, settings.body or None) if each is not None]
    if len(bodies) > 1:
        raise ConfigError(f"{where} has several of json, form and body; leave one")
    if not settings.path.startswith("/"):
        shown = settings.path.partition("?")[0]
        raise ConfigError(f"{where}: path is {shown!r}; write it from the root, as '/login'")
    body, kind = _body(settings, where)
    told = [(name, secret_text(value, where)) for name, value in settings.headers.items()]
    if kind and not any(name.lower() == "content-type" for name, _ in told):
        told.append(("Content-Type", kind))
    if body:
        told.append(("Content-Length", str(len(body))))
    headers: Headers = tuple((name.encode("latin-1", "replace"), text.encode()) for name, text in told)
    _check_names(where, headers)
    request = Request(
        settings.method.upper().encode("ascii", "replace"),
        secret_text(settings.path, where).encode("ascii", "replace"),
        headers=headers,
        body=body,
    )
    put = (settings.put,) if isinstance(settings.put, str) else settings.put
    return Login(request, tuple((settings.take or _TAKE).items()), put, tuple(_plain(settings)))


def _body(settings: LoginSettings, where: str) -> tuple[bytes, str]:
    """The body, and the media type that goes with it."""
    if settings.json is not None:
        return msgspec.json.encode(_filled(settings.json, where)), "application/json"
    if settings.form is not None:
        filled = {name: secret_text(value, where) for name, value in settings.form.items()}
        return urlencode(filled).encode(), "application/x-www-form-urlencoded"
    return secret_text(settings.body, where).encode(), ""


def _filled(value: Any, where: str) -> Any:
    """A JSON value with its secrets in place."""
    match value:
        case str():
            return secret_text(value, where)
        case dict():
            return {key: _filled(inner, where) for key, inner in value.items()}
        case list():
            return [_filled(inner, where) for inner in value]
        case _:
            return value


def _plain(settings: LoginSettings) -> list[tuple[str, str]]:
    """The members of the body that are text and hold no secret."""
    told: Any = settings.json if settings.json is not None else settings.form
    pairs = list(told.items()) if told is not None else plain_members(settings.body.encode())
    return [(name, value) for name, value in pairs if isinstance(value, str) and not _is_secret(value)]
