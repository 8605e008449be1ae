"""Recorded conversations mutated and said to services of both kinds, by the program as its users run it."""

import json
from collections.abc import Callable
from pathlib import Path

import dns.message
import pytest

from bench.capture import Packet, Talk, pcap
from tests.end_to_end.conftest import Ended, shadow
from tests.end_to_end.services import Service, datagrams, lines, names, websocket
from tests.wire.test_wire_datagrams import datagram
from tests.wire.test_wire_websocket import ASK, MASK, switch
from tests.wire.test_wire_websocket_frames import frame

pytestmark = pytest.mark.slow

type Capture = Callable[[int], list[Packet]]
"""From a number to one conversation."""

AT = 1_700_000_000.0
SERVER = "10.0.0.2"
AS = ("--as", "9000=tcp", "--as", "5000=udp")
SAID = {
    '{"op": "hello", "text": "héllo", "k": [1, 2]}': '{"type": "reply", "op": "hello", "size": 5}',
    '{"op": "say", "text": "one two"}': '{"type": "reply", "op": "say", "size": 7}',
}
LINES = {b"SET a 1\r\n": b"+OK\r\n", b"GET a\r\n": b"$1\r\n"}


def client(number: int) -> tuple[str, int]:
    return "10.0.0.7", 41_000 + number


def chat(number: int) -> list[Packet]:
    talk = Talk(client(number), (SERVER, 80), at=AT + number).open().say(0, ASK).say(1, switch())
    for mine, theirs in SAID.items():
        talk.say(0, frame(1, mine.encode(), mask=MASK)).say(1, frame(1, theirs.encode()))
    return talk.close().packets


def stream(number: int) -> list[Packet]:
    talk = Talk(client(number), (SERVER, 9000), at=AT + number).open()
    for mine, theirs in LINES.items():
        talk.say(0, mine).say(1, theirs)
    return talk.close().packets


def pair(number: int, port: int, asked: bytes, answer: bytes) -> list[Packet]:
    ends = client(number), (SERVER, port)
    return [datagram(*ends, asked, AT + number), datagram(*ends[::-1], answer, AT + number + 0.01)]


def query(number: int) -> list[Packet]:
    asked = dns.message.make_query("www.example", "A", use_edns=0, id=7)
    made = dns.message.make_response(asked)
    made.answer.append(dns.rrset.from_text("www.example.", 60, "IN", "A", "192.0.2.7"))
    return pair(number, 53, asked.to_wire(), made.to_wire())


KINDS = [
    pytest.param(websocket, "http", chat, "null_json_value", id="websocket"),
    pytest.param(lines, "tcp", stream, "s*y_bytewise", id="tcp"),
    pytest.param(
        datagrams, "udp", lambda number: pair(number, 5000, b"Qxyz", b"Ayx"), "truncate_*", id="udp"
    ),
    pytest.param(names, "dns", query, "dns_letter_case", id="dns"),
]


async def replayed(path: Path, scheme: str, service: Service, *options: str, is_sound: bool) -> Ended:
    """The capture in `path` said to a baseline that is sound and a candidate that may not be."""
    (path / "shadow.toml").write_text("timeout_seconds = 0.5\n")
    async with service(True) as old, service(is_sound) as new:
        targets = ("--candidate", f"{scheme}://127.0.0.1:{new}", "--baseline", f"{scheme}://127.0.0.1:{old}")
        return await shadow(
            *(
                "replay",
                "talk.pcap",
                *AS,
                *targets,
                "--config",
                "shadow.toml",
                "--concurrency",
                "16",
                *options,
            ),
            cwd=path,
        )


def findings(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (path / "shadow-out/findings.jsonl").read_text().splitlines()]


def sent(path: Path) -> dict[str, int]:
    summary = json.loads((path / "shadow-out/summary.json").read_text())
    counts: dict[str, int] = summary["sent"]
    return counts


@pytest.mark.parametrize(("service", "scheme", "capture", "mutator"), KINDS)
async def test_one_release_twice_has_no_findings(
    tmp_path: Path, service: Service, scheme: str, capture: Capture, mutator: str
) -> None:
    """Conversations side by side share the catalogue out among them, for each waits most of its time."""
    packets = [packet for number in range(16) for packet in capture(number)]
    (tmp_path / "talk.pcap").write_bytes(pcap(packets))
    options = ("--allow-writes", "--mutants", "8", "--no-mutator", "level:header")
    ended = await replayed(tmp_path, scheme, service, *options, is_sound=True)
    assert findings(tmp_path) == []
    assert ended.code == 0, ended.err
    assert sent(tmp_path)["mutants"] > 200


@pytest.mark.parametrize(("service", "scheme", "capture", "mutator"), KINDS)
async def test_defect_that_only_a_mutant_shows_is_found(
    tmp_path: Path, service: Service, scheme: str, capture: Capture, mutator: str
) -> None:
    packets = [packet for number in range(4) for packet in capture(number)]
    (tmp_path / "talk.pcap").write_bytes(pcap(packets))
    options = ("--mutants", "40", "--mutator", mutator, "--allow-writes", "--workers", "2")
    ended = await replayed(tmp_path, scheme, service, *options, is_sound=False)
    found = findings(tmp_path)
    assert ended.code == 1, (ended.err, found)
    for each in found:
        assert (each["kind"], each["confirmed"]) == ("mutant", "3/3")
        assert each["edits"]
        assert isinstance(each["reproduce"], dict)
        assert each["reproduce"]["shell"]


async def test_without_leave_conversations_are_said_and_not_mutated(tmp_path: Path) -> None:
    (tmp_path / "talk.pcap").write_bytes(pcap(stream(0)))
    ended = await replayed(tmp_path, "tcp", lines, "--mutants", "40", is_sound=True)
    assert ended.code == 0, ended.err
    assert (sent(tmp_path)["originals"], sent(tmp_path)["mutants"]) == (2, 0)
