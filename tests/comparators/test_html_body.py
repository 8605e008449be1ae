"""Pages: what means nothing in HTML, and what is told of the rest, once and at a place to know it by."""

from html import escape
from random import Random
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comparators import MAX_DIFFERENCES, compare
from comparators._elements import MAX_PAGE_BYTES, pages
from shadow.model import Change, Response

PLAIN = "<h1>Shop</h1><ul><li>apple</li><li>pear</li><li>plum</li></ul>"
TABLE = "<table id=goods><tr><th>Name<th>Price<tr><td>apple<td>{}<tr><td>pear<td>2</table>"


def page(text: str | bytes, kind: str = "text/html; charset=utf-8") -> Response:
    body = text if isinstance(text, bytes) else text.encode()
    return Response(200, headers=((b"Content-Type", kind.encode()),), body=body)


def told(left: str | bytes, right: str | bytes) -> list[str]:
    return [f"{each.where} {each.change}" for each in compare(page(left), page(right))]


@pytest.mark.parametrize(
    ("left", "right"),
    [
        pytest.param('<p id="a" title="x">t</p>', "<P title='x' id=a>t</P>", id="order, quotes, letter case"),
        pytest.param('<p class="a b">t</p>', '<p class=" b  a a">t</p>', id="classes are a set"),
        pytest.param('<p style="color:red; top:0">t', '<p style="top: 0;COLOR:  red">t', id="style"),
        pytest.param("<p>&eacute; &amp; &#x41;</p>", "<p>é &#38; A</p>", id="entities"),
        pytest.param("<br><img src=a>", '<br/><img src="a" />', id="empty elements"),
        pytest.param("<ul><li>a</li><li>b</li></ul>", "<ul><li>a<li>b</ul>", id="end tags left out"),
        pytest.param(
            "<table><tr><td>1</table>", "<table><tbody><tr><td>1</td></tr></tbody></table>", id="tbody"
        ),
        pytest.param("<p>a</p>\n\n  <p>b  c</p>", "<p> a</p><p>b\nc </p><!-- x -->", id="layout, comments"),
        pytest.param("<!DOCTYPE html><html><body><p>a", "<p>a", id="elements that go without saying"),
        pytest.param("<input checked>", '<input checked="checked">', id="flags"),
        pytest.param(
            '<script type="text/javascript">f()</script>', "<script>\n  f()\n</script>", id="defaults"
        ),
        pytest.param("<pre>\n a\n</pre>", "<pre> a</pre>", id="first line end of pre"),
        pytest.param('<script nonce="a1">f()</script>', '<script nonce="b2">f()</script>', id="nonce"),
        pytest.param(
            '<script type="application/json">{"a": 1, "b": [1.0]}</script>',
            '<script type="application/json">{"b":[1],"a":1}</script>',
            id="json in a script",
        ),
        pytest.param(
            '<link rel=stylesheet href="/app.css?d59929"><script src="/js/main.3f2a9c81.js?v=17"></script>',
            '<link rel=stylesheet href="/app.css?8a01f7"><script src="/js/main.99ff00aa.js?v=18"></script>',
            id="what tells versions of files apart for caches",
        ),
        pytest.param(
            '<script src=/a.js integrity="sha384-abc"></script>',
            '<script src=/a.js integrity="sha384-xyz"></script>',
            id="digest of a file",
        ),
        pytest.param('<a href="/caf%c3%a9 ">x', '<a href="/café">x', id="escapes in addresses"),
        pytest.param('<meta charset="utf-8"><p>x', "<p>x", id="the charset that a page states"),
        pytest.param("<p>no content", "<p>no content\n", id="end of the file"),
    ],
)
def test_what_means_nothing_in_a_page_is_no_difference(left: str, right: str) -> None:
    assert told(left, right) == []
    assert told(right, left) == []


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        pytest.param(PLAIN, PLAIN.replace("pear", "fig"), ["body:page.ul.li value"], id="word"),
        pytest.param(PLAIN, PLAIN.replace("<li>pear</li>", ""), ["body:page.ul.li missing"], id="gone"),
        pytest.param(
            PLAIN, PLAIN.replace("<li>plum", "<li>fig<li>plum"), ["body:page.ul.li added"], id="came"
        ),
        pytest.param(
            PLAIN,
            PLAIN.replace("<li>apple</li><li>pear</li>", "<li>pear</li><li>apple</li>"),
            ["body:page.ul order"],
            id="moved",
        ),
        pytest.param(
            PLAIN,
            PLAIN.replace("<ul>", "<div class=box><ul>") + "</div>",
            ["body:page.div[box] added"],
            id="wrapped",
        ),
        pytest.param(
            "<p><b>so it is</b>", "<p><em>so it is</em>", ["body:page.b@element value"], id="renamed"
        ),
        pytest.param(
            "<form id=login><input name=user value=1>",
            "<form id=login><input name=user value=2>",
            ["body:page.form#login.input[user]@value value"],
            id="field of a form",
        ),
        pytest.param(
            "<form id=login><input name=user><input name=key>",
            "<form id=login><input name=user>",
            ["body:page.form#login.input[key] missing"],
            id="field of a form gone",
        ),
        pytest.param(
            '<a href="/x/1">go</a>',
            '<a href="/y/1">go</a>',
            ["body:page.a@href value"],
            id="address of a link",
        ),
        pytest.param(
            TABLE.format(1),
            TABLE.format(3),
            ["body:page.table#goods.td[price] value"],
            id="cell by its column",
        ),
        pytest.param("<dl><dt>Sum<dd>5", "<dl><dt>Sum<dd>6", ["body:page.dl.dd:sum value"], id="by its term"),
        pytest.param(
            "<p>Sum: <b>5</b>", "<p>Sum: <b>6</b>", ["body:page.b:sum value"], id="by the words before"
        ),
        pytest.param(
            "<p>on 2026-11-22 20:38:17 in Rome",
            "<p>on 2026-11-23 20:38:17 in Bonn",
            ["body:page.p:on value", "body:page.p:on-in value"],
            id="a date apart from the word beside it",
        ),
        pytest.param("<pre>a\n  b\nc", "<pre>a\nb\nc", ["body:page.pre:a value"], id="layout that shows"),
        pytest.param(
            '<script type="application/ld+json">{"offers": [{"price": 1}]}</script>',
            '<script type="application/ld+json">{"offers": [{"price": 2}]}</script>',
            ["body:page.head.script[application-ld-json]:$.offers[0].price value"],
            id="value in a script's json",
        ),
        pytest.param(
            '<script>window.STATE = {"user": null};</script>',
            '<script>window.STATE = {"user": 1};</script>',
            ["body:page.head.script:$.user type"],
            id="value in json that a script assigns",
        ),
        pytest.param(
            "<script>var a = 1;\nf(a);</script>",
            "<script>var a = 2;\nf(a);</script>",
            ["body:page.head.script:var-a value"],
            id="line of a script",
        ),
        pytest.param(
            '<div id="row-17"><i>a b</i></div>',
            '<div id="row-17"><i>a c</i></div>',
            ["body:page.div#row-*.i:a value"],
            id="numbers in ids are no part of a place",
        ),
        pytest.param("<p>a</p>", "", ["body missing"], id="no page"),
    ],
)
def test_what_changed_in_a_page_is_told_once(left: str, right: str, expected: list[str]) -> None:
    assert told(left, right) == expected


