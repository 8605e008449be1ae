"""WebSockets in real captures, where the folder of them exists: what tshark saw of them is found here too."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from shadow.model import Exchange
from shadow.taps.files import Recording

CAPTURES = Path(__file__).parents[2].parent / "shared" / "pcaps"
KINDS = {"1": "text", "2": "binary", "8": "close", "9": "ping", "10": "pong"}

type Said = Counter[tuple[str, int]]
"""Kinds of messages with their lengths as the first length field of a frame has them: 126 and 127 for longer
ones, which is all that the witness wrote down."""

EXPLAINED: dict[str, Said] = {"__oversized-close-frame.pcapng": Counter({("close", 126): 1})}
"""Its length is written in 64 bits although 16 would do."""


def _rows(table: Path) -> Iterator[dict[str, list[str]]]:
    head, *lines = table.read_text("utf-8", "replace").split("\n")
    for line in lines:
        row = dict(zip(head.split("\t"), line.split("\t"), strict=False))
        if row.get("websocket.opcode"):
            yield {key: value.split("|") for key, value in row.items()}


def _witnessed(table: Path) -> Said:
    """The witness saw frames: those that belong together are joined here."""
    said: Said = Counter()
    begun: dict[tuple[str, str], tuple[str, int]] = {}
    for row in _rows(table):
        side = row["tcp.stream"][0], row["tcp.srcport"][0]
        frames = zip(
            row["websocket.opcode"], row["websocket.fin"], row["websocket.payload_length"], strict=True
        )
        for opcode, is_final, length in frames:
            kind, size = begun.pop(side, ("", 0)) if opcode == "0" else (KINDS[opcode], 0)
            if is_final == "1":
                said[kind, size + int(length)] += 1
            else:
                begun[side] = kind, size + int(length)
    return said


TABLES = sorted((CAPTURES / "truth").glob("*.tsv")) if CAPTURES.is_dir() else []
NAMES = sorted(
    {table.name.removesuffix(".tsv").removesuffix(".ooo") for table in TABLES if any(_rows(table))}
)


@pytest.mark.parametrize("name", NAMES)
def test_capture_holds_the_messages_that_the_witness_saw(name: str) -> None:
    found: Said = Counter()
    exchanges = [each for each in Recording([CAPTURES / name]) if isinstance(each, Exchange)]
    handshakes = [each.request for each in exchanges if each.protocol == "http"]
    for exchange in exchanges:
        if exchange.protocol == "websocket":
            assert exchange.is_complete
            assert exchange.request in handshakes
            for each in exchange.messages:
                size = len(each.body)
                found[each.kind, size if size < 126 else 126 if size < 65_536 else 127] += 1
    explained = [said for short, said in EXPLAINED.items() if name.endswith(short)]
    assert found == (explained[0] if explained else _witnessed(CAPTURES / "truth" / f"{name}.tsv"))


@pytest.mark.skipif(not TABLES, reason="the captures are not here")
def test_captures_with_websockets_are_known() -> None:
    assert len(NAMES) >= 15
