"""Secrets leave no trace in what is stored, logged or shown."""

import json
import re
from base64 import b64decode, b64encode
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.content.coding import gzip, undo
from shadow.content.redaction import RedactionSettings, Redactor, redact_exchange, redact_finding
from shadow.errors import ConfigError
from shadow.model import Exchange, Finding, Request, Response

SECRET = "hunter2-Zq9vT"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJib2IifQ.c2lnbmF0dXJl"
PEM = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEI\nOg==\n-----END EC PRIVATE KEY-----"
MARK = re.compile(r"<redacted:[0-9a-f]{6}>")

REDACTOR = Redactor(RedactionSettings(), key=b"of this run")


def is_masked(text: str) -> bool:
    return SECRET not in text and MARK.search(text) is not None


@pytest.mark.parametrize(
    "name",
    [
        "Authorization",
        "Proxy-Authorization",
        "Cookie",
        "Set-Cookie",
        "X-Api-Key",
        "api_key",
        "accessToken",
        "csrf-token",
        "password",
        "user[password]",
        "client_secret",
        "PASSWD",
        "refreshToken",
        "X-Amz-Security-Token",
        "sid",
        "JSESSIONID",
    ],
)
def test_a_field_with_a_secret_name_is_masked(name: str) -> None:
    assert is_masked(REDACTOR.field(name.encode(), SECRET.encode()).decode())


@pytest.mark.parametrize(
    "name",
    [
        "Content-Type",
        "token_type",
        "max_tokens",
        "next_page_token",
        "author",
        "design",
        "X-Request-Id",
        "key",
    ],
)
def test_a_field_with_a_plain_name_stays(name: str) -> None:
    assert REDACTOR.field(name.encode(), b"plain value") == b"plain value"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f'{{"password": "{SECRET}", "x": 1}}', id="json"),
        pytest.param(f'{{"password": "{SECRET}', id="json cut short"),
        pytest.param(
            f'{{"secret": {{"a": ["{SECRET}", {{"b": "{SECRET}"}}]}}}}', id="json below a secret name"
        ),
        pytest.param(
            f'{{"a":"\\"{SECRET}","token":"{SECRET}"}}'.replace(f'\\"{SECRET}', '\\"'), id="after an escape"
        ),
        pytest.param(json.dumps({"body": json.dumps({"password": SECRET})}), id="json within json"),
        pytest.param(f"https://h/p?a=1&token={SECRET}&b=2", id="query"),
        pytest.param(f"next=https://h/p?token={SECRET}", id="query within a parameter"),
        pytest.param(f"https://user:{SECRET}@h/", id="url password"),
        pytest.param(f"curl -H 'Authorization: Bearer {SECRET}' http://h/", id="curl"),
        pytest.param(f"curl -H 'Cookie: a={SECRET}; b={SECRET}' http://h/", id="curl cookies"),
        pytest.param(f"GET / HTTP/1.1\r\nX-Api-Key: {SECRET}\r\n\r\n", id="raw message"),
        pytest.param(f'GET / HTTP/1.1\r\nCookie: a="{SECRET}"; b={SECRET}\r\n\r\n', id="raw quoted cookie"),
        pytest.param(f"Cookie: a='{SECRET}'", id="quoted cookie at the start"),
        pytest.param(
            f"curl -H 'Cookie: a=\"{SECRET}\"; b=it'\\''s {SECRET}' http://h/", id="curl quoted cookie"
        ),
        pytest.param(json.dumps([f'Cookie: a="{SECRET}"; b={SECRET}']), id="json list of header lines"),
        pytest.param(f"GET / HTTP/1.1\nauthorization:{SECRET}\n\n", id="raw message, bare line feeds"),
        pytest.param(f"<login><password>{SECRET}</password></login>", id="xml"),
        pytest.param(f"<s:password type='x'><![CDATA[{SECRET}]]></s:password>", id="xml cdata"),
        pytest.param(f'<login password="{SECRET}"/>', id="xml attribute"),
        pytest.param(
            f'--b\r\nContent-Disposition: form-data; name="password"\r\n\r\n{SECRET}\r\n--b--', id="multipart"
        ),
        pytest.param(f"sent with bearer {SECRET}", id="prose"),
    ],
)
def test_a_secret_is_masked_wherever_it_stands(text: str) -> None:
    assert is_masked(REDACTOR.text(text))
    assert is_masked(REDACTOR.raw(text.encode()).decode())


@pytest.mark.parametrize(
    "secret",
    [JWT, PEM, "ghp_" + "a1" * 18, "AIza" + "b" * 35, "sk_live_" + "c3" * 10, "AKIA" + "Q" * 16],
    ids=["jwt", "pem", "github", "google", "stripe", "aws"],
)
def test_a_secret_is_known_by_its_shape_under_any_name(secret: str) -> None:
    for text in (secret, f'{{"note": "see {secret} ok"}}', f"x={secret}&y=1"):
        masked = REDACTOR.text(text)
        assert secret not in masked
        assert MARK.search(masked)


