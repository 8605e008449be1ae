"""Keeps what correlation learned and where it was used, for `--explain-correlation` alone."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from shadow.content.cookie import crumbs
from shadow.content.entity import entity
from shadow.model import Correlated, Learned, Missed, Request, Response, fields
from shadow.replay.evidence_markup import attributes_of, tags
from shadow.replay.evidence_text import URL_START, Evidence, path_segments
from shadow.replay.memory import Memory, Scope, View, put
from shadow.replay.token import is_id_key, is_token

_LEARNED_MAX = 20_000
_WAITING_MAX = 50_000
_MISSED_MAX = 5_000
_BODY_BYTES_MAX = 256 * 1024
_DEPTH_MAX = 32
_WORD = re.compile(r"[^\s<>]{6,8192}")
"""What a request may repeat; shorter ones stand there by chance."""


class Trace:
    """One for each target. Bounded; the oldest go first."""

    def __init__(self) -> None:
        self._learned: dict[tuple[str, str, str], Learned] = {}
        """By session, kind and live value."""
        self._latest: dict[tuple[str, str], tuple[str, str, str]] = {}
        """Whence a value that all sessions share is known: by kind and live value."""
        self._waiting: dict[str, Missed] = {}
        """Live values that nothing is known of, should a request carry them."""
        self._missed: dict[str, Missed] = {}

    def learned(
        self,
        taken: Sequence[Evidence],
        session: str,
        exchange: int,
        request: Request,
        live: Response,
        shadow: Response,
    ) -> None:
        """Take notice of what two answers to `request` taught."""
        asked = _line(request)
        for each in taken:
            self._waiting.pop(each.live, None)
            if each.live == each.shadow:
                continue
            key = (session, each.kind or "", each.live)
            before = self._learned.get(key)
            made = Learned(each.live, each.shadow, each.kind or "", session, exchange, asked, each.place)
            if before is not None and before.shadow == made.shadow:
                continue
            put(self._learned, key, made, _LEARNED_MAX)
            put(self._latest, key[1:], key, _LEARNED_MAX)
        self._expect(taken, exchange, asked, live, shadow)

    def taken_over(self, kind: str | None, live: str, shadow: str) -> None:
        """Another process learned this, and tells whence: here it is only counted how it is used."""
        key = ("", kind or "", live)
        put(self._learned, key, Learned(live, shadow, kind or "", "", -1, "", ""), _LEARNED_MAX)
        put(self._latest, key[1:], key, _LEARNED_MAX)

    def used(self, live: str, kind: str | None, session: str, where: str) -> None:
        """A value was put into a request."""
        key = (session, kind or "", live)
        if key not in self._learned:
            key = self._latest.get(key[1:], key)
        if (known := self._learned.get(key)) is not None:
            self._learned[key] = msgspec.structs.replace(known, applied=known.applied + 1, last_place=where)

    def carried(self, text: str, where: str) -> None:
        """A request carries `text`, and nothing is known of it."""
        waiting = self._missed.get(text) or self._waiting.get(text)
        if waiting is not None:
            times = waiting.times + 1 if waiting.carried else 1
            made = msgspec.structs.replace(waiting, carried=where, times=times)
            put(self._missed, text, made, _MISSED_MAX)

    def told(self, target: str) -> Correlated:
        """Everything, for the sinks."""
        learned = tuple(each for each in self._learned.values() if each.asked or each.applied)
        return Correlated(target, learned, tuple(self._missed.values()))

    def _expect(
        self, taken: Sequence[Evidence], exchange: int, asked: str, live: Response, shadow: Response
    ) -> None:
        """Keep the values of the live answer that the shadow's told nothing about."""
        theirs = tuple(_values(shadow))
        here, places = {value for value, _ in theirs}, {place for _, place in theirs}
        known = {each.live for each in taken}
        for value, place in _values(live):
            if value not in here and value not in known:
                why = "it looks like no name, so nothing was learned"
                if live.status // 100 != shadow.status // 100:
                    why = f"the shadow answered {shadow.status} instead of {live.status}"
                elif place not in places:
                    why = "the shadow's answer has no such place"
                put(self._waiting, value, Missed(value, exchange, asked, place, why, ""), _WAITING_MAX)


