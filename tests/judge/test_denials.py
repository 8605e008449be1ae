"""Refusals under a successful status: known conventions, one by one, and what must not be taken for one."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.judge.classes import asks_for_credentials, classify, status_text
from shadow.judge.denials import denial
from shadow.model import AnswerClass, Reply, Response

JSON = ((b"Content-Type", b"application/json"),)
HTML = ((b"Content-Type", b"text/html; charset=utf-8"),)

REFUSALS = {
    "flag with a code": {"success": False, "code": 40012, "msg": "bad token"},
    "slack": {"ok": False, "error": "invalid_auth"},
    "telegram": {"ok": False, "error_code": 401, "description": "Unauthorized"},
    "jsend error": {"status": "error", "message": "no such thing"},
    "jsend fail": {"status": "fail", "data": {"title": "is required"}},
    "wechat": {"errcode": 40013, "errmsg": "invalid appid"},
    "flag alone": {"success": False},
    "flag with a complaint and data": {"success": False, "message": "invalid", "data": {"mail": ["taken"]}},
    "cloudflare": {"success": False, "errors": [{"code": 9109, "message": "x"}], "result": None},
    "http status as code": {"code": 401, "msg": "expired", "data": None},
    "code beside an empty place": {"code": 40101, "msg": "no", "data": None},
    "code as text": {"code": "A0301", "msg": "no", "data": None},
    "error as object": {"error": {"code": "not_found", "message": "x"}},
    "error as text": {"error": "boom", "trace_id": "1"},
    "error as flag": {"error": True, "message": "x"},
    "errors by field": {"errors": {"email": ["taken"]}},
    "oauth": {"error": "invalid_grant", "error_description": "no"},
    "head": {"meta": {"code": 403, "error_message": "x"}, "data": None},
    "wrapped": {"response": {"success": False, "msg": "x"}},
    "flickr": {"stat": "fail", "code": 100, "message": "Invalid API Key"},
    "ebay": {"Ack": "Failure", "Errors": [{"LongMessage": "x"}]},
    "tencent": {"Response": {"Error": {"Code": "AuthFailure", "Message": "x"}, "RequestId": "1"}},
    "word as code": {"return_code": "FAIL", "return_msg": "sign error"},
    "problem": {"type": "about:blank", "title": "Not Found", "status": 404, "detail": "x"},
    "graphql": {"errors": [{"message": "no"}], "data": None},
    "json-rpc": {"jsonrpc": "2.0", "id": 1, "error": {"code": -32601, "message": "no"}},
}
NO_REFUSALS = {
    "a state": {"status": "stopped"},
    "a state of a thing": {"id": 7, "status": "error", "message": "disk full"},
    "a state that failed": {"state": "failed", "reason": "oom"},
    "no error": {"error": None, "id": 1},
    "null error alone": {"error": None},
    "a measure": {"error": 0.03},
    "an empty list of errors": {"errors": [], "items": []},
    "some errors beside items": {"errors": [1], "items": []},
    "a currency": {"code": "USD"},
    "a currency with its name": {"code": "USD", "message": "US Dollar"},
    "a country": {"code": 840, "name": "United States"},
    "code of success": {"code": 0, "msg": "ok", "data": None},
    "code of success as text": {"code": "00000", "msg": "ok", "data": None},
    "http status of success": {"code": 200, "msg": "done", "data": None},
    "wechat success": {"errcode": 0, "errmsg": "ok"},
    "flag of success": {"success": True, "error": "none that counts"},
    "flag beside things": {"success": False, "items": [1]},
    "a result": {"result": 5},
    "a chat message": {"id": 4, "message": "error: nothing works"},
    "graphql with data": {"errors": [{"message": "some"}], "data": {"a": 1}},
    "json-rpc result": {"jsonrpc": "2.0", "id": 1, "result": {"success": False}},
    "too many members": {f"m{at}": at for at in range(60)} | {"success": False, "msg": "x"},
    "a list": [{"success": False, "msg": "x"}],
    "a word alone": {"status": "error"},
}
PAGES = [
    (b"<soap:Envelope xmlns:soap='x'><soap:Body><soap:Fault><faultcode/></soap:Fault>", True),
    (b"<?xml version='1.0'?>\n<S:Envelope><S:Body>\n<S:Fault>", True),
    (b"<methodResponse><fault><value/></fault></methodResponse>", True),
    (b"<methodResponse><params><param/></params></methodResponse>", False),
    (b'<rsp stat="fail"><err code="1"/></rsp>', True),
    (b'<rsp stat="ok"><photos/></rsp>', False),
    (b"<Error><Code>AccessDenied</Code></Error>", True),
    (b"<ows:ExceptionReport xmlns:ows='x'>", True),
    (b'<items status="failed"/>', False),
    (b"<feed><error/></feed>", False),
    (b"<html><head><title>403 Forbidden</title>", True),
    (b"<!doctype html><html><title>Access denied | Shop</title>", True),
    (b"<html><title>Forbidden planets of the world</title>", False),
    (b"<html><title>Shop</title><h1>Not found</h1>", False),
    (b"<html><title>Log in</title><form><input type=password>", False),
]


def reply(body: Any, status: int = 200, headers: tuple[tuple[bytes, bytes], ...] = JSON) -> Reply:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(Response(status, headers=headers, body=raw))


@pytest.mark.parametrize("body", REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_of_a_known_convention_is_one(body: Any) -> None:
    assert classify(reply(body)) is AnswerClass.REJECTED
    assert status_text(reply(body)).startswith("200, the body ")
    assert classify(reply(body, 500)) is AnswerClass.BROKEN


@pytest.mark.parametrize("body", NO_REFUSALS.values(), ids=NO_REFUSALS)
def test_what_a_thing_says_of_itself_is_no_refusal(body: Any) -> None:
    assert denial(reply(body).response) == ""
    assert classify(reply(body)) is AnswerClass.SUCCESS
    assert status_text(reply(body)) == "200"


@pytest.mark.parametrize(("body", "is_refusal"), PAGES)
def test_markup_that_says_no_is_a_refusal(body: bytes, *, is_refusal: bool) -> None:
    assert bool(denial(reply(body, headers=HTML).response)) is is_refusal


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        (b"/login?next=/x", AnswerClass.REJECTED),
        (b"https://id.example/oauth2/authorize?x=1", AnswerClass.REJECTED),
        (b"/users/sign_in", AnswerClass.REJECTED),
        (b"/Account/Login.aspx", AnswerClass.REJECTED),
        (b"/items/7", AnswerClass.REDIRECT),
        (b"/catalogin/5", AnswerClass.REDIRECT),
        (b"/blog/login-tips", AnswerClass.REDIRECT),
        (b"/home?from=/login", AnswerClass.REDIRECT),
        (b"", AnswerClass.REDIRECT),
    ],
)
def test_a_redirect_to_a_login_is_a_refusal(location: bytes, expected: AnswerClass) -> None:
    assert classify(reply(b"", 302, ((b"Location", location),))) is expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (reply({"ok": False, "error": "invalid_auth"}), True),
        (reply({"code": 401, "msg": "x", "data": None}), True),
        (reply({"success": False, "msg": "token has expired"}), True),
        (reply(b"", 302, ((b"Location", b"/login"),)), True),
        (reply(b"", 401), True),
        (reply(b"", 403), False),
        (reply({"success": False, "msg": "no such note"}), False),
        (reply({"token": "expired"}), False),
    ],
)
def test_a_refusal_for_lack_of_credentials_is_known(answer: Reply, *, expected: bool) -> None:
    assert asks_for_credentials(answer) is expected


_TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["success", "error", "code", "data", "meta", "msg", "a"]), inner)
    ),
    max_leaves=20,
)


@given(_TREES)
def test_any_document_is_read(tree: Any) -> None:
    body = reply(tree)
    assert classify(body) in (AnswerClass.SUCCESS, AnswerClass.REJECTED)
    assert bool(denial(body.response)) == (classify(body) is AnswerClass.REJECTED)


@pytest.mark.parametrize(
    "piece", [b"<", b"<a ", b"<title>", b"<!--", b"<?xml ", b"<Body>", b'"err', b'{"error":', b"[", b" "]
)
def test_a_body_built_to_be_hard_says_nothing(piece: bytes) -> None:
    for body in (piece * (60_000 // len(piece)), b"<" + piece * (60_000 // len(piece))):
        assert denial(reply(body, headers=HTML).response) == ""
