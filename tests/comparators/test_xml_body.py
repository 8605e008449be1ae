"""XML documents: what means nothing, what is told of the rest, and documents built to do harm."""

from random import Random
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comparators import compare
from shadow.model import Change, Response

ORDERS = "<orders>{}</orders>"
ORDER = '<order id="{0}"><name>n {0}</name><price currency="EUR">{0}.5</price></order>'
LISTED = ORDERS.format("".join(map(ORDER.format, range(5))))
SOAP = (
    '<{0}:Envelope xmlns:{0}="http://schemas.xmlsoap.org/soap/envelope/"><{0}:Body>'
    '<m:Total xmlns:m="urn:shop"><m:Sum>{1}</m:Sum></m:Total></{0}:Body></{0}:Envelope>'
)
DAV = (
    '<D:multistatus xmlns:D="DAV:">{}</D:multistatus>',
    (
        "<D:response><D:href>{}</D:href><D:propstat><D:prop><D:getetag>{}</D:getetag></D:prop>"
        "<D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>"
    ),
)
FEED = (
    '<feed xmlns="http://www.w3.org/2005/Atom"><title>News</title><updated>{}</updated>'
    "<entry><id>urn:1</id><title>One</title></entry>{}</feed>"
)
ENTRY = "<entry><id>urn:2</id><title>{}</title></entry>"
BOMB = (
    "<!DOCTYPE r [<!ENTITY e0 'ha'>"
    + "".join(f"<!ENTITY e{at} '{f'&e{at - 1};' * 10}'>" for at in range(1, 12))
    + "]><r a='&e11;'>&e11;</r>"
)


def xml(text: str | bytes, kind: str = "application/xml") -> Response:
    body = text if isinstance(text, bytes) else text.encode()
    return Response(200, headers=((b"Content-Type", kind.encode()),), body=body)


def told(left: str | bytes, right: str | bytes) -> list[str]:
    return [f"{each.where} {each.change}" for each in compare(xml(left), xml(right))]


@pytest.mark.parametrize(
    ("left", "right"),
    [
        pytest.param(
            '<r xmlns="u"><a/></r>', '<p:r xmlns:p="u"><p:a></p:a></p:r>', id="prefix, empty element"
        ),
        pytest.param('<r a="1" b="2"/>', "<r b='2'  a='1' ></r>", id="order of attributes, quotes"),
        pytest.param("<r>a&lt;&#233;</r>", "<r><![CDATA[a<é]]></r>", id="cdata, references"),
        pytest.param("<r><a>1</a><b/></r>", "<r>\n  <a>1</a>\n  <b/>\n</r>\n", id="layout"),
        pytest.param(
            "<r><a>1</a></r>", "<!-- x --><r><?pi?><a>1<!-- y --></a></r>", id="comments, instructions"
        ),
        pytest.param(
            "<r>é</r>", '<?xml version="1.0" encoding="utf-16"?><r>é</r>'.encode("utf-16"), id="utf-16"
        ),
        pytest.param(
            "<r>é</r>", '<?xml version="1.0" encoding="latin1"?><r>é</r>'.encode("latin1"), id="latin-1"
        ),
        pytest.param(
            "<p>one <b>two</b> three</p>", "<p>one\n  <b>two</b>\n  three</p>", id="mixed, indented"
        ),
        pytest.param(
            '<r xmlns:a="u" xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:type="a:T"/>',
            '<r xmlns:b="u" xmlns:x="http://www.w3.org/2001/XMLSchema-instance" x:type="b:T"/>',
            id="a type is named with another prefix",
        ),
        pytest.param(SOAP.format("s", 5), SOAP.format("soap", 5), id="soap"),
    ],
)
def test_what_means_nothing_in_xml_is_no_difference(left: str, right: str | bytes) -> None:
    assert told(left, right) == []
    assert told(right, left) == []


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        pytest.param(
            LISTED,
            LISTED.replace("n 3<", "m 3<"),
            ["body:$.orders.order[3].name value"],
            id="text of one of many",
        ),
        pytest.param(
            LISTED,
            LISTED.replace(ORDER.format(1), ""),
            ["body:$.orders.order length", "body:$.orders.order[1] missing"],
            id="one of many gone",
        ),
        pytest.param(
            ORDERS.format(ORDER.format(1)),
            ORDERS.format(ORDER.format(1) + ORDER.format(2)),
            ["body:$.orders.order length", "body:$.orders.order[1] added"],
            id="one became two",
        ),
        pytest.param(
            LISTED,
            ORDERS.format("".join(map(ORDER.format, [1, 0, 2, 3, 4]))),
            ["body:$.orders.order order"],
            id="like elements in another order",
        ),
        pytest.param(
            "<r><a/><b/></r>", "<r><b/><a/></r>", ["body:$.r:sequence order"], id="unlike elements turned"
        ),
        pytest.param("<r><a/><b/></r>", "<r><b/></r>", ["body:$.r.a missing"], id="gone is no order"),
        pytest.param(
            "<p>one <b>two</b> three</p>",
            "<p><b>two</b> one three</p>",
            ["body:$.p:sequence order"],
            id="text before or after an element",
        ),
        pytest.param('<r><a x="1"/></r>', "<r><a/></r>", ["body:$.r.a.@x missing"], id="attribute gone"),
        pytest.param(
            '<r><a x="1">t</a></r>', '<r><a x="2">t</a></r>', ["body:$.r.a.@x value"], id="attribute"
        ),
        pytest.param(
            '<a xmlns="u"><b/></a>', '<a xmlns="v"><b/></a>', ["body:$.a:namespace type"], id="namespace"
        ),
        pytest.param(
            "<r><a>t</a></r>", "<r><a><b>t</b></a></r>", ["body:$.r.a type"], id="text became an element"
        ),
        pytest.param("<a/>", "<b/>", ["body:$.a missing", "body:$.b added"], id="another document"),
        pytest.param(
            "<r xml:space='preserve'> a</r>", "<r xml:space='preserve'>a</r>", ["body:$.r value"], id="space"
        ),
        pytest.param("<r>a", "<r>b", ["body:line[0].r value"], id="neither is well-formed"),
        pytest.param("<r>a</r>", "<r>a", ["body type"], id="no xml any more"),
        pytest.param(
            SOAP.format("s", 5), SOAP.format("t", 6), ["body:$.Envelope.Body.Total.Sum value"], id="soap"
        ),
        pytest.param(
            DAV[0].format(DAV[1].format("/a", "1") + DAV[1].format("/b", "2")),
            DAV[0].format(DAV[1].format("/b", "2") + DAV[1].format("/a", "3")),
            [
                "body:$.multistatus.response order",
                "body:$.multistatus.response[0].propstat.prop.getetag value",
            ],
            id="dav",
        ),
        pytest.param(
            FEED.format("2024-01-01T00:00:00Z", ENTRY.format("Two")),
            FEED.format("2024-01-01T00:00:00Z", ENTRY.format("Too")),
            ["body:$.feed.entry[1].title value"],
            id="atom",
        ),
    ],
)
def test_what_changed_in_xml_is_told_once(left: str, right: str, expected: list[str]) -> None:
    assert told(left, right) == expected


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(BOMB, id="entities of entities"),
        pytest.param("<!DOCTYPE r SYSTEM 'file:///etc/passwd'><r/>", id="a definition elsewhere"),
        pytest.param("<!DOCTYPE r [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><r>&x;</r>", id="a file"),
        pytest.param("<a>" * 5000 + "</a>" * 5000, id="deep"),
        pytest.param("<r " + " ".join(f"a{at}='1'" for at in range(20_000)) + "/>", id="attributes"),
        pytest.param("<r>" + "<a/>" * 70_000 + "</r>", id="wide"),
        pytest.param("<r>" + "".join(f"<a{at}/>" for at in range(5000)) + "</r>", id="names"),
        pytest.param(
            "<r " + " ".join(f"xmlns:a{at}='u{at}'" for at in range(2000)) + ">" + "<x/>" * 5000 + "</r>",
            id="prefixes",
        ),
    ],
)
def test_hostile_documents_take_bounded_work_and_read_nothing(text: str) -> None:
    assert told(text, text) == []
    found = compare(xml(text), xml(text.replace("<r", "<r z='1'", 1).replace("<a>", "<a z='1'>", 1)))
    assert len(found) <= 1000
    assert "root:" not in repr(found)


