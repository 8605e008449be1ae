"""Header fields, each compared by what it is for; the reason phrase; content codings."""

import gzip
import json
import zlib
from base64 import urlsafe_b64encode
from typing import Any

import brotli  # type: ignore[import-untyped]  # ships no stubs
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from comparators import compare
from comparators.headers import is_free
from shadow.model import Headers, Response

DATE = b"Wed, 01 May 2024 10:00:00 GMT"
IN_AN_HOUR, IN_TWO_HOURS = b"Wed, 01 May 2024 11:00:00 GMT", b"Wed, 01 May 2024 12:00:00 GMT"
LATER = b"Thu, 02 May 2024 10:00:00 GMT"
AN_HOUR_LATER = b"Thu, 02 May 2024 11:00:01 GMT"


def told(left: Response, right: Response) -> list[str]:
    return [f"{each.where} {each.change}" for each in compare(left, right)]


def lines(*values: tuple[str, str | bytes]) -> Response:
    return Response(
        200, headers=tuple((name.encode(), v if isinstance(v, bytes) else v.encode()) for name, v in values)
    )


@pytest.mark.parametrize(
    ("name", "left", "right", "expected"),
    [
        ("X-RateLimit-Remaining", "9", "8", []),
        ("x-ratelimit-remaining-requests", "9", "8", []),
        ("X-Rate-Limit-Reset", "9", "8", []),
        ("RateLimit-Used", "9", "8", []),
        ("X-RateLimit-Limit", "100", "50", ["header:x-ratelimit-limit value"]),
        ("RateLimit", "limit=100, remaining=9, reset=5", "limit=100, remaining=3, reset=1", []),
        ("RateLimit", "limit=100, remaining=9", "limit=50, remaining=9", ["header:ratelimit[limit] value"]),
        ("RateLimit", '"default";r=50;t=30', '"default";r=49;t=1', []),
        ("RateLimit-Policy", '"a";q=100;w=60', '"a";q=10;w=60', ["header:ratelimit-policy[a q] value"]),
        ("Age", "1", "2", []),
        ("Server-Timing", "db;dur=1", "db;dur=2", []),
        ("Retry-After", "1", "30", []),
        ("Accept-Encoding", "gzip, br", "br,gzip", []),
        ("Allow", "GET, POST", "POST, GET", []),
        ("Allow", "GET, POST", "GET", ["header:allow[POST] missing"]),
        ("Allow", "GET", "get", ["header:allow[GET] missing", "header:allow[get] added"]),
        ("Clear-Site-Data", '"cache", "cookies"', '"cookies","cache"', []),
        ("Cache-Control", "private, max-age=60", "Max-Age=60, Private", []),
        (
            "Cache-Control",
            'no-cache="a, b"',
            'no-cache="a, b", private',
            ["header:cache-control[private] added"],
        ),
        (
            "Content-Security-Policy",
            "default-src 'self' a.example; img-src *",
            "img-src *;default-src a.example 'self'",
            [],
        ),
        (
            "Content-Security-Policy",
            "script-src 'self'",
            "script-src 'self' 'unsafe-inline'",
            ["header:content-security-policy[script-src] value"],
        ),
        ("Content-Security-Policy-Report-Only", "script-src 'nonce-a'", "script-src 'nonce-b'", []),
        ("WWW-Authenticate", 'Bearer realm="a"', "bearer realm=a", []),
        (
            "WWW-Authenticate",
            'Bearer realm="a", error="invalid_token"',
            'Bearer realm="a"',
            ["header:www-authenticate[bearer error] missing"],
        ),
        ("WWW-Authenticate", 'Digest realm="a", nonce="x, y"', 'Digest realm="a", nonce="z"', []),
        (
            "WWW-Authenticate",
            "Basic",
            "Bearer",
            ["header:www-authenticate[basic] missing", "header:www-authenticate[bearer] added"],
        ),
        ("WWW-Authenticate", "Negotiate, Basic realm=x", "Basic realm=x, Negotiate", []),
        ("Permissions-Policy", "camera=(), geolocation=(self)", "geolocation=(self),camera=()", []),
        (
            "Strict-Transport-Security",
            "max-age=1; includeSubDomains",
            "max-age=1",
            ["header:strict-transport-security[includesubdomains] missing"],
        ),
        (
            "Content-Disposition",
            'attachment; filename="a;b.txt"',
            "attachment; filename=a.txt",
            ["header:content-disposition[filename] value"],
        ),
        ("Content-Type", 'text/plain;charset="UTF-8"', "text/plain; charset=utf-8", []),
        ("Content-Type", "multipart/mixed; boundary=a", "multipart/mixed; boundary=b", []),
        ("Content-Encoding", "identity", "", []),
        ("ETag", '"a"', 'W/"a"', ["header:etag type"]),
        ("X-User", '{"id": 1, "a": 2}', '{"a": 2, "id": 2}', ["header:x-user<json>.id value"]),
        ("X-Total", "10", "11", ["header:x-total value"]),
        ("Content-Digest", "sha-256=:YQ==:", "sha-256=:Yg==:", ["header:content-digest value"]),
    ],
    ids=str,
)
def test_fields_are_compared_by_what_they_are_for(
    name: str, left: str, right: str, expected: list[str]
) -> None:
    assert told(lines((name, left)), lines((name.lower(), right))) == expected
    assert (told(lines((name, right)), lines((name, left))) == []) is (expected == [])


