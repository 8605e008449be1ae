import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.model import Headers, Request, Response
from shadow.replay._contract import Target
from shadow.replay.correlation import Correlation, CorrelationSettings

TARGET = Target("candidate", "http", "127.0.0.1", 9000)
LIVE_ID = "0f1e2d3c-4b5a-4968-8796-a5b4c3d2e1f0"
SHADOW_ID = "11111111-2222-4333-8444-555555555555"
OTHER_ID = "99999999-2222-4333-8444-555555555555"


def correlation(*live: str, **settings: int) -> Correlation:
    return Correlation(TARGET, live, CorrelationSettings(**settings))


def get(target: str, *headers: tuple[bytes, bytes]) -> Request:
    return Request(b"GET", target.encode(), headers=headers)


def post(
    target: str, body: bytes, kind: bytes = b"application/json", *headers: tuple[bytes, bytes]
) -> Request:
    framing: Headers = ((b"Content-Type", kind), (b"Content-Length", b"%d" % len(body)))
    return Request(b"POST", target.encode(), headers=framing + headers, body=body)


def answer(tree: Any = None, *headers: tuple[bytes, bytes], status: int = 200) -> Response:
    body = b"" if tree is None else json.dumps(tree).encode()
    return Response(status, headers=headers, body=body)


def learned(live: Any, shadow: Any, path: str = "/v1/instances") -> Correlation:
    """What is known after one exchange in session "s"."""
    made = correlation()
    made.learn(answer(live), answer(shadow), "s", request=get(path))
    return made


def mappings(made: Correlation) -> set[tuple[str, str]]:
    return {(each.live, each.shadow) for each in made.explain()}


# What is learned


@pytest.mark.parametrize("is_xml", [False, True])
def test_cursor_that_is_also_the_name_of_something_is_known_as_a_cursor_alone(*, is_xml: bool) -> None:
    def page(cursor: str) -> Response:
        tree = {"keys": ["k1.txt"], "NextToken": cursor}
        text = f"<r><Key>k1.txt</Key><NextToken>{cursor}</NextToken></r>"
        return Response(200, body=text.encode()) if is_xml else answer(tree)

    made = correlation()
    made.learn(page("k1.txt"), page("0b40e27392e56e91"), "s", request=get("/files"))
    assert made.translate(get("/files/k1.txt"), "t").target == b"/files/k1.txt"
    assert made.translate(get("/files?token=k1.txt"), "t").target == b"/files?token=0b40e27392e56e91"


