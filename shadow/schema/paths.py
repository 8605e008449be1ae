"""Which documented path a request is for."""

import re
from collections.abc import Iterable, Sequence
from urllib.parse import unquote, urlsplit

from shadow.errors import ConfigError

_MAX_PATHS = 5_000
_MAX_SEGMENTS = 40
_VARIABLE = re.compile(r"\{([^{}]*)\}")


class Paths:
    """Finds the template of a path: words win over variables (OpenAPI 3.1 §4.8.8.2)."""

    def __init__(self, templates: Iterable[str], bases: Sequence[str], origin: str) -> None:
        """`bases` are paths that stand before all templates, tried in order; then none."""
        self._bases = tuple(dict.fromkeys((*bases, "")))
        self._shapes: dict[tuple[int, str], list[tuple[int, re.Pattern[str], str]]] = {}
        for count, template in enumerate(templates):
            if count >= _MAX_PATHS:
                raise ConfigError(
                    f"{origin}: #/paths has over {_MAX_PATHS} paths; give the service's own alone"
                )
            words = _segments(template)
            shape = re.compile("/".join(map(_segment, words)))
            variables = sum("{" in word for word in words)
            key = (len(words), "" if not words or "{" in words[0] else words[0])
            self._shapes.setdefault(key, []).append((variables, shape, template))
        for shapes in self._shapes.values():
            shapes.sort(key=lambda each: each[0])

    def find(self, target: bytes) -> str | None:
        """The template of a request target; None where none is documented."""
        path = unquote(target.split(b"?", 1)[0].split(b"#", 1)[0].decode("latin-1"))
        if "://" in path[:16]:
            path = urlsplit(path).path
        for base in self._bases:
            if base and path != base and not path.startswith(f"{base}/"):
                continue
            words = _segments(path[len(base) :])
            if len(words) <= _MAX_SEGMENTS and (template := self._match(words)) is not None:
                return template
        return None

    def _match(self, words: list[str]) -> str | None:
        text = "/".join(words)
        for first in (words[0] if words else "", ""):
            for _, shape, template in self._shapes.get((len(words), first), ()):
                if shape.fullmatch(text):
                    return template
        return None


def base_of(url: str, variables: dict[str, str]) -> str:
    """The path of a server's URL, its variables replaced, without a slash at the end."""
    said = _VARIABLE.sub(lambda found: variables.get(found[1], ""), url)
    try:
        path = urlsplit(said).path
    except ValueError:
        return ""
    return "/" + path.strip("/") if path.strip("/") else ""


def variables_of(template: str) -> dict[str, int]:
    """The variables that are a segment of their own, with its number from the end: -1 for the last."""
    words = _segments(template)
    return {word[1:-1]: at - len(words) for at, word in enumerate(words) if _VARIABLE.fullmatch(word)}


def _segments(path: str) -> list[str]:
    """The words between slashes; a slash at the end makes no more of them."""
    text = path.strip("/")
    return text.split("/") if text else []


def _segment(word: str) -> str:
    parts = _VARIABLE.split(word)
    return "".join("[^/]+" if at % 2 else re.escape(part) for at, part in enumerate(parts))
