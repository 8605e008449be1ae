"""HTTP/2 and gRPC in captures: what tshark found in them is found here, too.

In real captures, where the folder of them exists; and in generated ones, where tshark is installed. It is a
witness, not the truth: where the two differ, EXPLAINED says what is really there.
"""

import shutil
import subprocess
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest

from bench.capture import Talk, pcap
from bench.http2 import CLIENT, SERVER, Dialogue, request, response
from shadow.model import Exchange
from shadow.taps.files import Recording

CAPTURES = Path(__file__).parents[2].parent / "shared" / "pcaps"
FOUND = sorted(CAPTURES.glob("*__*")) if CAPTURES.is_dir() else []
TSHARK = shutil.which("tshark")
COLUMNS = ("http2.headers.method", "http2.headers.path", "http2.headers.status", "grpc.message_length")


class Seen(NamedTuple):
    """What a witness or a tap saw: methods with paths, final status codes, lengths of gRPC messages."""

    requests: Counter[tuple[str, str]]
    statuses: Counter[str]
    lengths: Counter[int]


def seen(
    requests: Iterable[tuple[str, str]] = (), statuses: Iterable[str] = (), lengths: Iterable[int] = ()
) -> Seen:
    return Seen(Counter(requests), Counter(statuses), Counter(lengths))


EXPLAINED: dict[str, tuple[Seen, str]] = {
    "arkime__arkime__tests__pcap__http2-nghttp2.pcap": (
        seen([("GET", "/"), ("GET", "/stylesheets/screen.css")], ["200", "200"]),
        "tshark misses the request whose fields go on in CONTINUATION frames; the other one is pushed",
    ),
}


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.name)
def test_capture_holds_what_the_witness_saw_or_what_is_explained(path: Path) -> None:
    explained = EXPLAINED.get(path.name)
    if explained is not None:
        assert _read(path) == explained[0], explained[1]
    else:
        assert _read(path) in _witnessed(path)


@pytest.mark.skipif(not FOUND, reason="the captures are not here")
def test_every_explanation_is_of_a_capture_that_exists() -> None:
    assert set(EXPLAINED) <= {path.name for path in FOUND}


@pytest.mark.skipif(TSHARK is None, reason="tshark is not installed")
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("mss", [100, 1448])
def test_generated_capture_holds_what_the_witness_sees(tmp_path: Path, seed: int, mss: int) -> None:
    file = tmp_path / "http2.pcap"
    talk = Talk(server=("10.0.0.2", 50_051)).open()
    file.write_bytes(pcap(_dialogue(Random(seed)).talk(talk, mss=mss).close().packets))
    command = [
        TSHARK or "",
        "-r",
        str(file),
        "-d",
        "tcp.port==50051,http2",
        "-T",
        "fields",
        "-E",
        "aggregator=|",
    ]
    command += ["-E", "header=y", *(part for name in COLUMNS for part in ("-e", name))]
    told = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    ours = _read(file)
    assert ours == _table(told)
    assert all(ours)


def _dialogue(rng: Random) -> Dialogue:
    """Requests with bodies of all sizes, some of them gRPC, a few at a time."""
    dialogue = Dialogue()
    open_streams: list[tuple[int, bool]] = []
    for at in range(30):
        is_grpc = rng.random() < 0.4
        fields = request(b"POST" if is_grpc else b"PUT", b"/item/%d" % at, _type(is_grpc=is_grpc))
        open_streams.append((dialogue.ask(fields, _body(rng, is_grpc=is_grpc)), is_grpc))
        while len(open_streams) > rng.randrange(3):
            number, is_grpc = open_streams.pop(rng.randrange(len(open_streams)))
            trailers = [(b"grpc-status", b"0")] if is_grpc else []
            fields = response(rng.choice((200, 404)), _type(is_grpc=is_grpc))
            dialogue.answer(number, fields, _body(rng, is_grpc=is_grpc), trailers)
    dialogue.flush(CLIENT)
    dialogue.flush(SERVER)
    return dialogue


def _type(*, is_grpc: bool) -> tuple[bytes, bytes]:
    return b"content-type", b"application/grpc" if is_grpc else b"text/plain"


def _body(rng: Random, *, is_grpc: bool) -> bytes:
    sizes = [rng.choice((1, 20, 900, 4000)) for _ in range(rng.randrange(1, 4))]
    if is_grpc:
        fields = [b"\x0a" + bytes((size & 127 | 128, size >> 7)) + b"x" * size for size in sizes]
        return b"".join(b"\0" + len(field).to_bytes(4) + field for field in fields)
    return b"x" * sum(sizes)


def _read(path: Path) -> Seen:
    exchanges = [
        each for each in Recording([path]) if isinstance(each, Exchange) and each.request.version == b"HTTP/2"
    ]
    return seen(
        [(each.request.method.decode(), each.request.target.decode()) for each in exchanges],
        [str(each.response.status) for each in exchanges if each.response is not None],
        [len(message.body) for each in exchanges for message in each.messages],
    )


def _witnessed(path: Path) -> list[Seen]:
    """What tshark saw with its default reassembly, and with the one for segments out of order."""
    tables = [CAPTURES / "truth" / f"{path.name}{suffix}" for suffix in (".tsv", ".ooo.tsv")]
    return [_table(table.read_text("utf-8", "replace")) for table in tables if table.exists()] or [seen()]


def _table(text: str) -> Seen:
    head, *lines = text.split("\n")
    found = seen()
    for line in lines:
        row = dict(zip(head.split("\t"), line.split("\t"), strict=False))
        methods, paths, statuses, lengths = (_cell(row, name) for name in COLUMNS)
        found.requests.update(zip(methods, paths, strict=False))
        found.statuses.update(status for status in statuses if status[:1] != "1")
        found.lengths.update(int(length) for length in lengths)
    return found


def _cell(row: dict[str, str], name: str) -> list[str]:
    return [value for value in row.get(name, "").split("|") if value]
