"""``$ref`` within one document (RFC 6901 pointers). None is ever fetched."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from shadow.errors import ConfigError

_MAX_NODES = 2_000_000
_MAX_CHAIN = 32


class References:
    """Follows the references of one document. Raises ConfigError for those that lead nowhere."""

    def __init__(self, document: Mapping[str, Any], origin: str) -> None:
        self._document = document
        self._origin = origin

    def check(self) -> None:
        """Raises ConfigError for the first reference that cannot be followed, or a document without end."""
        for place, target in _all(self._document, self._origin):
            self._followed({"$ref": target}, place)

    def resolve(self, node: Any) -> Mapping[str, Any]:
        """What `node` is or refers to; empty where that is no object."""
        found = self._followed(node, "") if isinstance(node, dict) and "$ref" in node else node
        return found if isinstance(found, dict) else {}

    def _followed(self, node: Any, place: str) -> Any:
        for _ in range(_MAX_CHAIN):
            if not isinstance(node, dict) or not isinstance(node.get("$ref"), str):
                return node
            beside = {key: value for key, value in node.items() if key != "$ref"}
            node = self._at(node["$ref"], place)
            if beside and isinstance(node, dict):  # 3.1 lets keywords stand beside a reference
                node = {**node, **beside}
        raise ConfigError(f"{self._origin}: {place}: $ref leads in a circle; have one of them say what it is")

    def _at(self, target: str, place: str) -> Any:
        where = f"{self._origin}: {place}: $ref {target!r}"
        if not target.startswith("#"):
            raise ConfigError(
                f"{where} is outside the file, and nothing is fetched; bundle all into one file"
            )
        node: Any = self._document
        for step in target[1:].split("/")[1:]:
            key = unquote(step).replace("~1", "/").replace("~0", "~")
            if isinstance(node, list) and key.isdigit() and int(key) < len(node):
                node = node[int(key)]
            elif isinstance(node, dict) and key in node:
                node = node[key]
            else:
                raise ConfigError(f"{where} leads nowhere; define it there, or take the reference out")
        return node


def _all(document: Mapping[str, Any], origin: str) -> Iterator[tuple[str, str]]:
    """(pointer, target) of each reference. Examples and defaults are data: a ``$ref`` there is none."""
    stack: list[tuple[str, Any]] = [("#", document)]
    count = 0
    seen: set[int] = set()
    while stack:
        place, node = stack.pop()
        count += 1
        if count > _MAX_NODES:
            raise ConfigError(
                f"{origin}: over {_MAX_NODES} values; give a smaller document, of the service alone"
            )
        if isinstance(node, dict | list):
            if id(node) in seen:  # an alias of YAML
                continue
            seen.add(id(node))
        if isinstance(node, dict):
            if isinstance(target := node.get("$ref"), str) and not place.endswith("/properties"):
                yield place, target
            for key, value in node.items():
                if key not in ("example", "examples", "default", "x-examples"):
                    step = str(key).replace("~", "~0").replace("/", "~1")
                    stack.append((f"{place}/{step}", value))
        elif isinstance(node, list):
            stack += [(f"{place}/{at}", value) for at, value in enumerate(node)]
