"""What SAME edits of head and framing mean to two other parsers, and which rule REJECT edits break."""

import re
from collections.abc import Callable
from random import Random
from urllib.parse import unquote_to_bytes

import h11
import httptools
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from mutators import (
    Mutator,
    body_length,
    chunk_syntax,
    chunking,
    coding_disguise,
    cookie,
    field_syntax,
    header,
    members,
    method,
    network,
    query,
    smuggling,
    standard_field,
    start_line,
    target,
    transfer_coding,
)
from shadow.model import Edit, Ending, Expect, Known, Request
from shadow.wire.http1 import serialise_request
from tests.mutators.strict_http import violations

MODULES = (
    *(start_line, field_syntax, body_length, transfer_coding, coding_disguise, smuggling, chunking),
    *(chunk_syntax, network, method, target, query, header, standard_field, cookie),
)
FAMILY = [one for module in MODULES for one in members(module) if isinstance(one, Mutator)]
SAME = [one for one in FAMILY if one.expect is Expect.SAME]
MARKS = ((b"Shadow-Run", b"r1"), (b"Shadow-Trial", b"t1"))
BREAKS = {
    "bad_version": {"version", "request-line"},
    "space_in_target": {"request-line"},
    "bad_method": {"method"},
    "space_before_colon": {"space before colon"},
    "bad_content_length": {"content-length"},
    "conflicting_content_lengths": {"content-length"},
    "not_chunked_at_last": {"transfer-encoding"},
    "bad_chunk_size": {"chunk-size"},
}
"""What each mutator that expects a refusal of the bytes themselves must break, one of these at least."""
CONDITIONS = {"stale_if_match"}
"""Refused for what the request says, in sound bytes."""
ADDED = (b"x-shadow-extra", b"expect", b"connection", b"x-shadow-trailer", b"content-md5")
"""Fields that SAME edits may add."""
FRAMING = {b"content-length", b"transfer-encoding"}
H11_IS_STRICTER = {"empty_line_first"}
"""What h11 refuses though RFC 9112 asks servers to take it."""

_TRIPLET = re.compile(rb"%[0-9A-Fa-f]{2}")
_UNRESERVED = re.compile(rb"[A-Za-z0-9._~-]")

type Meaning = tuple[bytes, bytes, list[tuple[bytes, bytes]], dict[bytes, bytes], bytes]

words = st.text("abcXYZ019-._~", min_size=1, max_size=6).map(str.encode)
pieces = st.one_of(words, st.sampled_from((b"a%2fb", b"%C3%A9", b"a+b", b"x%20y", b"42", b"%7e")))
paths = st.lists(pieces, max_size=4).map(lambda found: b"/" + b"/".join(found))
queries = st.lists(st.tuples(words, pieces), max_size=4).map(
    lambda pairs: b"&".join(b"%b=%b" % pair for pair in pairs)
)
lines = st.lists(
    st.sampled_from(
        (
            (b"Accept", b"text/html, a/b;q=0.5"),
            (b"X-Name", "é".encode()),
            (b"x-name", b"two words"),
            (b"Cookie", b"a=1; b=2; c=3"),
            (b"Accept-Language", b"de, en"),
            (b"User-Agent", b"test"),
            (b"If-Match", b'"1"'),
        )
    ),
    max_size=5,
    unique=True,
)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    """A sound request, with one of three framings."""
    path, text = draw(paths), draw(queries)
    assume(b"/../" not in path + b"/" and b"/./" not in path + b"/")
    fields = [(b"Host", b"h.example:8080"), *draw(lines), *MARKS]
    framing = draw(st.sampled_from(("none", "length", "chunked")))
    body = b"" if framing == "none" else draw(st.binary(min_size=1, max_size=60))
    if framing == "length":
        fields.append((b"Content-Length", b"%d" % len(body)))
    if framing == "chunked":
        fields.append((b"Transfer-Encoding", b"chunked"))
    verb = b"GET" if framing == "none" else draw(st.sampled_from((b"POST", b"PUT", b"PATCH")))
    return Request(verb, path + (b"?" + text if text else b""), b"HTTP/1.1", tuple(fields), body)


def bytes_of(edit: Edit) -> bytes:
    return serialise_request(edit.request) if edit.wire is None else b"".join(edit.wire.segments)


