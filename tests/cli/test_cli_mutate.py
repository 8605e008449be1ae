"""The mutants that would be sent."""

import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bench.capture import pcap
from mutators import CATALOG, TALK_CATALOG
from shadow.cli.mutate import mutate
from shadow.model import Exchange, Request, Response
from shadow.taps.jsonl import encode
from tests.wire.reading import get, ok
from tests.wire.sealing import CLIENT, SERVER, Sealed

BODY = b'{"name": "web", "size": 3}'
KIND = (b"Content-Type", b"application/json")


@pytest.fixture
def capture(tmp_path: Path) -> str:
    """A file of a few exchanges."""
    host = (b"Host", b"live.test")
    requests = (
        Request(b"GET", b"/v1/x?limit=3", headers=(host,)),
        Request(b"POST", b"/v1/x", headers=(host, KIND, (b"Content-Length", b"%d" % len(BODY))), body=BODY),
        Request(b"GET", b"/v1/x/41", headers=(host,)),
    )
    path = tmp_path / "seen.jsonl"
    path.write_bytes(
        b"".join(
            encode(Exchange(at, "file", "s", 1.6e9 + at, each, Response(200)))
            for at, each in enumerate(requests)
        )
    )
    return str(path)


def shown(*arguments: str, text: bytes | None = None) -> Result:
    return CliRunner().invoke(mutate, [*arguments], input=text, catch_exceptions=False)


def all_rows(*arguments: str) -> list[dict[str, Any]]:
    """The mutants, and the summary last."""
    return [json.loads(line) for line in shown(*arguments, "--json").stdout.splitlines()]


def rows(*arguments: str) -> list[dict[str, Any]]:
    """The mutants of requests."""
    *found, summary = all_rows(*arguments)
    assert set(summary) == {"summary"}
    return [each for each in found if "steps" not in each]


def heads(text: str) -> list[str]:
    """The first line of each mutant."""
    return [line for line in text.partition("\n\n")[0].splitlines() if not line.startswith(" ")]


def test_mutants_of_each_exchange_are_shown_with_their_bytes(capture: str) -> None:
    found = rows(capture, "--mutants", "4")
    assert [row["index"] for row in found] == [at for at in range(3) for _ in range(4)]
    assert {row["endpoint"] for row in found} == {"GET /v1/x", "POST /v1/x", "GET /v1/x/{id}"}
    reasons = {each.name: each.reason for each in CATALOG}
    assert all(row["reason"] == reasons[row["mutator"]] for row in found)
    wires = {b64decode(row["raw_base64"]) for row in found if row["level"] != "network"}
    assert b"" not in wires
    recorded = b"GET /v1/x?limit=3 HTTP/1.1\r\nHost: live.test\r\n\r\n"
    assert recorded not in wires, "an edit edits, but for one of how the bytes come"


def test_same_seed_shows_the_same_and_another_one_others(capture: str) -> None:
    first, again, other = (shown(capture, "--seed", seed, "--json").stdout for seed in ("1", "1", "2"))
    assert first == again
    assert first != other


def test_lines_for_people_say_what_was_edited(capture: str) -> None:
    text = shown(capture, "--mutants", "1").stdout
    *lines, _ = heads(text)
    assert len(lines) == 3
    assert all(line.isprintable() for line in text.splitlines())
    for line, row in zip(lines, rows(capture, "--mutants", "1"), strict=True):
        assert line.startswith(f"{row['index']} {row['endpoint']}: {row['mutator']} ({row['expect']}): ")
        assert line.isprintable()


def test_only_wanted_mutators_are_used(capture: str) -> None:
    found = rows(capture, "--mutants", "9", "--mutator", "level:body", "--no-mutator", "expect:same")
    assert {row["level"] for row in found} == {"body"}
    assert "same" not in {row["expect"] for row in found}


def test_no_budget_shows_nothing(capture: str) -> None:
    result = shown(capture, "--mutants", "0")
    assert (result.exit_code, result.stdout) == (0, "")


