"""Which live value is which shadow value: learned from paired answers, applied to recorded requests."""

import re
from collections.abc import Iterator, Sequence

import msgspec

from shadow.model import Request, Response
from shadow.replay._contract import Target
from shadow.replay.evidence import Evidence, gather
from shadow.replay.rewrite import path_segments, rewrite
from shadow.replay.token import is_id_key, is_token

type _Key = tuple[str | None, str]
"""Kind and live value."""

_OWN_KINDS = ("cookie:", "etag:")
"""Kinds that mean something to one session alone."""
_SPLIT = re.compile(r"([^A-Za-z0-9_-]+)")


class CorrelationSettings(msgspec.Struct, frozen=True):
    """Bounds of what is remembered; the oldest goes first."""

    values_max: int = 50_000
    """Over all sessions together."""
    sessions_max: int = 5_000
    session_values_max: int = 2_000


class Mapping(msgspec.Struct, frozen=True):
    """One live value and what it stands for here. Both may be secrets: redact before showing."""

    live: str
    shadow: str
    kind: str | None
    """Of what kind of thing it is the name; None where it stands for itself."""
    session: str | None
    """None where it holds for every session."""


class Correlation:
    """The live and the shadow values of one target. No clock, no socket; not for several threads."""

    def __init__(
        self, target: Target, live: Sequence[str] = (), settings: CorrelationSettings | None = None
    ) -> None:
        self.settings = settings or CorrelationSettings()
        self._aim = _Aim(target, live)
        self._prefix = target.path_prefix.rstrip("/").encode()
        self._shared: dict[_Key, str] = {}
        self._scopes: dict[str, _Scope] = {}
        self._pairs: dict[tuple[str, str], bool] = {}
        """Live and shadow values that were seen to correspond; True for those that stand for themselves."""

    def learn(
        self,
        live: Response,
        shadow: Response,
        session: str,
        *,
        request: Request | None = None,
        is_shared: bool = True,
    ) -> None:
        """Take in the two answers to one request.

        `request` is the recorded one, by default the one of `session` that was translated last. Where not
        `is_shared`, other sessions are not told: for runs that make and break things of their own.
        """
        scope = self._scope(session)
        path = path_segments(request.target) if request is not None else scope.path
        if self._prefix:
            shadow = _without_prefix(shadow, self._prefix)
        view = _View(scope, self._shared)
        for evidence in gather(live, shadow, path, lambda text: view.find(text, None)):
            self._take(scope, evidence, is_shared=is_shared)

    def translate(self, request: Request, session: str) -> Request:
        """`request`, as recorded, with the target's values and under its path prefix.

        What this session itself learned comes first.
        """
        scope = self._scope(session)
        scope.path = path_segments(request.target)
        made = rewrite(request, _View(scope, self._shared), self._aim.text)
        if self._prefix and made.target.startswith(b"/"):
            return msgspec.structs.replace(made, target=self._prefix + made.target)
        return made

    def same(self, live: object, shadow: object, key: str = "") -> bool:
        """Whether two scalars that may differ stand for the same thing, as far as was learned.

        `key` is the name of the member they are values of. Names that do not speak for themselves, numbers
        above all, correspond only under a key that announces an identifier.
        """
        if live == shadow:
            return True
        if isinstance(live, bool) or type(live) is not type(shadow) or not isinstance(live, str | int):
            return False
        one, other = str(live), str(shadow)
        found = self._pairs.get((one, other))
        if found is not None:
            return found or is_id_key(key)
        return isinstance(live, str) and self._same_parts(one, other)

    def explain(self) -> Iterator[Mapping]:
        """Everything learned, by session and then what all sessions share; bounded by the settings."""
        for session, scope in self._scopes.items():
            for (kind, live), shadow in scope.values.items():
                yield Mapping(live, shadow, kind, session)
        for (kind, live), shadow in self._shared.items():
            yield Mapping(live, shadow, kind, None)

    def clear(self) -> None:
        """Forget everything."""
        self._shared.clear()
        self._scopes.clear()
        self._pairs.clear()

    def forget(self, session: str) -> None:
        """Drop what only `session` knew."""
        self._scopes.pop(session, None)

    def _scope(self, session: str) -> "_Scope":
        scope = self._scopes.pop(session, None) or _Scope(self.settings.session_values_max)
        _put(self._scopes, session, scope, self.settings.sessions_max)
        return scope

    def _take(self, scope: "_Scope", evidence: Evidence, *, is_shared: bool) -> None:
        key = (evidence.kind, evidence.live)
        if key in scope.made and not evidence.is_told:
            return
        if not evidence.is_sure and self._knows(scope, evidence):
            return
        limit = self.settings.values_max
        _put(scope.values, key, evidence.shadow, scope.capacity)
        speaks = evidence.kind is None
        pair = (evidence.live, evidence.shadow)
        _put(self._pairs, pair, speaks or self._pairs.get(pair, False), limit)
        if is_shared and not (evidence.kind or "").startswith(_OWN_KINDS):
            _put(self._shared, key, evidence.shadow, limit)

    def _knows(self, scope: "_Scope", evidence: Evidence) -> bool:
        """Whether the live value is known already, under its kind or by itself."""
        keys = ((evidence.kind, evidence.live), (None, evidence.live))
        return any(key in scope.values or key in self._shared for key in keys)

    def _same_parts(self, live: str, shadow: str) -> bool:
        """Whether two texts are built alike, of parts that are equal or correspond: URLs, prefixed ids."""
        mine, its = _SPLIT.split(self._aim.text(live)), _SPLIT.split(shadow)
        if len(mine) != len(its) or len(mine) == 1:
            return False
        return all(
            one == other or self._pairs.get((one, other), False) for one, other in zip(mine, its, strict=True)
        )


