"""Refusals as frameworks really write them, and what is read out of each."""

import json
from gzip import compress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.content.complaint import MAX_HINTS, hints_of
from shadow.content.complaint_text import said
from shadow.model import Hint, Request, Response

REQUEST = Request(
    b"POST",
    b"/v1/x?page=1",
    headers=((b"Content-Type", b"application/json"),),
    body=b'{"limit":5,"name":"a","kind":"a","tags":["a"],"n":{"x":1},"user_name":"q"}',
)

TABLE: list[tuple[str, Any, list[Hint]]] = [
    (
        "pydantic",
        {
            "detail": [
                {
                    "type": "less_than",
                    "loc": ["body", "limit"],
                    "msg": "Input should be less than 100",
                    "input": 100,
                    "ctx": {"lt": 100},
                },
                {
                    "type": "string_too_long",
                    "loc": ["body", "name"],
                    "msg": "String should have at most 10 characters",
                    "input": "AAA",
                    "ctx": {"max_length": 10},
                },
                {
                    "type": "literal_error",
                    "loc": ["body", "kind"],
                    "msg": "Input should be 'a', 'b' or 'c'",
                    "input": "x",
                    "ctx": {"expected": "'a', 'b' or 'c'"},
                },
                {
                    "type": "too_long",
                    "loc": ["body", "tags"],
                    "msg": "List should have at most 3 items after validation, not 4",
                    "ctx": {"field_type": "List", "max_length": 3, "actual_length": 4},
                },
                {
                    "type": "missing",
                    "loc": ["body", "need"],
                    "msg": "Field required",
                    "input": {"limit": 100},
                },
                {
                    "type": "int_parsing",
                    "loc": ["query", "page"],
                    "msg": "Input should be a valid integer, unable to parse string as an integer",
                    "input": "x",
                },
                {
                    "type": "extra_forbidden",
                    "loc": ["zz"],
                    "msg": "Extra inputs are not permitted",
                    "input": 1,
                },
            ]
        },
        [
            Hint("body:$.limit", maximum=100, is_below=True),
            Hint("body:$.name", kind="string", max_size=10),
            Hint("body:$.kind", words=("a", "b", "c")),
            Hint("body:$.tags", kind="array", max_size=3),
            Hint("body:$.need", is_required=True),
            Hint("query:page", kind="integer"),
        ],
    ),
    (
        "marshmallow",
        {
            "limit": ["Must be greater than or equal to 1 and less than or equal to 100."],
            "name": ["Length must be between 2 and 10."],
            "kind": ["Must be one of: a, b."],
            "need": ["Missing data for required field."],
            "n": {"x": ["Must be less than or equal to 5."]},
            "tags": {"0": ["Not a valid integer."]},
            "zz": ["Unknown field."],
        },
        [
            Hint("body:$.limit", minimum=1, maximum=100),
            Hint("body:$.name", kind="string", min_size=2, max_size=10),
            Hint("body:$.kind", words=("a", "b")),
            Hint("body:$.need", is_required=True),
            Hint("body:$.n.x", maximum=5),
            Hint("body:$.tags[]", kind="integer"),
        ],
    ),
    (
        "webargs",
        {
            "errors": {
                "json": {"limit": ["Must be less than or equal to 100."]},
                "query": {"page": ["Must be less than or equal to 9."]},
            }
        },
        [Hint("body:$.limit", maximum=100), Hint("query:page", maximum=9)],
    ),
    (
        "drf",
        {
            "limit": ["Ensure this value is less than or equal to 100."],
            "name": ["Ensure this field has no more than 10 characters."],
            "kind": ['"q" is not a valid choice.'],
            "need": ["This field is required."],
        },
        [
            Hint("body:$.limit", maximum=100),
            Hint("body:$.name", kind="string", max_size=10),
            Hint("body:$.need", is_required=True),
        ],
    ),
    (
        "rails",
        {
            "errors": {
                "limit": ["must be less than or equal to 100"],
                "name": ["is too long (maximum is 10 characters)", "can't be blank"],
            }
        },
        [
            Hint("body:$.limit", maximum=100),
            Hint("body:$.name", kind="string", max_size=10),
            Hint("body:$.name", is_required=True),
        ],
    ),
    (
        "rails2",
        {
            "errors": [
                "Limit must be less than or equal to 100",
                "User name is too short (minimum is 3 characters)",
            ]
        },
        [Hint("body:$.limit", maximum=100)],
    ),
    (
        "laravel",
        {
            "message": "The limit field must not be greater than 100. (and 1 more error)",
            "errors": {
                "limit": ["The limit field must not be greater than 100."],
                "n.x": ["The n.x field must be an integer."],
            },
        },
        [Hint("body:$.limit", maximum=100), Hint("body:$.n.x", kind="integer")],
    ),
    (
        "spring",
        {
            "timestamp": "2024",
            "status": 400,
            "error": "Bad Request",
            "errors": [
                {
                    "codes": ["Max.req.limit"],
                    "defaultMessage": "must be less than or equal to 100",
                    "objectName": "req",
                    "field": "limit",
                    "rejectedValue": 101,
                    "code": "Max",
                }
            ],
            "path": "/v1/x",
        },
        [Hint("body:$.limit", maximum=100)],
    ),
    (
        "jackson",
        {
            "status": 400,
            "detail": 'JSON parse error: Unrecognized field "zz" (class com.x.Req), not marked as ignorable '
            '(2 known properties: "limit", "colour"])',
        },
        [Hint("body:$.limit"), Hint("body:$.colour")],
    ),
    (
        "dotnet",
        {
            "type": "https://tools.ietf.org/html/rfc9110#section-15.5.1",
            "title": "One or more validation errors occurred.",
            "status": 400,
            "errors": {
                "Limit": ["The field Limit must be between 1 and 100."],
                "UserName": ["The UserName field is required."],
            },
            "traceId": "00-1",
        },
        [Hint("body:$.limit", minimum=1, maximum=100), Hint("body:$.user_name", is_required=True)],
    ),
    (
        "ajv",
        [
            {
                "instancePath": "/limit",
                "schemaPath": "#/properties/limit/maximum",
                "keyword": "maximum",
                "params": {"comparison": "<=", "limit": 100},
                "message": "must be <= 100",
            },
            {
                "instancePath": "/kind",
                "keyword": "enum",
                "params": {"allowedValues": ["a", "b"]},
                "message": "must be equal to one of the allowed values",
            },
            {
                "instancePath": "",
                "keyword": "required",
                "params": {"missingProperty": "need"},
                "message": "must have required property 'need'",
            },
            {
                "instancePath": "/name",
                "keyword": "maxLength",
                "params": {"limit": 10},
                "message": "must NOT have more than 10 characters",
            },
        ],
        [
            Hint("body:$.limit", maximum=100),
            Hint("body:$.kind", words=("a", "b")),
            Hint("body:$.need", is_required=True),
            Hint("body:$.name", kind="string", max_size=10),
        ],
    ),
    (
        "express",
        {
            "errors": [
                {
                    "type": "field",
                    "value": "x",
                    "msg": "must be at most 100",
                    "path": "limit",
                    "location": "body",
                },
                {"type": "field", "msg": "Invalid value", "path": "page", "location": "query"},
                {"msg": "must be an integer", "param": "page", "location": "query"},
            ]
        },
        [Hint("body:$.limit", maximum=100), Hint("query:page", kind="integer")],
    ),
    (
        "joi",
        {
            "statusCode": 400,
            "error": "Bad Request",
            "message": '"limit" must be less than or equal to 100',
            "validation": {"source": "payload", "keys": ["limit"]},
        },
        [Hint("body:$.limit", maximum=100)],
    ),
    (
        "joi2",
        {
            "details": [
                {
                    "message": '"limit" must be less than or equal to 100',
                    "path": ["limit"],
                    "type": "number.max",
                    "context": {"limit": 100, "value": 101, "label": "limit", "key": "limit"},
                },
                {
                    "message": '"name" length must be less than or equal to 10 characters long',
                    "path": ["name"],
                    "type": "string.max",
                    "context": {"limit": 10, "label": "name"},
                },
                {
                    "message": '"kind" must be one of [a, b]',
                    "path": ["kind"],
                    "type": "any.only",
                    "context": {"valids": ["a", "b"]},
                },
            ]
        },
        [
            Hint("body:$.limit", maximum=100),
            Hint("body:$.name", kind="string", max_size=10),
            Hint("body:$.kind", words=("a", "b")),
        ],
    ),
    (
        "zod",
        {
            "success": False,
            "error": {
                "issues": [
                    {
                        "code": "too_big",
                        "maximum": 100,
                        "type": "number",
                        "inclusive": True,
                        "exact": False,
                        "message": "Number must be less than or equal to 100",
                        "path": ["limit"],
                    },
                    {
                        "received": "x",
                        "code": "invalid_enum_value",
                        "options": ["a", "b"],
                        "path": ["kind"],
                        "message": "Invalid enum value. Expected 'a' | 'b', received 'x'",
                    },
                    {
                        "code": "invalid_type",
                        "expected": "string",
                        "received": "undefined",
                        "path": ["n", "y"],
                        "message": "Required",
                    },
                ],
                "name": "ZodError",
            },
        },
        [
            Hint("body:$.limit", kind="number", maximum=100),
            Hint("body:$.kind", words=("a", "b")),
            Hint("body:$.n.y", kind="string", is_required=True),
        ],
    ),
    (
        "nest",
        {
            "statusCode": 400,
            "message": [
                "limit must not be greater than 100",
                "kind must be one of the following values: a, b",
            ],
            "error": "Bad Request",
        },
        [Hint("body:$.limit", maximum=100), Hint("body:$.kind", words=("a", "b"))],
    ),
    (
        "go",
        {"error": "Key: 'Req.UserName' Error:Field validation for 'UserName' failed on the 'required' tag"},
        [Hint("body:$.user_name", is_required=True)],
    ),
    (
        "gojson",
        {"error": "json: cannot unmarshal string into Go struct field Req.limit of type int"},
        [Hint("body:$.limit", kind="integer")],
    ),
    (
        "jsonapi",
        {
            "errors": [
                {
                    "status": "422",
                    "source": {"pointer": "/data/attributes/limit"},
                    "title": "Invalid",
                    "detail": "must be less than or equal to 100",
                },
                {"source": {"parameter": "page"}, "detail": "must be at least 1"},
            ]
        },
        [Hint("body:$.limit", maximum=100), Hint("query:page", minimum=1)],
    ),
    (
        "rfc9457",
        {
            "type": "https://x/y",
            "title": "Your request is not valid.",
            "errors": [{"detail": "must be a positive integer", "pointer": "#/limit"}],
            "invalid-params": [{"name": "n.x", "reason": "must be between 1 and 5"}],
        },
        [
            Hint("body:$.limit", kind="integer", minimum=0, is_above=True),
            Hint("body:$.n.x", minimum=1, maximum=5),
        ],
    ),
    (
        "graphql",
        {
            "errors": [
                {
                    "message": "Cannot query field 'instanc' on type 'Query'. Did you mean 'instance'?",
                    "locations": [{"line": 1, "column": 2}],
                }
            ]
        },
        [Hint("graphql:instance")],
    ),
    (
        "plain",
        "unknown field 'x'; 'limit' must be between 1 and 50",
        [Hint("body:$.limit", minimum=1, maximum=50)],
    ),
    (
        "flat",
        {"error": {"code": "invalid", "message": "limit must be at most 100"}},
        [Hint("body:$.limit", maximum=100)],
    ),
    ("flat2", {"error": "invalid limit: must be <= 100"}, [Hint("body:$.limit", maximum=100)]),
    (
        "graphql variable",
        {
            "errors": [
                {
                    "message": 'Variable "$in" got invalid value {}; '
                    'Field "name" of required type "String!" was not provided.',
                    "locations": [{"line": 1, "column": 2}],
                }
            ]
        },
        [Hint("body:$.variables.in.name", kind="string", is_required=True)],
    ),
    (
        "graphql enum",
        {
            "errors": [
                {
                    "message": 'Variable "$s" got invalid value "x" at "s.status"; '
                    'Value "x" does not exist in "Status" enum. '
                    'Did you mean the enum value "UP"?'
                }
            ]
        },
        [Hint("body:$.variables.s.status", words=("UP",))],
    ),
    (
        "path and msg",
        [
            {"path": "$.limit", "msg": "must be from 1 to 64"},
            {"path": "query:page", "msg": "must be from 1 to 9"},
            {"path": "header:X-Key", "msg": "must be 1 to 255 visible characters"},
            {"path": "$.tags", "msg": "must be an array of at most 8"},
        ],
        [
            Hint("body:$.limit", minimum=1, maximum=64),
            Hint("query:page", minimum=1, maximum=9),
            Hint("header:x-key", "string", min_size=1, max_size=255),
            Hint("body:$.tags", "array", max_size=8),
        ],
    ),
    ("nothing told", {"error": "Bad Request", "status": 400}, []),
    ("page", "<html><body>limit must be at most 100</body></html>", []),
    ("cut", '{"errors": {"limit": ["must be', []),
]


