"""Flows as mitmproxy writes them, read without it; and flows written without it, as mitmproxy reads them."""

import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy.test import tflow

from shadow.model import Exchange, Message, Request, Response, Settled
from shadow.taps import flow_write, flows
from shadow.taps.files import Recording
from shadow.taps.flow_read import exchange_of
from shadow.taps.source import Source
from shadow.taps.tnetstring import decode
from shadow.taps.tnetstring import encode as packed
from tests.taps.exchanges import conversations, http, websockets
from tests.taps.test_taps_formats import ANSWER, QUERY

# mitmproxy's own, when it is imported
pytestmark = pytest.mark.filterwarnings("ignore::pyparsing.warnings.PyparsingDeprecationWarning")

type State = dict[str, Any]


def state(**changes: object) -> State:
    flow: State = {
        "type": "http",
        "version": 21,
        "client_conn": {"id": "c1", "peername": ["10.0.0.1", 555, 0, 0]},
        "server_conn": {"address": ["h.example", 443]},
        "request": {
            "method": b"POST", "path": b"/p?q", "http_version": b"HTTP/1.1", "authority": b"", "host": "h",
            "headers": [[b"Host", b"h.example"], [b"A", b"\xff"]], "content": b"body", "trailers": None,
            "timestamp_start": 10.5,
        },
        "response": {
            "status_code": 201, "reason": b"Made", "http_version": b"HTTP/1.1", "headers": [[b"B", b"1"]],
            "content": b"answer", "trailers": [[b"T", b"2"]], "timestamp_start": 10.75,
        },
    }  # fmt: skip
    return {**flow, **changes}


def read(folder: Path, *states: object) -> list[Exchange | Settled]:
    path = folder / "flows"
    path.write_bytes(b"".join(packed(each) for each in states))
    return list(Recording([path]))


def test_flow_becomes_an_exchange(tmp_path: Path) -> None:
    (found,) = read(tmp_path, state())
    assert isinstance(found, Exchange)
    assert found.request.headers == ((b"Host", b"h.example"), (b"A", b"\xff"))
    assert (found.request.method, found.request.target, found.request.body) == (b"POST", b"/p?q", b"body")
    assert found.response is not None
    assert (found.response.status, found.response.body, found.response.trailers) == (
        201,
        b"answer",
        ((b"T", b"2"),),
    )
    assert (found.seen_at, found.latency_seconds, found.live) == (10.5, 0.25, "h.example:443")
    assert found.session == "10.0.0.1:555#c1"


def test_flow_of_http2_gets_its_host_back(tmp_path: Path) -> None:
    second = {
        **state()["request"],
        "http_version": b"HTTP/2.0",
        "headers": [],
        "authority": b"h.example",
    }
    (found,) = read(tmp_path, state(request=second))
    assert isinstance(found, Exchange)
    assert (found.request.version, found.request.headers) == (b"HTTP/2", ((b"Host", b"h.example"),))


@pytest.mark.parametrize(
    ("flow", "expected"),
    [
        pytest.param(state(response=None), 1, id="no response"),
        pytest.param(state(type="quic"), 0, id="other protocol"),
        pytest.param(state(request={}), 0, id="no request"),
        pytest.param(state(request={**state()["request"], "timestamp_start": float("nan")}), 0, id="no time"),
        pytest.param(state(response={**state()["response"], "status_code": 10**6}), 0, id="no status"),
        pytest.param(state(type="tcp"), 0, id="no messages"),
        pytest.param(state(type="dns"), 0, id="no DNS"),
    ],
)
def test_flows_without_an_exchange(tmp_path: Path, flow: State, expected: int) -> None:
    found = read(tmp_path, state(type="sctp"), flow)
    assert sum(isinstance(each, Exchange) for each in found) == expected


