"""GraphQL schemas, as SDL and as introspection: the types of a query's variables."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.errors import ConfigError
from shadow.model import Hint, Request
from shadow.schema import Schema, from_introspection, from_sdl

SDL = '''
"""Says: type Fake { } input No { a: Int }"""
schema @link(url: "x", import: ["@key"]) { query: Query mutation: Mutation }
directive @auth(role: Role = ADMIN) repeatable on FIELD_DEFINITION | INPUT_FIELD_DEFINITION
scalar Date @specifiedBy(url: "x")
scalar Version
enum Role { "the boss" ADMIN @deprecated(reason: "no") USER }
interface Node { id: ID! }
type Pet implements Node & Named @key(fields: "id") { id: ID! name(short: Boolean = false): String }
union Any = Pet | Cat
type Query { pet(id: ID!): Pet }
extend type Query { pets(first: Int = 10, where: Filter): [Pet!]! }
# a comment { with a brace
input NewPet {
  name: String! @constraint(maxLength: 5)
  age: Int! = 3, note: String = "a } b", role: Role
  tags: [String!]!
  parent: NewPet
}
input Filter { role: Role!, before: Date }
extend enum Role { GUEST }
'''
INTROSPECTION = {
    "data": {
        "__schema": {
            "types": [
                {
                    "kind": "ENUM",
                    "name": "Role",
                    "enumValues": [{"name": "ADMIN"}, {"name": "USER"}, {"name": "GUEST"}],
                },
                {
                    "kind": "INPUT_OBJECT",
                    "name": "Filter",
                    "inputFields": [
                        {
                            "name": "role",
                            "type": {"kind": "NON_NULL", "ofType": {"kind": "ENUM", "name": "Role"}},
                        },
                        {"name": "before", "type": {"kind": "SCALAR", "name": "Date"}},
                    ],
                },
                {"kind": "SCALAR", "name": "Int"},
                7,
            ]
        }
    }
}


def told(schema: Schema, query: str) -> dict[str, Hint]:
    body = json.dumps({"query": query, "variables": {}}).encode()
    return {
        hint.place.removeprefix("body:$.variables."): hint
        for hint in schema.describe(Request(b"POST", b"/graphql", body=body)).hints
    }


@pytest.mark.parametrize(
    "schema", [from_sdl(SDL, "a"), from_introspection(INTROSPECTION, "a")], ids=["SDL", "answer"]
)
def test_variables_have_the_types_that_the_query_declares(schema: Schema) -> None:
    found = told(
        schema, "query Q($n: Int!, $f: Filter, $r: [Role!] = [USER], $x: ID) { pets(first: $n) { id } }"
    )
    assert set(found) == {"n", "f", "f.role", "f.before", "r", "r[]", "x"}
    assert (found["n"].kind, found["n"].maximum, found["n"].is_required) == ("integer", 2**31 - 1, True)
    assert found["f.role"].words == found["r[]"].words == ("ADMIN", "USER", "GUEST")
    assert found["f"].is_closed
    assert not any(hint.is_documented for hint in found.values()), "GraphQL refuses with 200"


def test_inputs_with_defaults_directives_and_themselves_inside() -> None:
    found = told(from_sdl(SDL, "a"), "mutation($pet:NewPet!){add(pet:$pet){id}}")
    assert found["pet.name"].is_required
    assert not found["pet.age"].is_required, "it has a default"
    assert found["pet.note"].kind == "string"
    assert found["pet.tags[]"].kind == "string"
    assert "pet.parent.parent.name" in found


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"7", b'{"query": 7}', b'{"a": "query"}', b'{"query": "{ pets }"}', b"\xff"]
)
def test_what_is_no_query_with_variables_has_no_hints(body: bytes) -> None:
    assert from_sdl(SDL, "a").describe(Request(b"POST", b"/graphql", body=body)).hints == ()


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("   # nothing", "no definition"),
        ("openapi: 3.0.0", "line 1: 'openapi' begins no definition"),
        ("input A {\n a Int }", "line 2: ':' is missing before 'Int'"),
        ("input A { a: }", "a type is missing before '}'"),
        ("input A { a: Int", "ends"),
        ("type A { a: Int", "a bracket is not closed"),
        ("enum A { 7 }", "a name is missing before '7'"),
    ],
    ids=["empty", "YAML", "colon", "type", "cut", "open", "number"],
)
def test_bad_sdl_is_refused_with_its_line(text: str, part: str) -> None:
    with pytest.raises(ConfigError, match=r"^a\.graphql: ") as caught:
        from_sdl(text, "a.graphql")
    assert part in str(caught.value)


@pytest.mark.parametrize("document", [{}, {"data": None}, {"data": {"__schema": {"types": 7}}}])
def test_what_is_no_introspection_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="whole answer to an introspection"):
        from_introspection(document, "a.json")


@given(st.text('inputype enum{}()[]:!=|&@"#.,\n aZ7', max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(ConfigError):
        from_sdl(text, "a")
