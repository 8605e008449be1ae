"""HAR files as others write them, and as they are written here for others."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from shadow.content.coding import redo
from shadow.errors import TapError
from shadow.model import Exchange, Headers, Message, Request, Response, Settled
from shadow.taps import har
from shadow.taps.formats import FORMATS, Writer
from shadow.taps.source import Source

Json = dict[str, Any]


def archive(*entries: object) -> bytes:
    return json.dumps({"log": {"version": "1.2", "entries": entries}}).encode()


def entry(url: str, started: str = "2023-11-14T22:13:20.500Z", **more: object) -> Json:
    return {"startedDateTime": started, "request": {"method": "GET", "url": url}, **more}


def read(
    folder: Path, text: bytes, bounds: har.Bounds | None = None
) -> tuple[list[Exchange], list[str], list[str]]:
    """Exchanges, why others are unparsed, and notices."""
    path = folder / "a.har"
    path.write_bytes(text)
    notices: list[str] = []
    items = list(har.read(Source(str(path), notices), bounds))
    return (
        [each for each in items if isinstance(each, Exchange)],
        [each.why for each in items if isinstance(each, Settled)],
        [notice.removeprefix(f"{path}: ") for notice in notices],
    )


def test_entry_becomes_an_exchange(tmp_path: Path) -> None:
    seen = entry(
        "https://h.example:8443/p?q=1#f",
        response={
            "status": 200,
            "statusText": "OK",
            "headers": [
                {"name": "Content-Encoding", "value": "gzip"},
                {"name": "Content-Length", "value": "999"},
                {"name": "Set-Cookie", "value": "a=b"},
            ],
            "content": {"text": "aGVsbG8=", "encoding": "base64", "size": 5},
        },
        timings={"send": 1.0, "wait": 9.0},
    )
    seen["request"] = {
        "method": "POST",
        "url": seen["request"]["url"],
        "headers": [{"name": ":authority", "value": "h.example:8443"}, {"name": "X", "value": "é"}],
        "postData": {"mimeType": "text/plain", "text": "ä"},
    }
    (found,), _, _ = read(tmp_path, archive(seen))
    headers: Headers = ((b"Host", b"h.example:8443"), (b"X", b"\xc3\xa9"), (b"Content-Length", b"2"))
    assert found.request == Request(b"POST", b"/p?q=1", headers=headers, body=b"\xc3\xa4")
    assert found.response == Response(
        200, b"OK", headers=((b"Content-Length", b"5"), (b"Set-Cookie", b"a=b")), body=b"hello"
    )
    assert (found.seen_at, found.latency_seconds, found.live) == (1_700_000_000.5, 0.01, "h.example:8443")


@pytest.mark.parametrize(
    ("url", "live", "host"),
    [
        ("http://[::1]:81/", "[::1]:81", b"[::1]:81"),
        ("http://[2001:db8::1]/", "[2001:db8::1]:80", b"[2001:db8::1]"),
        ("https://h/", "h:443", b"h"),
        ("ws://user@h/", "h:80", b"h"),
    ],
)
def test_live_is_the_host_and_port_of_the_url(tmp_path: Path, url: str, live: str, host: bytes) -> None:
    (found,), _, _ = read(tmp_path, archive(entry(url)))
    assert (found.live, found.request.headers) == (live, ((b"Host", host),))


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("h2", b"HTTP/2"),
        ("http/2.0", b"HTTP/2"),
        ("HTTP/2", b"HTTP/2"),
        ("h3", b"HTTP/3"),
        ("HTTP/1.0", b"HTTP/1.0"),
        ("http/1.1", b"HTTP/1.1"),
        ("unknown", b"HTTP/1.1"),
        ("", b"HTTP/1.1"),
    ],
)
def test_versions_are_understood_as_browsers_call_them(tmp_path: Path, name: str, version: bytes) -> None:
    seen = entry("http://h/", response={"status": 200, "httpVersion": name})
    seen["request"]["httpVersion"] = name
    (found,), _, _ = read(tmp_path, archive(seen))
    assert found.request.version == version
    assert found.response is not None
    assert found.response.version == version


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 304)])
def test_length_of_a_body_that_is_not_sent_stays(tmp_path: Path, method: str, status: int) -> None:
    seen = entry(
        "http://h/", response={"status": status, "headers": [{"name": "Content-Length", "value": "77"}]}
    )
    seen["request"]["method"] = method
    (found,), _, _ = read(tmp_path, archive(seen))
    assert found.response is not None
    assert found.response.headers == ((b"Content-Length", b"77"),)


def test_web_socket_of_a_browser_becomes_a_conversation(tmp_path: Path) -> None:
    said = [
        {"type": "send", "time": 5.5, "opcode": 1, "data": "hällo"},
        {"type": "receive", "time": 6.5, "opcode": 2, "data": "AAH/"},
        {"type": "error", "time": 7.0, "opcode": -1, "data": "broken"},
    ]
    (found,), _, _ = read(
        tmp_path, archive(entry("wss://h/chat", response={"status": 101}, _webSocketMessages=said))
    )
    assert (found.protocol, found.live, found.request.target) == ("websocket", "h:443", b"/chat")
    assert found.messages == (
        Message(True, "hällo".encode(), 5.5, "text"),
        Message(False, b"\0\x01\xff", 6.5, "binary"),
    )


@pytest.mark.parametrize(
    "bad",
    [entry("data:text/plain,x"), entry("http://h:x/"), entry("http://["), {"request": 5}, 7, None, "x", [1]],
)
def test_entry_that_is_no_exchange_is_unparsed_and_the_next_one_read(tmp_path: Path, bad: object) -> None:
    found, unparsed, notices = read(tmp_path, archive(bad, entry("http://h/ok", response={"status": 0})))
    assert [(each.request.target, each.response) for each in found] == [(b"/ok", None)]
    assert len(unparsed) == 1
    assert notices == []


def test_half_of_a_surrogate_pair_is_read_as_browsers_write_it(tmp_path: Path) -> None:
    content = {"text": "\ud83d", "size": 1}
    seen = entry(
        "http://h\udc00/", response={"status": 200, "content": content}, _shadow={"session": "\ud83d"}
    )
    (found,), _, _ = read(tmp_path, archive(seen))
    assert found.response is not None
    assert found.response.body == b"\xed\xa0\xbd"
    for form in FORMATS.values():
        assert form.encode(found)


def test_entries_are_put_in_order_of_time_within_bounds(tmp_path: Path) -> None:
    seconds = [3, 1, 2, 5, 4, 0, 6]
    text = archive(*(entry(f"http://h/{second}", f"2023-11-14T22:13:0{second}Z") for second in seconds))
    found, _, notices = read(tmp_path, text)
    assert [each.request.target for each in found] == [b"/%d" % second for second in sorted(seconds)]
    assert notices == []
    found, _, notices = read(tmp_path, text, har.Bounds(waiting=2))
    assert [(each.index, each.request.target) for each in found] == list(
        enumerate([b"/1", b"/2", b"/3", b"/0", b"/4", b"/5", b"/6"])
    )
    assert notices == ["1 entries stand too far behind later ones to be put in order; they come late"]


def test_entry_too_long_to_be_held_is_told_and_the_next_one_read(tmp_path: Path) -> None:
    text = archive(entry("http://h/" + "x" * 3_000_000), entry("http://h/ok"))
    found, unparsed, _ = read(tmp_path, text, har.Bounds(entry_bytes=1000))
    assert [each.request.target for each in found] == [b"/ok"]
    assert unparsed == ["a HAR entry longer than 1000 bytes"]


@pytest.mark.parametrize("cut", [3, 20, 100])
def test_cut_file_gives_its_whole_entries_and_one_line(tmp_path: Path, cut: int) -> None:
    found, unparsed, notices = read(tmp_path, archive(entry("http://h/a"), entry("http://h/b"))[:-cut])
    assert found[0].request.target == b"/a"
    assert unparsed == []
    assert notices == ["ends inside its entries; those before were read"]


@pytest.mark.parametrize("text", [b'{"log": {}}', b'{"log": 5', b'{"log": {"entries": {}}}'])
def test_document_without_entries_is_an_error_that_names_it(tmp_path: Path, text: bytes) -> None:
    with pytest.raises(TapError, match=r"a\.har' is no HAR file"):
        read(tmp_path, text)


def written(*exchanges: Exchange) -> Json:
    parts: list[bytes] = []
    writer = Writer(FORMATS["har"], parts.append)
    for each in exchanges:
        writer.add(each)
    writer.finish()
    log: Json = json.loads(b"".join(parts))["log"]
    return log


REQUEST = Request(
    b"POST",
    b"/a b?x=%20y&z",
    headers=(
        (b"Host", b"shop.test"),
        (b"Cookie", b"a=1; b=2"),
        (b"Content-Type", b"application/x-www-form-urlencoded"),
    ),
    body=b"p=%41&q",
)
TEXT = "naïve ".encode() * 50
RESPONSE = Response(
    302,
    b"Found",
    headers=(
        (b"Location", b"/next"),
        (b"Set-Cookie", b"s=1; Path=/; HttpOnly; Secure; Expires=Wed, 21 Oct 2026 07:28:00 GMT"),
        (b"Content-Type", b"text/plain; charset=utf-8"),
        (b"Content-Encoding", b"br"),
        (b"Content-Length", b"1"),
    ),
    body=redo(TEXT, b"br") or b"",
)
EXCHANGE = Exchange(
    7, "pcap", "10.0.0.1:5>10.0.0.2:80#1", 1_700_000_000.123456, REQUEST, RESPONSE, 0.25, "10.0.0.2:80"
)


def test_log_says_who_wrote_it() -> None:
    log = written()
    assert log["version"] == "1.2"
    assert log["creator"]["name"] == "Shadow"
    assert log["entries"] == []


def test_entry_has_all_that_readers_need() -> None:
    (found,) = written(EXCHANGE)["entries"]
    assert found["startedDateTime"] == "2023-11-14T22:13:20.123456Z"
    assert found["time"] == 250
    assert found["timings"] == {
        "blocked": -1, "dns": -1, "connect": -1, "ssl": -1, "send": 0, "wait": 250, "receive": 0,
    }  # fmt: skip
    assert found["cache"] == {}
    assert found["serverIPAddress"] == "10.0.0.2"
    assert found["connection"] == EXCHANGE.session
    request = found["request"]
    assert (request["method"], request["httpVersion"]) == ("POST", "HTTP/1.1")
    assert request["url"] == "http://shop.test/a%20b?x=%20y&z"
    assert request["queryString"] == [{"name": "x", "value": " y"}, {"name": "z", "value": ""}]
    assert request["cookies"] == [{"name": "a", "value": "1"}, {"name": "b", "value": "2"}]
    assert request["headers"][0] == {"name": "Host", "value": "shop.test"}
    assert request["bodySize"] == 7
    assert request["postData"] == {
        "mimeType": "application/x-www-form-urlencoded",
        "text": "p=%41&q",
        "params": [{"name": "p", "value": "A"}, {"name": "q", "value": ""}],
    }
    response = found["response"]
    assert (response["status"], response["statusText"], response["redirectURL"]) == (302, "Found", "/next")
    (crumb,) = response["cookies"]
    assert crumb.pop("expires") == "2026-10-21T07:28:00+00:00"
    assert crumb == {"name": "s", "value": "1", "path": "/", "httpOnly": True, "secure": True}
    assert response["bodySize"] == len(RESPONSE.body)
    assert response["content"] == {
        "size": len(TEXT),
        "compression": len(TEXT) - len(RESPONSE.body),
        "mimeType": "text/plain; charset=utf-8",
        "text": TEXT.decode(),
    }


def test_body_whose_coding_was_undone_is_read_back_without_it(tmp_path: Path) -> None:
    (found,), _, _ = read(tmp_path, json.dumps({"log": written(EXCHANGE)}).encode())
    assert found.response is not None
    assert found.response.body == TEXT
    assert found.response.headers[3:] == ((b"Content-Length", b"%d" % len(TEXT)),)
    assert found.request == REQUEST


def test_body_whose_coding_cannot_be_undone_is_written_as_sent() -> None:
    response = Response(200, headers=((b"Content-Encoding", b"gzip"),), body=b"\xff\xfe")
    (found,) = written(Exchange(0, "pcap", "s", 5.0, REQUEST, response, 0.5))["entries"]
    content = found["response"]["content"]
    assert base64.b64decode(content["text"]) == b"\xff\xfe"
    assert (content["encoding"], content["size"]) == ("base64", 2)
    assert content["comment"] == "as it was sent: its coding gzip cannot be undone (broken)"


def test_request_without_an_answer_has_status_0() -> None:
    (found,) = written(Exchange(0, "pcap", "s", 5.0, REQUEST))["entries"]
    assert found["response"]["status"] == 0
    assert found["response"]["content"]["size"] == 0
    assert found["time"] == 0


def test_later_versions_are_named_as_others_name_them() -> None:
    request, response = Request(b"GET", b"/", b"HTTP/2"), Response(200, version=b"HTTP/2")
    (found,) = written(Exchange(0, "pcap", "s", 5.0, request, response, live="h.example:443"))["entries"]
    assert (found["request"]["httpVersion"], found["response"]["httpVersion"]) == ("HTTP/2.0", "HTTP/2.0")
    assert found["request"]["url"] == "https://h.example:443/"


def test_web_socket_is_written_as_chrome_does() -> None:
    said = (Message(True, b"hi", 5.5, "text"), Message(False, b"\0\xff", 6.0, "binary"))
    handshake = Request(b"GET", b"/chat", headers=((b"Host", b"h"),))
    (found,) = written(
        Exchange(0, "pcap", "s", 5.0, handshake, Response(101), 0.5, "h:80", "websocket", said)
    )["entries"]
    assert found["request"]["url"] == "ws://h/chat"
    assert found["_resourceType"] == "websocket"
    assert found["_webSocketMessages"] == [
        {"type": "send", "time": 5.5, "opcode": 1, "data": "hi"},
        {"type": "receive", "time": 6.0, "opcode": 2, "data": "AP8="},
    ]


@pytest.mark.parametrize("seen_at", [-5.0, 1e30, 0.0], ids=str)
def test_times_that_a_date_cannot_say_are_the_nearest_that_it_can(seen_at: float) -> None:
    (found,) = written(Exchange(0, "pcap", "s", seen_at, REQUEST))["entries"]
    assert found["startedDateTime"][:4] in ("1970", "9999")


@pytest.mark.parametrize(
    ("target", "host", "live", "url"),
    [
        (b"/x", b"h:81", "10.0.0.2:80", "http://h:81/x"),
        (b"/x", b"", "[::1]:443", "https://[::1]:443/x"),
        (b"/x", b"a b", "", "http://unknown.invalid/x"),
        (b"http://other/y", b"h", "", "http://other/y"),
        (b"*", b"h", "", "http://h/*"),
        (b"http://[/", b"h", "", "http://h/"),
        ("/é".encode(), b"h", "", "http://h/%C3%A9"),
    ],
)
def test_url_is_one_that_others_can_read(target: bytes, host: bytes, live: str, url: str) -> None:
    request = Request(b"GET", target, headers=((b"Host", host),) if host else ())
    (found,) = written(Exchange(0, "pcap", "s", 5.0, request, live=live))["entries"]
    assert found["request"]["url"] == url
