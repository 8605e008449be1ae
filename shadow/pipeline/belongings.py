"""Ids that a target's answers showed: of what they are, and to whom they were shown. All of it bounded."""

from collections.abc import Iterable, Mapping

from shadow.content.naming import collection_of, plain, subject
from shadow.content.spotted import spots_of_body
from shadow.judge import classify
from shadow.model import AnswerClass, Exchange, Reply, field

_MAX_SUBJECTS = 200
_MAX_IDS = 16
_MAX_NAMES = 64
_MAX_ID_CHARACTERS = 128

type Ids = dict[str, tuple[str, ...]]
"""Ids by what they are of."""


class Belongings:
    """Learns from exchanges as each target saw them. What it hands out is never changed afterwards."""

    def __init__(self) -> None:
        self._made: dict[str, Ids] = {}
        self._shown: dict[str, dict[str, Ids]] = {}

    def learn(self, seen: Mapping[str, tuple[Exchange, str]], template: str) -> None:
        """Take in an exchange, by target, each with whom it came from (empty for unknown).

        Only what all targets answered alike: mutants must draw for each the same thing, under its own id.
        """
        found = {target: list(_ids(exchange, template)) for target, (exchange, _) in seen.items()}
        subjects = [[word for word, _ in ids] for ids in found.values()]
        if not subjects or not subjects[0] or any(each != subjects[0] for each in subjects):
            return
        for target, ids in found.items():
            self._made[target] = _with(self._made.get(target, {}), ids)
            owner = seen[target][1]
            held = self._shown.get(target, {})
            if owner and (owner in held or len(held) < _MAX_NAMES):
                self._shown[target] = held | {owner: _with(held.get(owner, {}), ids)}

    def made(self, target: str) -> Mapping[str, tuple[str, ...]]:
        """`Known.made` of a target."""
        return self._made.get(target, {})

    def shown(self, target: str) -> Mapping[str, Mapping[str, tuple[str, ...]]]:
        """`Known.shown` of a target."""
        return self._shown.get(target, {})

    def forget(self) -> None:
        """What was shown is gone."""
        self._made.clear()
        self._shown.clear()


def _with(held: Ids, ids: Iterable[tuple[str, str]]) -> Ids:
    new: Ids = {}
    for word, one in ids:
        seen = new.get(word, held.get(word, ()))
        if one not in seen and (seen or len(held) + len(new) < _MAX_SUBJECTS):
            new[word] = (*seen[-_MAX_IDS + 1 :], one)
    return held | new if new else held


def _ids(exchange: Exchange, template: str) -> Iterable[tuple[str, str]]:
    """(what it is of, the id) of each id in a successful answer."""
    response = exchange.response
    if response is None or classify(Reply(response)) is not AnswerClass.SUCCESS:
        return
    location = field(response.headers, b"location")
    if location and response.status == 201:
        words = location.decode("latin-1").partition("?")[0].rstrip("/").split("/")
        if len(words) > 1 and 0 < len(words[-1]) <= _MAX_ID_CHARACTERS:
            yield plain(words[-2]), words[-1]
    collection = collection_of(template)
    for place, value in spots_of_body(response):
        if type(value) is not float and (word := subject(place, collection)):
            text = str(value)
            if 0 < len(text) <= _MAX_ID_CHARACTERS and " " not in text:
                yield word, text
