"""OpenAPI and Swagger documents: what they say of requests, and what is wrong with bad ones."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.errors import ConfigError
from shadow.model import Documented, Hint, Request
from shadow.schema import from_openapi
from shadow.schema.constraints import MAX_HINTS

PETS: dict[str, Any] = {
    "openapi": "3.0.3",
    "info": {"title": "pets", "version": "1"},
    "servers": [
        {"url": "https://{region}.pets.example/api/{v}", "variables": {"v": {"default": "v3"}, "region": {}}}
    ],
    "paths": {
        "/pets": {
            "parameters": [{"$ref": "#/components/parameters/Trace"}],
            "get": {
                "parameters": [
                    {
                        "name": "limit",
                        "in": "query",
                        "schema": {"type": "integer", "minimum": 1, "maximum": 100, "exclusiveMaximum": True},
                    },
                    {"name": "status", "in": "query", "schema": {"enum": ["sold", "free"]}, "required": True},
                    {"name": "X-Trace", "in": "header", "schema": {"type": "string", "maxLength": 8}},
                ]
            },
            "post": {
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json; charset=utf-8": {"schema": {"$ref": "#/components/schemas/NewPet"}}
                    },
                }
            },
        },
        "/pets/{petId}": {
            "get": {
                "parameters": [
                    {"name": "petId", "in": "path", "required": True, "schema": {"format": "uuid"}}
                ]
            },
            "delete": {},
        },
        "/pets/mine": {"get": {}},
        "/files/{name}.{ext}": {"get": {}},
    },
    "components": {
        "parameters": {"Trace": {"name": "X-Trace", "in": "header", "schema": {"type": "integer"}}},
        "schemas": {
            "Named": {
                "type": "object",
                "required": ["name"],
                "properties": {
                    "name": {"type": "string", "minLength": 2, "maxLength": 20, "pattern": "^[a-z]+$"}
                },
            },
            "NewPet": {
                "allOf": [
                    {"$ref": "#/components/schemas/Named"},
                    {
                        "required": ["age"],
                        "properties": {
                            "id": {"type": "integer", "readOnly": True},
                            "age": {"type": "integer", "minimum": 0, "maximum": 30.0},
                            "tag": {"type": "string", "nullable": True},
                            "parent": {"$ref": "#/components/schemas/NewPet"},
                            "odd key": {"type": "boolean"},
                            "likes": {
                                "type": "array",
                                "maxItems": 3,
                                "items": {"type": "string", "enum": ["a", "b"]},
                            },
                            "home": {"oneOf": [{"$ref": "#/components/schemas/Named"}, {"type": "string"}]},
                        },
                    },
                ]
            },
        },
    },
}
NEW: dict[str, Any] = {
    "openapi": "3.1.0",
    "paths": {
        "/x": {
            "post": {
                "requestBody": {
                    "content": {
                        "application/merge-patch+json": {
                            "schema": {
                                "type": ["object", "null"],
                                "additionalProperties": False,
                                "properties": {
                                    "n": {
                                        "type": ["integer", "null"],
                                        "exclusiveMinimum": 0,
                                        "exclusiveMaximum": 9,
                                    },
                                    "c": {"const": "on"},
                                    "u": {"anyOf": [{"type": "string", "maxLength": 4}, {"type": "null"}]},
                                    "any": True,
                                },
                            }
                        }
                    }
                }
            }
        }
    },
}
OLD: dict[str, Any] = {
    "swagger": "2.0",
    "basePath": "/v2",
    "consumes": ["application/json"],
    "paths": {
        "/pet": {
            "post": {
                "parameters": [
                    {"in": "body", "name": "body", "required": True, "schema": {"$ref": "#/definitions/Pet"}}
                ]
            },
            "get": {"parameters": [{"in": "query", "name": "n", "type": "integer", "maximum": 5}]},
        },
        "/form": {
            "post": {
                "consumes": ["application/x-www-form-urlencoded"],
                "parameters": [
                    {"in": "formData", "name": "name", "type": "string", "maxLength": 3, "required": True}
                ],
            }
        },
    },
    "definitions": {"Pet": {"type": "object", "properties": {"kind": {"enum": ["cat", "dog"]}}}},
}


def told(document: dict[str, Any], method: bytes, target: bytes, base: str = "") -> dict[str, Hint]:
    described = from_openapi(document, "api.json", base=base).describe(Request(method, target))
    return {hint.place: hint for hint in described.hints}


def test_parameters_have_their_limits_and_the_operation_wins_over_the_path() -> None:
    assert told(PETS, b"GET", b"/api/v3/pets?limit=1") == {
        "query:limit": Hint("query:limit", "integer", 1, 100, is_below=True, is_documented=True),
        "query:status": Hint("query:status", words=("sold", "free"), is_required=True, is_documented=True),
        "header:x-trace": Hint("header:x-trace", "string", max_size=8, is_documented=True),
    }


def test_bodies_are_read_through_references_and_all_of() -> None:
    found = told(PETS, b"POST", b"/api/v3/pets")
    assert found["body:$.name"] == Hint(
        "body:$.name",
        "string",
        min_size=2,
        max_size=20,
        pattern="^[a-z]+$",
        is_required=True,
        is_documented=True,
    )
    assert found["body:$.age"] == Hint("body:$.age", "integer", 0, 30, is_required=True, is_documented=True)
    assert found["body:$.tag"].is_nullable
    assert found['body:$["odd key"]'].kind == "boolean"
    assert (found["body:$.likes"].kind, found["body:$.likes"].max_size) == ("array", 3)
    assert found["body:$.likes[]"].words == ("a", "b")
    assert "body:$.id" not in found, "nobody sends what is read-only"
    assert not found["body:$.home.name"].is_documented, "it may be a string instead"
    assert found["body:$.parent.parent.name"].is_documented, "a schema may hold itself"


def test_types_may_be_lists_and_bounds_exclusive_since_31() -> None:
    found = told(NEW, b"POST", b"/x")
    assert found["body:$"].is_closed
    assert found["body:$.n"] == Hint(
        "body:$.n", "integer", 0, 9, is_above=True, is_below=True, is_nullable=True, is_documented=True
    )
    assert found["body:$.c"].words == ("on",)
    assert found["body:$.u"] == Hint("body:$.u", "string", max_size=4, is_nullable=True, is_documented=True)
    assert "body:$.any" not in found


def test_swagger_has_bodies_forms_and_types_beside_the_name() -> None:
    assert told(OLD, b"POST", b"/v2/pet")["body:$.kind"].words == ("cat", "dog")
    assert told(OLD, b"GET", b"/v2/pet")["query:n"].maximum == 5
    assert told(OLD, b"POST", b"/v2/form") == {
        "body:name": Hint("body:name", "string", max_size=3, is_required=True, is_documented=True)
    }


@pytest.mark.parametrize(
    ("target", "methods"),
    [
        (b"/api/v3/pets", ("GET", "POST")),
        (b"/api/v3/pets/", ("GET", "POST")),
        (b"http://h/api/v3/pets?x=1", ("GET", "POST")),
        (b"/api/v3/pets/7", ("GET", "DELETE")),
        (b"/api/v3/pets/mine", ("GET",)),
        (b"/pets/7", ("GET", "DELETE")),
        (b"/api/v3/files/a.txt", ("GET",)),
        (b"/api/v3/files/txt", None),
        (b"/api/v3/pets/7/8", None),
        (b"/api/v4/pets", None),
        (b"", None),
        (b"*", None),
    ],
)
def test_paths_are_matched_by_their_templates(target: bytes, methods: tuple[str, ...] | None) -> None:
    documented = from_openapi(PETS, "api.json").describe(Request(b"GET", target)).documented
    assert (documented.methods if documented else None) == methods


def test_segments_count_from_the_end_and_a_base_may_be_given() -> None:
    assert "path:-1" in told(PETS, b"GET", b"/api/v3/pets/7")
    assert "path:-1" in told(PETS, b"GET", b"/pets/7")
    assert "path:-1" in told(PETS, b"GET", b"/own/pets/7", base="own/")
    assert told(PETS, b"GET", b"/api/v3/pets/7", base="own") == {}


def test_an_undocumented_method_tells_the_path_alone() -> None:
    described = from_openapi(PETS, "api.json").describe(Request(b"PATCH", b"/pets"))
    assert described.hints == ()
    assert described.documented == Documented(("GET", "POST"))
    assert from_openapi(PETS, "api.json").describe(Request(b"POST", b"/pets")).documented == Documented(
        ("GET", "POST"), (), ("application/json",)
    )


def with_schema(schema: Any) -> dict[str, Any]:
    content = {"application/json": {"schema": schema}}
    return {"openapi": "3.0.0", "paths": {"/x": {"post": {"requestBody": {"content": content}}}}}


@pytest.mark.parametrize(
    ("document", "part"),
    [
        ({}, "neither 'openapi' nor 'swagger'"),
        ({"openapi": "4.0"}, "version '4.0'"),
        ({"openapi": "3.0.0"}, "#/paths is no object"),
        ({"openapi": "3.0.0", "paths": {"/x": 7}}, "#/paths//x"),
        (
            with_schema({"$ref": "#/components/schemas/No"}),
            "'#/components/schemas/No' leads nowhere; define it",
        ),
        (
            with_schema({"$ref": "other.yaml#/Pet"}),
            "'other.yaml#/Pet' is outside the file, and nothing is fetched",
        ),
        (with_schema({"$ref": "https://x.example/a.json"}), "is outside the file"),
        (
            with_schema({"$ref": "#/a"}) | {"a": {"$ref": "#/b"}, "b": {"$ref": "#/a"}},
            "leads in a circle",
        ),
    ],
    ids=["nothing", "version", "no paths", "path", "missing", "other file", "URL", "circle"],
)
def test_bad_documents_are_refused_with_file_place_and_way_out(document: dict[str, Any], part: str) -> None:
    with pytest.raises(ConfigError) as caught:
        from_openapi(document, "api.json")
    assert str(caught.value).startswith("api.json: #")
    assert part in str(caught.value)


def test_a_reference_in_an_example_or_as_a_property_is_none() -> None:
    schema = {"properties": {"$ref": {"type": "string"}}, "example": {"$ref": "#/nowhere"}}
    assert from_openapi(with_schema(schema), "api.json").describe(Request(b"POST", b"/x")).hints


def test_very_many_properties_give_a_bounded_number_of_hints() -> None:
    deep: dict[str, Any] = {"type": "string"}
    for _ in range(60):
        deep = {"properties": {"a": deep, "b": deep}}
    wide = {"properties": {f"p{n}": {"type": "string"} for n in range(5000)}}
    for schema in (deep, wide):
        described = from_openapi(with_schema(schema), "api.json").describe(Request(b"POST", b"/x"))
        assert 0 < len(described.hints) <= MAX_HINTS


def test_alternatives_of_alternatives_are_not_followed_for_ever() -> None:
    for key in ("oneOf", "allOf"):
        document = with_schema({"$ref": "#/s"}) | {"s": {key: [{"$ref": "#/s"}] * 8}}
        assert from_openapi(document, "api.json").describe(Request(b"POST", b"/x")).hints == ()


words = st.sampled_from(
    (
        "type",
        "properties",
        "items",
        "allOf",
        "oneOf",
        "enum",
        "minimum",
        "maxLength",
        "required",
        "nullable",
        "a",
    )
)
trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(("string", "integer", "null", "a", "array")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=4),
    max_leaves=20,
)


@given(trees)
def test_no_schema_makes_describing_raise(schema: object) -> None:
    from_openapi(with_schema(schema), "api.json").describe(Request(b"POST", b"/x"))


@pytest.mark.parametrize(
    ("kind", "longest"),
    [(b"application/json", 5), (b"application/vnd.v2+json; charset=utf-8", 9), (b"text/csv", None)],
)
def test_a_body_is_described_by_the_schema_of_its_own_type(kind: bytes, longest: int | None) -> None:
    content = {
        name: {"schema": {"type": "object", "properties": {"name": {"type": "string", "maxLength": size}}}}
        for name, size in (("application/json", 5), ("application/vnd.v2+json", 9))
    }
    document = {"openapi": "3.1.0", "paths": {"/pets": {"post": {"requestBody": {"content": content}}}}}
    request = Request(b"POST", b"/pets", headers=((b"Content-Type", kind),), body=b"{}")
    hints = {hint.place: hint for hint in from_openapi(document, "x.yaml").describe(request).hints}
    assert (hints["body:$.name"].max_size if hints else None) == longest