@pytest.mark.parametrize("name", ["Date", "Server", "X-Request-Id", "X-RateLimit-Remaining", "Server-Timing"])
def test_of_what_is_new_in_every_answer_the_presence_counts(name: str) -> None:
    assert told(lines((name, "1")), lines((name, "2"))) == []
    assert told(lines((name, "1")), lines()) == [f"header:{name.lower()} missing"]
    assert is_free(name.lower().encode())


def test_lines_of_one_name_are_one_list() -> None:
    assert told(lines(("Vary", "A"), ("Vary", "B")), lines(("vary", "b, a"))) == []
    assert told(lines(("X-A", "1"), ("X-A", "2")), lines(("X-A", "1, 2"))) == []
    assert told(lines(("X-A", "1"), ("X-A", "2")), lines(("X-A", "2"), ("X-A", "1"))) == ["header:x-a value"]


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("s=1; Secure; HttpOnly", "s=1; httponly; SECURE", []),
        ("s=1; Secure", "s=1", ["header:set-cookie[s].secure missing"]),
        ("s=1", "s=1; HttpOnly", ["header:set-cookie[s].httponly added"]),
        ("s=1; SameSite=Lax", "s=1; SameSite=None", ["header:set-cookie[s].samesite value"]),
        ("s=1; Path=/", "s=1; Path=/admin", ["header:set-cookie[s].path value"]),
        ("s=1; Domain=.example.com", "s=1; domain=EXAMPLE.com", []),
        ("s=1; Max-Age=60", "s=1; Max-Age=600", ["header:set-cookie[s].max-age value"]),
        ('s="1"', "s=1", []),
        ('c={"id": 1, "a": true}', 'c={"a": true, "id": 2}', ["header:set-cookie[c]<json>.id value"]),
        ("c=%7B%22id%22%3A1%7D", "c=%7B%22id%22%3A2%7D", ["header:set-cookie[c]<json>.id value"]),
    ],
)
def test_cookies_are_compared_by_their_attributes(left: str, right: str, expected: list[str]) -> None:
    assert told(lines(("Set-Cookie", left)), lines(("Set-Cookie", right))) == expected


@pytest.mark.parametrize(
    ("left", "right", "is_same"),
    [
        ((DATE, IN_AN_HOUR), (LATER, AN_HOUR_LATER), True),
        ((DATE, IN_AN_HOUR), (DATE, IN_TWO_HOURS), False),
        ((DATE, b"0"), (LATER, b"0"), True),
        ((DATE, b"0"), (LATER, IN_AN_HOUR), True),
        ((DATE, b"0"), (LATER, AN_HOUR_LATER), False),
        ((b"", IN_AN_HOUR), (b"", IN_TWO_HOURS), False),
        ((DATE, DATE), (LATER, b"Thu, 01 Jan 1970 00:00:00 GMT"), True),
    ],
)
def test_moments_of_expiry_are_compared_as_lifetimes(
    left: tuple[bytes, bytes], right: tuple[bytes, bytes], is_same: bool
) -> None:
    ours, theirs = (lines(("Date", date), ("Expires", expires)) for date, expires in (left, right))
    assert told(ours, theirs) == ([] if is_same else ["header:expires value"])
    ours, theirs = (
        lines(("Date", date), ("Set-Cookie", b"a=1; Expires=" + expires)) for date, expires in (left, right)
    )
    found = [each.replace("lifetime", "expires") for each in told(ours, theirs)]
    assert found == ([] if is_same else ["header:set-cookie[a].expires value"])


def test_cookie_dates_with_hyphens_are_dates() -> None:
    ours = lines(("Date", DATE), ("Set-Cookie", "a=1; Expires=Wed, 01-May-2024 11:00:00 GMT"))
    theirs = lines(("Date", LATER), ("Set-Cookie", b"a=1; Expires=" + AN_HOUR_LATER))
    assert told(ours, theirs) == []