def test_a_private_key_cut_short_is_masked_to_its_end() -> None:
    assert REDACTOR.text(PEM[:50]) == REDACTOR.text(REDACTOR.text(PEM[:50]))
    assert "MHcC" not in REDACTOR.text(PEM[:50])


def test_equal_secrets_have_equal_masks_across_places_and_encodings() -> None:
    found = MARK.findall(
        REDACTOR.text(
            f'Authorization: Bearer {SECRET}\n{{"token":"{SECRET}"}} x?token={SECRET} <token>{SECRET}</token>'
        )
    )
    assert len(found) == 4
    assert len(set(found)) == 1


def test_masks_of_two_runs_cannot_be_compared() -> None:
    other = Redactor(RedactionSettings(), key=b"of another run")
    assert other.mask(b"secret") != REDACTOR.mask(b"secret")


def test_scheme_cookie_names_and_attributes_stay() -> None:
    assert REDACTOR.field(b"Authorization", b"Basic dTpw").startswith(b"Basic <redacted:")
    assert re.fullmatch(
        rb"sid=<redacted:\w{6}>; Path=/; HttpOnly",
        REDACTOR.field(b"Set-Cookie", b"sid=abc; Path=/; HttpOnly"),
    )
    assert re.fullmatch(rb"a=<redacted:\w{6}>; b=<redacted:\w{6}>", REDACTOR.field(b"Cookie", b"a=1; b=2"))


def test_what_is_no_secret_stays_byte_for_byte() -> None:
    plain = (
        b'{ "id" :7,"token":null,"n":1.0, "items": [ {"price": 3.50} ] , "token_type":"bearer" }\n\xff\x00'
    )
    assert REDACTOR.raw(plain) == plain


def test_prose_in_json_does_not_cost_the_rest_of_the_document() -> None:
    masked = REDACTOR.raw(b'{"message":"bad token: abcdef","items":[1,2]}')
    assert json.loads(masked)["items"] == [1, 2]
    assert MARK.search(json.loads(masked)["message"])


def test_a_form_value_is_masked_to_its_end_quotes_and_all() -> None:
    body = b'user=bob&password=it\'s;"odd", very&x=1'
    masked = REDACTOR.body(body, ((b"Content-Type", b"application/x-www-form-urlencoded"),))
    assert re.fullmatch(rb"user=bob&password=<redacted:\w{6}>&x=1", masked)


def test_a_body_is_masked_within_its_coding() -> None:
    headers = ((b"Content-Encoding", b"gzip"), (b"Content-Type", b"application/json"))
    masked = REDACTOR.body(gzip(b'{"password":"hunter2"}'), headers)
    assert re.fullmatch(rb'{"password":"<redacted:\w{6}>"}', undo(masked, b"gzip").body)
    harmless = gzip(b'{"a":1}', level=9)
    assert REDACTOR.body(harmless, headers) == harmless


@pytest.mark.parametrize("coding", [b"compress", b"gzip"])
def test_a_body_whose_coding_cannot_be_undone_is_masked_whole(coding: bytes) -> None:
    cut = gzip(b'{"password":"hunter2"}' * 20)[:-6]
    assert re.fullmatch(rb"<redacted:\w{6}>", REDACTOR.body(cut, ((b"content-encoding", coding),)))


def test_a_body_that_only_claims_a_coding_is_masked_as_it_stands() -> None:
    masked = REDACTOR.body(b'{"a":1,"token":"x"}', ((b"content-encoding", b"gzip"),))
    assert re.fullmatch(rb'{"a":1,"token":"<redacted:\w{6}>"}', masked)


def test_values_are_masked_by_key_through_lists_and_header_pairs() -> None:
    value = {
        "headers": [["Authorization", f"Bearer {SECRET}"], ["Content-Type", "text/plain"]],
        "token": {"parts": [SECRET, 42, True, None]},
        "note": ("plain", b"password=" + SECRET.encode()),
    }
    masked = REDACTOR.value(value)
    assert SECRET not in repr(masked)
    assert masked["headers"][1] == ["Content-Type", "text/plain"]
    assert masked["token"]["parts"][2:] == [True, None]
    assert "42" not in masked["token"]["parts"][1]


def test_a_raw_request_in_base64_keeps_its_length_so_that_it_can_be_framed() -> None:
    body = b'{"password":"hunter2 and a long one","pin_secret":"1"}'
    raw = b"POST / HTTP/1.1\r\nContent-Length: %d\r\nAuthorization: Bearer abcdefghijklmnop\r\n\r\n%s" % (
        len(body),
        body,
    )
    masked = b64decode(REDACTOR.value({"raw_base64": b64encode(raw).decode()})["raw_base64"])
    assert len(masked) == len(raw)
    assert b"hunter2" not in masked
    assert b"abcdefgh" not in masked
    assert masked.startswith(b"POST / HTTP/1.1\r\nContent-Length: ")


