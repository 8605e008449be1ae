"""What tells one session from another."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.config import load
from shadow.errors import ConfigError
from shadow.model import Exchange, Headers, Request
from shadow.pipeline.session_key import session_of

JSON = ((b"Content-Type", b"application/json"),)
ALL = [
    "connection",
    "client",
    "identity",
    "token",
    "header:x-user",
    "cookie:sid",
    "query:user",
    "body:$.user.id",
]


def exchange(target: str = "/", headers: Headers = (), body: bytes = b"", session: str = "c1") -> Exchange:
    return Exchange(
        0, "test", session, 0.0, Request(b"POST", target.encode("latin-1"), headers=headers, body=body)
    )


@pytest.mark.parametrize(
    ("by", "seen", "session"),
    [
        ("connection", exchange(headers=((b"X-User", b"u"),)), "c1"),
        ("client", exchange(session="10.0.0.1:40000"), "client=10.0.0.1"),
        ("client", exchange(session="10.0.0.1:40000>10.0.0.2:80"), "client=10.0.0.1"),
        ("client", exchange(session="[2001:db8::1]:40000"), "client=[2001:db8::1]"),
        ("client", exchange(session="har:12ab"), "har:12ab"),
        ("header:X-User", exchange(headers=((b"x-user", b"u"),)), "header:X-User=u"),
        ("header:X-User", exchange(), "c1"),
        ("cookie:sid", exchange(headers=((b"Cookie", b"a=b; sid=42"),)), "cookie:sid=42"),
        ("cookie:sid", exchange(headers=((b"Cookie", b"a=b"), (b"cookie", b"sid=7"))), "cookie:sid=7"),
        ("cookie:sid", exchange(headers=((b"Cookie", b"xsid=42"),)), "c1"),
        ("query:user", exchange("/a?x=1&user=a%20b&user=c"), "query:user=a b"),
        ("query:user", exchange("/a?users=1"), "c1"),
        ("query:user", exchange("/a?user"), "query:user="),
        ("body:$.user.id", exchange(headers=JSON, body=b'{"user": {"id": "u7"}}'), "body:$.user.id=u7"),
        ("body:$.user.id", exchange(headers=JSON, body=b'{"user": {"id": 7}}'), "body:$.user.id=7"),
        ("body:$.user.id", exchange(headers=JSON, body=b'{"user": 7}'), "c1"),
        ("body:$.user.id", exchange(body=b"no JSON"), "c1"),
        ("identity", exchange(), "c1"),
        ("token", exchange(), "c1"),
    ],
)
def test_session_is_what_the_settings_say(by: str, seen: Exchange, session: str) -> None:
    assert session_of(seen, by, None) == session


def test_token_tells_sessions_apart_and_is_hashed() -> None:
    def by(token: bytes) -> str:
        return session_of(exchange(headers=((b"AUTHORIZATION", token),)), "token", None)

    assert by(b"Bearer s3cret") == by(b"Bearer s3cret") != by(b"Bearer other")
    assert "s3cret" not in by(b"Bearer s3cret")


def test_long_values_are_kept_short() -> None:
    def by(value: bytes) -> str:
        return session_of(exchange(headers=((b"X", value),)), "header:X", None)

    assert len(by(b"v" * 100_000)) < 100
    assert by(b"v" * 1000) != by(b"v" * 1001)


@pytest.mark.parametrize("by", ALL)
def test_session_of_a_conversation_is_its_own_or_its_clients(by: str) -> None:
    talk = Exchange(0, "test", "10.0.0.1:4000", 0.0, Request(b"", b"", b""), protocol="dns")
    assert session_of(talk, by, None) == ("client=10.0.0.1" if by == "client" else "10.0.0.1:4000")


@given(st.sampled_from(ALL), st.binary(), st.binary(), st.binary(), st.text())
def test_whatever_was_captured_belongs_to_a_session(
    by: str, target: bytes, value: bytes, body: bytes, session: str
) -> None:
    headers = tuple((name, value) for name in (b"authorization", b"cookie", b"x-user"))
    seen = Exchange(0, "test", session, 0.0, Request(b"GET", target, headers=headers, body=body))
    assert isinstance(session_of(seen, by, None), str)


@pytest.mark.parametrize("by", ALL)
def test_every_kind_can_be_configured(by: str) -> None:
    assert load(None, {"session": {"by": by}}).session.by == by


@pytest.mark.parametrize("by", ["", "user", "header:", "body:user", "token:x", "query:", "clients"])
def test_no_other_kind_can(by: str) -> None:
    with pytest.raises(ConfigError, match=r"session\.by"):
        load(None, {"session": {"by": by}})
