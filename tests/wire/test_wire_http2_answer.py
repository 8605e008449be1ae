"""The answer on one stream, read without the state of a connection."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.model import Headers, Response
from shadow.wire import http2_writing as w
from shadow.wire.http2_answer import AnswerReader, code_name, fault_of

OK: Headers = ((b":status", b"200"), (b"x-a", b"1"))
TRAILERS: Headers = ((b"grpc-status", b"0"),)


def read(text: bytes, *, stream: int = 1, limit: int = 1 << 20) -> AnswerReader:
    reader = AnswerReader(stream, max_body_bytes=limit)
    reader.feed(text)
    return reader


WHOLE = (
    w.settings_frame()
    + w.headers(1, ((b":status", b"103"),), ends_stream=False)
    + w.headers(1, OK, ends_stream=False)
    + w.headers(3, OK)
    + w.ping()
    + w.data(1, b"hel", ends_stream=False, pad=3)
    + w.window_update(1, 1)
    + w.data(1, b"lo", ends_stream=False)
    + w.headers(1, TRAILERS)
)
ANSWER = Response(200, b"", b"HTTP/2", ((b"x-a", b"1"),), b"hello", TRAILERS)


@given(st.lists(st.integers(0, len(WHOLE)), max_size=6))
def test_answer_is_the_same_however_it_is_cut(cuts: list[int]) -> None:
    reader, at = AnswerReader(), 0
    for end in (*sorted(cuts), len(WHOLE)):
        reader.feed(WHOLE[at:end])
        at = end
    assert (reader.response, reader.error, reader.saw_settings) == (ANSWER, "", True)


@pytest.mark.parametrize("end", range(len(WHOLE)))
def test_no_beginning_of_an_answer_is_one(end: int) -> None:
    reader = read(WHOLE[:end])
    assert reader.response is None
    assert not reader.error
    cut = reader.cut()
    assert cut is None or (cut.status == 200 and not cut.is_complete)


@pytest.mark.parametrize(
    ("text", "last"),
    [
        pytest.param(w.rst_stream(1, 1), "RST_STREAM PROTOCOL_ERROR", id="reset"),
        pytest.param(w.goaway(0, 11), "GOAWAY ENHANCE_YOUR_CALM", id="goaway"),
        pytest.param(w.goaway(0, 99), "GOAWAY code 99", id="unknown code"),
    ],
)
def test_refusal_is_told_by_its_code(text: bytes, last: str) -> None:
    reader = read(w.settings_frame() + text)
    assert (reader.is_settled, reader.last, reader.response) == (True, last, None)


def test_goaway_that_spares_the_stream_does_not_end_it() -> None:
    reader = read(w.goaway(1, 0) + w.headers(1, OK))
    assert reader.response is not None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n", "HTTP/1", id="other version"),
        pytest.param(w.frame(0, 0, 1, b"", length=16_385), "larger", id="too large"),
        pytest.param(w.data(1, b"x"), "before its head", id="body first"),
        pytest.param(w.headers(1, ((b"x-a", b"1"),)), ":status", id="no status"),
        pytest.param(w.headers(1, ((b":status", b"99x"),)), "status", id="odd status"),
        pytest.param(w.headers(1, (*OK, (b"X-B", b"1"))), "names", id="capital"),
        pytest.param(w.headers(1, (*OK, (b"x-b", b"a\r\nb"))), "line end", id="line end"),
        pytest.param(w.headers(1, OK, spare=w.indexed(62)), "index", id="index of nothing"),
        pytest.param(w.push_promise(1, 2, OK), "push", id="push"),
        pytest.param(w.headers(1, OK, ends_headers=False) + w.ping(), "another frame", id="interrupted"),
        pytest.param(w.continuation(1, b""), "goes on", id="continuation of nothing"),
        pytest.param(w.continuation_flood(1, OK, 40, bytes(16_000)), "do not end", id="endless fields"),
        pytest.param(w.hpack_bomb(1, OK), "longer than", id="bomb"),
    ],
)
def test_what_is_no_answer_says_why(text: bytes, why: str) -> None:
    reader = read(text)
    assert reader.is_settled
    assert why in reader.error
    assert reader.response is None


def test_body_beyond_the_limit_is_cut() -> None:
    reader = read(w.headers(1, OK, ends_stream=False) + w.data(1, b"hello"), limit=3)
    assert reader.response is not None
    assert (reader.response.body, reader.response.is_complete) == (b"hel", False)


@given(st.binary(max_size=400))
def test_no_bytes_make_it_stumble(text: bytes) -> None:
    read(text)
    read(w.settings_frame() + w.headers(1, OK, ends_stream=False) + text)


def test_trailers_have_no_pseudo_fields() -> None:
    assert not fault_of(TRAILERS, is_trailer=True)
    assert fault_of(OK, is_trailer=True)


def test_codes_have_the_names_of_the_standard() -> None:
    assert [code_name(code) for code in (0, 7, 13, 14)] == [
        "NO_ERROR",
        "REFUSED_STREAM",
        "HTTP_1_1_REQUIRED",
        "code 14",
    ]


def test_empty_frames_take_no_memory() -> None:
    reader = read(w.headers(1, OK, ends_stream=False) + w.data(1, b"", ends_stream=False) * 1000)
    assert not reader._body
    reader.feed(w.data(1, b"x"))
    assert reader.response is not None
    assert reader.response.body == b"x"


def test_refusal_in_http1_is_an_answer_as_a_wrong_preface_may_get_it() -> None:
    answer = read(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    assert answer.is_settled
    assert (answer.response, answer.error) == (Response(400, b"", b"HTTP/1.1"), "")