def test_a_coded_body_within_a_raw_request_goes_whole() -> None:
    body = gzip(b'{"password":"hunter2"}')
    raw = b"POST / HTTP/1.1\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    masked = b64decode(REDACTOR.value({"raw_base64": b64encode(raw).decode()})["raw_base64"])
    assert len(masked) == len(raw)
    assert masked.partition(b"\r\n\r\n")[0] == raw.partition(b"\r\n\r\n")[0]
    assert masked.partition(b"\r\n\r\n")[2].startswith(b"<redacted:")
    harmless = raw.replace(body, gzip(b'{"a":1}'))
    assert (
        REDACTOR.value({"raw_base64": b64encode(harmless).decode()})["raw_base64"]
        == b64encode(harmless).decode()
    )


def test_values_nested_without_end_are_cut() -> None:
    value: object = SECRET
    for _ in range(5000):
        value = [value]
    assert SECRET not in repr(REDACTOR.value(value))[:2000]
    deepest = REDACTOR.value({"a": value})
    while not isinstance(deepest, str):
        deepest = deepest["a"] if isinstance(deepest, dict) else deepest[0]
    assert deepest == "<nested too deep>"


def test_configured_names_patterns_and_exceptions_are_heeded() -> None:
    redactor = Redactor(
        RedactionSettings(
            names=("Tax-Number",), patterns=(r"ACC-\d+", r"pin is (\d+)"), keep=("csrf_token",)
        ),
        key=b"k",
    )
    assert MARK.fullmatch(redactor.value({"taxNumber": "DE123"})["taxNumber"])
    assert re.fullmatch(
        r"to <redacted:\w{6}>, pin is <redacted:\w{6}>", redactor.text("to ACC-99, pin is 1234")
    )
    assert redactor.text("csrf_token=abc") == "csrf_token=abc"


def test_a_broken_pattern_is_a_wrong_setting() -> None:
    with pytest.raises(ConfigError, match=r"'\(' is no regular expression"):
        Redactor(RedactionSettings(patterns=("(",)), key=b"k")


def test_an_exchange_is_masked_in_all_its_parts() -> None:
    secret = SECRET.encode()
    request = Request(
        b"POST",
        b"/login?token=" + secret,
        headers=((b"Cookie", b"a=" + secret),),
        body=b"password=" + secret,
        trailers=((b"X-Auth-Token", secret),),
    )
    response = Response(200, headers=((b"Set-Cookie", b"a=" + secret),), body=b'{"token":"%s"}' % secret)
    exchange = Exchange(3, "pcap", "s", 1.0, request, response)
    clean = redact_exchange(REDACTOR, exchange)
    assert secret not in repr(clean).encode()
    assert (clean.index, clean.request.method, clean.response is not None) == (3, b"POST", True)
    assert redact_exchange(REDACTOR, clean) == clean


def test_a_finding_is_masked_and_keeps_its_id() -> None:
    finding = Finding(
        id="f00d",
        kind="mutant",
        fault="F205",
        severity="high",
        title=f"accepted token={SECRET}",
        endpoint="GET /x",
        where=("status",),
        mutator="m",
        edits=(f"set header 'authorization: {SECRET}'",),
        expect="reject",
        why="",
        exchanges=(1,),
        count=1,
        control={"headers": [["Cookie", f"a={SECRET}"]]},
        answer={"body": f"token={SECRET}"},
        baseline=None,
        confirmed="5/5",
        reproduce={"curl": f"curl -H 'X-Api-Key: {SECRET}' http://h/", "seed": 1},
    )
    clean = redact_finding(REDACTOR, finding)
    assert SECRET not in repr(clean)
    title = "field user.password: missing (GET /x and 2 more)"
    assert redact_finding(REDACTOR, msgspec.structs.replace(finding, title=title)).title == title
    assert (clean.id, clean.where, clean.reproduce["seed"]) == ("f00d", ("status",), 1)


PIECES = st.sampled_from(
    [
        "password",
        "token",
        '"',
        "'",
        ":",
        "=",
        "&",
        ";",
        "\\",
        "{",
        "}",
        "[",
        "]",
        ",",
        " ",
        "\r\n",
        "\n",
        "<",
        ">",
        "/",
        "Bearer ",
        "Authorization: ",
        "Cookie: ",
        "eyJabcdefgh.ab.cd",
        "-----BEGIN PRIVATE KEY-----",
        "name=",
        "--",
        "://u:p@",
        "<redacted:012345>",
        "*",
        "12",
        "x",
        "é",
        "\ud800",
        "<token>",
        "</token>",
        "%41",
    ]
)
MIXTURES = st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=25).map("".join))