def test_a_page_in_another_charset_differs_in_its_field_alone() -> None:
    found = compare(
        page("<p>é".encode("latin-1"), "text/html; charset=iso-8859-1"),
        page("<p>é", "text/html; charset=utf-8"),
    )
    assert [each.where for each in found] == ["header:content-type[charset]"]
    left, right = (page(b'<meta charset="latin1"><p>' + sign, "text/html") for sign in (b"\xe9", b"\xe8"))
    assert [(each.where, each.left) for each in compare(left, right)] == [("body:page.p", "é")]
    assert told(b"<p>\xe9", b"<p>\xe8") == ["body:page.p value"]


def test_what_holds_much_is_known_again_whatever_went_from_it() -> None:
    text = (
        "<main><section>"
        + "".join(f"<p>{'ab' * at} is{'c' * at}</p>" for at in range(60))
        + "</section></main>"
    )
    for at in range(0, 60, 7):
        gone = f"<p>{'ab' * at} is{'c' * at}</p>"
        assert told(text, text.replace(gone, "")) == ["body:page.main.section.p missing"]
        assert told(text, text.replace(gone, "<ul><li>other</ul>")) == [
            "body:page.main.section.p missing",
            "body:page.main.section.ul added",
        ]


names = st.sampled_from(["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta"])
texts = st.lists(names, min_size=1, max_size=4).map(" ".join)
settings_of = st.dictionaries(
    st.sampled_from(["title", "class", "data-a", "lang"]), st.text("ab<>&'\" é", max_size=6), max_size=3
)


@st.composite
def trees(draw: st.DrawFn, depth: int = 3) -> ElementTree.Element:
    """Elements that hold either texts or elements, as data-bearing parts of pages do."""
    tag = draw(st.sampled_from(["div", "section", "article"])) if depth else "span"
    element = ElementTree.Element(tag, draw(settings_of))
    kids = draw(st.lists(trees(depth - 1), max_size=4)) if depth else []
    element.extend(kids)
    if not kids:
        element.text = draw(texts)
    return element


