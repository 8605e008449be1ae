"""What the user says of correlation where it gets something wrong: rules, pinned values, what to ignore."""

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

from msgspec import Struct

from shadow.errors import ConfigError
from shadow.model import Request, Response
from shadow.replay.evidence_text import Evidence, path_segments
from shadow.replay.memory import View
from shadow.replay.places import Place, in_answer, in_request, read, taken, written

_PARTS = ("body", "header", "cookie", "html", "regex", "query", "path")
_TARGETS = ("candidate", "baseline")


class RuleSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """One value that is taken from answers, as `[[correlation.rule]]`."""

    take: str
    """Where an answer tells it: ``"body:$.data.ref"``, ``"header:x-ticket"``, ``"cookie:sid"``,
    ``"html:input[name=csrf]"``, or ``"regex:..."`` over the body, with one group."""
    put: tuple[str, ...] = ()
    """Where requests carry it: ``"header:x-csrf"``, ``"body:$.ref"``, ``"path:2"``, ``"query:ref"``,
    ``"cookie:sid"``. Left out: wherever it stands."""
    endpoint: str = ""
    """Which answers it is taken from: ``"METHOD path-glob"``; empty for all."""
    into: str = ""
    """Which requests get it: ``"METHOD path-glob"``; empty for all."""


class ValueSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """One value that is known beforehand, as `[[correlation.values]]`."""

    live: str
    """What recorded requests carry."""
    candidate: str = ""
    """What the candidate is sent in its place; empty to send it as it is."""
    baseline: str = ""
    """What the baseline is sent in its place."""


class CorrelationTable(Struct, frozen=True, forbid_unknown_fields=True):
    """How live values become those of the shadow environment, as `[correlation]`."""

    rule: tuple[RuleSettings, ...] = ()
    """What is taken from answers and put into requests, besides what is learned by itself."""
    values: tuple[ValueSettings, ...] = ()
    """Pairs that are known beforehand; nothing that is learned overrides them."""
    ignore: tuple[str, ...] = ()
    """Never exchanged: places of answers and requests (``"body:$.amount"``, ``"header:x-page"``,
    ``"path:2"``; `*` matches any text), or values (``"value:7"``)."""


class _Rule(Struct, frozen=True):
    take: Place
    put: tuple[Place, ...]
    endpoint: str
    into: str


class Rules:
    """The rules of a run. Raises ConfigError, naming the key, for what means nothing."""

    def __init__(self, table: CorrelationTable | None = None) -> None:
        table = table or CorrelationTable()
        self._rules = tuple(_rule(at, each) for at, each in enumerate(table.rule, 1))
        self._values = _values(table.values)
        self._ignored_values = frozenset(
            each.removeprefix("value:") for each in table.ignore if each.startswith("value:")
        )
        places = [each for each in table.ignore if not each.startswith("value:")]
        self._ignored = tuple(_ignored(each) for each in places)
        parts = ("path:", "query:", "header:", "cookie:", "body:")
        self._spared = tuple(
            in_request(each, "correlation.ignore")
            for each in places
            if each.startswith(parts) and "*" not in each
        )

    @property
    def has_places_of_requests(self) -> bool:
        """Whether anything is said of where requests carry values."""
        return bool(self._rules or self._spared)

    @property
    def has_places_of_answers(self) -> bool:
        """Whether anything is said of where answers tell values."""
        return bool(self._rules)

    def pinned(self, target: str) -> dict[str, str]:
        """Live values and what the target called `target` has in their place."""
        return {live: shadows[target] for live, shadows in self._values.items() if shadows.get(target)}

    def has_places(self, number: int) -> bool:
        """Whether the rule of that number says where its value goes."""
        return bool(self._rules[number].put)

    def ignores(self, evidence: Evidence) -> bool:
        """Whether nothing is to be learned from `evidence`."""
        if not self._ignored and not self._ignored_values:
            return False
        if evidence.live in self._ignored_values:
            return True
        return any(
            fnmatchcase(evidence.place, pattern) or evidence.place.startswith((f"{plain}.", f"{plain}["))
            for plain, pattern in self._ignored
        )

    def taken(self, request: Request, live: Response, shadow: Response) -> Iterator[tuple[int, Evidence]]:
        """What each rule finds in two answers to one request, with the rule's number."""
        for number, rule in enumerate(self._rules):
            if not _matches(rule.endpoint, request):
                continue
            ours, theirs = taken(rule.take, live), taken(rule.take, shadow)
            if len(ours) != len(theirs):
                continue
            for one, other in zip(ours, theirs, strict=True):
                if one and other and one not in self._ignored_values:
                    yield number, Evidence(one, other, f"rule {number + 1}", place=rule.take.text)

    def applied(
        self, recorded: Request, made: Request, ruled: Sequence[Mapping[int, Mapping[str, str]]], view: View
    ) -> Request:
        """`made`, a translated request, with what the rules know put where they say.

        `ruled` are the values by rule, the session's own first.
        """
        for place in self._spared:
            if (was := read(place, recorded)) is not None and was != read(place, made):
                made = written(place, made, was)
        for number, rule in enumerate(self._rules):
            if rule.put and _matches(rule.into, recorded):
                for place in rule.put:
                    was = read(place, recorded)
                    known = was is not None and _exchanged(was, [each.get(number, {}) for each in ruled])
                    if known:
                        view.place = (place.part, place.text.partition(":")[2])
                        view.used(known[0], f"rule {number + 1}")
                        made = written(place, made, known[1])
        return made


