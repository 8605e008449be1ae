"""What a mutator expects holds for a reader that shares no code with it."""

import json
import re
from functools import cache
from pathlib import Path
from random import Random
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mutators import CATALOG, Mutator, dice
from shadow.content.entity import with_raw_body
from shadow.model import Edit, Exchange, Expect, Known, Level, Request
from shadow.taps.files import Recording
from shadow.wire.http1 import serialise_request
from tests.mutators.meaning import Meaning, UnreadableError, meanings
from tests.mutators.test_mutators_catalog import EXAMPLES, OWN_LEVELS, known_from

CAPTURES = Path(__file__).parents[3] / "shared" / "pcaps"
SAME = [each for each in CATALOG if each.expect is Expect.SAME and each.level in OWN_LEVELS and not each.over]
"""Those of HTTP/2 have a reader of their own, in `http2_judge`."""
ADDS_A_FIELD = {"add_unknown_field"}
SAYS_IT_OTHERWISE = {
    "wrap_in_fragment",
    "spell_out_query",
    "repeat_graphql_field",
    "literal_for_variable",
    "rename_graphql_variable",
    "rename_graphql_fragment",
    "inline_fragment",
    "alias_to_itself",
    "pack_protobuf_field",
}
"""Another document that asks for the same: test_mutators_body_edits has the readers that tell."""

USUAL = tuple(with_raw_body(each, each.body) for each in EXAMPLES)
"""Among them each mutator finds something to edit, which drawn requests do not promise."""

names = st.text("abcdefgh_", min_size=1, max_size=6)
texts = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=12)
documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=15,
)
XML = (
    b'<?xml version="1.0"?>\n'
    b'<a:r xmlns:a="urn:x" xmlns="urn:y" x="1" y="2"><b c="d" e="f">text &amp; more</b>'
    b"<b>plain</b><c/><a:d>1</a:d></a:r>"
)
GRAPHQL = {
    "query": "query Q($id: ID!, $n: Int) { item(id: $id, first: $n) { id name } }",
    "variables": {"id": "1", "n": 2},
}
PROTOBUF = b"\x08\x96\x01\x12\x07testing\x1d\x01\x02\x03\x04\x21" + b"\x00" * 8 + b"\x12\x02hi"
PARTS = (
    b'--XX\r\nContent-Disposition: form-data; name="a"\r\n\r\n%b\r\n'
    b'--XX\r\nContent-Disposition: form-data; name="f"; filename="x.txt"\r\n'
    b"Content-Type: text/plain\r\n\r\nhi\r\n--XX--\r\n"
)
pairs = st.lists(st.tuples(names, texts), max_size=5)


def _form(fields: list[tuple[str, str]]) -> bytes:
    return urlencode(fields).encode()


bodies = st.one_of(
    st.just((b"", b"")),
    documents.map(lambda value: (b"application/json", json.dumps(value).encode())),
    documents.map(
        lambda value: (b"application/json; charset=utf-8", json.dumps(value, ensure_ascii=False).encode())
    ),
    pairs.map(lambda fields: (b"application/x-www-form-urlencoded", _form(fields))),
    texts.map(lambda text: (b"multipart/form-data; boundary=XX", PARTS % text.encode())),
    st.just((b"application/xml", XML)),
    st.just((b"application/json", json.dumps(GRAPHQL).encode())),
    st.just((b"application/x-protobuf", PROTOBUF)),
    st.binary(max_size=60).map(lambda body: (b"application/octet-stream", body)),
    texts.map(lambda text: (b"text/plain; charset=utf-8", (text * 3).encode())),
)
paths = st.lists(st.text("abcXYZ0189-._~", min_size=1, max_size=8), min_size=1, max_size=4)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    """A well-formed request."""
    kind, body = draw(bodies)
    query = _form(draw(pairs))
    target = ("/" + "/".join(draw(paths))).encode() + (b"?" + query if query else b"")
    lines = [(b"Host", b"h.example"), (b"User-Agent", b"a/1")]
    lines += draw(
        st.lists(
            st.sampled_from(
                (
                    (b"Accept", b"text/html, application/json;q=0.8"),
                    (b"Cookie", b"a=1; b=2; c=x"),
                    (b"X-Tags", b"one,two"),
                    (b"If-None-Match", b'"1", "2"'),
                    (b"Authorization", b"Basic YTpi"),
                    (b"Accept-Encoding", b"gzip"),
                )
            ),
            max_size=5,
            unique=True,
        )
    )
    if kind:
        lines.append((b"Content-Type", kind))
    is_chunked = draw(st.booleans())
    if body:
        lines.append(
            (b"Transfer-Encoding", b"chunked") if is_chunked else (b"Content-Length", b"%d" % len(body))
        )
    method = (
        draw(st.sampled_from((b"POST", b"PUT", b"PATCH")))
        if body
        else draw(st.sampled_from((b"GET", b"DELETE")))
    )
    return Request(method, target, b"HTTP/1.1", tuple(lines), body)


