"""Schema files: which are read, and what is said of those that cannot be."""

import json
from pathlib import Path

import pytest

from shadow.config.schemas import load_schema
from shadow.config.tables import SchemaSettings
from shadow.errors import ConfigError
from shadow.model import Request

OPENAPI = {"openapi": "3.0.0", "paths": {"/x": {"get": {"responses": {"200": {"description": "ok"}}}}}}
YAML = """
openapi: 3.1.0
x-base: &base {type: integer, maximum: 5}
paths:
  /y:
    get:
      parameters:
        - {name: n, in: query, schema: *base}
      responses:
        200: {description: ok}
"""


def written(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


def test_nothing_configured_is_no_schema() -> None:
    assert load_schema(SchemaSettings()) is None


def test_several_files_are_one_schema(tmp_path: Path) -> None:
    files = (
        written(tmp_path, "a.json", json.dumps(OPENAPI)),
        written(tmp_path, "b.yaml", YAML),
        written(tmp_path, "c.graphql", "input A { b: Int! }"),
        written(tmp_path, "d.json", '{"data": {"__schema": {"types": []}}}'),
    )
    schema = load_schema(SchemaSettings(files))
    assert schema is not None
    assert schema.describe(Request(b"GET", b"/x")).documented is not None
    assert [hint.maximum for hint in schema.describe(Request(b"GET", b"/y?n=1")).hints] == [5]
    query = b'{"query": "query($a: A) { b(a: $a) }", "variables": {"a": {"b": 1}}}'
    assert schema.describe(Request(b"POST", b"/graphql", body=query)).hints
    assert schema.describe(Request(b"GET", b"/nowhere")).documented is None


@pytest.mark.parametrize(
    ("name", "text", "part"),
    [
        ("a.json", '{"openapi": ', "is no JSON at line 1 column"),
        ("a.yaml", "openapi: [", "is no YAML at line 1 column"),
        ("a.yaml", "a: &a [*a]", "alias"),
        ("a.yaml", "just text", "no object at its top"),
        ("a.yaml", "", "is empty"),
        ("a.json", '{"swagger": "1.2"}', "version '1.2'"),
        ("a.graphql", "type {", "line 1"),
        (
            "a.yaml",
            "openapi: 3.0.0\npaths: {/x: {get: {parameters: [{$ref: '#/nope'}]}}}",
            "'#/nope' leads nowhere",
        ),
        ("a.yaml", "openapi: !!python/object:os.system {}", "is no YAML"),
    ],
    ids=["JSON", "YAML", "itself", "text", "empty", "version", "SDL", "reference", "tag"],
)
def test_bad_files_are_named_with_the_place(tmp_path: Path, name: str, text: str, part: str) -> None:
    path = written(tmp_path, name, text)
    with pytest.raises(ConfigError) as caught:
        load_schema(SchemaSettings((path,)))
    assert path in str(caught.value)
    assert part in str(caught.value)


@pytest.mark.parametrize(
    ("name", "part"),
    [("http://x.example/openapi.json", "is a URL, and nothing is fetched"), ("no/such", "cannot read")],
)
def test_what_is_no_file_is_refused(name: str, part: str) -> None:
    with pytest.raises(ConfigError, match=part):
        load_schema(SchemaSettings((name,)))


def test_other_encodings_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"openapi: \xff")
    with pytest.raises(ConfigError, match="is no UTF-8 at byte 9"):
        load_schema(SchemaSettings((str(path),)))


def test_yaml_that_would_take_minutes_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "a.yaml", "a: b\n" * 1_000_000)
    with pytest.raises(ConfigError, match="turn it into JSON"):
        load_schema(SchemaSettings((path,)))
