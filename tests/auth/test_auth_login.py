"""What a login's answer grants, and which recorded requests are logins."""

import json
from typing import Any

import jwt as pyjwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.auth.login import Grant, Login, check_login, granted, is_login, plain_members
from shadow.errors import ConfigError
from shadow.model import Request, Response

NOW = 1_700_000_000.0
ASKED = Request(b"POST", b"/login", body=b'{"user": "ann", "password": "x"}')
OAUTH = (("token", "body:$.access_token"), ("expires_in", "body:$.expires_in"))


def login(*put: str, **take: str) -> Login:
    return Login(ASKED, tuple(take.items()) or OAUTH, put, (("user", "ann"),))


def answer(body: Any = None, status: int = 200, *headers: tuple[bytes, bytes]) -> Response:
    return Response(status, headers=headers, body=b"" if body is None else json.dumps(body).encode())


def grant(by: Login, response: Response) -> Grant:
    made = granted(by, response, response.body, NOW)
    assert isinstance(made, Grant), made
    return made


def test_a_token_of_oauth_is_a_bearer_token_until_it_expires() -> None:
    made = grant(login(), answer({"access_token": "t-1", "expires_in": 60}))
    assert made == Grant(((b"Authorization", b"Bearer t-1"),), (), (b"t-1",), NOW + 60)


@pytest.mark.parametrize(
    ("by", "response", "headers", "query"),
    [
        pytest.param(
            login(token="body:$.data[1].jwt"),
            answer({"data": [{}, {"jwt": "t"}]}),
            ((b"Authorization", b"Bearer t"),),
            (),
            id="deep in the body",
        ),
        pytest.param(
            login("header:X-Session: s={token}", token="header:X-New-Session"),
            answer(None, 204, (b"x-new-session", b"t")),
            ((b"X-Session", b"s=t"),),
            (),
            id="a header",
        ),
        pytest.param(
            login(sid="cookie:sid"),
            answer(None, 302, (b"Set-Cookie", b"a=1"), (b"Set-Cookie", b"sid=t; Path=/; HttpOnly")),
            ((b"Cookie", b"sid=t"),),
            (),
            id="a cookie stays one",
        ),
        pytest.param(
            login("query:key={token}", token='body:$["the key"]'),
            answer({"the key": 7}),
            (),
            ((b"key", b"7"),),
            id="a parameter",
        ),
        pytest.param(
            login("cookie:sid={sid}", "header:X-CSRF: {csrf}", sid="cookie:sid", csrf="body:$.csrf"),
            answer({"csrf": "c"}, 200, (b"Set-Cookie", b"sid=t")),
            ((b"Cookie", b"sid=t"), (b"X-CSRF", b"c")),
            (),
            id="two at once",
        ),
    ],
)
def test_what_is_taken_is_put_where_it_belongs(
    by: Login, response: Response, headers: Any, query: Any
) -> None:
    check_login("login", by)
    made = grant(by, response)
    assert (made.headers, made.query) == (headers, query)


@pytest.mark.parametrize(
    ("by", "response", "expires_at"),
    [
        (login(), answer({"access_token": "t"}), None),
        (login(), answer({"access_token": "t", "expires_in": "90"}), NOW + 90),
        (login(), answer({"access_token": "t", "expires_in": "soon"}), None),
        (login(token="body:$.t", expires_at="body:$.e"), answer({"t": "t", "e": NOW + 5}), NOW + 5),
        (
            login(token="body:$.t", expires_at="body:$.e"),
            answer({"t": "t", "e": "2023-11-14T22:13:25Z"}),
            NOW + 5,
        ),
        (login(), answer({"access_token": pyjwt.encode({"exp": int(NOW) + 7}, "k" * 32)}), NOW + 7),
        (login(s="cookie:s"), answer(None, 200, (b"Set-Cookie", b"s=1; Max-Age=30")), NOW + 30),
        (
            login(s="cookie:s"),
            answer(None, 200, (b"Set-Cookie", b"s=1; Expires=Tue, 14 Nov 2023 22:13:25 GMT")),
            NOW + 5,
        ),
        (login(s="cookie:s"), answer(None, 200, (b"Set-Cookie", b"s=1; Expires=whenever")), None),
    ],
)
def test_how_long_a_credential_holds(by: Login, response: Response, expires_at: float | None) -> None:
    assert grant(by, response).expires_at == expires_at


@pytest.mark.parametrize(
    ("response", "why"),
    [
        (answer({"access_token": "t"}, 401), "answered 401"),
        (answer({"token": "t"}), "answered 200, and its answer has no 'body:$.access_token'"),
        (answer({"access_token": ""}), "has no 'body:$.access_token'"),
        (answer({"access_token": {"a": 1}}), "has no 'body:$.access_token'"),
        (answer(), "has no 'body:$.access_token'"),
        (answer({"access_token": "a\r\nX: y"}), "holds what no field may"),
    ],
)
def test_an_answer_that_grants_nothing_says_why(response: Response, why: str) -> None:
    made = granted(login(), response, response.body, NOW)
    assert isinstance(made, str)
    assert why in made


@pytest.mark.parametrize(
    ("by", "said"),
    [
        (login(token="$.access_token"), "'$.access_token'"),
        (login(token="body:access_token"), "'body:access_token'"),
        (login(token="body:$.a..b"), "'body:$.a..b'"),
        (login(expires_in="body:$.e"), "names no credential"),
        (login("Authorization: Bearer {token}"), "'Authorization: Bearer {token}'"),
        (login("header:Authorization: Bearer {tok}"), "{tok}"),
        (login("header:Authorization: Bearer"), "'header:Authorization: Bearer'"),
        (login("cookie:{token}"), "'cookie:{token}'"),
    ],
)
def test_wrong_places_are_named(by: Login, said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        check_login("login of identity 'ann'", by)
    assert said in str(raised.value)
    assert str(raised.value).startswith("login of identity 'ann'")


@pytest.mark.parametrize(
    ("request_", "is_hers"),
    [
        (ASKED, True),
        (Request(b"POST", b"/login?next=/", body=b'{"user":"ann","password":"live secret"}'), True),
        (Request(b"POST", b"/login", body=b"user=ann&password=live"), True),
        (Request(b"POST", b"/login", body=b'{"user": "bob", "password": "x"}'), False),
        (Request(b"PUT", b"/login", body=ASKED.body), False),
        (Request(b"POST", b"/login", body=b"["), False),
    ],
)
def test_a_recorded_login_is_known_by_what_is_no_secret(request_: Request, is_hers: bool) -> None:
    assert is_login(login(), request_) is is_hers


@given(st.binary(max_size=80))
def test_no_body_raises(body: bytes) -> None:
    plain_members(body)
    granted(login(a="body:$.a[0]", b="cookie:b"), Response(200, headers=((b"Set-Cookie", body),)), body, NOW)


def test_a_cookie_that_is_taken_back_is_no_credential() -> None:
    gone = answer(None, 200, (b"Set-Cookie", b"sid=; Max-Age=0"))
    assert granted(login(sid="cookie:sid"), gone, b"", NOW) == (
        "answered 200, and its answer has no 'cookie:sid'"
    )
