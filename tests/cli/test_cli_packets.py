"""`shadow packets` as far as it needs no privilege."""

from pathlib import Path

import pytest

from shadow.cli import main


def ended(*arguments: str) -> int:
    with pytest.raises(SystemExit) as raised:
        main(["packets", *arguments])
    assert isinstance(raised.value.code, int)
    return raised.value.code


def test_packets_are_written_in_place_of_sent_and_the_same_each_time(tmp_path: Path) -> None:
    captures = [tmp_path / name for name in ("a.pcap", "b.pcap", "c.pcap")]
    for path, seed in zip(captures, ("1", "1", "2"), strict=True):
        common = ("--candidate", "dns://127.0.0.1:5300", "--packets", "40", "--seed", seed)
        assert ended(*common, "--write", str(path)) == 0
    first, second, third = (path.read_bytes() for path in captures)
    assert first == second != third


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "missing --candidate URL"),
        (("--candidate", "ftp://x"), 2, "is no http or https URL"),
        (("--candidate", "http://192.0.2.1:80"), 3, "192.0.2.1 is none of these"),
        (("--candidate", "http://127.0.0.1:80", "--live", "http://127.0.0.1:80"), 3, "is the live one"),
        (("--candidate", "http://127.0.0.1:80", "--allow", "10.0.0.0/8"), 3, "is not in the allow list"),
        (("--candidate", "http://127.0.0.1:80", "--spoof", "10.0.0.1/8"), 2, "write a network such as"),
        (("--candidate", "http://127.0.0.1:80", "--restart", "'a"), 2, "close its quotes"),
        (("--candidate", "http://127.0.0.1:80", "--restart", "/none x"), 2, "'/none' is no program"),
        (("none.pcap", "--candidate", "http://127.0.0.1:80"), 2, "none.pcap"),
    ],
    ids=["nothing", "scheme", "elsewhere", "live", "allow", "spoof", "quotes", "program", "file"],
)
def test_what_may_not_be_is_told_before_anything_is_sent(
    arguments: tuple[str, ...], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(*arguments) == code
    assert said in capsys.readouterr().err
