"""Who speaks, told from the first bytes of a segment."""

import pytest

from shadow.wire.opening import Opening, Speaker, speaker

TEXTS = {
    "request": (b"GET / HTTP/1.1\r\n", Speaker.CLIENT),
    "own method": (b"FROBNICATE x:y HTTP/1.0\n", Speaker.CLIENT),
    "after blank lines": (b"\r\n\r\nGET / HTTP/1.1\r\n", Speaker.CLIENT),
    "response": (b"HTTP/1.1 200", Speaker.SERVER),
    "begun": (b"GET /very/lo", Speaker.UNSURE),
    "one letter": (b"G", Speaker.UNSURE),
    "nothing": (b"", Speaker.UNSURE),
    "no version": (b"GET /\r\n", Speaker.OTHER),
    "other version": (b"GET / HTTP/2.0\r\n", Speaker.OTHER),
    "mail": (b"220 mail.example ESMTP\r\n", Speaker.OTHER),
    "binary": (b"\x00\x01\x02", Speaker.OTHER),
    "without end": (b"GET /" + b"x" * 70_000, Speaker.OTHER),
    "TLS": (b"\x16\x03\x01\x02\x00", Speaker.HOPELESS),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Speaker.HOPELESS),
    "SSH": (b"SSH-2.0-OpenSSH\r\n", Speaker.HOPELESS),
}


@pytest.mark.parametrize(("text", "expected"), TEXTS.values(), ids=TEXTS)
def test_first_bytes_tell_who_speaks(text: bytes, expected: Speaker) -> None:
    assert speaker(text) is expected


def test_request_line_in_pieces_is_given_back_whole() -> None:
    opening = Opening(is_whole=True)
    assert opening.take(1, b"GET /", 1.0, 10, 5) == []
    pieces = opening.take(1, b"x HTTP/1.1\r\n", 2.0, 15, 5)
    assert opening.client == 1
    assert pieces == [(1, b"GET /", 1.0, 10, 5), (1, b"x HTTP/1.1\r\n", 2.0, 15, 5)]


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n", id="version 1"),
        pytest.param(b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + b"\0" * 12, id="version 2"),
    ],
)
def test_proxy_header_is_left_out(header: bytes) -> None:
    pieces = Opening(is_whole=True).take(0, header + b"GET / HTTP/1.1\r\n", 1.0, 100, 5)
    assert pieces == [(0, b"GET / HTTP/1.1\r\n", 1.0, 100 + len(header), 5)]


@pytest.mark.parametrize(("is_whole", "gives_up"), [(True, True), (False, False)])
def test_only_a_connection_seen_from_its_start_is_given_up(is_whole: bool, gives_up: bool) -> None:
    opening = Opening(is_whole=is_whole)
    for _ in range(50):
        opening.take(0, b"\0binary", 1.0, 0, 0)
    assert opening.is_hopeless is gives_up
    assert opening.skipped_bytes == 350


def test_kind_of_a_hopeless_connection_is_known() -> None:
    opening = Opening(is_whole=True)
    opening.take(0, b"\x16\x03\x01", 1.0, 0, 0)
    assert (opening.is_hopeless, opening.kind) == (True, "TLS")


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = b"\0\0\0\4\0\0\0\0\0"
HEADERS = b"\0\0\1\1\4\0\0\0\1\x88"
UNKNOWN = [(0, None, 1.0, 0, 0), (1, None, 1.0, 0, 0)]


def test_all_that_was_said_before_the_preface_is_given() -> None:
    opening = Opening(is_whole=True)
    opening.take(1, SETTINGS, 1.0, 10, 5)
    opening.skip(1, 7, 1.0)
    opening.take(0, PREFACE[:2], 1.0, 5, 10)
    opening.take(0, PREFACE[2:], 1.0, 7, 10)
    assert (opening.is_hopeless, opening.kind) == (True, "HTTP/2")
    assert opening.pieces == [
        (1, SETTINGS, 1.0, 10, 5),
        (1, None, 1.0, 7, 0),
        (0, PREFACE[:2], 1.0, 5, 10),
        (0, PREFACE[2:], 1.0, 7, 10),
    ]


@pytest.mark.parametrize("text", [PREFACE, HEADERS], ids=["preface", "head of a response"])
def test_http2_is_recognised_in_the_middle_of_a_connection(text: bytes) -> None:
    opening = Opening(is_whole=False)
    for _ in range(50):
        opening.take(1, b"\0binary", 1.0, 0, 0)
    assert not opening.is_hopeless
    opening.take(1, text, 1.0, 10, 5)
    assert (opening.is_hopeless, opening.kind) == (True, "HTTP/2")
    assert opening.pieces == [*UNKNOWN, (1, text, 1.0, 10, 5)]


def test_frames_at_the_start_of_a_connection_are_no_http2_without_its_preface() -> None:
    opening = Opening(is_whole=True)
    opening.take(1, HEADERS, 1.0, 10, 5)
    assert not opening.is_hopeless


def test_connection_that_says_much_without_http_is_given_up_early() -> None:
    opening = Opening(is_whole=True)
    pieces = 0
    while not opening.is_hopeless:
        opening.take(0, b"\0" * 100_000, 1.0, 0, 0)
        pieces += 1
    assert pieces == 3
    assert len(opening.pieces) == pieces


def test_nothing_is_held_once_the_client_is_known() -> None:
    opening = Opening(is_whole=True)
    opening.take(0, b"GET /", 1.0, 0, 0)
    assert opening.pieces
    opening.take(0, b" HTTP/1.1\r\n", 1.0, 5, 0)
    assert opening.pieces == []


@pytest.mark.parametrize("end", [b" HTTP/1.1\r\n", b" HTTP/3\r\n"], ids=["a request", "none"])
def test_long_request_line_in_single_bytes_is_known_at_its_end(end: bytes) -> None:
    opening = Opening(is_whole=True)
    line = b"GET /" + b"x" * 3000 + end
    for at in range(len(line) - 1):
        assert opening.take(0, line[at : at + 1], 1.0, at, 0) == []
    assert opening.skipped_bytes == 0
    pieces = opening.take(0, line[-1:], 1.0, len(line) - 1, 0)
    assert b"".join(payload or b"" for _, payload, *_ in pieces) == (line if b"1.1" in end else b"")
    assert opening.skipped_bytes == (0 if b"1.1" in end else len(line))


def test_line_without_end_is_held_no_longer_than_it_may_be() -> None:
    opening = Opening(is_whole=True)
    for _ in range(200):
        opening.take(0, b"GET /" if not opening.pieces else b"x" * 1000, 1.0, 0, 0)
    assert opening.skipped_bytes > 65_536


def test_what_follows_a_long_line_that_was_none_is_looked_at_anew() -> None:
    opening = Opening(is_whole=True)
    opening.take(0, b"GET /" + b"x" * 3000, 1.0, 0, 0)
    opening.take(0, b"\0" * 4000, 1.0, 3005, 0)
    assert opening.skipped_bytes == 7005
    opening.take(0, b"HTTP/1.1 200", 1.0, 7005, 0)
    assert opening.client == 1


@pytest.mark.parametrize("blank", [b"", b"\n", b"\r\n\r\n"], ids=repr)
@pytest.mark.parametrize("is_whole", [True, False])
@pytest.mark.parametrize("name", ["TLS", "HTTP/2", "SSH"])
def test_other_protocols_are_named_after_blank_lines_too(name: str, is_whole: bool, blank: bytes) -> None:
    opening = Opening(is_whole=is_whole)
    assert opening.take(0, blank + TEXTS[name][0], 1.0, 10, 5) == []
    assert opening.kind == name