def written(element: ElementTree.Element, random: Random) -> str:
    """One of the many ways to write `element` down."""

    def text(plain: str, *, is_quoted: str = "") -> str:
        signs = (f"&#{ord(sign)};" if random.random() < 0.2 else escape(sign, quote=True) for sign in plain)
        return "".join(signs)

    found = list(element.attrib.items())
    random.shuffle(found)
    quotes = [random.choice("'\"") for _ in found]
    tag = element.tag.upper() if random.random() < 0.3 else element.tag
    told_ = "".join(
        f" {name}={mark}{text(value)}{mark}" for (name, value), mark in zip(found, quotes, strict=True)
    )
    gap = random.choice(["", "\n", "  ", "<!-- - -->"])
    inner = text(element.text or "") + "".join(gap + written(kid, random) for kid in element)
    return f"<{tag}{told_}>{inner}{gap}</{tag}>"


@settings(max_examples=50)
@given(trees(), st.integers(0, 1000))
def test_a_page_written_in_another_way_is_the_same(tree: Any, seed: int) -> None:
    plainly = ElementTree.tostring(tree, encoding="unicode", method="html")
    assert told(plainly, written(tree, Random(seed))) == []


@settings(max_examples=50)
@given(trees(), st.data())
def test_one_text_that_changed_is_told_at_its_element(tree: Any, data: st.DataObject) -> None:
    left = ElementTree.tostring(tree, encoding="unicode", method="html")
    leaf = data.draw(st.sampled_from([each for each in tree.iter() if each.text]))
    leaf.text = f"{leaf.text} omega"
    found = compare(page(left), page(ElementTree.tostring(tree, encoding="unicode", method="html")))
    assert [(each.change, str(each.right).strip()) for each in found] == [(Change.VALUE, "omega")]
    assert f"{leaf.tag}[" in found[0].where or f"{leaf.tag}:" in found[0].where


@settings(max_examples=50)
@given(trees(), st.data())
def test_one_element_that_went_is_told_once(tree: Any, data: st.DataObject) -> None:
    left = ElementTree.tostring(tree, encoding="unicode", method="html")
    holders = [each for each in tree.iter() if len(each) > 1]
    if not holders:
        return
    holder = data.draw(st.sampled_from(holders))
    gone = data.draw(st.sampled_from(list(holder)))
    holder.remove(gone)
    right = ElementTree.tostring(tree, encoding="unicode", method="html")
    assert [each.change for each in compare(page(left), page(right))] == [Change.MISSING]
    assert [each.change for each in compare(page(right), page(left))] == [Change.ADDED]


@given(st.text(max_size=200), st.text(max_size=200))
def test_any_two_texts_can_be_compared_as_pages(left: str, right: str) -> None:
    one, other = page(left.encode("utf-8", "replace")), page(right.encode("utf-8", "replace"))
    assert compare(one, one) == ()
    assert (compare(one, other) == ()) == (compare(other, one) == ())


PIECES = ["<p>", "</p>", "<b>", "<table>", "<tr>", "<td>", "</table>", "<script>", "</script>", "<!--", "-->"]
TEXTS = [
    "<pre>",
    "a",
    " ",
    "\n",
    "<a href='",
    "'>",
    '<x y="',
    '">',
    "<title>",
    "<textarea>",
    "&",
    "<svg>",
    "<select>",
    "{}",
]
tags = st.sampled_from([*PIECES, *TEXTS])


@settings(deadline=None)
@given(st.lists(tags, max_size=30).map("".join), st.lists(tags, max_size=30).map("".join))
def test_soups_of_tags_are_compared(left: str, right: str) -> None:
    assert told(left, left) == []
    assert bool(told(left, right)) == bool(told(right, left))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("<div>" * 50_000, id="deep"),
        pytest.param("<a " + " ".join(f"a{number}=1" for number in range(40_000)) + ">", id="attributes"),
        pytest.param(
            "<a b='>' " + " ".join(f"a{number}='>'" for number in range(9000)) + ">", id="quoted ends"
        ),
        pytest.param("<p>" + "x" * MAX_PAGE_BYTES, id="large"),
    ],
)
def test_hostile_pages_are_compared_as_lines(text: str) -> None:
    assert pages(text, "<p>") is None
    found = told(text, text.replace("<", "<p>y<", 1))
    assert found
    assert all(each.startswith("body:line[") for each in found)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("<!--" * 60_000, id="comments without an end"),
        pytest.param("<script>" * 30_000, id="scripts"),
        pytest.param("<b><p></b>" * 10_000, id="crossed tags"),
        pytest.param("<li>x" * 10_000, id="list"),
        pytest.param("<a b=" * 30_000, id="attributes without values"),
        pytest.param("<p>" + "x y " * 50_000, id="one text"),
        pytest.param("<pre>" + "x\n" * 50_000, id="lines"),
    ],
)
def test_hostile_pages_take_bounded_work(text: str) -> None:
    assert len(compare(page(text), page(f"{text}<p>y</p>" + text[:99]))) <= 1000


def test_thousands_of_new_siblings_are_told_within_bounds() -> None:
    left, right = (
        "<html><body>" + "".join(f"<{tag}>{number}</{tag}>" for number in numbers)
        for tag, numbers in (("b", range(30_000)), ("i", range(30_000, 60_000)))
    )
    assert len(compare(page(left), page(right))) == MAX_DIFFERENCES
