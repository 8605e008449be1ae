"""Minimising, and the command line that sends a request again."""

import json
import socket
import subprocess
import threading
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mutators import CATALOG
from shadow.content.entity import with_raw_body
from shadow.judge.minimise import Less, new_text, shrink
from shadow.judge.reproduce import curl
from shadow.model import Expect, Known, Request, field

BODY = b'{"name": "web", "bad":{"deep":[1,2,"x\\u0000y"]},\n "tags":[], "n":1.0e5}'
HEADERS = (
    (b"Host", b"h"),
    (b"X-A", b"1"),
    (b"X-Bad", b"1"),
    (b"x-a", b"2"),
    (b"Authorization", b"Bearer x"),
    (b"X-Key", b"k"),
    (b"Content-Length", b"%d" % len(BODY)),
)
REQUEST = Request(b"POST", b"/v1/x?a=1&bad=2&c=3", headers=HEADERS, body=BODY)
KEPT = ["Host", "Authorization", "Content-Length"]


SAME = [one for one in CATALOG if one.expect is Expect.SAME]


def with_body(request: Request, body: bytes) -> Request:
    return with_raw_body(request, body)


def edited(request: Request, **parts: object) -> Request:
    body = parts.pop("body", request.body)
    assert isinstance(body, bytes)
    made = with_body(request, body)
    return Request(
        made.method,
        parts.get("target", made.target),  # type: ignore[arg-type]
        headers=(*made.headers, *parts.get("headers", ())),  # type: ignore[misc]
        body=made.body,
    )


def minimised(
    plain: Request, edit: Request, fails: Callable[[Request, Request], bool], **how: object
) -> tuple[Request, Request, int]:
    """Both requests as small as they get while they fail, and how many forms were tried."""
    shrinking = shrink(plain, edit, **how)  # type: ignore[arg-type]
    tries = 0
    try:
        less = next(shrinking)
        while True:
            tries += 1
            smaller = less.of_edited(edit, plain)
            less = shrinking.send(smaller is not None and fails(less.of(plain), smaller))
    except StopIteration as end:
        found: Less = end.value
        smaller = found.of_edited(edit, plain)
        assert smaller is not None
        return found.of(plain), smaller, tries


BAD_BODY = BODY.replace(b"[1,2,", b"[1,9999,")
CASES = [
    pytest.param(
        edited(REQUEST, body=BAD_BODY),
        lambda request: b"9999" in request.body,
        (b"/v1/x", KEPT, b'{"bad":{"deep":[9999]}}'),
        id="an element of the body",
    ),
    pytest.param(
        edited(REQUEST, body=BAD_BODY),
        lambda request: b"9999" in request.body and b'"n":1.0e5' in request.body,
        (b"/v1/x", KEPT, b'{"bad":{"deep":[9999]}, "n":1.0e5}'),
        id="the edit and a member with it",
    ),
    pytest.param(
        edited(REQUEST, target=b"/v1/x?a=1&bad=%00&c=3"),
        lambda request: b"bad=%00" in request.target,
        (b"/v1/x?bad=%00", KEPT, b"{}"),
        id="a parameter",
    ),
    pytest.param(
        edited(REQUEST, headers=((b"X-New", b"1"),)),
        lambda request: field(request.headers, b"x-new") is not None,
        (b"/v1/x", [*KEPT, "X-New"], b"{}"),
        id="a field",
    ),
]


@pytest.mark.parametrize(("edit", "fails", "expected"), CASES)
def test_what_the_finding_does_not_need_is_left_out_byte_for_byte(
    edit: Request, fails: Callable[[Request], bool], expected: tuple[bytes, list[str], bytes]
) -> None:
    _, found, _ = minimised(REQUEST, edit, lambda _, smaller: fails(smaller), needed=[b"x-key"], is_free=True)
    target, names, body = expected
    assert (found.target, found.body) == (target, body)
    assert [name.decode() for name, _ in found.headers if name != b"X-Key"] == names
    assert field(found.headers, b"content-length") == str(len(found.body)).encode()


@pytest.mark.parametrize(("edit", "is_there"), [(each.values[0], each.values[1]) for each in CASES[2:]])
def test_what_was_edited_stays_where_something_was_said_of_it(
    edit: Request, is_there: Callable[[Request], bool]
) -> None:
    plain, found, _ = minimised(REQUEST, edit, lambda *_: True)
    assert is_there(found)
    assert not is_there(plain)


def test_nothing_is_changed_where_nothing_may_go() -> None:
    edit = edited(REQUEST, body=BAD_BODY)
    assert minimised(REQUEST, edit, lambda *_: False)[:2] == (REQUEST, edit)


