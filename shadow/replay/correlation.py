"""Which live value is which shadow value: learned from paired answers, applied to recorded requests."""

import re
from collections.abc import Callable, Iterator, Sequence

import msgspec

from shadow.model import Request, Response
from shadow.replay._contract import Target
from shadow.replay.aim import Aim
from shadow.replay.evidence import gather, held_cookies, may_tell
from shadow.replay.evidence_text import Asked, Evidence
from shadow.replay.explanation import Trace, TracedView
from shadow.replay.foresight import Foresight
from shadow.replay.memory import Mapping, Memory, Scope, View, put
from shadow.replay.rewrite import rewrite
from shadow.replay.rules import Rules
from shadow.replay.token import is_id_key, kind_of_key, kind_of_word

_OWN_KINDS = ("cookie:", "etag:")
"""Kinds that mean something to one session alone."""
_SPLIT = re.compile(r"([^A-Za-z0-9_-]+)")
_KINDS_MAX = 7
_BY_ITSELF = ("",)
_NOTHING = Request(b"GET", b"")
_ADDED_BYTES_MAX = 512
"""An edit that adds more to a target made it up: a value that was seen live is not so long."""


class CorrelationSettings(msgspec.Struct, frozen=True):
    """Bounds of what is remembered; the oldest goes first."""

    values_max: int = 50_000
    """Over all sessions together."""
    sessions_max: int = 5_000
    session_values_max: int = 2_000