class TracedView(View):
    """A view that tells what is looked up."""

    __slots__ = ("_asked", "_session", "_trace")

    def __init__(
        self,
        scope: Scope,
        shared: Memory,
        pinned: dict[str, str],
        trace: Trace,
        session: str,
        request: Request,
    ) -> None:
        super().__init__(scope, shared, pinned)
        self._trace = trace
        self._session = session
        self._asked = _line(request)

    def find(self, text: str, kind: str | None) -> str | None:
        found = super().find(text, kind)
        if found is not None and found != text:
            self._trace.used(text, kind, self._session, self._where)
        return found

    def find_bare(self, text: str) -> str | None:
        found = super().find_bare(text)
        if found is not None and found != text:
            kinds = self._scope.kinds.get(text) or self._shared.kinds.get(text) or ("",)
            self._trace.used(text, kinds[-1], self._session, self._where)
        return found

    def used(self, live: str, kind: str) -> None:
        self._trace.used(live, kind, self._session, self._where)

    def note(self, text: str, kind: str | None) -> None:
        super().note(text, kind)
        if kind is None:
            self._trace.carried(text, self._where)

    @property
    def _where(self) -> str:
        part, name = self.place
        shown = name.decode("latin-1") if isinstance(name, bytes) else str(name)
        colon = "" if part.endswith(".") else ":"
        return f"{self._asked} {part}{colon}{shown}".rstrip(":")


def _line(request: Request) -> str:
    return f"{request.method.decode('latin-1')} {'/'.join(path_segments(request.target))}"


def _values(response: Response) -> Iterator[tuple[str, str]]:
    """The values of an answer that may name something, with their places."""
    for line in fields(response.headers, b"set-cookie"):
        name, _, crumb = next(iter(crumbs(line)), b"").partition(b"=")
        yield crumb.strip(b' "').decode("latin-1"), f"cookie:{name.strip().decode('latin-1')}"
    for raw, value in response.headers:
        key, text = raw.lower().decode("latin-1"), value.decode("latin-1")
        if key in ("location", "content-location"):
            yield from ((each, f"header:{key}") for each in _parts(text))
        elif key == "etag":
            yield text.removeprefix("W/").strip('"'), "header:etag"
        elif key != "set-cookie" and is_token(text, has_id_key=is_id_key(key)):
            yield text, f"header:{key}"
    yield from _body_values(response)


def _body_values(response: Response) -> Iterator[tuple[str, str]]:
    content = entity(response)
    if not content or len(content) > _BODY_BYTES_MAX:
        return
    start = content.lstrip()[:1]
    if start in (b"{", b"["):
        try:
            yield from _leaves(msgspec.json.decode(content), "", "body:$", 0)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return
    elif start == b"<":
        for tag in (b"input", b"meta"):
            for known in map(attributes_of, (raw for raw, _ in tags(content, tag))):
                if text := known.get("value") or known.get("content"):
                    yield text, f"html:{tag.decode()}[name={known.get('name', '')}]"


def _leaves(value: Any, key: str, place: str, depth: int) -> Iterator[tuple[str, str]]:
    if depth > _DEPTH_MAX:
        return
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(inner, name, f"{place}.{name}", depth + 1)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, key, f"{place}[]", depth + 1)
    elif isinstance(value, str):
        if "/" in value and URL_START.match(value):
            yield from ((each, place) for each in _parts(value))
        elif is_id_key(key) or _WORD.fullmatch(value):
            yield value, place
    elif type(value) is int and is_id_key(key):
        yield str(value), place


def _parts(url: str) -> list[str]:
    """The segments of a URL that may name something."""
    start = URL_START.match(url)
    path = url[start.end() if start else 0 :].partition("?")[0]
    return [each for each in path.split("/") if any(map(str.isdigit, each)) or is_token(each)]