names = st.sampled_from(["alpha", "beta", "gamma", "delta"])
words = st.sampled_from(["one", "two", "3", "é", "a < b", "&amp;", '"'])


@st.composite
def trees(draw: st.DrawFn, depth: int = 3) -> ElementTree.Element:
    name = draw(names)
    tag = f"{{urn:{draw(st.sampled_from('xy'))}}}{name}" if draw(st.booleans()) else name
    element = ElementTree.Element(tag, draw(st.dictionaries(names, words, max_size=3)))
    kids = draw(st.lists(trees(depth - 1), max_size=3)) if depth else []
    element.extend(kids)
    if not kids:
        element.text = draw(words)
    return element


def written(element: ElementTree.Element, random: Random) -> str:
    """One of the many ways to write `element` down; each declares the namespace that it is in."""
    namespace, _, name = element.tag.rpartition("}")
    prefix = random.choice(["", "p", "q"]) if namespace else ""
    declared = "" if not namespace and not prefix else f"xmlns:{prefix}" if prefix else "xmlns"
    found = [(key, value) for key, value in element.attrib.items()]
    random.shuffle(found)
    tag = f"{prefix}:{name}" if prefix else name
    own = f" {declared}={quoteattr(namespace[1:])}" if namespace else ' xmlns=""'
    told_ = own + "".join(f" {key}={quoteattr(value)}" for key, value in found)
    text = element.text or ""
    inner = f"<![CDATA[{text}]]>" if text and random.random() < 0.3 else escape(text, {"é": "&#233;"})
    gap = random.choice(["", "\n\t", "<!-- x -->"]) if len(element) else ""
    inner += "".join(gap + written(kid, random) for kid in element) + gap
    return f"<{tag}{told_}>{inner}</{tag}>" if inner else f"<{tag}{told_}/>"


@settings(max_examples=60)
@given(trees(), st.integers(0, 1000))
def test_a_document_written_in_another_way_is_the_same(tree: Any, seed: int) -> None:
    plainly = ElementTree.tostring(tree, encoding="unicode")
    assert told(plainly, written(tree, Random(seed))) == []
    assert told(plainly, ElementTree.canonicalize(plainly, strip_text=True)) == []


@settings(max_examples=60)
@given(trees(), st.data())
def test_one_edit_is_told_at_its_element(tree: Any, data: st.DataObject) -> None:
    left = ElementTree.tostring(tree, encoding="unicode")
    element = data.draw(st.sampled_from(list(tree.iter())))
    element.set("edited", "yes")
    right = ElementTree.tostring(tree, encoding="unicode")
    for one, other, change in ((left, right, Change.ADDED), (right, left, Change.MISSING)):
        found = compare(xml(one), xml(other))
        assert [each.change for each in found] == [change]
        assert found[0].where.endswith(".@edited")


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_any_bytes_can_be_compared_as_xml(left: bytes, right: bytes) -> None:
    assert told(left, left) == []
    assert bool(told(left, right)) is bool(told(right, left))