class Correlation:
    """The live and the shadow values of one target. No clock, no socket; not for several threads."""

    def __init__(
        self,
        target: Target,
        live: Sequence[str] = (),
        settings: CorrelationSettings | None = None,
        *,
        rules: Rules | None = None,
        trace: Trace | None = None,
        keeps_host: bool = False,
    ) -> None:
        """`trace` keeps what `--explain-correlation` tells; with `keeps_host` the live Host is sent."""
        self.settings = settings or CorrelationSettings()
        self.trace = trace
        self._aim = Aim(target, live)
        self._keeps_host = keeps_host
        self._foresight = Foresight(self._aim, keeps_host=keeps_host)
        self._prefix = target.path_prefix.rstrip("/").encode()
        self.on_shared: Callable[[str | None, str, str, int | None], None] | None = None
        """Told kind, live and shadow value of what was learned here for all sessions, and the number of the
        rule that found it at its places alone; for others to `take_over`."""
        self._rules = Rules() if rules is None else rules
        self._pinned = self._rules.pinned(target.name)
        self._shared = Memory(self.settings.values_max)
        self._scopes: dict[str, Scope] = {}
        self._asked: dict[str, Request] = {}
        self._pairs: dict[tuple[str, str], tuple[str, ...]] = {}
        """Live and shadow values that were seen to correspond, and as names of what kinds of things; of an
        empty kind where they stand for themselves."""
        self._ruled: dict[int, dict[str, str]] = {}
        self.forget_all()

    def learn(
        self,
        live: Response,
        shadow: Response,
        session: str,
        *,
        request: Request | None = None,
        is_shared: bool = True,
        exchange: int = -1,
    ) -> None:
        """Take in the two answers to one request.

        `request` is the recorded one, by default the one of `session` that was translated last, and
        `exchange` its index. Where not `is_shared`, other sessions are not told: for runs that make and break
        things of their own.
        """
        if not self._rules.has_places_of_answers and self.trace is None and not may_tell(live, shadow):
            return
        scope = self._scope(session)
        request = request or self._asked.get(session, _NOTHING)
        if self._prefix:
            shadow = _without_prefix(shadow, self._prefix)
        view = View(scope, self._shared, self._pinned)
        asked = Asked(request, view.knows, self._aim.cookie_name)
        found = (*gather(live, shadow, asked), *held_cookies(live, shadow, asked, scope.jar))
        taken = [
            each
            for each in found
            if not self._rules.ignores(each) and self._take(scope, each, is_shared=is_shared)
        ]
        for number, evidence in self._rules.taken(request, live, shadow):
            self._take_ruled(scope, number, evidence, is_shared=is_shared)
            taken.append(evidence)
        if self.trace is not None and is_shared:
            self.trace.learned(taken, session, exchange, request, live, shadow)

    def take_over(self, kind: str | None, live: str, shadow: str, *, rule: int | None = None) -> None:
        """Know what another process learned for all sessions, or for the places of a rule."""
        self._pair(Evidence(live, shadow, kind))
        if self.trace is not None:
            self.trace.taken_over(kind, live, shadow)
        if rule is None:
            self._shared.put(kind, live, shadow)
        else:
            put(self._ruled.setdefault(rule, {}), live, shadow, self.settings.session_values_max)

    def translate(self, request: Request, session: str) -> Request:
        """`request`, as recorded, with the target's values and under its path prefix.

        What this session itself learned comes first.
        """
        scope = self._scope(session)
        put(self._asked, session, request, self.settings.sessions_max)
        made = request if self._stays_as_it_is(request, scope) else self._rewritten(request, scope, session)
        if self._prefix and made.target.startswith(b"/"):
            return msgspec.structs.replace(made, target=self._prefix + made.target)
        return made

    def translate_edit(self, request: Request, before: Request, session: str) -> Request:
        """`request`, an edit of `before`, with the live values translated that the edit brought in.

        `before` was translated already: its values are the target's own, which another live value may equal.
        """
        if request.body != before.body or self._rules.has_places_of_requests or self.trace is not None:
            made = self.translate(self._without_prefix(request), session)
            is_kept = request.target == before.target
            return msgspec.structs.replace(made, target=request.target) if is_kept else made
        kept = frozenset(before.headers)
        new = tuple([line for line in request.headers if line not in kept])
        added_bytes = len(request.target) - len(before.target)
        is_target_new = request.target != before.target and added_bytes <= _ADDED_BYTES_MAX
        if not is_target_new and not new:
            return request
        part = Request(request.method, request.target, request.version, new)
        made = self.translate(self._without_prefix(part), session)
        lines = iter(made.headers)
        headers = request.headers
        if made.headers != new:
            headers = tuple([line if line in kept else next(lines) for line in headers])
        target = made.target if is_target_new else request.target
        return msgspec.structs.replace(request, target=target, headers=headers)

    def _without_prefix(self, request: Request) -> Request:
        if not self._prefix:
            return request
        return msgspec.structs.replace(request, target=request.target.removeprefix(self._prefix))

    def _stays_as_it_is(self, request: Request, scope: Scope) -> bool:
        """Whether nothing is known of what the request asks for; what the client used is noted then."""
        if self._rules.has_places_of_requests or self._pinned or self.trace is not None:
            return False
        asked = self._foresight.of(request)
        if asked is None or any(
            each.may_be_known(scope) or each.may_be_known(self._shared) for each in asked
        ):
            return False
        view = View(scope, self._shared, self._pinned)
        for part in asked:
            for kind, text in part.noted:
                if (kind, text) not in scope.made:
                    view.note(text, kind)
        return True

    def _rewritten(self, request: Request, scope: Scope, session: str) -> Request:
        view = View(scope, self._shared, self._pinned)
        if self.trace is not None:
            view = TracedView(scope, self._shared, self._pinned, self.trace, session, request)
        made = rewrite(request, view, self._aim, keeps_host=self._keeps_host)
        if self._rules.has_places_of_requests:
            made = self._rules.applied(request, made, (scope.ruled, self._ruled), view)
        return made

    def names(self, word: str, before: str) -> bool:
        """Whether `word`, behind `before` in a path, is known to name a thing."""
        kind = kind_of_word(before)
        return bool(kind) and (kind, word) in self._shared.values

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
            return "" in found or is_id_key(key) or kind_of_key(key) in found
        return isinstance(live, str) and self._same_parts(one, other)

    def explain(self) -> Iterator[Mapping]:
        """Everything learned, by session and then what all sessions share; bounded by the settings."""
        for session, scope in self._scopes.items():
            for (kind, live), shadow in scope.values.items():
                yield Mapping(live, shadow, kind, session)
        for (kind, live), shadow in self._shared.values.items():
            yield Mapping(live, shadow, kind, None)

    def forget(self, session: str) -> None:
        """Drop what only `session` knew."""
        self._scopes.pop(session, None)
        self._asked.pop(session, None)

    def forget_all(self) -> None:
        """Drop everything learned: the shadow was put back and what it had made is gone, or the same
        traffic comes again."""
        self._scopes.clear()
        self._shared.clear()
        self._ruled.clear()
        self._pairs = dict.fromkeys(self._pinned.items(), _BY_ITSELF)

    def _scope(self, session: str) -> Scope:
        scope = self._scopes.pop(session, None) or Scope(self.settings.session_values_max)
        put(self._scopes, session, scope, self.settings.sessions_max)
        return scope

    def _take(self, scope: Scope, evidence: Evidence, *, is_shared: bool) -> bool:
        """Whether the evidence was believed."""
        key = (evidence.kind, evidence.live)
        if key in scope.made and not evidence.is_told:
            return False
        if not evidence.is_sure and self._knows(scope, evidence):
            return False
        scope.put(*key, evidence.shadow)
        self._pair(evidence)
        if is_shared and not (evidence.kind or "").startswith(_OWN_KINDS):
            if self.on_shared is not None and self._shared.values.get(key) != evidence.shadow:
                self.on_shared(evidence.kind, evidence.live, evidence.shadow, None)
            self._shared.put(*key, evidence.shadow)
        return True

    def _take_ruled(self, scope: Scope, number: int, evidence: Evidence, *, is_shared: bool) -> None:
        """Take in what a rule found: for the places that it names, or for everywhere where it names none."""
        self._pair(msgspec.structs.replace(evidence, kind=None))  # the user says so, whatever holds it
        has_places = self._rules.has_places(number)
        if is_shared and self.on_shared is not None:
            self.on_shared(None, evidence.live, evidence.shadow, number if has_places else None)
        if not has_places:
            scope.put(None, evidence.live, evidence.shadow)
            if is_shared:
                self._shared.put(None, evidence.live, evidence.shadow)
            return
        for ruled in (scope.ruled, self._ruled) if is_shared else (scope.ruled,):
            put(
                ruled.setdefault(number, {}), evidence.live, evidence.shadow, self.settings.session_values_max
            )

    def _pair(self, evidence: Evidence) -> None:
        pair = (evidence.live, evidence.shadow)
        kinds, kind = self._pairs.get(pair, ()), evidence.kind or ""
        if kind not in kinds:
            kinds = (*kinds[-_KINDS_MAX:], kind)
        put(self._pairs, pair, kinds, self.settings.values_max)

    def _knows(self, scope: Scope, evidence: Evidence) -> bool:
        """Whether the live value is known already, under its kind or by itself."""
        keys = ((evidence.kind, evidence.live), (None, evidence.live))
        return any(key in scope.values or key in self._shared.values for key in keys)

    def _same_parts(self, live: str, shadow: str) -> bool:
        """Whether two texts are built alike, of parts that are equal or correspond: URLs, prefixed ids."""
        mine, its = _SPLIT.split(self._aim.text(live)), _SPLIT.split(shadow)
        if len(mine) != len(its) or len(mine) == 1:
            return False
        return all(
            one == other or "" in self._pairs.get((one, other), ())
            for one, other in zip(mine, its, strict=True)
        )


def _without_prefix(response: Response, prefix: bytes) -> Response:
    """`response` with the target's prefix taken off the path that it leads to."""
    headers = tuple(
        (name, value.replace(prefix + b"/", b"/", 1) if name.lower() == b"location" else value)
        for name, value in response.headers
    )
    return msgspec.structs.replace(response, headers=headers)