@pytest.mark.parametrize(
    ("live", "shadow", "expected"),
    [
        pytest.param({"id": LIVE_ID}, {"id": SHADOW_ID}, {(LIVE_ID, SHADOW_ID)}, id="uuid"),
        pytest.param({"x": LIVE_ID}, {"x": SHADOW_ID}, {(LIVE_ID, SHADOW_ID)}, id="uuid under any key"),
        pytest.param({"id": 5}, {"id": 7}, {("5", "7")}, id="number under id"),
        pytest.param({"owner_id": 5}, {"owner_id": 7}, {("5", "7")}, id="number under x_id"),
        pytest.param({"ownerId": 5}, {"ownerId": 7}, {("5", "7")}, id="number under xId"),
        pytest.param({"ids": [5]}, {"ids": [7]}, {("5", "7")}, id="list of one"),
        pytest.param({"token": "abc123"}, {"token": "def456"}, {("abc123", "def456")}, id="token"),
        pytest.param({"id": 1234567890}, {"id": 1234567899}, {("1234567890", "1234567899")}, id="long"),
        pytest.param(
            {"next": "/v1/x?cursor=cGFnZT0yJmxp"}, {"next": "/v1/x?cursor=cGFnZT0zJmxp"},
            {("cGFnZT0yJmxp", "cGFnZT0zJmxp")}, id="cursor in a link",
        ),
        pytest.param(
            {"self": f"http://a/v1/x/{LIVE_ID}"}, {"self": f"http://b:1/v1/x/{SHADOW_ID}"},
            {(LIVE_ID, SHADOW_ID)}, id="id in a link",
        ),
        pytest.param(
            {"id": "mQgjlxVciTrM"}, {"id": "yRiJUsQGfDWy"}, {("mQgjlxVciTrM", "yRiJUsQGfDWy")},
            id="base64 without a digit under id",
        ),
        pytest.param(
            {"id": "m_gjlxVciTrM"}, {"id": "kx2-sQGfDWyZ"}, {("m_gjlxVciTrM", "kx2-sQGfDWyZ")},
            id="base64 with a line under id",
        ),
        pytest.param(
            {"ReceiptHandle": "iykthdezpcivfumravtuyrgmfrogdoqsnd"},
            {"ReceiptHandle": "cparrdqkiwmnqvvxavnalimtyfuqurqtgl"},
            {("iykthdezpcivfumravtuyrgmfrogdoqsnd", "cparrdqkiwmnqvvxavnalimtyfuqurqtgl")},
            id="long run of small letters",
        ),
        pytest.param(
            {"x": "mQgjlxVciTrM"}, {"x": "yRiJUsQGfDWy"}, set(), id="base64 without a digit elsewhere"
        ),
        pytest.param(
            {"plan_id": "SmallMachine"}, {"plan_id": "LargeMachine"}, {("SmallMachine", "LargeMachine")},
            id="names of words",
        ),
        pytest.param({"size": 5}, {"size": 7}, set(), id="number under another key"),
        pytest.param({"paid": 5}, {"paid": 7}, set(), id="a word that ends in id"),
        pytest.param({"id": True}, {"id": False}, set(), id="boolean"),
        pytest.param({"id": 5.5}, {"id": 7.5}, set(), id="float"),
        pytest.param({"id": 5}, {"id": "7"}, set(), id="type changed"),
        pytest.param({"state": "STARTED"}, {"state": "started"}, set(), id="word"),
        pytest.param({"error": "illegal_transition"}, {"error": "bad_transition"}, set(), id="code"),
        pytest.param({"at": "2024-01-02T03:04:05Z"}, {"at": "2025-01-02T03:04:05Z"}, set(), id="date"),
        pytest.param({"at": "1700000000"}, {"at": "1800000000"}, set(), id="digits"),
        pytest.param({"price": "12.50"}, {"price": "12.5"}, set(), id="decimal"),
        pytest.param({"name": "a b1"}, {"name": "a b2"}, set(), id="text with spaces"),
        pytest.param({"ip": "10.0.0.12"}, {"ip": "10.0.0.13"}, set(), id="address"),
        pytest.param({"id": LIVE_ID}, {"uuid": SHADOW_ID}, set(), id="another key"),
        pytest.param({"href": "/status/running"}, {"href": "/status/stopped"}, set(), id="word in a link"),
        pytest.param({"href": "/v1/x"}, {"href": "/v2/x"}, set(), id="version in a link"),
    ],
)  # fmt: skip
def test_what_is_learned_from_bodies(live: Any, shadow: Any, expected: set[tuple[str, str]]) -> None:
    assert mappings(learned(live, shadow)) == expected


@pytest.mark.parametrize(
    ("live", "shadow", "expected"),
    [
        ((b"Set-Cookie", b"sid=abc123; Path=/"), (b"set-cookie", b"sid=def456"), {("abc123", "def456")}),
        ((b"Location", b"/v1/jobs/77"), (b"Location", b"http://h/v1/jobs/99"), {("77", "99")}),
        ((b"ETag", b'W/"a1b2c3d4"'), (b"ETag", b'"e5f6a7b8"'), {("a1b2c3d4", "e5f6a7b8")}),
        ((b"X-CSRF-Token", b"abc123"), (b"X-CSRF-Token", b"def456"), {("abc123", "def456")}),
        (
            (b"Link", b'</x?cursor=abc123>; rel="next"'),
            (b"Link", b"</x?cursor=def456>"),
            {("abc123", "def456")},
        ),
        ((b"X-Request-Id", LIVE_ID.encode()), (b"X-Request-Id", SHADOW_ID.encode()), set()),
        ((b"Date", b"Mon, 01 Jan 2024"), (b"Date", b"Tue, 02 Jan 2024"), set()),
        ((b"Server", b"nginx/1.22.1"), (b"Server", b"nginx/1.23.0"), set()),
    ],
)
def test_what_is_learned_from_fields(
    live: tuple[bytes, bytes], shadow: tuple[bytes, bytes], expected: set[tuple[str, str]]
) -> None:
    made = correlation()
    made.learn(answer(None, live), answer(None, shadow), "s", request=get("/x"))
    assert mappings(made) == expected


