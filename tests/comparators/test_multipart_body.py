"""Bodies of several parts, each compared as an answer of its own."""

import pytest

from comparators import compare
from shadow.model import Response

FIELD = 'Content-Disposition: form-data; name="{}"'
JSON = "Content-Type: application/json"


def parts(*given: tuple[str, str], kind: str = "mixed", boundary: str = "b") -> Response:
    text = "".join(f"--{boundary}\r\n{head}\r\n\r\n{body}\r\n" for head, body in given)
    field = f"multipart/{kind}; boundary={boundary}".encode()
    return Response(200, headers=((b"Content-Type", field),), body=f"{text}--{boundary}--\r\n".encode())


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        pytest.param(
            parts((JSON, '{"a":1,"b":2}')),
            parts((JSON.lower(), '{"b":2,"a":1}'), boundary="other"),
            [],
            id="boundary, letter case, members",
        ),
        pytest.param(
            parts((JSON, '{"a":1}')), parts((JSON, '{"a":2}')), ["body:part[0]:$.a value"], id="json"
        ),
        pytest.param(
            parts((JSON, "{}"), ("A: b", "t")), parts((JSON, "{}")), ["body:parts length"], id="a part gone"
        ),
        pytest.param(
            parts((FIELD.format("a"), "1"), (FIELD.format("b"), "2"), kind="form-data"),
            parts((FIELD.format("b"), "3"), (FIELD.format("a"), "1"), kind="form-data"),
            ["body:part.b:line[0] value"],
            id="parts with names have no order",
        ),
        pytest.param(
            parts((FIELD.format("a"), "1"), (FIELD.format("b"), "2"), kind="form-data"),
            parts((FIELD.format("a"), "1"), kind="form-data"),
            ["body:part.b missing"],
            id="a part with a name gone",
        ),
        pytest.param(
            parts(("Content-Range: bytes 0-1/9", "ab"), kind="byteranges"),
            parts(("Content-Range: bytes 0-1/8", "ab"), kind="byteranges"),
            ["body:part[0]:header:content-range value"],
            id="range of another whole",
        ),
        pytest.param(
            parts((JSON, "{}")), parts(("Content-Type: text/html", "<p>x")), None, id="a part of another kind"
        ),
    ],
)
def test_parts_are_compared_one_by_one(left: Response, right: Response, expected: list[str] | None) -> None:
    found = [f"{each.where} {each.change}" for each in compare(left, right)]
    if expected is None:
        assert "body:part[0] type" in found
    else:
        assert found == expected


def test_what_is_not_well_formed_is_told_as_that() -> None:
    whole = parts((JSON, "{}"))
    cut = Response(200, headers=whole.headers, body=whole.body[:20])
    assert [(each.where, each.change.value) for each in compare(whole, cut)] == [("body", "type")]
    shorter = Response(200, headers=whole.headers, body=whole.body[:19])
    assert [(each.where, each.change.value) for each in compare(cut, shorter)] == [("body", "length")]
