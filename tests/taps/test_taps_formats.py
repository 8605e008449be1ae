"""Every format gives back what it can hold, and tells what it cannot."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shadow.content.coding import undo
from shadow.content.entity import content_encoding
from shadow.errors import ConfigError
from shadow.model import Exchange, Message, Request, Response
from shadow.taps.files import Recording
from shadow.taps.formats import FORMATS, Format, Writer, format_of, is_packed
from shadow.wire.http1 import RequestReader, ResponseReader, serialise_request, serialise_response
from tests.taps.exchanges import anything, conversations, http, websockets

SOME = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


def written(form: Format, *exchanges: Exchange) -> tuple[bytes, list[str]]:
    parts: list[bytes] = []
    writer = Writer(form, parts.append)
    for each in exchanges:
        writer.add(each)
    writer.finish()
    return b"".join(parts), writer.remarks()


def read_back(folder: Path, form: Format, *exchanges: Exchange) -> list[Exchange]:
    text, left_out = written(form, *exchanges)
    assert left_out == []
    path = folder / "file"
    path.write_bytes(text)
    with Recording([path]) as recording:
        found = list(recording)
    assert recording.notices == []
    return [each for each in found if isinstance(each, Exchange)]


def alike(found: Exchange, exchange: Exchange) -> None:
    """The same, save what a file numbers and names by itself, and less than a microsecond."""
    assert found.seen_at == pytest.approx(exchange.seen_at, abs=1e-6)
    assert (found.latency_seconds is None) == (exchange.latency_seconds is None)
    assert found.latency_seconds == pytest.approx(exchange.latency_seconds, abs=1e-6)
    assert (
        msgspec.structs.replace(
            found,
            index=exchange.index,
            tap=exchange.tap,
            seen_at=exchange.seen_at,
            latency_seconds=exchange.latency_seconds,
        )
        == exchange
    )


@SOME
@given(st.lists(anything(), min_size=1, max_size=3))
def test_json_lines_give_back_everything(tmp_path: Path, exchanges: list[Exchange]) -> None:
    assert read_back(tmp_path, FORMATS["jsonl"], *exchanges) == exchanges


def is_undone(exchange: Exchange) -> bool:
    """Whether a HAR would hold the response's text in place of what was sent."""
    response = exchange.response
    coding = None if response is None else content_encoding(response.headers)
    if response is None or coding is None or not response.body:
        return False
    return undo(response.body, coding).fault is None


@SOME
@given((http() | websockets()).filter(lambda each: not is_undone(each)))
def test_har_gives_back_http_and_websockets(tmp_path: Path, exchange: Exchange) -> None:
    (found,) = read_back(tmp_path, FORMATS["har"], exchange)
    alike(found, exchange)


@SOME
@given(http() | websockets() | conversations("udp"))
def test_flows_give_back_http_websockets_and_datagrams(tmp_path: Path, exchange: Exchange) -> None:
    (found,) = read_back(tmp_path, FORMATS["flows"], exchange)
    alike(found, exchange)


@SOME
@given(conversations("tcp"))
def test_flows_give_back_streams_turn_by_turn(tmp_path: Path, exchange: Exchange) -> None:
    turns = tuple(Message(bool(at % 2), each.body, each.seen_at) for at, each in enumerate(exchange.messages))
    exchange = msgspec.structs.replace(exchange, messages=turns)
    (found,) = read_back(tmp_path, FORMATS["flows"], exchange)
    alike(found, exchange)


QUERY = b"\x12\x34\x01\x00\0\1\0\0\0\0\0\0\3www\7example\0\0\1\0\1"
ANSWER = (
    b"\x12\x34\x81\x80\0\1\0\2\0\0\0\0\3www\7example\0\0\1\0\1"
    b"\xc0\x0c\0\5\0\1\0\0\0\x3c\0\4\1a\xc0\x10"  # www.example is a.example
    b"\1a\xc0\x10\0\1\0\1\0\0\0\x3c\0\4\x0a\0\0\1"
)


@pytest.mark.parametrize("bodies", [[QUERY], [QUERY, ANSWER]], ids=["query", "query and answer"])
def test_flows_give_back_dns_byte_for_byte(tmp_path: Path, bodies: list[bytes]) -> None:
    messages = tuple(Message(not at, body, 5.0 + at) for at, body in enumerate(bodies))
    exchange = Exchange(
        0,
        "pcap",
        "10.0.0.1:5>10.0.0.2:53#1",
        5.0,
        Request(b"", b"", b""),
        None,
        0.25,
        "10.0.0.2:53",
        "dns",
        messages,
    )
    (found,) = read_back(tmp_path, FORMATS["flows"], exchange)
    alike(found, exchange)


def as_seen(exchange: Exchange) -> Exchange | None:
    """`exchange` as HTTP/1 would have carried it; None where it could not."""
    length = (b"Content-Length", b"%d" % len(exchange.request.body))
    asked = msgspec.structs.replace(
        exchange.request, version=b"HTTP/1.1", headers=(*exchange.request.headers, length), trailers=()
    )
    request = RequestReader().feed(serialise_request(asked))
    if request is None or exchange.response is None:
        return None
    reader = ResponseReader(request.method)
    text = serialise_response(
        msgspec.structs.replace(exchange.response, version=b"HTTP/1.1", trailers=()), request.method
    )
    response = reader.feed(text) or reader.finish()
    return None if response is None else msgspec.structs.replace(exchange, request=request, response=response)


