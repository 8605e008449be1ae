"""Places in answers: what they are called, and what holds them."""

import pytest

from shadow.judge.places import is_json, is_page, is_text, is_within, name, parent


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
        ("body:$.r.a.@id", "id", "body:$.r.a"),
        ("body:page.form#login.input[user]@value", "user", "body:page.form#login"),
        ("body:page.head.meta[csrf-token]@content", "csrf-token", "body:page.head"),
        ("body:page.a@href", "@href", "body:page"),
        ("body:page.tr@id", "id", "body:page"),
        ("body:page.p:you-have", "you-have", "body:page"),
        ("body:page.table#goods.td[price]", "price", "body:page.table#goods"),
        ("body:page.ul.li", "li", "body:page.ul"),
        ("body:page.script#d:$.items[0].price", "price", "body:page.script#d:$.items[0]"),
    ],
)
def test_name_and_parent(where: str, name_: str, parent_: str) -> None:
    assert (name(where), parent(where)) == (name_, parent_)


@pytest.mark.parametrize(
    ("where", "is_page_", "is_json_"),
    [
        pytest.param("body:page.p:you-have", True, False, id="text of a page"),
        pytest.param("body:page.a@href", True, False, id="attribute of a page"),
        pytest.param("body:page.script#d:$.a", False, True, id="json in a page"),
        pytest.param("body:part[0]:$.a", False, True, id="json in a part"),
        pytest.param("body:$.page", False, True, id="json"),
        pytest.param("body:line[0].page", False, False, id="line"),
    ],
)
def test_parts_of_pages_are_told_from_json(where: str, *, is_page_: bool, is_json_: bool) -> None:
    assert (is_page(where), is_json(where)) == (is_page_, is_json_)
    assert is_text(where) is (is_page_ or "line[" in where)


def test_attributes_and_texts_lie_within_their_element() -> None:
    assert is_within("body:page.a@href", "body:page.a")
    assert is_within("body:page.a:go-on", "body:page.a")
    assert not is_within("body:page.article", "body:page.a")
