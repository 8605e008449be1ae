"""Places that a user names: such as are never reported, and such as are never forgiven."""

from collections.abc import Iterable
from fnmatch import fnmatchcase

from shadow.errors import ConfigError
from shadow.judge.places import is_within, template

_WHOLE_PARTS = ("status", "reason", "surplus", "messages", "close")
_PARTS = ("body", "header", "trailer", "message[]", "dns", "leak", *_WHOLE_PARTS)


class ChosenPlaces:
    """Patterns of places, and of endpoints and places: ``"GET /v1/x/{id} body:$.seen_at"``."""

    def __init__(self, texts: Iterable[str], option: str) -> None:
        """Raises ConfigError for what is no place, or covers a whole kind of findings."""
        self._patterns = tuple(_pattern(text, option) for text in texts)

    def holds(self, endpoint: str, where: str) -> bool:
        """Whether `where`, a place or a pattern of one, is named for `endpoint`."""
        if not self._patterns:
            return False
        place = template(where)
        return any(
            (not at or fnmatchcase(endpoint, _literal(at))) and _matches(place, pattern)
            for at, pattern in self._patterns
        )


def _pattern(text: str, option: str) -> tuple[str, str]:
    """The endpoint, empty for all, and the place."""
    endpoint, place = _split(text)
    place = (f"body:{place}" if place.startswith("$") else place).replace("[*]", "[]")
    part, colon, rest = place.partition(":")
    is_broad = not rest.strip("*?$.[]{}") if colon else part not in _WHOLE_PARTS
    if part not in _PARTS or is_broad:
        raise ConfigError(
            f"{option} = {text!r} is no place or covers too much;"
            " name one such as 'header:x-node' or 'body:$.items[].seen_at'"
        )
    return endpoint, place.lower() if part in ("header", "trailer") else place


def _split(text: str) -> tuple[str, str]:
    """What stands before the place, which holds spaces only where a member's name does."""
    words = text.split(" ", 2)
    if len(words) == 3 and words[0].isupper() and words[1].startswith(("/", "*")):
        return f"{words[0]} {words[1]}", words[2]
    return "", text


def _matches(where: str, pattern: str) -> bool:
    """The place itself, or one below it. Brackets are literal, as ``[]`` stands for array positions."""
    return is_within(where, pattern) or ("*" in pattern and fnmatchcase(where, _literal(pattern)))


def _literal(pattern: str) -> str:
    return pattern.replace("[", "[[]")