@SOME
@given(http())
def test_gor_gives_back_http1_messages(tmp_path: Path, exchange: Exchange) -> None:
    seen = as_seen(exchange)
    if seen is None:
        return
    (found,) = read_back(tmp_path, FORMATS["gor"], seen)
    assert (found.request, found.response) == (seen.request, seen.response)
    assert found.seen_at == pytest.approx(seen.seen_at, abs=1e-6)
    assert found.latency_seconds == pytest.approx(seen.latency_seconds or 0.0, abs=1e-6)


HTTP2 = Exchange(
    0,
    "pcap",
    "s",
    5.0,
    Request(b"POST", b"/", b"HTTP/2", ((b"host", b"h"),), b"body"),
    Response(200, b"", b"HTTP/2", body=b"hi"),
    0.5,
)


def test_gor_holds_later_versions_as_http1(tmp_path: Path) -> None:
    (found,) = read_back(tmp_path, FORMATS["gor"], HTTP2)
    assert found.request.version == b"HTTP/1.1"
    assert {name.lower(): value for name, value in found.request.headers} == {
        b"host": b"h",
        b"content-length": b"4",
    }
    assert found.request.body == b"body"
    assert found.response == Response(200, headers=((b"Content-Length", b"2"),), body=b"hi")


SPLIT = Exchange(0, "har", "s", 5.0, Request(b"GET", b"/", headers=((b"A", b"1\r\nB: 2"),)))
"""One field that would be two."""
SPLIT_2 = Exchange(0, "pcap", "s", 5.0, Request(b"GET", b"/", b"HTTP/2", ((b"a", b"1\r\n\r\nGET /"),)))


def conversation(protocol: str, *bodies: bytes) -> Exchange:
    messages = tuple(Message(True, body, 5.0) for body in bodies)
    request = Request(b"GET", b"/") if protocol in ("websocket", "grpc") else Request(b"", b"", b"")
    return Exchange(0, "pcap", "s", 5.0, request, None, None, "", protocol, messages)


@pytest.mark.parametrize(
    ("name", "exchange", "remark"),
    [
        ("gor", SPLIT, "left out 1 http exchange: GoReplay files hold HTTP/1 alone"),
        ("gor", SPLIT_2, "left out 1 http exchange: GoReplay files hold HTTP/1 alone"),
        ("gor", conversation("websocket"), "left out 1 websocket exchange: GoReplay files hold HTTP/1 alone"),
        ("gor", conversation("grpc"), "left out 1 grpc exchange: GoReplay files hold HTTP/1 alone"),
        (
            "har",
            conversation("dns", QUERY),
            "left out 1 dns exchange: HAR files hold HTTP and WebSocket alone",
        ),
        ("har", conversation("tcp"), "left out 1 tcp exchange: HAR files hold HTTP and WebSocket alone"),
        (
            "flows",
            conversation("dns", b"junk"),
            "left out 1 dns exchange: mitmproxy flows hold DNS with one readable answer at most",
        ),
        (
            "flows",
            conversation("dns", *[QUERY] * 3),
            "left out 1 dns exchange: mitmproxy flows hold DNS with one readable answer at most",
        ),
    ],
)
def test_what_a_format_cannot_hold_is_left_out_and_told(
    tmp_path: Path, name: str, exchange: Exchange, remark: str
) -> None:
    text, left_out = written(FORMATS[name], exchange, HTTP2)
    assert left_out == [remark]
    path = tmp_path / "file"
    path.write_bytes(text)
    with Recording([path]) as recording:
        assert len(list(recording)) == 1


@given(anything(), st.sampled_from(list(FORMATS)))
def test_no_exchange_makes_a_format_raise(exchange: Exchange, name: str) -> None:
    text, left_out = written(FORMATS[name], exchange)
    assert text or left_out


@pytest.mark.parametrize(
    ("name", "path", "expected"),
    [
        (None, None, "jsonl"), (None, "a.har", "har"), (None, "a.HAR.gz", "har"), (None, "a.b.gor", "gor"),
        (None, "a.flows.gz", "flows"),
        (None, "a", "jsonl"), (None, "a.txt", "jsonl"), (None, "a.gz", "jsonl"), (None, "a.json", "jsonl"),
        (None, "a.ndjson.gz", "jsonl"), (None, "tmp.aB3xYz", "jsonl"),
        ("gor", None, "gor"), ("har", "a.txt", "har"), ("har", "a.gor", "har"),
    ],
)  # fmt: skip
def test_format_is_told_by_name_or_by_the_ending(name: str | None, path: str | None, expected: str) -> None:
    assert format_of(name, None if path is None else Path(path)).name == expected


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("a.harr", "did you mean '.har'"),
        ("a.jsnl.gz", "did you mean '.jsonl'"),
    ],
)
def test_ending_that_looks_like_a_slip_names_the_choices(path: str, hint: str) -> None:
    with pytest.raises(ConfigError) as raised:
        format_of(None, Path(path))
    message = str(raised.value)
    assert message.startswith(
        f"the ending of '{path}' does not say how to write: choose .jsonl, .har, .gor, .flows"
    )
    assert "--format" in message
    assert hint in message


def test_packed_is_what_ends_in_gz() -> None:
    assert [is_packed(Path(name)) for name in ("a.har.gz", "a.GZ", "a.har", "gz")] == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
def test_exchanges_are_written_as_they_come(form: Format) -> None:
    parts: list[bytes] = []
    writer = Writer(form, parts.append)
    sizes = []
    for _ in range(5):
        writer.add(HTTP2)
        sizes.append(sum(map(len, parts)))
    assert sizes == sorted(set(sizes))