def wire_of(edit: Edit) -> bytes:
    return b"".join(edit.wire.segments) if edit.wire is not None else serialise_request(edit.request)


@cache
def recorded() -> tuple[Request, ...]:
    """Requests of the captures, as far as the reader can read them; one of each shape."""
    found: dict[tuple[object, ...], Request] = {}
    for path in sorted(CAPTURES.glob("*.pcap*")) if CAPTURES.exists() else ():
        with Recording([str(path)]) as recording:
            for exchange in recording:
                if not isinstance(exchange, Exchange):
                    continue
                request = exchange.request
                shape = (
                    request.method,
                    request.target.partition(b"?")[0][:40],
                    len(request.headers),
                    len(request.body) % 7,
                )
                if exchange.protocol == "http" and len(request.body) < 20_000 and shape not in found:
                    found[shape] = request
    return tuple(each for each in found.values() if _is_readable(each))


def _is_readable(request: Request) -> bool:
    try:
        [meaning] = meanings(serialise_request(request))
    except UnreadableError:
        return False
    return not (meaning.kind[0].endswith("xml") and isinstance(meaning.body, bytes))


def check_same(one: Mutator, request: Request, edit: Edit) -> None:
    """The mutant means what the request means."""
    assert wire_of(edit) != serialise_request(request) or edit.wire is not None
    [meant] = meanings(serialise_request(request))
    for got in meanings(wire_of(edit)):
        if one.name in SAYS_IT_OTHERWISE:
            assert _bare(got)[:-1] == _bare(meant)[:-1]
        else:
            assert _bare(got, one.name in ADDS_A_FIELD and meant) == _bare(meant), edit.what


def _bare(meaning: Meaning, only: Meaning | bool = False) -> Meaning:
    """Without our own marks; of fields only those that `only` has, where it is given."""
    fields = {name: value for name, value in meaning.fields.items() if not name.startswith("shadow-")}
    if isinstance(only, Meaning):
        fields = {name: value for name, value in fields.items() if name in only.fields}
    return meaning._replace(fields=fields)


def usual_edits(one: Mutator) -> list[tuple[Request, Edit]]:
    """Each request of `USUAL` that `one` edits, with its edits."""
    known = known_from(EXAMPLES[1])
    found = [
        (request, one(request, dice(1, 1, one.name, attempt), known))
        for request in USUAL
        for attempt in range(12)
    ]
    return [(request, edit) for request, edit in found if edit is not None]


@pytest.mark.parametrize("one", SAME, ids=lambda one: one.name)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(request=requests(), seed=st.integers(0, 2**32))
def test_what_must_be_the_same_means_the_same(one: Mutator, request: Request, seed: int) -> None:
    edit = one(request, Random(seed), Known())
    if edit is not None:
        check_same(one, request, edit)


@pytest.mark.parametrize("one", SAME, ids=lambda one: one.name)
def test_what_must_be_the_same_means_the_same_over_usual_requests(one: Mutator) -> None:
    edits = usual_edits(one)
    assert edits
    for request, edit in edits:
        check_same(one, request, edit)


@pytest.mark.skipif(not CAPTURES.exists(), reason="the shared captures are not beside this clone")
@pytest.mark.parametrize("one", SAME, ids=lambda one: one.name)
def test_what_must_be_the_same_means_the_same_over_recorded_requests(one: Mutator) -> None:
    for index, request in enumerate(recorded()):
        edit = one(request, dice(0, index, one.name), Known())
        if edit is not None:
            check_same(one, request, edit)


REFUSED = [
    each for each in CATALOG if each.expect is Expect.REJECT and each.level in {Level.FRAMING, Level.TARGET}
]
_START = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+ [^ \t\r\n]+ HTTP/1\.[01]\r\n")
"""A request line that a server has to know what to do with (RFC 9112 §3, RFC 9110 §9.1)."""


@pytest.mark.parametrize("one", REFUSED, ids=lambda one: one.name)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(request=requests(), seed=st.integers(0, 2**32))
def test_what_must_be_refused_is_refused_by_the_reader_or_the_grammar(
    one: Mutator, request: Request, seed: int
) -> None:
    edit = one(request, Random(seed), Known())
    if edit is None:
        return
    sent = wire_of(edit)
    if _START.match(sent):
        with pytest.raises(UnreadableError):
            meanings(sent)