@pytest.mark.parametrize(("live", "shadow"), [(200, 404), (404, 404), (500, 500), (302, 200)])
def test_nothing_is_learned_from_bodies_of_errors_or_where_the_answers_disagree(
    live: int, shadow: int
) -> None:
    made = correlation()
    made.learn(answer({"id": LIVE_ID}, status=live), answer({"id": SHADOW_ID}, status=shadow), "s")
    assert mappings(made) == set()


@pytest.mark.parametrize(
    ("live", "shadow", "expected"),
    [
        pytest.param(401, 401, {("s3ssa", "s3ssb")}, id="one error"),
        pytest.param(401, 403, {("s3ssa", "s3ssb")}, id="two errors of one class"),
        pytest.param(200, 401, set(), id="a success and an error"),
        pytest.param(302, 500, set(), id="a redirect and a breakage"),
    ],
)
def test_a_cookie_is_learned_from_an_error_that_both_answer(
    live: int, shadow: int, expected: set[tuple[str, str]]
) -> None:
    made = correlation()
    mine, its = (b"Set-Cookie", b"sid=s3ssa; Path=/"), (b"Set-Cookie", b"sid=s3ssb; Path=/")
    made.learn(answer(None, mine, status=live), answer(None, its, status=shadow), "s", request=get("/x"))
    assert mappings(made) == expected


@pytest.mark.parametrize(
    ("shadow", "expected"), [(422, {("abc123", "def456")}), (400, set())], ids=["same error", "another error"]
)
def test_token_of_a_form_that_an_error_shows_again_is_learned(
    shadow: int, expected: set[tuple[str, str]]
) -> None:
    made = correlation()
    mine = b'<p>ref 8f3a91c2d</p><form><input name="csrf_token" value="abc123"></form>'
    its = b'<p>ref 77aa12bb4</p><form><input name="csrf_token" value="def456"></form>'
    made.learn(Response(422, body=mine), Response(shadow, body=its), "s")
    assert mappings(made) == expected


@pytest.mark.parametrize(
    ("live", "shadow"),
    [
        (b'<input name="csrf_token" value="abc123"/>', b'<input name="csrf_token" value="def456"/>'),
        (b"<input type=hidden name=token value=abc123>", b"<input type=hidden name=token value=def456>"),
        (
            b"<r><Name>x</Name><NextToken>abc123</NextToken></r>",
            b"<r><Max>2</Max><Name>x</Name><NextToken>def456</NextToken></r>",
        ),
        (b"<meta name='csrf-token' content='abc123'>", b"<meta name='csrf-token' content='def456'>"),
        (b"<r><token>abc123</token></r>", b"<r><token>def456</token></r>"),
        (b'<a href="/x?token=abc123">y</a>', b'<a href="/x?token=def456">y</a>'),
    ],
)
def test_tokens_in_markup_are_learned(live: bytes, shadow: bytes) -> None:
    made = correlation()
    made.learn(Response(200, body=live), Response(200, body=shadow), "s")
    assert mappings(made) == {("abc123", "def456")}


def test_token_of_a_form_is_learned_from_a_page_that_was_laid_out_anew() -> None:
    live = b"<form><p><input type='hidden' name='csrftoken' value='abc123'></p></form>"
    shadow = b"<main><div><form method='post'><input value='def456' name='csrftoken'></form></div></main>"
    made = correlation()
    made.learn(Response(200, body=live), Response(200, body=shadow), "s")
    assert mappings(made) == {("abc123", "def456")}


def test_coded_bodies_are_read() -> None:
    coding = ((b"Content-Encoding", b"gzip"),)
    live = Response(200, headers=coding, body=gzip.compress(json.dumps({"id": LIVE_ID}).encode()))
    shadow = Response(200, headers=coding, body=gzip.compress(json.dumps({"id": SHADOW_ID}).encode()))
    made = correlation()
    made.learn(live, shadow, "s")
    assert mappings(made) == {(LIVE_ID, SHADOW_ID)}


