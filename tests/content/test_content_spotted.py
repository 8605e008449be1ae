"""Values that messages show, their kinds, and what they are ids of."""

from gzip import compress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.content.kinds import KINDS, kind_of
from shadow.content.naming import collection_of, plain, subject
from shadow.content.spotted import MAX_VALUES, leaves, spots_of_body, spots_of_head
from shadow.model import Request, Response

FORM = (b"Content-Type", b"application/x-www-form-urlencoded")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("7", "integer"),
        ("-7", "integer"),
        ("7.25", "decimal"),
        ("9f8b1c2d-aaaa-4bbb-8ccc-0123456789ab", "uuid"),
        ("2024-01-31", "date"),
        ("2024-01-31T10:00:00.5+02:00", "date"),
        ("ann@example.org", "email"),
        ("https://example.org/x", "url"),
        ("inst-7", "id"),
        ("usr_9Zk", "id"),
        ("01HZX3V5J8", "id"),
        ("Zm9vYmFyMTIzNDU2Nzg5MGFiY2RlZg==", "token"),
        ("running", "word"),
        ("us-east", "word"),
        ("two words", "text"),
        ("", "text"),
        ("é", "text"),
    ],
)
def test_kinds_are_told_by_looks(text: str, kind: str) -> None:
    assert kind_of(text) == kind


@given(st.text(max_size=400))
def test_every_text_has_a_kind(text: str) -> None:
    assert kind_of(text) in KINDS


@pytest.mark.parametrize("text", ["1" * 250, "a" * 250, "a1" * 125, "a-" * 120, "1a" * 125 + "!", "@" * 250])
def test_telling_a_kind_takes_no_longer_for_odd_texts(text: str) -> None:
    assert kind_of(text) in KINDS


@pytest.mark.parametrize(
    ("message", "spots"),
    [
        (Request(b"POST", b"/", body=b'{"a": 1, "b": ["x"]}'), [("body:$.a", 1), ("body:$.b[]", "x")]),
        (Request(b"POST", b"/", body=b' {"odd key": true, "c": null}'), []),
        (Request(b"POST", b"/", headers=(FORM,), body=b"a=1+2&b=%41"), [("body:a", "1 2"), ("body:b", "A")]),
        (
            Response(200, headers=((b"Content-Encoding", b"gzip"),), body=compress(b'{"a": "x"}')),
            [("body:$.a", "x")],
        ),
        (Response(200, body=b"<r xmlns='u'><n:id x='1'>7</n:id><e/> </r>"), [("body:<id>", "7")]),
        (Response(200, headers=((b"Content-Type", b"text/html"),), body=b"<p>x</p>"), []),
        (Response(200, headers=((b"Content-Encoding", b"gzip"),), body=b'{"a": "x"}'), []),
        (Response(200, body=b"plain"), []),
    ],
    ids=["JSON", "no scalars", "form", "coded", "XML", "HTML", "broken coding", "text"],
)
def test_values_of_bodies_have_their_places(
    message: Request | Response, spots: list[tuple[str, object]]
) -> None:
    assert list(spots_of_body(message)) == spots


def test_values_of_heads_leave_credentials_and_framing_out() -> None:
    headers = (
        (b"Host", b"h"),
        (b"X-Tenant", b"acme"),
        (b"Authorization", b"Bearer x"),
        (b"Cookie", b"lang=de; theme=dark"),
        (b"Content-Length", b"0"),
        (b"Shadow-Run", b"r"),
    )
    assert list(spots_of_head(Request(b"GET", b"/x?a=1&b=%20", b"", headers))) == [
        ("query:a", "1"),
        ("query:b", " "),
        ("header:x-tenant", "acme"),
        ("cookie:lang", "de"),
        ("cookie:theme", "dark"),
    ]


def test_a_wide_body_shows_a_bounded_number_of_values() -> None:
    body = b"{%s}" % b",".join(b'"k%d":%d' % (n, n) for n in range(5000))
    assert len(list(spots_of_body(Response(200, body=body)))) <= MAX_VALUES + 1


@pytest.mark.parametrize(
    ("place", "collection", "what"),
    [
        ("body:$.id", "instances", "instance"),
        ("body:$.items[].id", "policies", "policy"),
        ("body:$.owner.id", "instances", "owner"),
        ("body:$.instance_id", "x", "instance"),
        ("body:$.instanceId", "x", "instance"),
        ("body:$.userUUID", "x", "user"),
        ("query:order_ids", "", "order"),
        ("body:<id>", "addresses", "address"),
        ("body:$.name", "x", ""),
        ("body:$.paid", "x", ""),
        ("body:$.valid", "x", ""),
        ("query:id", "", ""),
    ],
)
def test_names_say_what_an_id_is_of(place: str, collection: str, what: str) -> None:
    assert subject(place, collection) == what


@pytest.mark.parametrize(
    ("template", "collection"),
    [
        ("/v1/instances", "instances"),
        ("/v1/instances/{id}", "instances"),
        ("/v1/instances/{id}/start", "instances"),
        ("/v1/a/{id}/b/{id}", "b"),
        ("/", ""),
        ("", ""),
    ],
)
def test_templates_say_of_what_they_are_a_collection(template: str, collection: str) -> None:
    assert collection_of(template) == collection


@pytest.mark.parametrize(
    ("name", "word"),
    [("Instances", "instance"), ("status", "status"), ("boxes", "box"), ("v-cores", "vcore"), ("", "")],
)
def test_names_are_brought_to_one_form(name: str, word: str) -> None:
    assert plain(name) == word


@given(st.text(max_size=60), st.text(max_size=20))
def test_no_name_makes_naming_raise(place: str, collection: str) -> None:
    assert isinstance(subject(place, collection), str)
    assert isinstance(collection_of(place), str)


def test_a_long_key_is_no_name() -> None:
    assert leaves({"k" * 300: 1, "a": 2}) == [("body:$.a", 2)]