def test_both_requests_lose_the_same() -> None:
    edit = edited(REQUEST, body=BAD_BODY, headers=((b"X-New", b"1"),))

    def fails(plain: Request, smaller: Request) -> bool:
        assert json.loads(plain.body).keys() == json.loads(smaller.body).keys()
        assert {name for name, _ in smaller.headers} - {name for name, _ in plain.headers} == {b"X-New"}
        return True

    minimised(REQUEST, edit, fails)


def test_one_member_of_a_large_document_is_found_in_few_tries() -> None:
    document = {f"k{at}": {"v": [at, at + 1], "w": "x" * at} for at in range(200)}
    plain = with_body(REQUEST, json.dumps(document).encode())
    edit = with_body(REQUEST, json.dumps(document).replace("[77, 78]", "[77, null]").encode())
    _, found, tries = minimised(plain, edit, lambda _, smaller: b"null" in smaller.body, is_free=True)
    assert found.body == b'{"k77": {"v": [null]}}'
    assert tries < 50


def test_text_that_the_edit_brought_is_cut_down_to_what_fails() -> None:
    long = b"a" * 4000 + b"!" + b"b" * 3000
    plain = with_body(REQUEST, b'{"name":"web"}')
    edit = with_body(REQUEST, b'{"name":"' + long + b'"}')
    _, found, tries = minimised(
        plain, edit, lambda _, smaller: b"!" in smaller.body and smaller.body.endswith(b'"}'), is_free=True
    )
    assert found.body.startswith(b'{"name":"')
    assert len(found.body) < 60
    assert tries < 120


def test_bytes_that_are_no_json_are_cut_down() -> None:
    plain = with_body(REQUEST, b"")
    edit = with_body(REQUEST, b"aaaa" * 20 + b"!!" + b"bbbbbbbbbbbbbbbb" * 9)
    _, found, _ = minimised(plain, edit, lambda _, smaller: b"!!" in smaller.body, is_free=True)
    assert b"!!" in found.body
    assert len(found.body) < 40


def test_a_long_target_is_cut_down_to_what_fails() -> None:
    edit = edited(REQUEST, target=b"/v1/x?a=1&bad=" + b"y" * 9000 + b"!!" + b"z" * 500 + b"&c=3")
    _, found, tries = minimised(REQUEST, edit, lambda _, smaller: b"!!" in smaller.target, is_free=True)
    assert found.target.startswith(b"/v1/x?bad=")
    assert len(found.target) < 60
    assert tries < 120


def test_of_a_body_that_is_json_no_more_anything_may_go() -> None:
    edit = edited(REQUEST, body=BODY + b"\x00")
    plain, found, _ = minimised(REQUEST, edit, lambda _, smaller: b"\x00" in smaller.body, is_free=True)
    assert plain.body == BODY, "the control stays what it was"
    assert len(found.body) < 40


def test_what_another_target_does_not_have_is_no_smaller_form() -> None:
    less = Less(body=((0, 50),))
    assert less.of_edited(with_body(REQUEST, b"abc"), with_body(REQUEST, b"")) is None


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_what_came_in_stands_between_what_both_share(one: bytes, other: bytes) -> None:
    start, end = new_text(one, other)
    assert other[:start] == one[:start]
    rest = len(other) - end
    assert one[len(one) - rest :] == other[end:]
    assert start <= end


@given(
    st.sampled_from([one for one in CATALOG if one.expect is Expect.SAME]), st.integers(0, 50), st.randoms()
)
@settings(max_examples=300)
def test_edits_that_keep_the_meaning_keep_it_in_every_smaller_form(
    mutator: object, seed: int, random: Random
) -> None:
    """Of JSON: the parsed values of both stay equal, whatever is left out."""
    edit = mutator(REQUEST, Random(seed), Known())  # type: ignore[operator]
    if edit is None or edit.wire is not None:
        return

    def fails(plain: Request, smaller: Request) -> bool:
        assert json.loads(smaller.body) == json.loads(plain.body)
        return random.random() < 0.5

    minimised(REQUEST, edit.request, fails)


@given(st.sampled_from(CATALOG), st.integers(0, 50), st.randoms(), st.booleans())
@settings(max_examples=400)
def test_any_edit_can_be_made_smaller_without_an_error_and_ends(
    mutator: object, seed: int, random: Random, is_free: bool
) -> None:
    edit = mutator(REQUEST, Random(seed), Known())  # type: ignore[operator]
    if edit is not None:
        *_, tries = minimised(REQUEST, edit.request, lambda *_: random.random() < 0.5, is_free=is_free)
        assert tries < 3000


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
