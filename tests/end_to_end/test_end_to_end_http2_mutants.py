"""Mutants in frames of HTTP/2, sent to real servers that the h2 library keeps in order, or hardly."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded
from h2.exceptions import ProtocolError

from bench.capture import Talk, pcap
from bench.http2 import Dialogue, request, response
from tests.end_to_end.conftest import findings, shadow

BODY = json.dumps({"lines": [{"item": each} for each in range(20)]}).encode()
KIND = (b"content-type", b"application/json")


class Till(asyncio.Protocol):
    """One connection of a server that tells how much it was sent. Faults: ``"lax"`` takes any fields,
    ``"hasty"`` reads one DATA frame of each body.
    """

    def __init__(self, faults: frozenset[str], open_: set[asyncio.Transport]) -> None:
        self._faults = faults
        self._open = open_
        self._bodies: dict[int, list[bytes]] = {}
        self._h2 = H2Connection(
            H2Configuration(
                client_side=False, header_encoding=None, validate_inbound_headers="lax" not in faults
            )
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # which uvloop's does not inherit from
        self._open.add(self._transport)
        self._h2.initiate_connection()
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._open.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        try:
            events = self._h2.receive_data(data)
        except ProtocolError:
            self._flush()
            self._transport.close()
            return
        for event in events:
            if isinstance(event, RequestReceived):
                self._bodies[event.stream_id] = []
            elif isinstance(event, DataReceived) and event.data is not None:
                self._bodies[event.stream_id].append(event.data)
            elif isinstance(event, StreamEnded) and not self._h2.streams[event.stream_id].closed:
                self._answer(event.stream_id)
        self._flush()

    def _answer(self, number: int) -> None:
        pieces = self._bodies.pop(number)
        body = b"".join(pieces[:1] if "hasty" in self._faults else pieces)
        said = json.dumps({"bytes": len(body)}).encode()
        self._h2.send_headers(number, [(b":status", b"200"), KIND])
        self._h2.send_data(number, said, end_stream=True)

    def _flush(self) -> None:
        if said := self._h2.data_to_send():
            self._transport.write(said)


@asynccontextmanager
async def till(*faults: str) -> AsyncIterator[str]:
    """The URL of a server."""
    open_: set[asyncio.Transport] = set()
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(lambda: Till(frozenset(faults), open_), "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    finally:
        listening.close()
        for transport in list(open_):
            transport.abort()


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    dialogue = Dialogue()
    for method, path, body in ((b"GET", b"/total?a=1", b""), (b"POST", b"/orders", BODY)):
        fields = ((b"x-a", b"1"), (b"cookie", b"a=1"), (b"cookie", b"b=2"), *((KIND,) if body else ()))
        number = dialogue.ask(request(method, path, *fields), body)
        dialogue.answer(number, response(200, KIND), json.dumps({"bytes": len(body)}).encode())
    path_ = tmp_path / "till.pcap"
    path_.write_bytes(pcap(dialogue.talk(Talk().open()).close().packets))
    return path_


OF_HTTP2 = ("--mutator", "level:framing", "--no-mutator", "expect:survive")


@pytest.mark.slow
async def test_two_servers_alike_give_no_finding(tmp_path: Path, capture: Path) -> None:
    async with till() as candidate, till() as baseline:
        ended = await shadow(
            *("replay", capture, "--candidate", candidate, "--baseline", baseline),
            *("--allow-writes", "--mutants", "120", *OF_HTTP2),
            cwd=tmp_path,
        )
    assert ended.code == 0, ended.err
    assert findings(tmp_path / "shadow-out") == []
    sent = json.loads((tmp_path / "shadow-out" / "summary.json").read_bytes())["sent"]
    assert sent["mutants"] > 150


@pytest.mark.parametrize(
    ("fault", "mutator", "expect"),
    [("hasty", "split_data_frames", "same"), ("lax", "uppercase_field_name", "reject")],
)
async def test_fault_in_reading_frames_is_found(
    fault: str, mutator: str, expect: str, tmp_path: Path, capture: Path
) -> None:
    async with till(fault) as candidate, till() as baseline:
        ended = await shadow(
            *("replay", capture, "--candidate", candidate, "--baseline", baseline),
            *("--allow-writes", "--mutants", "5", "--mutator", mutator),
            cwd=tmp_path,
        )
    assert ended.code == 1, ended.err
    found = findings(tmp_path / "shadow-out")
    assert {(each["mutator"], each["expect"]) for each in found} == {(mutator, expect)}


async def test_what_was_seen_over_http1_gets_no_frames(tmp_path: Path) -> None:
    line = {"request": {"method": "GET", "target": "/", "headers": [["Host", "h"]]}}
    recording = tmp_path / "one.jsonl"
    recording.write_text(json.dumps(line) + "\n")
    ended = await shadow("mutate", recording, "--mutants", "999", "--json", cwd=tmp_path)
    assert ended.code == 0, ended.err
    *rows, _ = map(json.loads, ended.out.splitlines())  # the last one sums up
    dealt = {row["mutator"] for row in rows}
    assert "pipeline_requests" in dealt
    assert not dealt & {"ping_in_between", "wrong_setting", "rapid_reset"}