@pytest.mark.parametrize(("name", "answer", "expected"), TABLE, ids=[name for name, _, _ in TABLE])
def test_refusals_tell_limits_names_and_types(name: str, answer: Any, expected: list[Hint]) -> None:
    body = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
    status = 200 if name.startswith("graphql") else 422
    assert list(hints_of(REQUEST, Response(status, body=body))) == expected


@pytest.mark.parametrize(
    ("request_", "name", "place"),
    [
        (Request(b"GET", b"/x?limit=9"), "limit", "query:limit"),
        (Request(b"GET", b"/x?Page-Size=9"), "page_size", "query:Page-Size"),
        (Request(b"GET", b"/x"), "limit", "query:limit"),
        (
            Request(
                b"POST",
                b"/x",
                headers=((b"Content-Type", b"application/x-www-form-urlencoded"),),
                body=b"limit=1",
            ),
            "limit",
            "body:limit",
        ),
        (Request(b"POST", b"/x", body=b'{"a": {"limit": 1}}'), "limit", "body:$.a.limit"),
        (Request(b"POST", b"/x", body=b'{"a": {"limit": 1}, "b": {"limit": 2}}'), "limit", "body:$.limit"),
        (Request(b"POST", b"/x?limit=1", body=b'{"limit": 1}'), "limit", "query:limit"),
    ],
    ids=["query", "spelled otherwise", "lacking", "form", "nested", "twice", "query first"],
)
def test_a_bare_name_is_looked_for_in_the_request(request_: Request, name: str, place: str) -> None:
    answer = Response(400, body=f"'{name}' must be at most 5".encode())
    assert [hint.place for hint in hints_of(request_, answer)] == [place]