def meaning(verb: bytes, target: bytes, fields: list[tuple[bytes, bytes]], body: bytes) -> Meaning:
    """What a request says: the target's path and sorted query, its fields by name in their order."""
    target = target.removeprefix(b"http://h.example:8080")
    path, _, text = target.partition(b"?")
    kept = _TRIPLET.sub(_normal, path)
    pairs = [piece.partition(b"=") for piece in text.split(b"&") if piece]
    parameters = [(unquote_to_bytes(name), unquote_to_bytes(value)) for name, _, value in pairs]
    parameters = sorted(parameters, key=lambda pair: pair[0])
    found: dict[bytes, bytes] = {}
    for name, value in fields:
        key = name.lower()
        if key in FRAMING or key.startswith(ADDED):
            continue
        said = b"; ".join(sorted(value.split(b"; "))) if key == b"cookie" else value
        found[key] = b", ".join((found[key], said)) if key in found else said
    return verb, kept, parameters, found, body


def _normal(triplet: re.Match[bytes]) -> bytes:
    """A percent-encoding in the normal form of RFC 3986 §6.2.2: unreserved characters by themselves."""
    byte = unquote_to_bytes(triplet[0])
    return byte if _UNRESERVED.fullmatch(byte) else triplet[0].upper()


def by_h11(text: bytes) -> Meaning | None:
    """What h11 makes of the first request; None where it refuses it."""
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(text)
    head, body = None, b""
    try:
        while not isinstance(event := connection.next_event(), h11.EndOfMessage):
            if isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            else:
                return None
    except h11.RemoteProtocolError:
        return None
    assert head is not None
    return meaning(
        bytes(head.method), bytes(head.target), [(bytes(a), bytes(b)) for a, b in head.headers], body
    )


class _Heard:
    """What httptools tells of the first message."""

    def __init__(self) -> None:
        self.url, self.body = b"", b""
        self.fields: list[tuple[bytes, bytes]] = []
        self.is_head, self.is_done = True, False

    def on_url(self, url: bytes) -> None:
        self.url += b"" if self.is_done else url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.is_head:
            self.fields.append((name, value))

    def on_headers_complete(self) -> None:
        self.is_head = False

    def on_body(self, body: bytes) -> None:
        self.body += b"" if self.is_done else body

    def on_message_complete(self) -> None:
        self.is_done = True


def by_httptools(text: bytes) -> Meaning | None:
    """What llhttp makes of the first request; None where it refuses it."""
    heard = _Heard()
    parser = httptools.HttpRequestParser(heard)
    try:
        parser.feed_data(text)
    except httptools.HttpParserError:
        return None
    return meaning(parser.get_method(), heard.url, heard.fields, heard.body) if heard.is_done else None


PARSERS: list[Callable[[bytes], Meaning | None]] = [by_h11, by_httptools]


@pytest.mark.parametrize("one", SAME, ids=lambda one: one.name)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(request=requests(), seed=st.integers(0, 2**32))
def test_same_edits_mean_the_same_to_other_parsers(one: Mutator, request: Request, seed: int) -> None:
    edit = one(request, Random(seed), Known())
    if edit is None:
        return
    plain, edited = serialise_request(request), bytes_of(edit)
    assert violations(plain) == set() == violations(edited)
    for parse in PARSERS:
        other = parse(edited)
        if parse is by_h11 and one.name in H11_IS_STRICTER:
            assert other is None, "taken now: strike it from the list"
            continue
        assert other is not None
        assert other == parse(plain)


def test_every_refusal_is_known() -> None:
    rejecting = {one.name for one in FAMILY if one.expect is Expect.REJECT}
    assert rejecting == BREAKS.keys() | CONDITIONS


@pytest.mark.parametrize("name", BREAKS)
@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(request=requests(), seed=st.integers(0, 2**32))
def test_what_must_be_refused_breaks_the_rule_that_it_cites(name: str, request: Request, seed: int) -> None:
    one = next(one for one in FAMILY if one.name == name)
    edit = one(request, Random(seed), Known())
    if edit is not None:
        assert violations(serialise_request(request)) == set()
        assert violations(bytes_of(edit)) & BREAKS[name], bytes_of(edit)


@pytest.mark.parametrize(
    "one", [one for one in FAMILY if one.expect is Expect.AGREE], ids=lambda one: one.name
)
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(request=requests(), seed=st.integers(0, 2**32))
def test_what_may_be_read_in_several_ways_is_listened_to(one: Mutator, request: Request, seed: int) -> None:
    edit = one(request, Random(seed), Known())
    if edit is not None and edit.wire is not None:
        assert edit.wire.ending is Ending.LISTEN
        assert len(bytes_of(edit)) < 300_000