def test_why_it_is_a_mutators_turn_is_told(capture: str, tmp_path: Path) -> None:
    assert {row["why"] for row in rows(capture)} == {"first try at this endpoint"}
    both = tmp_path / "twice.jsonl"
    both.write_bytes(Path(capture).read_bytes() * 2)
    twice = rows(str(both), "--mutants", "500", "--mutator", "level:header")
    assert {row["why"] for row in twice} == {"first try at this endpoint", "explored"}
    assert {row["needs_writes"] for row in rows(capture) if row["index"] == 1} == {True}


def test_edit_is_shown_with_what_stands_around_it(capture: str) -> None:
    text = shown(capture, "--mutants", "1", "--mutator", "drop_json_value").stdout
    head, why, ours, our_mark, theirs = text.partition("\n\n")[0].splitlines()[:5]
    assert head.startswith("1 POST /v1/x: drop_json_value (survive): dropped $.")
    assert why == "    body, first try at this endpoint, held back: it writes (--allow-writes)"
    before, after = ours.removeprefix("  - "), theirs.removeprefix("  + ")
    dropped = "".join(
        c for c, mark in zip(before, our_mark[4:].ljust(len(before)), strict=True) if mark == "^"
    )
    assert before.replace(dropped, "") == after
    assert sorted(dropped) in (sorted('"name": "web", '), sorted(', "size": 3'))
    allowed = shown(capture, "--mutants", "1", "--mutator", "drop_json_value", "--allow-writes").stdout
    assert "held back" not in allowed


def test_sessions_are_mutated_as_a_whole_and_their_steps_shown(capture: str) -> None:
    found = [row for row in all_rows(capture, "--mutator", "step_repeated") if "steps" in row]
    assert [row["mutator"] for row in found] == ["step_repeated"]
    assert sum("repeated" in step for step in found[0]["steps"]) == 1
    assert any("judged" in step for step in found[0]["steps"])
    text = shown(capture, "--mutator", "step_repeated").stdout
    assert all(f"\n    > {step}" in text for step in found[0]["steps"])


def test_sessions_are_mixed_with_those_before_as_in_a_run(capture: str, tmp_path: Path) -> None:
    seen, path = Path(capture).read_bytes(), tmp_path / "more.jsonl"
    path.write_bytes(b"".join(seen.replace(b'"s"', b'"s%d"' % at) for at in range(6)))
    found = [row for row in all_rows(str(path), "--mutator", "sessions_interleaved") if "steps" in row]
    assert {row["mutator"] for row in found} == {"sessions_interleaved"}


def test_summary_counts_by_level_and_names_who_had_nothing_to_edit(capture: str) -> None:
    wanted = ("--mutator", "level:body", "--mutants", "500")
    summary = all_rows(capture, *wanted)[-1]["summary"]
    assert set(summary["levels"]) == {"body"}
    counts = summary["levels"]["body"]
    assert counts["mutants"] == len(rows(capture, *wanted))
    assert counts["tried"] + counts["nothing_to_edit"] + counts["not_asked"] == sum(
        each.level == "body" for catalog in (CATALOG, TALK_CATALOG) for each in catalog
    )
    assert len(summary["nothing_to_edit"]) == counts["nothing_to_edit"]
    text = shown(capture, *wanted).stdout
    assert "nothing to edit anywhere as yet:" in text
    assert all(name in text for name in summary["nothing_to_edit"])


def test_limit_ends_it(capture: str) -> None:
    result = shown(capture, "--limit", "2", "--json")
    assert len(result.stdout.splitlines()) == 3
    assert result.stderr.endswith("stopped after 2 mutants (--limit)\n")


def test_colours_are_for_terminals_alone(capture: str) -> None:
    assert "\x1b" not in shown(capture, "--mutants", "9").stdout


