"""The command line as a whole: which command, which exit code, what is said."""

import subprocess
import sys
from pathlib import Path

import pytest

from shadow.cli import _COMMANDS, _HIDDEN, _told, main
from shadow.errors import FeedError, ShadowError, SinkError, TapError, TargetError, UnsafeError

HEAVY = (
    *("mitmproxy", "scapy", "aiohttp", "deepdiff", "rich", "lxml", "importlib.metadata"),
    *("mutators", "comparators", "shadow.config", "shadow.pipeline", "shadow.judge"),
)


def ended(*arguments: str) -> int:
    """The exit code of a command line."""
    with pytest.raises(SystemExit) as raised:
        main([*arguments])
    assert isinstance(raised.value.code, int)
    return raised.value.code


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--help"], 0, "Commands:"),
        (["-h"], 0, "Exit codes: 0 nothing found"),
        (["--version"], 0, "shadow "),
        (["replay", "--help"], 0, "FILE..."),
        (["prxy"], 2, "no such command 'prxy', did you mean 'proxy'?"),
        (["mutater"], 2, "did you mean 'mutat"),
        (["zzzz"], 2, "no such command 'zzzz'; see shadow --help"),
        (["pipelin"], 2, "no such command 'pipelin'"),
        (["replay", "--no-such"], 2, "No such option"),
        (["replay"], 2, "FILE..."),
        (["replay", "a.pcap"], 2, "missing --candidate URL (or the key 'candidate' in the configuration)"),
        (["proxy", "--candidate", "http://a"], 2, "missing --live URL"),
        (["proxy", "--live", "http://a"], 2, "missing --candidate URL"),
        (["config", "check", "none.toml"], 2, "shadow: cannot read configuration 'none.toml': No such file"),
        (["replay", "a.pcap", "--candidate", "ftp://x"], 2, "shadow: candidate 'ftp://x' is no http"),
        (["replay", "a.pcap", "--candidate", "http://a", "--port", "0"], 2, "1<=x<=65535"),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else "",
)
def test_command_lines_end_with_their_code_and_say_why(
    arguments: list[str],
    code: int,
    said: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert ended(*arguments) == code
    out, err = capsys.readouterr()
    assert said in (err if code else out)
    assert not (err if code == 0 else out)
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ShadowError("x"), 2),
        (TapError("x"), 2),
        (FeedError("x"), 2),
        (SinkError("x"), 2),
        (UnsafeError("x"), 3),
        (TargetError("x"), 4),
        (ExceptionGroup("g", [UnsafeError("x")]), 3),
        (ExceptionGroup("g", [ExceptionGroup("h", [ValueError("y"), TargetError("x")])]), 4),
        (BaseExceptionGroup("g", [KeyboardInterrupt(), TapError("x")]), 2),
    ],
    ids=repr,
)
def test_what_the_user_can_put_right_is_one_line(
    error: BaseException, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _told(error) == code
    assert capsys.readouterr().err == "shadow: x\n"


@pytest.mark.parametrize("error", [RuntimeError("deep"), ExceptionGroup("g", [KeyError("deep")])], ids=repr)
def test_bug_has_a_code_of_its_own_and_is_shown_whole(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _told(error) == 70
    err = capsys.readouterr().err
    assert "deep" in err
    assert err.endswith("shadow: this is a bug in shadow; please report what stands above\n")


def test_every_command_can_be_called_and_the_hidden_ones_are_not_listed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert ended("--help") == 0
    listed = capsys.readouterr().out.partition("Commands:")[2]
    for name, (_, help_text) in _COMMANDS.items():
        assert (f"  {name} " in listed) == (name not in _HIDDEN)
        assert name in _HIDDEN or help_text.split(";")[0].rstrip(".")[:20] in listed
    assert ended("pipeline", "--help") == 0
    assert "--socket" in capsys.readouterr().out


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    "commands",
    [pytest.param((), id="no command"), pytest.param(tuple(_COMMANDS), id="all commands")],
)
def test_help_imports_nothing_heavy(commands: tuple[str, ...]) -> None:
    code = """
import sys
from shadow.cli import main
for arguments in [[each, "--help"] for each in sys.argv[1:]] or [["--help"]]:
    try:
        main(arguments)
    except SystemExit as end:
        assert end.code == 0
print("imported:", *sorted(sys.modules), file=sys.stderr)
"""
    done = run(code, *commands)
    assert done.stdout.count("Usage:") == max(1, len(commands))
    imported = set(done.stderr.split())
    assert "shadow.cli" in imported
    assert not imported & {*HEAVY}


def test_reader_that_goes_away_is_no_error() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "shadow", "mutators", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()
    assert (process.returncode, said) == (0, b"")