# Lists


A, B, C = ("aaaaaaa1", "bbbbbbb2", "ccccccc3")
X, Y, Z = ("1111aaaa", "2222bbbb", "3333cccc")


@pytest.mark.parametrize(
    ("live", "shadow", "expected"),
    [
        pytest.param(
            [{"id": A, "n": "a"}, {"id": B, "n": "b"}], [{"id": Y, "n": "b"}, {"id": X, "n": "a"}],
            {(A, X), (B, Y)}, id="by the other values, whatever the order",
        ),
        pytest.param(
            [{"id": A, "name": "a"}, {"id": B, "name": "b"}], [{"id": Y, "name": "b"}],
            {(B, Y)}, id="of lists of different length only what is alike",
        ),
        pytest.param([{"id": A}, {"id": B}], [{"id": X}], set(), id="nothing to go by"),
        pytest.param([{"id": A}, {"id": B}], [{"id": X}, {"id": Y}], {(A, X), (B, Y)}, id="by position"),
        pytest.param(
            [{"id": A, "t": 1}, {"id": B, "t": 1}], [{"id": X, "t": 1}, {"id": Y, "t": 1}],
            {(A, X), (B, Y)}, id="alike ones in their order",
        ),
        pytest.param([A, B], [X, Y], {(A, X), (B, Y)}, id="plain values by position"),
        pytest.param([A, B], [B, X], {(A, X), (B, B)}, id="equal values are each other"),
        pytest.param([A, B], [X], set(), id="plain values of different length"),
    ],
)  # fmt: skip
def test_which_element_is_which(live: Any, shadow: Any, expected: set[tuple[str, str]]) -> None:
    assert mappings(learned({"items": live}, {"items": shadow})) == expected


def test_what_is_known_decides_which_element_is_which() -> None:
    made = learned({"id": A}, {"id": Y})
    live = [{"id": A, "job_id": "live-j1"}, {"id": B, "job_id": "live-j2"}]
    shadow = [{"id": X, "job_id": "shadow-j1"}, {"id": Y, "job_id": "shadow-j2"}]
    made.learn(answer(live), answer(shadow), "s", request=get("/v1/instances"))
    assert mappings(made) == {(A, Y), (B, X), ("live-j1", "shadow-j2"), ("live-j2", "shadow-j1")}


def test_a_guess_never_overrides_what_is_known() -> None:
    made = learned({"id": A, "x": {"job_id": B}}, {"id": X, "x": {"job_id": Y}})
    made.learn(answer([{"k": B}, {"k": C}]), answer([{"k": Z}, {"k": X}]), "s", request=get("/"))
    assert (B, Y) in mappings(made)
    assert (B, Z) not in mappings(made)


# What is translated