def test_hostile_bytes_are_escaped(tmp_path: Path) -> None:
    hostile = Request(b"GET", b"/\x1b]0;x\x07", headers=((b"Host", b"h"), (b"X-A", b"\x9b31m\xff")))
    path = tmp_path / "seen.jsonl"
    path.write_bytes(encode(Exchange(0, "file", "s", 1.6e9, hostile, Response(200))))
    text = shown(str(path), "--mutants", "400").stdout
    assert all(line.isprintable() for line in text.splitlines())
    assert "\\x9b31m" in text


def test_scope_and_signing_come_from_the_configuration(capture: str, tmp_path: Path) -> None:
    config = tmp_path / "shadow.toml"
    config.write_text("mutants = 2\n[scope]\ninclude = ['GET */41']\n")
    assert [row["index"] for row in rows(capture, "--config", str(config))] == [2, 2]


def test_capture_is_read_from_standard_input_too(capture: str) -> None:
    piped = shown("-", "--json", text=Path(capture).read_bytes())
    assert piped.exit_code == 0
    assert piped.stdout == shown(capture, "--json").stdout


def test_what_is_no_exchange_is_told(capture: str) -> None:
    text = Path(capture).read_bytes() + b"{nonsense\n{more\n"
    result = shown("-", "--mutants", "1", text=text)
    assert (result.exit_code, len(heads(result.stdout))) == (0, 4)
    *reasons, ledger = result.stderr.splitlines()
    assert reasons[0] == "shadow: standard input: line 4 is the first that is no exchange"
    assert [reason[:12] for reason in reasons[1:]] == ["unparsed 2: "]
    assert ledger == "captured 5 = 3 exchanges + 2 unparsed"


def test_requests_in_tls_are_shown_with_the_key_log_of_the_option_or_of_the_file(tmp_path: Path) -> None:
    made = Sealed().open().say(CLIENT, get("/inside")).say(SERVER, ok(b"x")).close()
    (tmp_path / "tls.pcap").write_bytes(pcap(made.talk.packets))
    (tmp_path / "keys.log").write_bytes(made.key_log())
    (tmp_path / "shadow.toml").write_text(f'keylog = "{tmp_path / "keys.log"}"\n', encoding="utf-8")
    capture = str(tmp_path / "tls.pcap")
    by_option = shown(capture, "--keylog", str(tmp_path / "keys.log"), "--mutants", "2").stdout
    by_file = shown(capture, "--config", str(tmp_path / "shadow.toml"), "--mutants", "2").stdout
    assert by_option == by_file
    assert sum("GET /inside" in line for line in heads(by_option)) >= 2
    assert not shown(capture).stdout


def test_request_of_http2_is_mutated_in_its_http1_form(tmp_path: Path) -> None:
    seen = Request(b"GET", b"/v1/x", b"HTTP/2", ((b"accept", b"*/*"), (b"host", b"h")))
    path = tmp_path / "seen.jsonl"
    path.write_bytes(encode(Exchange(0, "file", "s", 1.6e9, seen, Response(200))))
    wires = [b64decode(row["raw_base64"]) for row in rows(str(path), "--mutants", "20")]
    assert len(wires) == 20
    assert not any(b"HTTP/2\r\n" in wire for wire in wires)


def test_several_edits_in_one_are_shown_once_each_was_shown_alone(tmp_path: Path) -> None:
    host = (b"Host", b"live.test")
    asked = Request(b"GET", b"/v1/x?limit=3&page=4", headers=(host, (b"Accept", b"*/*")))
    path = tmp_path / "seen.jsonl"
    lines = [encode(Exchange(at, "file", "s", 1.6e9 + at, asked, Response(200))) for at in range(12)]
    path.write_bytes(b"".join(lines))
    some = ("--mutator", "reorder_query", "--mutator", "add_unknown_field", "--mutants", "2")
    found = rows(str(path), *some)
    stacks = [row for row in found if "+" in row["mutator"]]
    assert stacks
    assert stacks[0]["index"] > 0
    assert {row["expect"] for row in stacks} == {"same"}
    assert all("several edits" in row["why"] for row in stacks)
    assert [row for row in rows(str(path), *some, "--stack", "1") if "+" in row["mutator"]] == []