def token(**claims: Any) -> str:
    parts = (json.dumps(each).encode() for each in ({"alg": "HS256"}, claims))
    return ".".join((*(urlsafe_b64encode(each).rstrip(b"=").decode() for each in parts), "c2ln"))


def test_tokens_in_cookies_and_fields_are_compared_by_their_claims() -> None:
    ours, theirs = (
        token(sub="1", role="user", iat=100, exp=160),
        token(sub="1", role="admin", iat=200, exp=260),
    )
    cookies = (lines(("Set-Cookie", f"t={each}; Path=/")) for each in (ours, theirs))
    assert told(*cookies) == ["header:set-cookie[t]<jwt>.claims.role value"]
    assert told(lines(("X-Auth-Token", ours)), lines(("X-Auth-Token", theirs))) == [
        "header:x-auth-token<jwt>.claims.role value"
    ]


@pytest.mark.parametrize(
    ("status", "left", "right", "is_same"),
    [
        (200, b"OK", b"Ok", True),
        (200, b"OK", b"", True),
        (422, b"Unprocessable Entity", b"Unprocessable Content", True),
        (200, b"OK", b"Fine", False),
        (413, b"Payload Too Large", b"Unprocessable Content", False),
    ],
)
def test_another_reason_phrase_is_told_where_there_is_one(
    status: int, left: bytes, right: bytes, is_same: bool
) -> None:
    for body, other in ((b"x", b"x"), (b'{"a":1}', b'{"a": 1}')):
        ours, theirs = Response(status, left, body=body), Response(status, right, body=other)
        assert told(ours, theirs) == ([] if is_same else ["reason value"])
    assert told(Response(200, left), Response(status + 1, b"Other")) == ["status value"]


def coded(coding: bytes, body: bytes) -> Response:
    headers: Headers = ((b"Content-Type", b"application/json"), (b"Content-Encoding", coding))
    return Response(200, headers=headers, body=body)


TEXT = b'{"a": [1, 2, 3], "b": "text text text text"}'


@pytest.mark.parametrize(
    ("coding", "pack"),
    [
        (b"gzip", gzip.compress),
        (b"deflate", zlib.compress),
        (b"br", brotli.compress),
        (b"zstd", zstandard.compress),
        (b"gzip, br", lambda text: brotli.compress(gzip.compress(text))),
    ],
    ids=["gzip", "deflate", "br", "zstd", "two"],
)
def test_codings_are_undone_and_broken_ones_are_told(coding: bytes, pack: Any) -> None:
    control = Response(200, headers=((b"Content-Type", b"application/json"),), body=TEXT)
    assert told(control, coded(coding, pack(TEXT))) == ["header:content-encoding added"]
    changed = coded(coding, pack(TEXT.replace(b"3", b"4")))
    assert told(coded(coding, pack(TEXT)), changed) == ["body:$.a[2] value"]
    assert told(coded(coding, pack(TEXT)), coded(coding, pack(TEXT)[:-6])) == ["body:coding type"]
    assert told(coded(coding, TEXT), coded(coding, pack(TEXT))) == ["body:coding type"]


def test_a_body_that_unpacks_without_end_is_not_compared() -> None:
    bomb = coded(b"gzip", gzip.compress(b"0" * (9 << 20)))
    assert told(bomb, coded(b"gzip", gzip.compress(b"1" * (9 << 20)))) == []


def test_a_digest_follows_its_body_but_its_algorithm_does_not() -> None:
    def digested(body: bytes, value: bytes) -> Response:
        return Response(200, headers=((b"Content-Digest", value),), body=body)

    assert told(digested(b"a ", b"sha-256=:YQ==:"), digested(b"a", b"sha-256=:Yg==:")) == []
    assert told(digested(b"a ", b"sha-256=:YQ==:"), digested(b"a", b"sha-1=:Yg==:")) == [
        "header:content-digest[sha-256] missing",
        "header:content-digest[sha-1] added",
    ]


_NAMES = st.sampled_from(
    b"WWW-Authenticate RateLimit Content-Security-Policy Set-Cookie Expires Cache-Control Content-Digest"
    b" X-Any grpc-status-details-bin x-thing-bin Content-Disposition".split()
)
_HEADS = st.lists(st.tuples(_NAMES, st.text("ab=,;\" '\\()[]{}<>.:0-é").map(str.encode)), max_size=4).map(
    tuple
)


@given(_HEADS, _HEADS)
def test_any_fields_are_compared_alike_in_both_directions(left: Headers, right: Headers) -> None:
    ours, theirs = Response(200, headers=left), Response(200, headers=right)
    assert (compare(ours, theirs) == ()) == (compare(theirs, ours) == ())
    assert compare(ours, Response(200, headers=tuple((name.upper(), value) for name, value in left))) == ()