@pytest.fixture
def known() -> Correlation:
    """Knows one speaking value, one instance and one cookie."""
    made = correlation("live.test:8080")
    cookies = ((b"Set-Cookie", b"sid=x; Path=/"),), ((b"Set-Cookie", b"sid=y"),)
    live, shadow = {"id": 5, "name": "web", "key_id": LIVE_ID}, {"id": 7, "name": "web", "key_id": SHADOW_ID}
    made.learn(answer(live, *cookies[0]), answer(shadow, *cookies[1]), "s", request=get("/v1/instances"))
    return made


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"/v1/keys/{LIVE_ID}", f"/v1/keys/{SHADOW_ID}"),
        (f"/v1/keys/{LIVE_ID}/x?y", f"/v1/keys/{SHADOW_ID}/x?y"),
        (f"/v1/keys/urn:{LIVE_ID};v", f"/v1/keys/urn:{SHADOW_ID};v"),
        (f"/v1/keys/urn%3a{LIVE_ID}", f"/v1/keys/urn%3A{SHADOW_ID}"),
        (f"/v1/keys/key_{LIVE_ID}", f"/v1/keys/key_{SHADOW_ID}"),
        (f"/v1/keys/{LIVE_ID}0", f"/v1/keys/{LIVE_ID}0"),
        (f"/v1/keys/a{LIVE_ID}", f"/v1/keys/a{LIVE_ID}"),
        ("/v1/instances/5", "/v1/instances/7"),
        ("/v1/instances/5/start", "/v1/instances/7/start"),
        ("/v1/instances/55", "/v1/instances/55"),
        ("/v1/users/5", "/v1/users/5"),
        ("/v1/x?instance_id=5&limit=5", "/v1/x?instance_id=7&limit=5"),
        ("/v1/x?instanceId=5", "/v1/x?instanceId=7"),
        ("/v1/instances?id=5&page=5", "/v1/instances?id=7&page=5"),
        (f"/v1/x?a={LIVE_ID}&a=%41+b&&c", f"/v1/x?a={SHADOW_ID}&a=%41+b&&c"),
        (f"/v1/x?ids={LIVE_ID},{LIVE_ID}", f"/v1/x?ids={SHADOW_ID},{SHADOW_ID}"),
        ("/cb?to=http%3A%2F%2Flive.test%3A8080%2Fx", "/cb?to=http%3A%2F%2F127.0.0.1%3A9000%2Fx"),
        ("http://live.test:8080/v1/instances/5", "http://127.0.0.1:9000/v1/instances/7"),
        ("*", "*"),
        ("", ""),
    ],
)
def test_targets(known: Correlation, before: str, after: str) -> None:
    assert known.translate(get(before), "s").target == after.encode()


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        (b"Authorization", b"Bearer " + LIVE_ID.encode(), b"Bearer " + SHADOW_ID.encode()),
        (b"X-Key-Id", LIVE_ID.encode(), SHADOW_ID.encode()),
        (b"X-Odd", b"\xe9;" + LIVE_ID.encode() + b"; q=0.5", b"\xe9;" + SHADOW_ID.encode() + b"; q=0.5"),
        (b"Cookie", b"a=5;sid=x; b=x", b"a=5;sid=y; b=x"),
        (b"cookie", b'k="' + LIVE_ID.encode() + b'"', b'k="' + SHADOW_ID.encode() + b'"'),
        (b"X-Instance-Id", b"5", b"5"),
        (b"Origin", b"http://live.test:8080", b"http://127.0.0.1:9000"),
        (b"Referer", b"http://live.test:8080/v1/instances/5?a", b"http://127.0.0.1:9000/v1/instances/7?a"),
        (b"X-Forwarded-Host", b"live.test:8080", b"127.0.0.1:9000"),
        (b"X-Mail", b"me@live.test:8080", b"me@live.test:8080"),
        (b"X-Other", b"http://notlive.test:8080/", b"http://notlive.test:8080/"),
        (b"X-Other", b"http://live.test:80801/", b"http://live.test:80801/"),
        (b"Host", b"live.test:8080", b"live.test:8080"),
        (b"User-Agent", LIVE_ID.encode(), LIVE_ID.encode()),
    ],
)  # fmt: skip
def test_fields(known: Correlation, name: bytes, before: bytes, after: bytes) -> None:
    assert known.translate(get("/", (name, before)), "s").headers == ((name, after),)


