"""Places in answers: what they are called, and what holds them."""

import pytest

from shadow.judge.places import name, parent


@pytest.mark.parametrize(
    ("where", "name_", "parent_"),
    [
        ("body:$.a.b", "b", "body:$.a"),
        ("body:$.items[3].price", "price", "body:$.items[3]"),
        ("body:$.items[3]", "items", "body:$"),
        ('body:$["a.b"]', "a.b", "body:$"),
        ('body:$["a.b"].c', "c", 'body:$["a.b"]'),
        ('body:$.x["a.b[0]"][2]', "a.b[0]", "body:$.x"),
        ('body:$.x["say \\"x.y\\""]', 'say \\"x.y\\"', "body:$.x"),
        ('body:$["created.at"]', "created.at", "body:$"),
        ("header:etag", "etag", "header:etag"),
        ("status", "status", "status"),
    ],
)
def test_name_and_parent(where: str, name_: str, parent_: str) -> None:
    assert (name(where), parent(where)) == (name_, parent_)
