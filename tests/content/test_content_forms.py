"""Targets, queries, forms, cookies, multipart and XML: taken apart and put together without losing a byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.content import multipart, xml
from shadow.content.cookie import crumbs, join, name_of
from shadow.content.form import form_of, with_form
from shadow.content.multipart import multipart_of
from shadow.content.query import (
    Pair,
    decode,
    encode,
    join_pairs,
    join_target,
    query_of,
    split_pairs,
    split_target,
    with_path,
    with_query,
)
from shadow.model import Request


@given(target=st.binary(max_size=40) | st.text("/?&=#:ab%", max_size=20).map(str.encode))
def test_a_target_comes_back(target: bytes) -> None:
    assert join_target(*split_target(target)) == target


@given(text=st.text("&=ab%+", max_size=20).map(str.encode))
def test_pairs_come_back(text: bytes) -> None:
    assert join_pairs(split_pairs(text)) == text


@pytest.mark.parametrize(
    ("target", "parts"),
    [
        (b"/a?b=c?d", (b"", b"/a", b"b=c?d")),
        (b"http://h:1/a?b", (b"http://h:1", b"/a", b"b")),
        (b"http://h", (b"http://h", b"", None)),
        (b"/r?u=http://h/x", (b"", b"/r", b"u=http://h/x")),
        (b"/a://b", (b"", b"/a://b", None)),
        (b"*", (b"", b"*", None)),
        (b"/?", (b"", b"/", b"")),
    ],
)
def test_targets(target: bytes, parts: tuple[bytes, bytes, bytes | None]) -> None:
    assert split_target(target) == parts


def test_query_and_path_are_replaced_apart() -> None:
    assert with_query(b"/a?x=1", [Pair(b"y"), Pair(b"z", b"")]) == b"/a?y&z="
    assert with_query(b"/a?x=1", []) == b"/a"
    assert with_path(b"http://h/a?x=1", b"/b") == b"http://h/b?x=1"
    assert [pair.key for pair in query_of(b"/a?%61=1&b+c")] == [b"a", b"b c"]


@given(text=st.binary(max_size=30))
def test_encoding_is_undone_by_decoding(text: bytes) -> None:
    assert decode(encode(text)) == text


def test_forms_need_their_media_type_and_a_body() -> None:
    form = Request(
        b"POST",
        b"/",
        headers=((b"Content-Type", b"application/x-www-form-urlencoded; charset=utf-8"),),
        body=b"a=1&b",
    )
    assert form_of(form) == [Pair(b"a", b"1"), Pair(b"b")]
    assert with_form(form, [Pair(b"c", b"2")]).body == b"c=2"
    assert form_of(Request(b"POST", b"/", body=b"a=1")) is None
    assert form_of(Request(b"POST", b"/", headers=form.headers)) is None


def test_cookies() -> None:
    assert crumbs(b" a=1;b = 2;; c") == [b"a=1", b"b = 2", b"c"]
    assert join([b"a=1", b"b=2"]) == b"a=1; b=2"
    assert [name_of(crumb) for crumb in (b"a=1=2", b"b = 2", b"c")] == [b"a", b"b", b"c"]


BODY = (
    b'preamble\r\n--XX  \r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n --XX not a boundary\r\n'
    b"\r\n--XX\r\n\r\nno head\r\n--XX--\r\nepilogue"
)


def test_multipart_is_taken_apart_at_its_boundaries() -> None:
    body = multipart.parse(BODY, b"XX")
    assert body is not None
    assert body.render() == BODY
    assert [(part.name, part.body) for part in body.parts] == [
        (b"a", b"1\r\n --XX not a boundary\r\n"),
        (b"", b"no head"),
    ]
    assert (body.preamble, body.closing) == (b"preamble\r\n", b"--\r\nepilogue")


@given(
    bodies=st.lists(st.binary(max_size=20).filter(lambda body: b"--XX" not in body), min_size=1, max_size=4),
    preamble=st.sampled_from([b"", b"p\r\n"]),
    closing=st.sampled_from([b"--", b"--\r\n", b"--\r\nend"]),
)
def test_multipart_comes_back(bodies: list[bytes], preamble: bytes, closing: bytes) -> None:
    parts = tuple(multipart.Part(b'Content-Disposition: form-data; name="a"\r\n', body) for body in bodies)
    text = multipart.Multipart(b"XX", preamble, parts, closing).render()
    body = multipart.parse(text, b"XX")
    assert body is not None
    assert [part.body for part in body.parts] == bodies
    assert body.render() == text


@given(
    text=st.binary(max_size=60)
    | st.lists(st.sampled_from([b"--XX", b"--", b"\r\n", b"a: b", b"x"]), max_size=12).map(b"".join)
)
def test_any_multipart_is_survived(text: bytes) -> None:
    body = multipart.parse(text, b"XX")
    assert body is None or body.render() == text


def test_multipart_needs_its_boundary_and_its_end() -> None:
    kind = (b"Content-Type", b"multipart/form-data; boundary=XX")
    whole = b"--XX\r\n\r\nx\r\n--XX--"
    assert multipart_of(Request(b"POST", b"/", headers=(kind,), body=whole)) is not None
    assert multipart_of(Request(b"POST", b"/", headers=(kind,), body=whole[:-2])) is None
    assert (
        multipart_of(Request(b"POST", b"/", headers=((b"Content-Type", b"multipart/form-data"),), body=whole))
        is None
    )


XML = (
    b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x "y">]>'
    b"<a x=\"1>\" y='2'><!-- c --><b>t</b><c/><![CDATA[<z>]]></a>\n"
)


def test_xml_pieces_are_the_document() -> None:
    pieces = xml.tokens(XML)
    assert pieces is not None
    assert b"".join(piece.raw for piece in pieces) == XML
    assert [piece.kind for piece in pieces] == [
        *(
            "instruction",
            "doctype",
            "open",
            "comment",
            "open",
            "text",
            "close",
            "open",
            "cdata",
            "close",
            "text",
        ),
    ]
    assert [(found.name, found.raw) for found in xml.attributes(pieces[2])] == [
        (b"x", b'"1>"'),
        (b"y", b"'2'"),
    ]
    assert pieces[7].is_empty_element
    assert xml.splice(XML, pieces[5], b"T") == XML.replace(b">t<", b">T<")


@pytest.mark.parametrize(
    "text",
    [b"", b"x", b"<a>", b"<a></b>", b"<a/><b/>", b"<a/>x", b"<a", b"<a x=1/>", b"<a><b></a></b>", b"</a>"],
)
def test_not_xml(text: bytes) -> None:
    assert xml.tokens(text) is None


@given(text=st.binary(max_size=40) | st.text('<>/!?-[]ab="&;', max_size=30).map(str.encode))
def test_any_xml_is_survived(text: bytes) -> None:
    pieces = xml.tokens(text)
    assert pieces is None or b"".join(piece.raw for piece in pieces) == text.removeprefix(b"\xef\xbb\xbf")