def test_an_entity_tag_that_says_little_holds_for_its_resource_alone() -> None:
    made = correlation()
    made.learn(answer(None, (b"ETag", b'"3"')), answer(None, (b"ETag", b'"8"')), "s", request=get("/v1/a/1"))
    condition = (b"If-Match", b'"3", W/"4"')
    assert made.translate(get("/v1/a/1", condition), "s").headers == ((b"If-Match", b'"8", W/"4"'),)
    assert made.translate(get("/v1/a/2", condition), "s").headers == (condition,)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f'{{ "k" :"{LIVE_ID}" ,"n":1.50}}', f'{{ "k" :"{SHADOW_ID}" ,"n":1.50}}'),
        ('{"instance_id": 5, "size": 5}', '{"instance_id": 7, "size": 5}'),
        ('{"instanceIds":[5, 6],"n":5}', '{"instanceIds":[7, 6],"n":5}'),
        ('{"instance_id":"5"}', '{"instance_id":"7"}'),
        ('{"instance_id":55,"instance_id":5.5,"instance_id":-5}',) * 2,
        (
            '{"url":"http:\\/\\/live.test:8080\\/v1\\/instances\\/5"}',
            '{"url":"http://127.0.0.1:9000/v1/instances/7"}',
        ),
        (f'{{"{LIVE_ID}":1}}', f'{{"{SHADOW_ID}":1}}'),
        (f'[{{"a":"x {LIVE_ID}, y"}}', f'[{{"a":"x {SHADOW_ID}, y"}}'),
        ('{"a":"\\ud800", "a":"\\u00e9" }',) * 2,
        ('{"broken": "',) * 2,
    ],
)
def test_json_bodies_keep_every_other_byte(known: Correlation, before: str, after: str) -> None:
    made = known.translate(post("/v1/x", before.encode()), "s")
    assert made.body == after.encode()
    assert (b"Content-Length", b"%d" % len(after.encode())) in made.headers


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        (b"application/x-www-form-urlencoded", f"a=%41&k={LIVE_ID}&x=5", f"a=%41&k={SHADOW_ID}&x=5"),
        (b"application/x-www-form-urlencoded", "instance_id=5&a=5", "instance_id=7&a=5"),
        (b"application/xml", f"<a k='5'>{LIVE_ID}</a>", f"<a k='5'>{SHADOW_ID}</a>"),
        (b"text/plain", f"see http://live.test:8080/{LIVE_ID}.", f"see http://127.0.0.1:9000/{SHADOW_ID}."),
        (b"application/octet-stream", f"\0{LIVE_ID}", f"\0{LIVE_ID}"),
    ],
)
def test_other_bodies(known: Correlation, kind: bytes, before: str, after: str) -> None:
    assert known.translate(post("/v1/x", before.encode(), kind), "s").body == after.encode()


def test_a_coded_body_is_coded_again(known: Correlation) -> None:
    body = gzip.compress(f'{{"k":"{LIVE_ID}"}}'.encode())
    made = known.translate(post("/", body, b"application/json", (b"Content-Encoding", b"gzip")), "s")
    assert gzip.decompress(made.body) == f'{{"k":"{SHADOW_ID}"}}'.encode()


def test_a_request_with_nothing_known_in_it_stays_the_same_object(known: Correlation) -> None:
    request = post("/v1/x?a=b", b'{"a": [1, "b"]}')
    assert known.translate(request, "s") is request


# Sessions


def test_a_session_prefers_what_it_learned_itself() -> None:
    made = correlation()
    made.learn(answer({"id": 5}), answer({"id": 7}), "one", request=get("/v1/x"))
    made.learn(answer({"id": 5}), answer({"id": 8}), "two", request=get("/v1/x"))
    assert made.translate(get("/v1/x/5"), "one").target == b"/v1/x/7"
    assert made.translate(get("/v1/x/5"), "two").target == b"/v1/x/8"
    assert made.translate(get("/v1/x/5"), "three").target == b"/v1/x/8"


def test_of_conflicting_evidence_in_a_session_the_latest_holds() -> None:
    made = learned({"id": LIVE_ID}, {"id": OTHER_ID})
    made.learn(answer({"id": LIVE_ID}), answer({"id": SHADOW_ID}), "s")
    assert made.translate(get(f"/x/{LIVE_ID}"), "s").target == f"/x/{SHADOW_ID}".encode()


def test_what_is_not_shared_stays_in_its_session() -> None:
    made = correlation()
    made.learn(answer({"id": LIVE_ID}), answer({"id": SHADOW_ID}), "script", is_shared=False)
    assert made.translate(get(f"/x/{LIVE_ID}"), "script").target == f"/x/{SHADOW_ID}".encode()
    assert made.translate(get(f"/x/{LIVE_ID}"), "s").target == f"/x/{LIVE_ID}".encode()


def test_cookies_of_one_session_are_not_given_to_another() -> None:
    made = correlation()
    made.learn(answer(None, (b"Set-Cookie", b"sid=1")), answer(None, (b"Set-Cookie", b"sid=2")), "one")
    request = get("/", (b"Cookie", b"sid=1"))
    assert made.translate(request, "one").headers == ((b"Cookie", b"sid=2"),)
    assert made.translate(request, "two") == request


def test_what_the_client_made_up_is_never_replaced() -> None:
    made = correlation()
    request = post("/v1/x", f'{{"nonce": "{LIVE_ID}"}}'.encode())
    assert made.translate(request, "s") is request
    made.learn(answer({"nonce": LIVE_ID}), answer({"nonce": SHADOW_ID}), "s")
    assert made.translate(request, "s") is request


