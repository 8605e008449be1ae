"""Conversations in a capture: told by `shadow extract`, and by `shadow replay` to targets that speak them."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from bench.capture import Packet, Talk, pcap
from tests.end_to_end.conftest import Ask, Opened, ledger, recording, shadow
from tests.replay.talks import tcp_service
from tests.wire.test_wire_datagrams import ASK, CLIENT, REPLY, SERVER, datagram
from tests.wire.test_wire_websocket import ASK as CHAT
from tests.wire.test_wire_websocket import MASK, switch
from tests.wire.test_wire_websocket_frames import frame

ASKS: list[Ask] = [("GET", f"/items/{number}", b"") for number in range(1, 6)]
NAMED = ("--as", "9000=tcp", "--as", "5000=udp")


def conversations() -> list[Packet]:
    """One of each protocol, and an answer to a query that is not there."""
    at = 1_700_000_100.0
    chat = Talk(("10.0.0.7", 41000), ("10.0.0.2", 80), at=at).open().say(0, CHAT).say(1, switch())
    chat.say(0, frame(1, b"hello", mask=MASK)).say(1, frame(1, b"welcome")).close()
    raw = Talk(("10.0.0.7", 42000), ("10.0.0.2", 9000), at=at + 1).open().say(0, b"hello").close()
    return [
        *chat.packets,
        *raw.packets,
        datagram(CLIENT, SERVER, ASK, at + 2),
        datagram(SERVER, CLIENT, REPLY, at + 2.1),
        datagram(CLIENT, ("10.0.0.2", 5000), b"one", at + 3),
        datagram(SERVER, CLIENT, REPLY, at + 4),
    ]


@pytest.fixture
def captures(tmp_path: Path) -> list[Path]:
    (tmp_path / "http.pcap").write_bytes(recording(ASKS))
    (tmp_path / "talk.pcap").write_bytes(pcap(conversations()))
    return [tmp_path / "http.pcap", tmp_path / "talk.pcap"]


async def test_each_conversation_is_a_line_with_what_was_said(tmp_path: Path, captures: list[Path]) -> None:
    ended = await shadow("extract", captures[1], *NAMED, cwd=tmp_path)
    assert ended.code == 0, ended.err
    lines = [json.loads(line) for line in ended.out.splitlines()]
    assert {line.get("protocol", "http"): len(line.get("messages", ())) for line in lines} == {
        "http": 0,
        "websocket": 2,
        "tcp": 1,
        "dns": 2,
        "udp": 1,
    }
    assert "unparsed 1: a DNS answer without its query" in ended.err
    assert "captured 6 = 5 exchanges + 1 unparsed" in ended.err
    again = await shadow("extract", "-", cwd=tmp_path, stdin=ended.out.encode())
    assert again.out == ended.out


@pytest.mark.parametrize("kind", ["captures", "lines"])
async def test_what_the_target_cannot_carry_is_counted_and_told(
    tmp_path: Path, captures: list[Path], opened: Opened, kind: str
) -> None:
    files, unparsed = [str(path) for path in captures], 1
    if kind == "lines":
        extracted = await shadow("extract", *captures, *NAMED, cwd=tmp_path)
        (tmp_path / "seen.jsonl").write_text(extracted.out)
        files, unparsed = ["seen.jsonl"], 0
    candidate = await opened()
    options = ("--candidate", candidate.url, "--mutants", "2", "--fail-on", "never")
    ended = await shadow("replay", *files, *NAMED, *options, cwd=tmp_path)
    assert ended.code == 0, ended.err
    assert ledger(tmp_path / "shadow-out") == {
        "captured": len(ASKS) + 5 + unparsed,
        "replayed": len(ASKS) + 2,
        "filtered": 3,
        "sampled_out": 0,
        "dropped": 0,
        "unparsed": unparsed,
    }
    assert {target for _, target, _ in candidate.asked} >= {target for _, target, _ in ASKS} | {"/chat"}
    assert "filtered 1: dns needs a target of dns://, not http://" in ended.out
    kept = [
        json.loads(line) for line in (tmp_path / "shadow-out" / "exchanges.jsonl").read_bytes().splitlines()
    ]
    assert {line.get("protocol", "http") for line in kept} == {"http", "websocket"}


async def test_mutants_of_conversations_are_shown(tmp_path: Path, captures: list[Path]) -> None:
    extracted = await shadow("extract", captures[1], *NAMED, cwd=tmp_path)
    shown = await shadow("mutate", "-", "--json", cwd=tmp_path, stdin=extracted.out.encode())
    assert shown.code == 0, shown.err
    lines = [each for line in shown.out.splitlines() if "endpoint" in (each := json.loads(line))]
    assert {line["endpoint"] for line in lines} == {
        "GET /chat",
        "WS /chat",
        "TCP :9000",
        "UDP :5000",
        "DNS A",
    }
    assert all(line["raw_base64"] for line in lines if line["endpoint"] != "UDP :5000")


type Said = list[tuple[bytes, bytes]]
"""What the client says, each with what it hears."""


def record_lines(path: Path, *conversations: Said) -> None:
    packets: list[Packet] = []
    for number, said in enumerate(conversations):
        at = 1_700_000_000.0 + number
        talk = Talk(("10.0.0.7", 40000 + number), ("10.0.0.2", 9000), at=at).open()
        for mine, other in said:
            talk.say(0, mine).say(1, other)
        packets += talk.close().packets
    path.write_bytes(pcap(packets))


def lines_service(answers: dict[bytes, bytes]) -> Callable[..., Awaitable[None]]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(answers.get(line, b"-ERR\n"))

    return serve


RIGHT = {b"PING\n": b"+PONG\n", b"GET a\n": b"$one\n"}
SAID = list(RIGHT.items())


@pytest.mark.parametrize(
    ("changed", "code", "where"),
    [({}, 0, []), ({b"GET a\n": b"$two\n"}, 1, [["message[]:line[]"]])],
    ids=["same release", "another answer"],
)
async def test_lines_over_tcp_are_compared(
    tmp_path: Path, changed: dict[bytes, bytes], code: int, where: list[list[str]]
) -> None:
    record_lines(tmp_path / "lines.pcap", SAID, SAID, SAID)
    async with tcp_service(lines_service(RIGHT)) as old, tcp_service(lines_service(RIGHT | changed)) as new:
        targets = ("--candidate", f"tcp://127.0.0.1:{new}", "--baseline", f"tcp://127.0.0.1:{old}")
        ended = await shadow("replay", "lines.pcap", "--as", "9000=tcp", *targets, cwd=tmp_path)
    assert ended.code == code, ended.err
    found = [json.loads(line) for line in (tmp_path / "shadow-out/findings.jsonl").read_text().splitlines()]
    assert [each["where"] for each in found] == where
    assert ledger(tmp_path / "shadow-out")["replayed"] == 3


async def test_targets_must_speak_one_protocol(tmp_path: Path) -> None:
    (tmp_path / "x.pcap").write_bytes(pcap([]))
    targets = ("--candidate", "tcp://127.0.0.1:1", "--baseline", "udp://127.0.0.1:1")
    ended = await shadow("replay", "x.pcap", *targets, cwd=tmp_path)
    assert ended.code == 2
    assert "speak different protocols; give both the same scheme" in ended.err
