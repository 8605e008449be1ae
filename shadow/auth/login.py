"""A login: what is asked, what of the answer is the credential, and where in a request that belongs."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import msgspec

from shadow.auth.canonical import path_of
from shadow.auth.jwt import read_jwt
from shadow.errors import ConfigError
from shadow.model import Headers, Request, Response, field, fields

_STEP = re.compile(r"\.([\w-]+)|\[(\d+)\]|\[\"([^\"]*)\"\]")
_HOLE = re.compile(r"\{(\w+)\}")
_SOURCES = ("body", "header", "cookie")
_PLACES = ("header", "cookie", "query")
_MAX_BODY_BYTES = 1024 * 1024
_LIFETIMES = ("expires_in", "expires_at")
"""Names in `take` that say how long the credential holds, rather than what it is."""


class Login(msgspec.Struct, frozen=True):
    """How one identity gets its credentials."""

    request: Request
    """Without Host and path prefix, which are the target's."""
    take: tuple[tuple[str, str], ...]
    """Names, and where in the answer each value stands."""
    put: tuple[str, ...] = ()
    """Where in requests the values belong: ``"header:Authorization: Bearer {token}"``."""
    plain: tuple[tuple[str, str], ...] = ()
    """Members of the body that are no secrets: by them a recorded login is known to be this identity's."""


class Grant(NamedTuple):
    """What a login gave."""

    headers: Headers
    query: Headers
    values: tuple[bytes, ...]
    """Each secret by itself, never an empty one."""
    expires_at: float | None
    """Unix time; None where nobody says."""


def check_login(where: str, login: Login) -> None:
    """Raises ConfigError for what cannot be taken or put; `where` names the login."""
    for name, source in login.take:
        kind, _, rest = source.partition(":")
        is_path = kind != "body" or (rest[:1] == "$" and not _STEP.sub("", rest[1:]))
        if kind not in _SOURCES or not rest or not is_path:
            raise ConfigError(
                f"{where}.take.{name} is {source!r}; write it as 'body:$.access_token', 'header:NAME' or"
                " 'cookie:NAME'"
            )
    names = {name for name, _ in login.take} - set(_LIFETIMES)
    if not names:
        raise ConfigError(f"{where}.take names no credential; add token = 'body:$.access_token'")
    for place in puts(login):
        kind, _, rest = place.partition(":")
        is_whole = (": " in rest) if kind == "header" else ("=" in rest)
        holes = set(_HOLE.findall(rest))
        if kind not in _PLACES or not is_whole or not holes or holes - names:
            raise ConfigError(
                f"{where}.put has {place!r}; write it as 'header:Authorization: Bearer {{token}}',"
                f" 'cookie:sid={{token}}' or 'query:key={{token}}', of {', '.join(sorted(names))}"
            )


def puts(login: Login) -> tuple[str, ...]:
    """Where the values belong: as stated, else a cookie where it came from, and anything else as a bearer
    token."""
    if login.put:
        return login.put
    name, source = next(pair for pair in login.take if pair[0] not in _LIFETIMES)
    if source.startswith("cookie:"):
        return (f"{source}={{{name}}}",)
    return (f"header:Authorization: Bearer {{{name}}}",)


def granted(login: Login, response: Response, body: bytes, now: float) -> Grant | str:
    """What `response` grants, its content coding undone in `body`; or why nothing, in words."""
    if not 200 <= response.status < 400:
        return f"answered {response.status}"
    taken: dict[str, str] = {}
    for name, source in login.take:
        value = _taken(source, response, body)
        if value is None and name not in _LIFETIMES:
            return f"answered {response.status}, and its answer has no {source!r}"
        if value is not None and not value.isprintable():
            return f"answered {response.status}, and {source!r} of its answer holds what no field may"
        if value is not None:
            taken[name] = value
    headers: list[tuple[bytes, bytes]] = []
    query: list[tuple[bytes, bytes]] = []
    for place in puts(login):
        _put(_HOLE.sub(lambda hole: taken[hole[1]], place), headers, query)
    texts = [value for name, value in taken.items() if name not in _LIFETIMES]
    secrets = tuple(text.encode("utf-8", "replace") for text in texts)
    return Grant(tuple(headers), tuple(query), secrets, _expiry(login, taken, response, secrets, now))


