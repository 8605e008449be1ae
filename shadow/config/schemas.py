"""Schema files to one schema. The home of the library that reads YAML."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from shadow.config.tables import SchemaSettings
from shadow.errors import ConfigError
from shadow.schema import Schema, Schemas, from_introspection, from_openapi, from_sdl

_MAX_BYTES = 64 * 1024 * 1024
_MAX_YAML_BYTES = 4 * 1024 * 1024
"""YAML takes a minute for so much."""
_SDL = (".graphql", ".graphqls", ".gql", ".sdl")


def load_schema(settings: SchemaSettings) -> Schema | None:
    """The schema of all configured files; None where there are none.

    Raises ConfigError that names the file, the place and the way out.
    """
    found = tuple(_read(name, settings.base) for name in settings.files)
    return Schemas(found) if found else None


def _read(name: str, base: str) -> Schema:
    if "://" in name:
        raise ConfigError(f"schema {name!r} is a URL, and nothing is fetched: give a file")
    try:
        raw = Path(name).read_bytes()
        text = raw.decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"cannot read schema {name!r}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"schema {name!r} is no UTF-8 at byte {error.start}; save it as UTF-8") from error
    if len(raw) > _MAX_BYTES:
        raise ConfigError(
            f"schema {name!r} has {len(raw)} bytes, over {_MAX_BYTES}; give the service's own alone"
        )
    if not text.strip():
        raise ConfigError(f"schema {name!r} is empty; give OpenAPI or GraphQL")
    if name.lower().endswith(_SDL):
        return from_sdl(text, name)
    document = _document(text, name)
    if "__schema" in document or isinstance(document.get("data"), dict):
        return from_introspection(document, name)
    return from_openapi(document, name, base=base)


def _document(text: str, name: str) -> Mapping[str, Any]:
    is_json = text.lstrip()[:1] == "{" and not name.lower().endswith((".yaml", ".yml"))
    tree = _json(text, name) if is_json else _yaml(text, name)
    if not isinstance(tree, dict):
        raise ConfigError(
            f"schema {name!r} is no object at its top; give OpenAPI as JSON or YAML, or GraphQL as .graphql"
        )
    return tree


def _json(text: str, name: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        where = f"line {error.lineno} column {error.colno}"
        raise ConfigError(f"schema {name!r} is no JSON at {where}: {error.msg}; put that right") from error


def _yaml(text: str, name: str) -> Any:
    if len(text) > _MAX_YAML_BYTES:
        raise ConfigError(f"schema {name!r} is YAML of over {_MAX_YAML_BYTES} bytes; turn it into JSON")
    try:
        return _plain(YAML(typ="safe", pure=True).load(text), name)
    except MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" at line {mark.line + 1} column {mark.column + 1}" if mark else ""
        raise ConfigError(f"schema {name!r} is no YAML{where}: {error.problem}; put that right") from error
    except (YAMLError, ValueError, TypeError, RecursionError) as error:
        raise ConfigError(f"schema {name!r} is no YAML: {str(error)[:200]}; put that right") from error


def _plain(tree: Any, name: str) -> Any:
    """The tree with its keys as text: response codes and the like are numbers to YAML.

    Raises ConfigError where a part holds itself, as aliases can.
    """
    done: dict[int, Any] = {}
    opened: set[int] = set()

    def walk(node: Any) -> Any:
        if not isinstance(node, dict | list):
            return node
        mark = id(node)
        if mark in opened:
            raise ConfigError(f"schema {name!r} has an alias of YAML that holds itself; use $ref instead")
        if mark not in done:
            opened.add(mark)
            done[mark] = (
                {str(key): walk(value) for key, value in node.items()}
                if isinstance(node, dict)
                else [walk(value) for value in node]
            )
            opened.discard(mark)
        return done[mark]

    return walk(tree)