def _exchanged(text: str, known: Sequence[Mapping[str, str]]) -> tuple[str, str] | None:
    """The live value in `text`, and `text` with the shadow's; None where none is known in it."""
    for values in known:
        if text in values:
            return text, values[text]
    for values in known:
        for live, shadow in reversed(tuple(values.items())):
            if len(live) >= _PART_CHARS_MIN and live in text:
                return live, text.replace(live, shadow)
    return None


_PART_CHARS_MIN = 6
"""Shorter values stand in others by chance."""


def _rule(at: int, settings: RuleSettings) -> _Rule:
    key = f"correlation.rule[{at}]"
    for name, endpoint in (("endpoint", settings.endpoint), ("into", settings.into)):
        method, _, path = endpoint.partition(" ")
        if endpoint and not (method.replace("*", "A").isalpha() and path.strip().startswith(("/", "*"))):
            raise ConfigError(f"{key}.{name} is {endpoint!r}: write a method and a path, as 'POST /login'")
    take = in_answer(settings.take, f"{key}.take")
    put = tuple(in_request(each, f"{key}.put") for each in settings.put)
    return _Rule(take, put, settings.endpoint, settings.into)


def _values(pairs: Sequence[ValueSettings]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for at, each in enumerate(pairs, 1):
        key = f"correlation.values[{at}]"
        if not each.live:
            raise ConfigError(f"{key}.live is empty; name the value that recorded requests carry")
        if not (each.candidate or each.baseline):
            raise ConfigError(f"{key} names neither candidate nor baseline; say what {each.live!r} is there")
        if each.live in found:
            raise ConfigError(f"{key}.live is {each.live!r}, which stands there twice; keep one")
        found[each.live] = {"candidate": each.candidate, "baseline": each.baseline}
    return found


def _ignored(text: str) -> tuple[str, str]:
    part, _, rest = text.partition(":")
    if part not in _PARTS or not rest.strip("*.$[]"):
        raise ConfigError(
            f"correlation.ignore has {text!r}, which is no place or covers too much;"
            " write 'body:$.amount', 'header:x-page', 'path:2' or 'value:7'"
        )
    plain = f"header:{rest.lower()}" if part == "header" else text.replace("[*]", "[]")
    return plain, plain.replace("[", "[[]")


def _matches(pattern: str, request: Request) -> bool:
    """Whether `request` is one of ``"METHOD path-glob"``; everything is where that is empty."""
    if not pattern:
        return True
    method, _, path = pattern.partition(" ")
    said = "/".join(path_segments(request.target))
    return fnmatchcase(request.method.decode("latin-1"), method) and fnmatchcase(said, path.strip())