def test_a_cookie_that_is_set_anew_is_adopted_whoever_made_the_old_one() -> None:
    made = correlation()
    request = get("/", (b"Cookie", b"sid=abc123"))
    made.translate(request, "s")
    made.learn(
        answer(None, (b"Set-Cookie", b"sid=abc123")), answer(None, (b"Set-Cookie", b"sid=def456")), "s"
    )
    assert made.translate(request, "s").headers == ((b"Cookie", b"sid=def456"),)


def test_without_a_request_the_one_translated_last_tells_what_the_answer_is_about() -> None:
    made = correlation()
    made.translate(get("/v1/instances"), "s")
    made.learn(answer({"id": 5}), answer({"id": 7}), "s")
    assert made.translate(get("/v1/instances/5"), "s").target == b"/v1/instances/7"


def test_a_bare_id_is_of_the_kind_that_its_own_path_says() -> None:
    made = learned({"id": 5, "state": "on"}, {"id": 7, "state": "on"}, "/v1/instances/5/actions/start")
    assert made.translate(get("/v1/instances/5"), "s").target == b"/v1/instances/7"


def test_what_is_remembered_is_bounded() -> None:
    made = correlation(values_max=10, sessions_max=3, session_values_max=4)
    for number in range(100):
        made.translate(get(f"/x/{LIVE_ID[:-3]}{number + 500}"), f"s{number % 7}")
        live, shadow = f"aaaaaaaa{number:04}", f"bbbbbbbb{number:04}"
        made.learn(answer({"k": live}), answer({"k": shadow}), f"s{number % 7}")
    found = list(made.explain())
    assert len([each for each in found if each.session is None]) == 10
    assert len({each.session for each in found}) == 4
    assert ("aaaaaaaa0099", "bbbbbbbb0099") in mappings(made)


def test_a_forgotten_session_keeps_what_was_shared() -> None:
    made = learned({"id": LIVE_ID}, {"id": SHADOW_ID})
    made.forget("s")
    assert {each.session for each in made.explain()} == {None}


# What corresponds


@pytest.mark.parametrize(
    ("live", "shadow", "key", "expected"),
    [
        (LIVE_ID, SHADOW_ID, "", True),
        (LIVE_ID, SHADOW_ID, "anything", True),
        (LIVE_ID, OTHER_ID, "", False),
        (SHADOW_ID, LIVE_ID, "", False),
        (5, 7, "id", True),
        (5, 7, "instance_id", True),
        (5, 7, "count", False),
        (5, 7, "", False),
        ("5", "7", "id", True),
        (5, "7", "id", False),
        (True, False, "id", False),
        (5, 5, "count", True),
        (None, None, "", True),
        (f"/v1/x/{LIVE_ID}", f"/v1/x/{SHADOW_ID}", "", True),
        (f"/v1/x/{LIVE_ID}", f"/v1/y/{SHADOW_ID}", "", False),
        (f"http://live.test:8080/{LIVE_ID}", f"http://127.0.0.1:9000/{SHADOW_ID}", "", True),
        (f"http://live.test:8080/{LIVE_ID}", f"http://elsewhere:9000/{SHADOW_ID}", "", False),
        ("web", "wob", "name", False),
    ],
)
def test_which_values_correspond(
    known: Correlation, live: object, shadow: object, key: str, expected: bool
) -> None:
    assert known.same(live, shadow, key) is expected


# Properties


_NAMES = st.sampled_from(["id", "name", "instance_id", "token", "items", "at", "url", "size", "x"])
_LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(max_size=12),
    st.uuids().map(str),
)
_TREES = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_NAMES, inner, max_size=4),
    max_leaves=12,
)
_HEADERS = st.lists(
    st.tuples(
        st.sampled_from([b"Cookie", b"If-Match", b"Location", b"Set-Cookie", b"ETag", b"Link", b"X"]),
        st.binary(max_size=20),
    ),
    max_size=4,
).map(tuple)


