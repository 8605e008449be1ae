"""Every command line in the documents is one that the program takes. None is run."""

import re
import shlex
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
import pytest

from shadow.cli import _shadow

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
PROGRAM = re.compile(r"(\$ )?(\.venv/bin/)?shadow(?= |$)")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]+")


def blocks() -> Iterator[tuple[str, str]]:
    """Document and command line, for each in a block of the shell."""
    for path in DOCUMENTS:
        for _, language, text in BLOCK.findall(path.read_text(encoding="utf-8")):
            if language in {"console", "sh", "shell", "bash"}:
                for line in text.replace("\\\n", " ").splitlines():
                    if PROGRAM.match(line.strip()):
                        yield str(path.relative_to(ROOT)), line.strip()


def spans() -> Iterator[tuple[str, str]]:
    """Document and text, for each piece of code within a sentence."""
    for path in DOCUMENTS:
        text = BLOCK.sub("", path.read_text(encoding="utf-8"))
        for span in re.findall(r"`([^`\n]+)`", text):
            yield str(path.relative_to(ROOT)), span


AS_THE_PROGRAM: dict[str, Any] = {"help_option_names": ["-h", "--help"]}
"""click remembers, for each command, what it was asked for help by first."""


def words(line: str) -> list[str]:
    """The arguments of the program in `line`; what is piped on and remarks are left out."""
    found = shlex.split(PROGRAM.sub("", line, count=1), comments=True)
    ends = [at for at, word in enumerate(found) if word in {"|", "&&", "||", ";", ">"}]
    return found[: min(ends, default=len(found))]


def command_of(arguments: list[str]) -> tuple[click.Command, list[str]]:
    """The command that `arguments` call, and those that are left for it. Raises click.UsageError."""
    command: click.Command = _shadow
    while isinstance(command, click.Group) and arguments and not arguments[0].startswith("-"):
        context = click.Context(command, **AS_THE_PROGRAM)
        _, found, arguments = command.resolve_command(context, arguments)
        assert found is not None
        command = found
    return command, arguments


def parse(arguments: list[str], *, is_whole: bool) -> None:
    """Raises click.UsageError where the program would not take `arguments`."""
    command, rest = command_of(arguments)
    if rest or is_whole:
        with suppress(click.exceptions.Exit):  # --help and --version
            command.make_context("shadow", rest, **AS_THE_PROGRAM)


def options(command: click.Command) -> Iterator[str]:
    for parameter in command.get_params(click.Context(command, **AS_THE_PROGRAM)):
        if isinstance(parameter, click.Option):
            yield from (*parameter.opts, *parameter.secondary_opts)
    if isinstance(command, click.Group):
        context = click.Context(command, **AS_THE_PROGRAM)
        for each in command.list_commands(context):
            found = command.get_command(context, each)
            assert found is not None, each
            yield from options(found)


@pytest.mark.parametrize(("document", "line"), list(blocks()))
def test_the_program_takes_every_command_line_in_a_block(document: str, line: str) -> None:
    parse(words(line), is_whole=True)


@pytest.mark.parametrize(("document", "span"), [each for each in spans() if PROGRAM.match(each[1])])
def test_the_program_takes_every_command_in_a_sentence(document: str, span: str) -> None:
    parse(words(span), is_whole=False)


def test_every_option_in_a_sentence_exists() -> None:
    known = set(options(_shadow))
    for document, span in spans():
        for option in OPTION.findall(span):
            assert option in known, f"{document}: {option}"


@pytest.mark.parametrize(
    "line",
    [
        "shadow replya x.pcap",
        "shadow replay x.pcap --candidat http://a",
        "shadow replay",
        "shadow mutators --speed 1",
    ],
)
def test_a_wrong_command_line_would_be_noticed(line: str) -> None:
    with pytest.raises(click.UsageError):
        parse(words(line), is_whole=True)


def test_there_are_command_lines_to_check() -> None:
    assert len(list(blocks())) > 5
