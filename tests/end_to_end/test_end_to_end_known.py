"""Findings that were accepted stay silent, are told once they are gone, and count again once they expire."""

import json
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Opened, findings, recording, shadow

ASKS = [*(("GET", f"/items/{number}", b"") for number in range(1, 9)), ("GET", "/stock", b"")] * 2


@pytest.mark.parametrize("more", [(), ("--workers", "2")], ids=["one process", "workers"])
async def test_accepted_findings_are_silent_and_told_once_gone(
    opened: Opened, tmp_path: Path, more: tuple[str, ...]
) -> None:
    bad, good = await opened("no price", "no stock"), await opened()
    (tmp_path / "t.pcap").write_bytes(recording(ASKS))
    run = ("replay", "t.pcap", "--baseline", good.url, "--mutants", "0", *more)
    first = await shadow(*run, "--candidate", bad.url, cwd=tmp_path)
    assert first.code == 1
    price = next(each["id"] for each in findings(tmp_path / "shadow-out") if "price" in each["title"])
    added = await shadow("known", "add", "shadow-out", price[:6], "--reason", "not sold", cwd=tmp_path)
    assert (added.code, f"{price} accepted" in added.out) == (0, True)

    second = await shadow(*run, "--candidate", bad.url, "--known", "known.toml", cwd=tmp_path)
    assert second.code == 1  # the stock is still new
    assert "price" not in second.out
    assert "known, by known.toml: 1 seen, 0 worse, 0 expired, 0 gone, 0 not tried" in second.out
    kept = {each["id"]: each["known"] for each in findings(tmp_path / "shadow-out")}
    assert kept[price] == {"reason": "not sold"}
    summary = json.loads((tmp_path / "shadow-out" / "summary.json").read_bytes())
    assert summary["findings"] == {"high": 1, "medium": 0, "low": 0}
    assert summary["known"]["findings"] == {"high": 1, "medium": 0, "low": 0}

    all_added = await shadow("known", "add", "shadow-out", "--all", "--reason", "x", cwd=tmp_path)
    assert "is accepted already" in all_added.out
    third = await shadow(*run, "--candidate", bad.url, "--known", "known.toml", cwd=tmp_path)
    assert third.code == 0

    fixed = await shadow(*run, "--candidate", good.url, "--known", "known.toml", cwd=tmp_path)
    assert fixed.code == 0
    assert f"gone: {price} field price: missing" in fixed.out

    text = (tmp_path / "known.toml").read_text(encoding="utf-8")
    (tmp_path / "old.toml").write_text(text + "until = 2020-01-01\n", encoding="utf-8")
    fourth = await shadow(*run, "--candidate", bad.url, "--known", "old.toml", cwd=tmp_path)
    assert fourth.code == 1
    assert "it was accepted until 2020-01-01" in fourth.out


async def test_a_bad_file_of_known_findings_is_refused_before_anything_is_sent(
    opened: Opened, tmp_path: Path
) -> None:
    shop = await opened()
    (tmp_path / "t.pcap").write_bytes(recording(ASKS))
    (tmp_path / "k.toml").write_text("[[known]]\nid = 'x'\n", encoding="utf-8")
    ended = await shadow("replay", "t.pcap", "--candidate", shop.url, "--known", "k.toml", cwd=tmp_path)
    assert (ended.code, shop.seen) == (2, [])
    assert ended.err.count("\n") == 1
    assert "'k.toml', entry 1 (x): reason is missing" in ended.err