@given(MIXTURES)
def test_masking_never_raises_and_twice_is_once(text: str) -> None:
    once = REDACTOR.text(text)
    assert REDACTOR.text(once) == once


@given(st.binary(max_size=200), st.sampled_from([b"", b"gzip", b"br", b"zstd", b"deflate, gzip", b"\xff"]))
def test_no_body_makes_it_raise(body: bytes, coding: bytes) -> None:
    assert isinstance(REDACTOR.body(body, ((b"Content-Encoding", coding),)), bytes)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | MIXTURES | st.binary(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(MIXTURES, inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_no_value_makes_it_raise_and_twice_is_once(value: object) -> None:
    once = REDACTOR.value(value)
    assert repr(REDACTOR.value(once)) == repr(once)


@given(
    st.sampled_from(["password", "api_key", "X-Auth-Token"]),
    st.from_regex(r"[A-Za-z0-9+/_.~-]{6,40}", fullmatch=True),
)
def test_a_secret_in_json_never_survives(name: str, secret: str) -> None:
    masked = REDACTOR.raw(json.dumps({"a": "b", name: secret, "z": [1]}).encode())
    assert MARK.fullmatch(json.loads(masked)[name])


def test_a_learned_secret_is_masked_wherever_it_stands() -> None:
    redactor = Redactor(RedactionSettings(), key=b"of this run")
    token = "tok/en+of a target"
    headers = ((b"X-Unsuspicious", token.encode()), (b"X-Other", b"id=" + token.encode()))
    body = json.dumps({"hello": token}).encode()
    request = Request(b"GET", b"/x?q=tok%2Fen%2Bof%20a%20target", headers=headers, body=body)
    exchange = Exchange(0, "har", "s", 1.0, request, Response(200, headers=headers, body=body))
    assert redact_exchange(redactor, exchange) == exchange, "nothing tells that it is one"
    redactor.learn(token.encode())
    clean = msgspec.json.encode(redact_exchange(redactor, exchange))
    assert token.encode() not in clean
    assert b"tok%2Fen" not in clean
    assert b64encode(body) not in clean
    told: dict[str, Any] = {"headers": [["X-Unsuspicious", token]], "body": token}
    exact = b64encode(b"GET /x HTTP/1.1\r\nX-Y: " + token.encode()).decode()
    found = Finding(
        "f", "mutant", "F100", "low", f"accepted {token}", "GET /x", (), None, (), "same", token, (), 1, told,
        told, None, "1/1", {"raw_base64": exact},
    )  # fmt: skip
    assert exact.encode() not in msgspec.json.encode(redact_finding(redactor, found))
    assert token.encode() not in msgspec.json.encode(redact_finding(redactor, found))
    assert token not in redactor.text(f"answered {token}")


def test_short_words_are_not_learned() -> None:
    redactor = Redactor(RedactionSettings(), key=b"of this run")
    redactor.learn(b"alice")
    redactor.learn(b"")
    assert redactor.text("alice was here") == "alice was here"


def test_only_the_newest_learned_secrets_are_remembered() -> None:
    redactor = Redactor(RedactionSettings(), key=b"of this run")
    for at in range(1_000):
        redactor.learn(b"secret number %d" % at)
    assert MARK.search(redactor.text("secret number 999"))
    assert redactor.text("secret number 0") == "secret number 0"


def test_what_was_configured_is_masked_however_much_is_learned_after_it() -> None:
    redactor = Redactor(RedactionSettings(), b"key")
    redactor.learn(b"the configured one", for_good=True)
    for at in range(1000):
        redactor.learn(b"secret number %d" % at)
    redactor.learn(b"the configured one")
    assert b"configured" not in redactor.raw(b"said: the configured one")
    assert b"number 999" not in redactor.raw(b"said: secret number 999")


@pytest.mark.parametrize(
    "said",
    [
        b"pin=se%22same+sesame%2Fsesam%C3%A9&x=1",
        b"pin=se%22same%20sesame%2Fsesam%C3%A9",
        b'{"pin": "se\\"same sesame/sesam\\u00e9"}',
        'a {"pin": "se\\"same sesame/sesamé"}'.encode(),
        'se"same sesame/sesamé'.encode(),
    ],
    ids=["form", "query", "JSON", "JSON in UTF-8", "plain"],
)
def test_a_learned_secret_is_masked_however_a_message_writes_it(said: bytes) -> None:
    redactor = Redactor(RedactionSettings(), key=b"of this run")
    redactor.learn('se"same sesame/sesamé'.encode())
    assert b"same" not in redactor.raw(said)