class _Scope:
    """What one session knows."""

    __slots__ = ("capacity", "made", "path", "values")

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.values: dict[_Key, str] = {}
        self.made: dict[_Key, None] = {}
        """What the client used before any answer had it, so it is the client's own: nothing is learned of it
        in this session. Another may know better: it heard earlier from the service what this one used."""
        self.path: list[str] = []


class _View:
    """A session's values over those that all share."""

    __slots__ = ("_scope", "_shared")

    def __init__(self, scope: _Scope, shared: dict[_Key, str]) -> None:
        self._scope = scope
        self._shared = shared

    def find(self, text: str, kind: str | None) -> str | None:
        key = (kind, text)
        found = self._scope.values.get(key)
        if found is None and (kind is None or key not in self._scope.made):
            found = self._shared.get(key)
        return found

    def note(self, text: str, kind: str | None) -> None:
        if kind is None and not is_token(text, has_id_key=True):
            return
        if kind is not None and (len(text) > 128 or not any(map(str.isdigit, text))):
            return
        key = (kind, text)
        if key not in self._scope.values:
            _put(self._scope.made, key, None, self._scope.capacity)


class _Aim:
    """Exchanges the live service's address for the target's."""

    def __init__(self, target: Target, live: Sequence[str]) -> None:
        self._authority = target.authority
        self._scheme = target.scheme
        self._hosts = tuple(_host(each) for each in live)
        self._pattern = re.compile("|".join(map(_address_pattern, live)), re.IGNORECASE) if live else None

    def text(self, text: str) -> str:
        """`text` aimed at the target."""
        if self._pattern is None or not any(host in text for host in self._hosts):
            return text
        return self._pattern.sub(self._replacement, text)

    def _replacement(self, found: re.Match[str]) -> str:
        scheme = found[0].partition("://")[0] if "://" in found[0] else ""
        if scheme in ("http", "https"):
            return f"{self._scheme}://{self._authority}"
        return f"//{self._authority}" if found[0].startswith("//") else self._authority


def _without_prefix(response: Response, prefix: bytes) -> Response:
    """`response` with the target's prefix taken off the path that it leads to."""
    headers = tuple(
        (name, value.replace(prefix + b"/", b"/", 1) if name.lower() == b"location" else value)
        for name, value in response.headers
    )
    return msgspec.structs.replace(response, headers=headers)


def _host(authority: str) -> str:
    host, colon, port = authority.rpartition(":")
    return host if colon and port.isdigit() else authority


def _address_pattern(authority: str) -> str:
    """``host:port`` by itself anywhere; the bare host only in a URL where the port may be left out."""
    host, port = _host(authority), authority.removeprefix(_host(authority)).lstrip(":")
    name = re.escape(host)
    in_url = rf"(?:https?:)?//{name}"
    if not port:
        return rf"{in_url}(?::\d+)?(?![\w.:-])"
    optional = "?" if port in ("80", "443") else ""
    return rf"{in_url}(?::{port}){optional}(?![\w.:-])|(?<![\w./@-]){name}:{port}(?![\w.:-])"


def _put[K, V](store: dict[K, V], key: K, value: V, capacity: int) -> None:
    """Set `key`, as the newest; the oldest goes where there are more than `capacity`."""
    store.pop(key, None)
    store[key] = value
    if len(store) > capacity:
        del store[next(iter(store))]
