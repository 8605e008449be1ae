"""`shadow extract`: captures to JSON lines that other programs read."""

import base64
import json
from pathlib import Path

from tests.end_to_end.conftest import Ask, answer, recording, shadow

ASKS: list[Ask] = [("GET", "/items/1", b""), ("POST", "/orders", b"\0\xff"), ("GET", "/nowhere?a=%20", b"")]


async def test_each_exchange_is_a_line_with_the_keys_that_scripts_rely_on(tmp_path: Path) -> None:
    (tmp_path / "a.pcap").write_bytes(recording(ASKS, per_connection=2))
    ended = await shadow("extract", "a.pcap", cwd=tmp_path)
    assert ended.code == 0, ended.err
    lines = [json.loads(line) for line in ended.out.splitlines()]
    assert [line["index"] for line in lines] == [0, 1, 2]
    assert lines[0]["session"] == lines[1]["session"] != lines[2]["session"]
    for line, ask in zip(lines, ASKS, strict=True):
        method, target, body = ask
        status, headers, said = answer(ask)
        assert line.keys() >= {"index", "tap", "session", "seen_at", "request", "response", "latency_seconds"}
        assert line["tap"] == "pcap"
        request, response = line["request"], line["response"]
        assert (request["method"], request["target"], request["version"]) == (method, target, "HTTP/1.1")
        assert ["Host", "shop.test"] in request["headers"]
        assert base64.b64decode(request["body"]) == body
        assert (response["status"], response["reason"]) == (status, "OK")
        assert [list(pair) for pair in headers.items()] == response["headers"][: len(headers)]
        assert base64.b64decode(response["body"]) == said
        assert line["seen_at"] >= 1_700_000_000
        assert line["latency_seconds"] > 0


async def test_the_ledger_goes_to_standard_error(tmp_path: Path) -> None:
    (tmp_path / "a.pcap").write_bytes(recording(ASKS))
    ended = await shadow("extract", "a.pcap", "-o", "a.jsonl", cwd=tmp_path)
    assert ended.code == 0
    assert ended.out == ""
    assert "captured 3 = 3 exchanges + 0 unparsed" in ended.err
    assert len((tmp_path / "a.jsonl").read_bytes().splitlines()) == 3


async def test_what_it_writes_it_also_reads(tmp_path: Path) -> None:
    first = await shadow("extract", "-", cwd=tmp_path, stdin=recording(ASKS))
    second = await shadow("extract", "-", cwd=tmp_path, stdin=first.out.encode())
    assert first.out == second.out != ""


async def test_of_a_capture_that_was_cut_the_part_before_the_cut_is_read(tmp_path: Path) -> None:
    whole = recording(ASKS, per_connection=1)
    (tmp_path / "cut.pcap").write_bytes(whole[:-100])
    ended = await shadow("extract", "cut.pcap", cwd=tmp_path)
    assert ended.code == 0
    assert "cut.pcap" in ended.err
    assert [json.loads(line)["request"]["target"] for line in ended.out.splitlines()][:2] == [
        "/items/1",
        "/orders",
    ]