@pytest.mark.parametrize("status", [200, 301, 401, 403, 429, 500])
def test_what_is_no_refusal_tells_nothing(status: int) -> None:
    body = b'{"limit": ["must be at most 100"]}'
    assert hints_of(REQUEST, Response(status, body=body)) == ()


def test_coded_refusals_are_read() -> None:
    body = compress(b'{"limit": ["must be at most 100"]}')
    answer = Response(422, headers=((b"Content-Encoding", b"gzip"),), body=body)
    assert hints_of(REQUEST, answer) == (Hint("body:$.limit", maximum=100),)


SENTENCES = [
    ("must be less than 100", Hint("", maximum=100, is_below=True)),
    ("Ensure this value is greater than 0", Hint("", minimum=0, is_above=True)),
    ("101 is greater than the maximum of 100", Hint("", maximum=100)),
    ("limit out of range [1, 100]", Hint("", minimum=1, maximum=100)),
    ("vcpus must be from 1 to 64", Hint("", minimum=1, maximum=64)),
    ("must be a positive integer", Hint("", "integer", minimum=0, is_above=True)),
    ("maximum length is 64", Hint("", "string", max_size=64)),
    ("is too long (maximum is 64 characters)", Hint("", "string", max_size=64)),
    ("must be less than 10 characters", Hint("", "string", max_size=9)),
    ("must contain at least 2 items", Hint("", "array", min_size=2)),
    ("must be one of the following values: a, b", Hint("", words=("a", "b"))),
    ("Input should be 'a', 'b' or 'c'", Hint("", words=("a", "b", "c"))),
    ("unknown variant `x`, expected one of `a`, `b`", Hint("", words=("a", "b"))),
    ("Invalid enum value. Expected 'a' | 'b', received 'x'", Hint("", words=("a", "b"))),
    ("not one of the values accepted for Enum class: [A, B]", Hint("", words=("A", "B"))),
    ("should match pattern '^[a-z]+$'", Hint("", pattern="^[a-z]+$")),
    ("Enter a valid email address.", Hint("", form="email")),
    ("Not a valid UUID.", Hint("", form="uuid")),
    ("A valid integer is required.", Hint("", "integer")),
    ("This field is required.", Hint("", is_required=True)),
    ("can't be blank", Hint("", is_required=True)),
    ("Ensure that there are no more than 2 decimal places.", Hint("")),
    ("You may send at most 100 requests per minute", Hint("")),
    ("must be between 9 and 3", Hint("")),
    ("is not included in the list", Hint("")),
    ("unknown field 'x'", Hint("")),
    ("Something went wrong.", Hint("")),
]