def is_login(login: Login, request: Request) -> bool:
    """Whether a recorded request is the same identity's login: it says all that is no secret alike."""
    own = login.request
    if (request.method, path_of(request.target)) != (own.method, path_of(own.target)):
        return False
    if not login.plain:
        return request.body == own.body
    told = dict(plain_members(request.body))
    return all(told.get(name) == value for name, value in login.plain)


def plain_members(body: bytes) -> list[tuple[str, str]]:
    """The members of a body of JSON or of a form that are text."""
    if len(body) > _MAX_BODY_BYTES:
        return []
    if body.lstrip()[:1] == b"{":
        tree = _json(body)
        members = tree.items() if isinstance(tree, dict) else ()
        return [(name, value) for name, value in members if isinstance(value, str)]
    try:
        return parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=1000)
    except ValueError:
        return []


def _taken(source: str, response: Response, body: bytes) -> str | None:
    kind, _, rest = source.partition(":")
    if kind == "header":
        value = field(response.headers, rest.lower().encode("latin-1", "replace"))
        return value.decode("latin-1") if value else None
    if kind == "cookie":
        return next((value for name, value, _ in _set_cookies(response) if name == rest), None) or None
    found = _at(_json(body), rest) if len(body) <= _MAX_BODY_BYTES else None
    is_scalar = isinstance(found, str | int | float) and not isinstance(found, bool)
    return (str(found) or None) if is_scalar else None


def _json(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _at(tree: Any, path: str) -> Any:
    for step in _STEP.finditer(path):
        key = step[1] or step[3]
        if key is not None and isinstance(tree, Mapping):
            tree = tree.get(key)
        elif step[2] is not None and isinstance(tree, list) and int(step[2]) < len(tree):
            tree = tree[int(step[2])]
        else:
            return None
    return tree


def _set_cookies(response: Response) -> list[tuple[str, str, dict[str, str]]]:
    """Name, value and attributes (lower case) of every cookie that is set (RFC 6265 §4.1)."""
    found = []
    for line in fields(response.headers, b"set-cookie"):
        pair, *rest = line.decode("latin-1").split(";")
        name, _, value = pair.partition("=")
        attributes = (part.strip().partition("=") for part in rest)
        found.append((name.strip(), value.strip(), {key.lower(): text for key, _, text in attributes}))
    return found


def _put(said: str, headers: list[tuple[bytes, bytes]], query: list[tuple[bytes, bytes]]) -> None:
    kind, _, rest = said.partition(":")
    if kind == "header":
        name, _, value = rest.partition(": ")
        headers.append((name.encode("latin-1", "replace"), value.encode("utf-8", "replace")))
        return
    name, _, value = rest.partition("=")
    if kind == "query":
        query.append((name.encode(), value.encode()))
    else:
        headers.append((b"Cookie", rest.encode("utf-8", "replace")))


def _expiry(
    login: Login, taken: Mapping[str, str], response: Response, secrets: tuple[bytes, ...], now: float
) -> float | None:
    """When the credential ends: as the answer states, else the token itself, else the cookie."""
    seconds, moment = _number(taken.get("expires_in", "")), taken.get("expires_at", "")
    if seconds is not None:
        return now + max(0.0, seconds)
    if moment:
        return _number(moment) or _iso(moment)
    for secret in secrets:
        token = read_jwt(secret)
        expiry = token.claims.get("exp") if token else None
        if isinstance(expiry, int | float):
            return _number(str(expiry))
    wanted = {source.removeprefix("cookie:") for _, source in login.take if source.startswith("cookie:")}
    ends = [_cookie_end(told, now) for name, _, told in _set_cookies(response) if name in wanted]
    return min((end for end in ends if end is not None), default=None)


def _cookie_end(attributes: Mapping[str, str], now: float) -> float | None:
    seconds = _number(attributes.get("max-age", ""))
    if seconds is not None:
        return now + seconds
    try:
        return parsedate_to_datetime(attributes["expires"]).timestamp() if "expires" in attributes else None
    except (ValueError, OverflowError):
        return None


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if abs(number) < 1e12 else None


def _iso(text: str) -> float | None:
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