def test_kinds_that_are_not_known_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "flows"
    path.write_bytes(packed(state(type="quic")) * 2 + packed(state()))
    recording = Recording([path])
    assert len(list(recording)) == 1
    assert recording.notices == [f"{path}: skipped 2 flows of kinds that are not known"]


def test_stream_becomes_a_conversation_of_turns(tmp_path: Path) -> None:
    said = [[True, b"he", 1.0], [True, b"llo", 2.0], [False, b"yes", 3.0]]
    (found,) = read(tmp_path, state(type="tcp", messages=said, timestamp_created=0.5))
    assert isinstance(found, Exchange)
    assert (found.protocol, found.seen_at, found.live) == ("tcp", 0.5, "h.example:443")
    assert found.messages == (Message(True, b"hello", 2.0), Message(False, b"yes", 3.0))


def test_datagrams_stay_apart(tmp_path: Path) -> None:
    said = [[True, b"he", 1.0], [True, b"llo", 2.0]]
    (found,) = read(tmp_path, state(type="udp", messages=said, timestamp_created=0.5))
    assert isinstance(found, Exchange)
    assert (found.protocol, len(found.messages)) == ("udp", 2)


@pytest.mark.parametrize(
    ("end", "close"),
    [
        ({"close_code": 1000, "close_reason": "bye"}, (Message(False, b"\x03\xe8bye", 9.0, "close"),)),
        ({"close_code": 1005}, (Message(False, b"", 9.0, "close"),)),
        ({"close_code": 1006}, ()),
        ({"close_code": None}, ()),
    ],
    ids=["with a reason", "without a code", "no end", "still open"],
)
def test_web_socket_becomes_a_conversation(tmp_path: Path, end: State, close: tuple[Message, ...]) -> None:
    rows = [
        [1, True, b"hi", 5.0, False, False],
        [2, False, b"held back", 6.0, True, False],
        [2, False, b"made up", 6.0, False, True],
        [2, False, b"\0", 7.0, False, False],
    ]
    socket = {"messages": rows, "closed_by_client": False, "timestamp_end": 9.0, **end}
    (found,) = read(tmp_path, state(websocket=socket))
    assert isinstance(found, Exchange)
    assert (found.protocol, found.request.method) == ("websocket", b"POST")
    assert found.messages == (Message(True, b"hi", 5.0, "text"), Message(False, b"\0", 7.0, "binary"), *close)


def test_cut_file_gives_its_whole_flows(tmp_path: Path) -> None:
    path = tmp_path / "flows"
    path.write_bytes(packed(state()) * 2 + packed(state())[:-30])
    recording = Recording([path])
    assert len(list(recording)) == 2
    assert "ends inside a flow" in recording.notices[0]


def test_flow_too_long_to_be_held_is_told_and_the_next_one_read(tmp_path: Path) -> None:
    path = tmp_path / "flows"
    large = {**state()["request"], "content": bytes(3_000_000)}
    path.write_bytes(packed(state()) + packed(state(request=large)) + packed(state()))
    notices: list[str] = []
    items = list(flows.read(Source(str(path), notices), max_flow_bytes=10_000))
    assert [isinstance(each, Exchange) for each in items] == [True, False, True]
    assert [each.why for each in items if isinstance(each, Settled)] == ["a flow longer than 10000 bytes"]
    assert notices == []


