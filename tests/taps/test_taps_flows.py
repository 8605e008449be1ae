"""Flows as mitmproxy writes them, read without it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.model import Exchange, Settled
from shadow.taps import flows
from shadow.taps.files import Recording
from shadow.taps.source import Source

type Value = bool | int | float | bytes | str | list["Value"] | dict[str, "Value"] | None


def packed(value: Value) -> bytes:
    """`value` as a tnetstring."""
    match value:
        case None:
            kind, text = b"~", b""
        case bool():
            kind, text = b"!", b"true" if value else b"false"
        case int():
            kind, text = b"#", str(value).encode()
        case float():
            kind, text = b"^", repr(value).encode()
        case bytes():
            kind, text = b",", value
        case str():
            kind, text = b";", value.encode()
        case list():
            kind, text = b"]", b"".join(packed(each) for each in value)
        case dict():
            kind, text = b"}", b"".join(packed(key) + packed(each) for key, each in value.items())
    return b"%d:%b%b" % (len(text), text, kind)


def state(**changes: Value) -> dict[str, Value]:
    flow: dict[str, Value] = {
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


def read(folder: Path, *states: Value) -> list[Exchange | Settled]:
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
    request = state()["request"]
    assert isinstance(request, dict)
    second: dict[str, Value] = {
        **request,
        "http_version": b"HTTP/2.0",
        "headers": [],
        "authority": b"h.example",
    }
    (found,) = read(tmp_path, state(request=second))
    assert isinstance(found, Exchange)
    assert (found.request.version, found.request.headers) == (b"HTTP/1.1", ((b"Host", b"h.example"),))


@pytest.mark.parametrize(
    ("flow", "expected"),
    [
        pytest.param(state(response=None), 1, id="no response"),
        pytest.param(state(type="tcp"), 0, id="other protocol"),
        pytest.param(state(request={}), 0, id="no request"),
    ],
)
def test_flows_without_an_exchange(tmp_path: Path, flow: Value, expected: int) -> None:
    found = read(tmp_path, state(type="dns"), flow)
    assert sum(isinstance(each, Exchange) for each in found) == expected


def test_cut_file_gives_its_whole_flows(tmp_path: Path) -> None:
    path = tmp_path / "flows"
    path.write_bytes(packed(state()) * 2 + packed(state())[:-30])
    recording = Recording([path])
    assert len(list(recording)) == 2
    assert "ends inside a flow" in recording.notices[0]


@given(st.data())
def test_damaged_flows_never_raise(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    text = bytearray(packed(state()) * 2)
    for _ in range(data.draw(st.integers(1, 6))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(text)
    notices: list[str] = []
    assert len(list(flows.read(Source(str(path), notices)))) <= 3
