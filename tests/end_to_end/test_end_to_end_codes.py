"""Exit codes, and what is said to a user whose input is wrong: the value, without a traceback."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Ask, Ended, Opened, recording, shadow

ASKS: list[Ask] = [("GET", "/stock", b""), ("GET", "/items/1", b"")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working folder with a capture and things that are none."""
    (tmp_path / "a.pcap").write_bytes(recording(ASKS))
    (tmp_path / "empty.pcap").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("no capture\n")
    (tmp_path / "shop.toml").write_text('candidat = "http://127.0.0.1:1"\n')
    (tmp_path / "table.toml").write_text("[scope]\nincl = []\n")
    (tmp_path / "broken.toml").write_text("mutants = \n")
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "findings.jsonl").write_text("theirs\n")
    return tmp_path


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that is in use."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def closed() -> int:
    """A port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


@pytest.mark.parametrize(
    ("faults", "options", "code"),
    [
        ((), (), 0),
        (("no stock",), (), 1),
        (("no stock",), ("--fail-on", "high"), 1),
        (("caches",), ("--fail-on", "high"), 0),
        (("caches",), ("--fail-on", "low"), 1),
        (("no stock",), ("--fail-on", "never"), 0),
        (("no price",), ("--ignore", "body:$.price"), 0),
    ],
    ids=[
        "nothing-found",
        "findings",
        "findings-as-severe-as-asked",
        "findings-less-severe",
        "findings-more-severe",
        "findings-that-never-fail",
        "findings-that-are-ignored",
    ],
)
async def test_the_exit_code_tells_whether_there_are_findings(
    folder: Path, opened: Opened, faults: tuple[str, ...], options: tuple[str, ...], code: int
) -> None:
    candidate = await opened(*faults)
    ended = await shadow(
        "replay", "a.pcap", "--mutants", "0", "--candidate", candidate.url, *options, cwd=folder
    )
    assert ended.code == code, ended.out + ended.err


@pytest.mark.parametrize(
    "live", ["127.0.0.1", "localhost", "127.0.0.2", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]"]
)
async def test_a_candidate_that_is_the_live_service_is_refused(
    folder: Path, opened: Opened, live: str
) -> None:
    shop = await opened()
    port = shop.url.rpartition(":")[2]
    ended = await shadow(
        "replay", "a.pcap", "--candidate", shop.url, "--live", f"http://{live}:{port}", cwd=folder
    )
    assert ended.code == 3, ended.err
    _says(ended, "live")
    assert shop.seen == []


async def test_nothing_is_sent_while_the_kill_switch_is_set(folder: Path, opened: Opened) -> None:
    candidate = await opened()
    (folder / "stop").touch()
    (folder / "safe.toml").write_text('[safety]\nkill_file = "stop"\n')
    ended = await shadow(
        "replay", "a.pcap", "--config", "safe.toml", "--candidate", candidate.url, cwd=folder
    )
    assert ended.code == 3, ended.err
    _says(ended, "stop")
    assert candidate.seen == []


async def test_no_more_is_sent_than_the_budget_allows(folder: Path, opened: Opened) -> None:
    candidate = await opened()
    (folder / "safe.toml").write_text("[safety]\nmax_requests = 3\n")
    ended = await shadow(
        "replay", "a.pcap", "--config", "safe.toml", "--candidate", candidate.url, cwd=folder
    )
    assert ended.code == 3, ended.err
    _says(ended, "the budget of 3 requests is spent")
    assert 1 <= len(candidate.seen) <= 3


async def test_a_candidate_that_cannot_be_reached_is_named(folder: Path, closed: int) -> None:
    url = f"http://127.0.0.1:{closed}"
    ended = await shadow("replay", "a.pcap", "--candidate", url, cwd=folder)
    assert ended.code == 4
    _says(ended, url)
    assert not (folder / "shadow-out").exists()


@pytest.mark.parametrize(
    ("arguments", "value"),
    [
        (("replay", "a.pcap"), "--candidate"),
        (("replay", "nowhere.pcap"), "'nowhere.pcap'"),
        (("replay", "theirs"), "'theirs'"),
        (("replay", "empty.pcap"), "'empty.pcap'"),
        (("replay", "notes.txt"), "'notes.txt'"),
        (("replay", "a.pcap", "--rate", "-5"), "'-5'"),
        (("replay", "a.pcap", "--speed", "fast"), "'fast'"),
        (("replay", "a.pcap", "--duration", "1y"), "'1y'"),
        (("replay", "a.pcap", "--mutants", "-1"), "-1"),
        (("replay", "a.pcap", "--concurrency", "0"), "0"),
        (("replay", "a.pcap", "--mutator", "no_such_*"), "'no_such_*'"),
        (("replay", "a.pcap", "--fail-on", "hig"), "'hig'"),
        (("replay", "a.pcap", "--ignore", "somewhere"), "'somewhere'"),
        (("replay", "a.pcap", "--metrics", "9464"), "'9464'"),
        (("replay", "a.pcap", "--out", "theirs"), "theirs/findings.jsonl"),
        (("replay", "a.pcap", "--out", "notes.txt"), "'notes.txt'"),
        (("replay", "a.pcap", "--config", "shop.toml"), "did you mean 'candidate'"),
        (("config", "check", "table.toml"), "did you mean 'include'"),
        (("config", "check", "broken.toml"), "'broken.toml'"),
        (("config", "check", "nowhere.toml"), "'nowhere.toml'"),
        (("extract", "nowhere.pcap"), "'nowhere.pcap'"),
        (("extract", "a.pcap", "-o", "a.pcap"), "a.pcap"),
        (("extract", "a.pcap", "-o", "/dev/full"), "/dev/full"),
        (("mutators", "no_such_*"), "'no_such_*'"),
        (("replai",), "did you mean 'replay'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
async def test_wrong_input_is_told_by_its_value(
    folder: Path, opened: Opened, arguments: tuple[str, ...], value: str
) -> None:
    candidate = await opened()
    if arguments[0] == "replay" and value != "--candidate":
        arguments = (*arguments, "--candidate", candidate.url)
    before = (folder / "a.pcap").read_bytes()
    ended = await shadow(*arguments, cwd=folder)
    assert ended.code == 2, ended.out + ended.err
    _says(ended, value)
    assert candidate.seen == []
    assert (folder / "a.pcap").read_bytes() == before


@pytest.mark.parametrize("option", ["--listen", "--metrics"])
async def test_a_port_in_use_is_named_before_anything_begins(
    folder: Path, opened: Opened, taken: int, option: str
) -> None:
    live, candidate = await opened(), await opened()
    options = {"--listen": "127.0.0.1:0"} | {option: f"127.0.0.1:{taken}"}
    words = [word for pair in options.items() for word in pair]
    ended = await shadow("proxy", "--live", live.url, "--candidate", candidate.url, *words, cwd=folder)
    assert ended.code == 2, ended.out + ended.err
    _says(ended, f"127.0.0.1:{taken}")


async def test_a_proxy_in_front_of_itself_is_refused(folder: Path, opened: Opened, closed: int) -> None:
    candidate, here = await opened(), f"127.0.0.1:{closed}"
    ended = await shadow(
        "proxy", "--live", f"http://{here}", "--listen", here, "--candidate", candidate.url, cwd=folder
    )
    assert ended.code == 3, ended.out + ended.err
    _says(ended, here)


def _says(ended: Ended, value: str) -> None:
    assert value in ended.err
    assert "Traceback" not in ended.err