@given(st.data())
def test_damaged_flows_never_raise(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    text = bytearray(packed(state()) * 2)
    for _ in range(data.draw(st.integers(1, 6))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(text)
    notices: list[str] = []
    assert len(list(flows.read(Source(str(path), notices)))) <= 3


def read_by_mitmproxy(*exchanges: Exchange) -> list[Any]:
    from mitmproxy.io import FlowReader

    text = b"".join(flow_write.encode(each) or b"" for each in exchanges)
    return list(FlowReader(io.BytesIO(text)).stream())


EXCHANGE = Exchange(
    0,
    "pcap",
    "[::1]:555>10.0.0.2:8080#1",
    5.0,
    Request(
        b"POST", b"/p?q", headers=((b"Host", b"h"), (b"A", b"\xff")), body=b"\0", trailers=((b"T", b"1"),)
    ),
    Response(201, b"Made", headers=((b"A", b"1"), (b"a", b"2")), body=b"answer"),
    0.25,
    "10.0.0.2:8080",
)


def test_mitmproxy_reads_what_is_written() -> None:
    (flow,) = read_by_mitmproxy(EXCHANGE)
    assert (flow.request.url, flow.request.pretty_url) == ("http://10.0.0.2:8080/p?q", "http://h/p?q")
    assert (flow.request.raw_content, flow.request.headers.fields) == (b"\0", EXCHANGE.request.headers)
    assert flow.request.trailers.fields == ((b"T", b"1"),)
    assert (flow.response.status_code, flow.response.reason, flow.response.text) == (201, "Made", "answer")
    assert flow.response.timestamp_start - flow.request.timestamp_start == 0.25
    assert flow.client_conn.peername == ("::1", 555)
    assert flow.server_conn.address == flow.server_conn.peername == ("10.0.0.2", 8080)


def test_mitmproxy_reads_conversations_that_are_written() -> None:
    said = (Message(True, b"hi", 5.5, "text"), Message(False, b"\x03\xe8bye", 6.0, "close"))
    empty = Request(b"", b"", b"")
    socket = Exchange(0, "pcap", "s", 5.0, EXCHANGE.request, Response(101), 0.5, "h:80", "websocket", said)
    stream = Exchange(0, "pcap", "s", 5.0, empty, None, None, "h:80", "tcp", said[:1])
    datagrams = Exchange(0, "pcap", "s", 5.0, empty, None, None, "h:80", "udp", said[:1])
    names = (Message(True, QUERY, 5.0), Message(False, ANSWER, 6.0))
    dns = Exchange(0, "pcap", "s", 5.0, empty, None, 1.0, "10.0.0.2:53", "dns", names)
    first, second, third, fourth = read_by_mitmproxy(socket, stream, datagrams, dns)
    assert [(each.from_client, each.content) for each in first.websocket.messages] == [
        (True, b"hi"),
        (False, b"\x03\xe8bye"),
    ]
    assert (first.websocket.closed_by_client, first.websocket.close_code) == (False, 1000)
    assert first.websocket.close_reason == "bye"
    assert [(type(each).__name__, each.messages[0].content) for each in (second, third)] == [
        ("TCPFlow", b"hi"),
        ("UDPFlow", b"hi"),
    ]
    assert fourth.request.packed == QUERY
    assert [str(each) for each in fourth.response.answers] == ["a.example", "10.0.0.1"]


@given(http() | websockets() | conversations("tcp", "udp"))
def test_mitmproxy_writes_again_what_it_reads(exchange: Exchange) -> None:
    (flow,) = read_by_mitmproxy(exchange)
    state = decode(packed(flow.get_state()))
    assert isinstance(state, dict)
    found = exchange_of(state)
    assert isinstance(found, Exchange)
    assert (found.request, found.response, found.session, found.live) == (
        exchange.request,
        exchange.response,
        exchange.session,
        exchange.live,
    )


def test_flows_of_mitmproxy_itself_are_read(tmp_path: Path) -> None:
    made: list[Any] = [
        tflow.tflow(resp=True, ws=True),
        tflow.ttcpflow(),
        tflow.tudpflow(),
        tflow.tdnsflow(resp=True),
    ]
    found = [
        each for each in read(tmp_path, *(each.get_state() for each in made)) if isinstance(each, Exchange)
    ]
    assert [each.protocol for each in found] == ["websocket", "tcp", "udp", "dns"]
    assert [len(each.messages) for each in found] == [4, 2, 2, 2]
    assert found[3].messages[0].body == made[3].request.packed
    assert found[3].messages[1].body == made[3].response.packed