@pytest.mark.parametrize(("text", "hint"), SENTENCES, ids=[text for text, _ in SENTENCES])
def test_sentences_say_limits_or_nothing(text: str, hint: Hint) -> None:
    assert said(text).hint == hint


@pytest.mark.parametrize(
    ("text", "name", "names"),
    [
        ("'limit' must be at most 5", "limit", ()),
        ("limit: must be at most 5", "limit", ()),
        ("The limit field must be at most 5", "limit", ()),
        ("missing required parameter 'id'", "id", ()),
        ("Value must be at most 5", "", ()),
        ("'x' is not one of ['a', 'b']", "", ()),
        ("unknown field `x`, expected one of `a`, `b`", "", ("a", "b")),
        ('Unrecognized field "z" (2 known properties: "a", "b"])', "", ("a", "b")),
        ("Unknown argument 'lim' on field 'q'. Did you mean 'id' or 'limit'?", "", ("id", "limit")),
    ],
)
def test_sentences_say_names(text: str, name: str, names: tuple[str, ...]) -> None:
    heard = said(text)
    assert (heard.name, heard.names) == (name, names)


trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(
            st.sampled_from(
                ("errors", "loc", "msg", "path", "message", "ctx", "detail", "field", "a", "source")
            )
            | st.text(max_size=5),
            inner,
            max_size=5,
        )
    ),
    max_leaves=30,
)


@given(trees, st.binary(max_size=60))
def test_mining_never_raises_and_is_bounded(tree: object, raw: bytes) -> None:
    for body in (json.dumps(tree, default=str).encode(), raw):
        for status in (200, 422):
            assert len(hints_of(REQUEST, Response(status, body=body))) <= MAX_HINTS


@given(st.text(max_size=300))
def test_sentences_never_raise(text: str) -> None:
    assert said(text).hint.place == ""


@pytest.mark.parametrize("piece", ["a, ", "'a' or ", "must be ", "between 1 ", "1..", "(", "'"])
def test_long_sentences_cost_little(piece: str) -> None:
    said("one of: " + piece * 20_000)


def test_a_refusal_with_a_thousand_complaints_gives_a_bounded_number() -> None:
    body = json.dumps({f"f{n}": [f"must be at most {n}"] for n in range(1000)}).encode()
    assert len(hints_of(REQUEST, Response(422, body=body))) == MAX_HINTS
