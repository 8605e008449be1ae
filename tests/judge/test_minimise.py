"""Minimising, and the command line that sends a request again."""

import json
import socket
import subprocess
import threading
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shadow.judge.minimise import minimised, shrink
from shadow.judge.reproduce import curl
from shadow.model import Request, field

BODY = b'{"name":"web","bad":{"deep":[1,2,"x\\u0000y"]},"tags":[]}'
REQUEST = Request(
    b"POST",
    b"/v1/x?a=1&bad=2&c=3",
    headers=(
        (b"Host", b"h"),
        (b"X-A", b"1"),
        (b"X-Bad", b"1"),
        (b"X-B", b"2"),
        (b"Content-Length", str(len(BODY)).encode()),
    ),
    body=BODY,
)


@pytest.mark.parametrize(
    ("persists", "expected"),
    [
        pytest.param(
            lambda request: b"bad" in request.body and b"u0000" in request.body,
            (b"/v1/x", ["Host", "Content-Length"], {"bad": {"deep": ["\x00"]}}),
            id="a member of the body",
        ),
        pytest.param(
            lambda request: b"bad=2" in request.target,
            (b"/v1/x?bad=2", ["Host", "Content-Length"], {}),
            id="a query pair",
        ),
        pytest.param(
            lambda request: field(request.headers, b"x-bad") is not None,
            (b"/v1/x", ["Host", "X-Bad", "Content-Length"], {}),
            id="a header",
        ),
        pytest.param(lambda request: True, (b"/v1/x", ["Host", "Content-Length"], {}), id="anything"),
    ],
)
def test_only_what_is_needed_is_left(
    persists: Callable[[Request], bool], expected: tuple[bytes, list[str], object]
) -> None:
    found = minimised(REQUEST, persists, budget=200)
    target, names, body = expected
    assert found.target == target
    assert [name.decode() for name, _ in found.headers] == names
    assert json.loads(found.body) == body
    assert field(found.headers, b"content-length") == str(len(found.body)).encode()


def test_nothing_is_changed_where_nothing_may_go() -> None:
    assert minimised(REQUEST, lambda request: False) == REQUEST


def test_bytes_that_are_no_json_are_cut_down() -> None:
    request = Request(b"POST", b"/", body=b"aaaa!bbbbbbbbbbbbbbbb")
    assert minimised(request, lambda request: b"!" in request.body, budget=200).body == b"!"


def test_a_length_that_lies_is_left_alone() -> None:
    request = Request(b"POST", b"/", headers=((b"Content-Length", b"999"),), body=b"abcdef!")
    found = minimised(request, lambda request: True)
    assert field(found.headers, b"content-length") == b"999"


@given(st.integers(0, 30), st.binary(max_size=40) | st.just(REQUEST.body), st.randoms())
def test_the_budget_holds_and_every_proposal_is_new(budget: int, body: bytes, random: object) -> None:
    shrinking = shrink(Request(b"POST", b"/x?a&b", headers=REQUEST.headers, body=body), budget=budget)
    sent = 0
    request = None
    try:
        proposal = next(shrinking)
        while True:
            sent += 1
            assert len(proposal.body) <= len(body) or b"{" in body
            proposal = shrinking.send(random.random() < 0.5)  # type: ignore[attr-defined]
    except StopIteration as stop:
        request = stop.value
    assert isinstance(request, Request)
    assert sent <= budget


def received(command: Callable[[int], str]) -> bytes:
    """What a server reads when `command(port)` runs in bash."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        got: list[bytes] = []

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.settimeout(5)
                data = b""
                while b"\r\n\r\n" not in data or len(data.partition(b"\r\n\r\n")[2]) < _length(data):
                    data += connection.recv(65536)
                got.append(data)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        port = server.getsockname()[1]
        subprocess.run(["bash", "-c", command(port)], check=True, capture_output=True, timeout=20)
        thread.join()
    return got[0]


def _length(data: bytes) -> int:
    for line in data.partition(b"\r\n\r\n")[0].split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


REQUESTS = [
    pytest.param(Request(b"GET", b"/a?b=1&c=[x]{y}'z", headers=((b"Host", b"h"),)), id="plain"),
    pytest.param(
        Request(
            b"POST",
            b"/../a/./b",
            headers=(
                (b"Host", b"h"),
                (b"X-Empty", b""),
                (b"X-Q", b'it\'s "q" $HOME `id` \\'),
                (b"Content-Length", b"9"),
            ),
            body=b"@a'\"$b\\\xc3\xa9",
        ),
        id="quotes and a leading at sign",
    ),
    pytest.param(
        Request(
            b"PUT",
            b"/x",
            headers=((b"Host", b"h"), (b"X-Latin", b"\xe9\xff"), (b"Content-Length", b"4")),
            body=b"\x00\xff\r\n",
        ),
        id="binary body and Latin-1 field",
    ),
    pytest.param(Request(b"GET", b"/a b#c", headers=((b"Host", b"h"),)), id="target that is no URL"),
    pytest.param(Request(b"OPTIONS", b"*", headers=((b"Host", b"h"),)), id="asterisk"),
]


@pytest.mark.parametrize("request_", REQUESTS)
def test_the_command_line_sends_the_request_byte_for_byte(request_: Request) -> None:
    def command(port: int) -> str:
        line = curl(request_, f"http://127.0.0.1:{port}")
        assert line is not None
        return line

    head, _, body = received(command).partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    assert first == b"%b %b HTTP/1.1" % (request_.method, request_.target)
    assert sorted(lines) == sorted((b"%b: %b" % line).rstrip() for line in request_.headers)
    assert body == request_.body


@pytest.mark.parametrize(
    "request_",
    [
        Request(b"GET", b"/\x00"),
        Request(b"GET", b"/", headers=((b"a", b"b\r\nc: d"),)),
        Request(b"G\nET", b"/"),
    ],
)
def test_what_curl_cannot_say_is_none(request_: Request) -> None:
    assert curl(request_, "http://h") is None


@given(st.binary(max_size=60), st.binary(max_size=20), st.binary(max_size=20))
@settings(max_examples=60)
def test_any_request_gives_a_line_or_none(body: bytes, target: bytes, value: bytes) -> None:
    line = curl(Request(b"POST", target, headers=((b"X", value),), body=body), "http://h")
    assert line is None or "\x00" not in line