@given(_TREES, _TREES, _HEADERS, _HEADERS, st.binary(max_size=30), st.binary(max_size=60))
def test_no_answer_and_no_request_raises(
    live: Any, shadow: Any, ours: Headers, theirs: Headers, target: bytes, body: bytes
) -> None:
    made = correlation("live.test:8080")
    request = Request(b"POST", target, headers=ours, body=body)
    made.translate(request, "s")
    made.learn(Response(200, headers=ours, body=json.dumps(live).encode()), answer(shadow, *theirs), "s")
    made.learn(Response(200, headers=ours, body=body), Response(200, headers=theirs, body=target), "s")
    made.translate(request, "s")
    made.translate(Request(b"POST", target, body=json.dumps(live).encode()), "s")


@given(_TREES, _HEADERS, st.binary(max_size=30))
def test_with_nothing_learned_a_request_stays_as_it_is(tree: Any, headers: Headers, target: bytes) -> None:
    request = Request(b"POST", target, headers=headers, body=json.dumps(tree).encode())
    assert correlation().translate(request, "s") == request


@given(st.uuids(), st.uuids(), _TREES)
def test_a_learned_value_is_translated_wherever_it_stands_in_a_body(
    live: object, shadow: object, tree: Any
) -> None:
    made = learned({"k": str(live)}, {"k": str(shadow)})
    before, after = (json.dumps([tree, {"at": [each]}], default=str).encode() for each in (live, shadow))
    if str(live).encode() not in json.dumps(tree).encode():
        assert made.translate(post("/", before), "s").body == after


def test_a_target_below_a_prefix_gets_paths_below_it() -> None:
    made = Correlation(Target("candidate", "http", "127.0.0.1", 9000, "/release/2/"))
    live, shadow = (b"Location", b"/v1/jobs/77"), (b"Location", b"http://h/release/2/v1/jobs/99")
    made.learn(answer(None, live, status=201), answer(None, shadow, status=201), "s", request=get("/v1/jobs"))
    assert made.translate(get("/v1/jobs/77?x"), "s").target == b"/release/2/v1/jobs/99?x"


HOSTILE = {
    "a tag that never ends": b"<" + b"a" * 200_000,
    "an attribute without a value": b"<a " + b"a" * 200_000 + b">",
    "a long word": b'{"x": "' + b"a" * 8000 + b'"}',
    "a long version": b'{"x": "' + b"1." * 4000 + b'~"}',
    "a long prefix": b'{"x": "' + b"a-" * 4000 + b'"}',
    "a long key": b'{"' + b"a_" * 100_000 + b'": "deadbeef01"}',
    "a string that never ends": b'{"x": "' + b"\\\\" * 100_000,
    "many quotes": b'{"x": ' + b'"' * 200_000,
    "spaces before a colon": b'{"x"' + b" " * 200_000,
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_bodies_take_no_longer_than_others(body: bytes) -> None:
    made = correlation("live.test:8080")
    made.translate(post("/", body), "s")
    made.translate(post("/", body, b"text/xml"), "s")
    made.learn(Response(200, body=body), Response(200, body=body.replace(b"}", b" }") + b" "), "s")
    made.learn(Response(200, body=body), Response(200, body=body.replace(b"a", b"b")), "s")
    assert sum(len(each.live) for each in made.explain()) <= 4 * len(body)


@pytest.mark.parametrize("depth", [60, 100, 500, 900, 990, 100_000])
def test_deep_bodies_are_let_be(depth: int) -> None:
    deep = b"[" * depth + b"1" + b"]" * depth
    made = correlation()
    made.learn(Response(200, body=deep), Response(200, body=deep.replace(b"1", b"2")), "s")
    assert made.translate(post("/", deep), "s").body == deep


@pytest.mark.parametrize(
    ("live", "shadow", "expected"),
    [
        ("/jobs/zucwkgwzzq", "/jobs/dpdvoxppby", {("zucwkgwzzq", "dpdvoxppby")}),
        ("/jobs/running", "/jobs/stopped", set()),
        ("/other/zucwkgwzzq", "/other/dpdvoxppby", set()),
    ],
)
def test_a_word_below_the_path_asked_for_is_no_id(live: str, shadow: str, expected: set[object]) -> None:
    made = correlation()
    made.learn(answer({"href": live}), answer({"href": shadow}), "s", request=post("/jobs", b""))
    assert mappings(made) == expected
