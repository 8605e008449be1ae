"""Bodies put back: length, coding and digests right."""

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.content.coding import gzip, redo
from shadow.content.entity import entity, media_type, parameter, replace_body, with_raw_body
from shadow.model import Headers, Request, field


def request(headers: Headers, body: bytes = b"old") -> Request:
    return Request(b"POST", b"/", b"HTTP/1.1", headers, body, ((b"X-Trailer", b"1"),))


@pytest.mark.parametrize(
    ("headers", "body", "expected"),
    [
        (((b"content-length", b"3"),), b"longer", ((b"content-length", b"6"),)),
        (((b"Content-Length", b"3"),), b"", ((b"Content-Length", b"0"),)),
        (((b"Transfer-Encoding", b"chunked"),), b"x", ((b"Transfer-Encoding", b"chunked"),)),
        (((b"A", b"1"),), b"x", ((b"A", b"1"), (b"Content-Length", b"1"))),
        (((b"A", b"1"),), b"", ((b"A", b"1"),)),
        (((b"Content-Encoding", b"shadow"), (b"Content-Length", b"3")), b"x", ((b"Content-Length", b"1"),)),
    ],
    ids=["longer", "empty", "chunked", "unframed", "unframed-empty", "unknown-coding"],
)
def test_framing_fits_the_new_body(headers: Headers, body: bytes, expected: Headers) -> None:
    edited = replace_body(request(headers), body)
    assert edited.headers == expected
    assert edited.body == body
    assert edited.trailers == ((b"X-Trailer", b"1"),)


@given(
    body=st.binary(max_size=200), coding=st.sampled_from([b"gzip", b"deflate", b"br", b"zstd", b"gzip, br"])
)
def test_a_coded_request_stays_coded(body: bytes, coding: bytes) -> None:
    old = request(((b"Content-Encoding", coding), (b"Content-Length", b"9")), redo(b"old", coding) or b"")
    edited = replace_body(old, body)
    assert entity(edited) == body
    assert field(edited.headers, b"content-encoding") == coding
    assert field(edited.headers, b"content-length") == b"%d" % len(edited.body)


def test_two_coding_lines_are_one_list() -> None:
    headers = ((b"Content-Encoding", b"gzip"), (b"Content-Encoding", b"br"))
    assert entity(request(headers, redo(b"x", b"gzip, br") or b"")) == b"x"


def test_a_body_that_cannot_be_undone_is_none() -> None:
    assert entity(request(((b"Content-Encoding", b"gzip"),), b"no gzip")) is None
    assert entity(request(((b"Content-Encoding", b"gzip"),), gzip(b"x")[:-1])) is None


def b64(algorithm: str, body: bytes) -> bytes:
    return base64.b64encode(hashlib.new(algorithm, body).digest())


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        (b"Content-MD5", b64("md5", b"old"), b64("md5", b"new")),
        (b"Digest", b"SHA-256=" + b64("sha256", b"old"), b"SHA-256=" + b64("sha256", b"new")),
        (b"Content-Digest", b"sha-512=:%b:" % b64("sha512", b"old"), b"sha-512=:%b:" % b64("sha512", b"new")),
        (
            b"Repr-Digest",
            b"sha-256=:%b:, x=:eA==:" % b64("sha256", b"old"),
            b"sha-256=:%b:, x=:eA==:" % b64("sha256", b"new"),
        ),
        (b"Digest", b"rubbish", b"rubbish"),
        (b"Content-Digest", b"=::", b"=::"),
    ],
    ids=["md5", "digest", "content-digest", "unknown-member", "rubbish", "empty"],
)
def test_digests_follow_the_body(name: bytes, old: bytes, new: bytes) -> None:
    edited = replace_body(request(((name, old), (b"Content-Length", b"3"))), b"new")
    assert edited.headers[0] == (name, new)


@given(
    value=st.binary(max_size=80),
    name=st.sampled_from([b"Content-MD5", b"Digest", b"Content-Digest", b"Repr-Digest"]),
)
def test_any_digest_value_is_survived(value: bytes, name: bytes) -> None:
    assert replace_body(request(((name, value),)), b"new").body == b"new"


def test_raw_bodies_are_not_coded() -> None:
    edited = with_raw_body(request(((b"Content-Encoding", b"gzip"), (b"Content-Length", b"3"))), b"plain")
    assert (edited.body, field(edited.headers, b"content-length")) == (b"plain", b"5")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"multipart/form-data; boundary=a-b", b"a-b"),
        (b'multipart/form-data;charset=x; Boundary="a b\\"c"', b'a b"c'),
        (b"multipart/form-data; boundary=", b""),
        (b"multipart/form-data", None),
        (b"boundary=x", None),
        (b'a; x="; boundary=no"; boundary=yes', b"yes"),
    ],
)
def test_parameters(value: bytes, expected: bytes | None) -> None:
    assert parameter(value, b"boundary") == expected


def test_media_type_is_lower_case_and_bare() -> None:
    assert media_type(((b"CONTENT-TYPE", b" Application/JSON ; charset=x"),)) == b"application/json"
    assert media_type(()) == b""
