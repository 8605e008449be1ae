"""The live service's address is found in every spelling, and nothing else is taken for it."""

import gzip
import json
from urllib.parse import quote

import brotli  # type: ignore[import-untyped]
import pytest

from shadow.content.entity import entity
from shadow.model import Request, Response, field
from shadow.replay._contract import Target
from shadow.replay.aim import Aim
from shadow.replay.correlation import Correlation

TARGET = Target("candidate", "http", "127.0.0.1", 9000)
AIM = Aim(TARGET, ("live.test:8080", "shop.test:443"))


@pytest.mark.parametrize(
    ("text", "aimed"),
    [
        ("http://live.test:8080/x", "http://127.0.0.1:9000/x"),
        ("https://shop.test/x", "http://127.0.0.1:9000/x"),
        ("https://shop.test:443/x", "http://127.0.0.1:9000/x"),
        ("HTTP://LIVE.TEST:8080/x", "http://127.0.0.1:9000/x"),
        ("//live.test:8080/x", "//127.0.0.1:9000/x"),
        ("live.test:8080", "127.0.0.1:9000"),
        ("http%3A%2F%2Flive.test%3A8080%2Fx", "http%3A%2F%2F127.0.0.1%3A9000%2Fx"),
        ("live.test%3A8080", "127.0.0.1%3A9000"),
        ("http:\\/\\/live.test:8080\\/x", "http:\\/\\/127.0.0.1:9000\\/x"),
        ("see http://live.test:8080.", "see http://live.test:8080."),
        ("http://live.test:80801", "http://live.test:80801"),
        ("http://live.test", "http://live.test"),
        ("http://notlive.test:8080", "http://notlive.test:8080"),
        ("me@live.test:8080", "me@live.test:8080"),
        ("http://live.test:8080.evil.test/", "http://live.test:8080.evil.test/"),
    ],
)
def test_addresses_in_texts(text: str, aimed: str) -> None:
    assert AIM.text(text) == aimed


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("username-live-test-8080", "username-live-test-9000"),
        ("sid_8080", "sid_9000"),
        ("sid18080", "sid18080"),
        ("sid", "sid"),
        ("v443", "v443"),
    ],
)
def test_a_cookie_named_after_the_live_port_is_the_targets_own(name: str, own: str) -> None:
    assert AIM.cookie_name(name) == own
    made = Correlation(TARGET, ("live.test:8080",))
    asked = Request(b"GET", b"/", headers=((b"Cookie", f"a=1; {name}=abc123".encode()),))
    assert made.translate(asked, "s").headers == ((b"Cookie", f"a=1; {own}=abc123".encode()),)
    live = Response(200, headers=((b"Set-Cookie", f"{name}=abc123; Path=/".encode()),))
    made.learn(live, Response(200, headers=((b"Set-Cookie", f"{own}=def456".encode()),)), "s")
    assert made.translate(asked, "s").headers == ((b"Cookie", f"a=1; {own}=def456".encode()),)


def test_a_cookie_that_only_live_sets_anew_stands_for_what_the_shadow_set_before() -> None:
    made = Correlation(TARGET, ("live.test:8080",))

    def setting(value: str) -> Response:
        return Response(200, headers=((b"Set-Cookie", f"sid={value}; Path=/".encode()),))

    made.learn(setting("abc111"), setting("def222"), "s")
    made.learn(setting("abc333"), Response(200), "s")
    asked = Request(b"GET", b"/", headers=((b"Cookie", b"sid=abc333"),))
    assert made.translate(asked, "s").headers == ((b"Cookie", b"sid=def222"),)
    assert made.translate(asked, "another").headers == asked.headers


@pytest.mark.parametrize("coding", ["", "gzip", "br", "zstd"])
@pytest.mark.parametrize(
    ("kind", "body", "aimed"),
    [
        ("application/json", '{"u":"http://live.test:8080/a"}', '{"u":"http://127.0.0.1:9000/a"}'),
        ("application/json", '{"u":"http:\\/\\/live.test:8080"}', '{"u":"http://127.0.0.1:9000"}'),
        (
            "application/json",
            json.dumps({"e": json.dumps({"u": "http://live.test:8080"})}),
            json.dumps({"e": json.dumps({"u": "http://127.0.0.1:9000"})}),
        ),
        (
            "application/x-www-form-urlencoded",
            f"a=1&u={quote('http://live.test:8080/a', safe='')}",
            f"a=1&u={quote('http://127.0.0.1:9000/a', safe='')}",
        ),
        ("text/plain", "go to http://live.test:8080/a now", "go to http://127.0.0.1:9000/a now"),
        ("application/xml", '<a u="http://live.test:8080/"/>', '<a u="http://127.0.0.1:9000/"/>'),
    ],
)
def test_bodies_are_aimed_within_their_coding_and_keep_their_length_right(
    coding: str, kind: str, body: str, aimed: str
) -> None:
    from shadow.content.coding import redo

    raw = redo(body.encode(), coding.encode()) if coding else body.encode()
    assert raw is not None
    headers = ((b"Content-Type", kind.encode()), (b"Content-Length", b"%d" % len(raw)))
    told = ((b"Content-Encoding", coding.encode()),) if coding else ()
    request = Request(b"POST", b"/x", headers=(*headers, *told), body=raw)
    made = Correlation(TARGET, ("live.test:8080",)).translate(request, "s")
    assert entity(made) == aimed.encode()
    assert field(made.headers, b"content-length") == b"%d" % len(made.body)
    assert field(made.headers, b"content-encoding") == (coding.encode() or None)
    if coding == "gzip":
        assert gzip.decompress(made.body) == aimed.encode()
    if coding == "br":
        assert brotli.decompress(made.body) == aimed.encode()


def test_fields_that_go_with_the_host_stay_with_it() -> None:
    headers = (
        (b"Origin", b"http://live.test:8080"),
        (b"Referer", b"http://live.test:8080/a"),
        (b"X-Forwarded-Host", b"live.test"),
        (b"X-Callback", b"http://live.test:8080/b"),
    )
    request = Request(b"GET", b"/x", headers=headers)
    made = Correlation(TARGET, ("live.test:8080",), keeps_host=True).translate(request, "s")
    assert made.headers[:3] == headers[:3]
    assert made.headers[3] == (b"X-Callback", b"http://127.0.0.1:9000/b")
    aimed = Correlation(TARGET, ("live.test:8080",)).translate(request, "s")
    assert field(aimed.headers, b"x-forwarded-host") == b"127.0.0.1:9000"
