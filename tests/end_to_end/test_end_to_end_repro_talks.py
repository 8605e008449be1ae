"""A finding of a conversation sent again, by the program as its users run it."""

import json
from pathlib import Path

import pytest

from bench.capture import pcap
from tests.end_to_end.conftest import shadow
from tests.end_to_end.services import Service
from tests.end_to_end.test_end_to_end_talk_mutants import AS, KINDS, Capture, findings

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("service", "scheme", "capture", "mutator"), KINDS)
async def test_a_conversations_finding_is_still_there_until_it_is_mended(
    tmp_path: Path, service: Service, scheme: str, capture: Capture, mutator: str
) -> None:
    (tmp_path / "talk.pcap").write_bytes(pcap([packet for number in range(3) for packet in capture(number)]))
    (tmp_path / "c.toml").write_text("timeout_seconds = 0.5\nallow_writes = true\n")
    async with service(True) as old, service(False) as bad, service(True) as mended:
        old_url, bad_url, good_url = (f"{scheme}://127.0.0.1:{port}" for port in (old, bad, mended))
        run = ("replay", "talk.pcap", *AS, "--config", "c.toml", "--mutants", "4", "--mutator", mutator)
        ended = await shadow(*run, "--candidate", bad_url, "--baseline", old_url, cwd=tmp_path)
        assert ended.code == 1, ended.err
        told = findings(tmp_path)[0]
        repro = ("repro", "shadow-out", str(told["id"]), "--config", "c.toml", "--times", "1", "--json")
        there = await shadow(*repro, cwd=tmp_path)
        assert (there.code, json.loads(there.out)["verdict"]) == (1, "still there"), there.out + there.err
        gone = await shadow(*repro, "--candidate", good_url, cwd=tmp_path)
        assert (gone.code, json.loads(gone.out)["verdict"]) == (0, "gone"), gone.out + gone.err
