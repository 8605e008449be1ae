"""`shadow known`: findings that were accepted, written to the file that `--known` reads."""

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from shadow.errors import SinkError

if TYPE_CHECKING:
    from shadow.model import Finding

_FILE = click.Path(path_type=Path, dir_okay=False)
_FOLDER = click.Path(path_type=Path)
_DAY = click.DateTime(formats=["%Y-%m-%d"])
_NAME = "known.toml"


@click.group()
def known() -> None:
    """Write, and look at, the file of accepted findings that --known reads."""


@known.command()
@click.argument("folder", type=_FOLDER, metavar="DIR")
@click.argument("words", nargs=-1, metavar="FINDING...")
@click.option("--all", "is_all", is_flag=True, help="All findings in DIR that are not accepted yet.")
@click.option("--reason", required=True, metavar="TEXT", help="Why it is accepted.")
@click.option("--by", default="", metavar="NAME", help="Who accepts it.")
@click.option("--until", type=_DAY, metavar="YYYY-MM-DD", help="The last day on which it is.")
@click.option("--file", "file", type=_FILE, default=Path(_NAME), help=f"Append there.  [default: {_NAME}]")
def add(
    folder: Path,
    words: tuple[str, ...],
    *,
    is_all: bool,
    reason: str,
    by: str,
    until: datetime | None,
    file: Path,
) -> None:
    """Accept findings of the run in DIR: an entry for each, at the end of the file. What stands there stays.

    FINDING is an id, or four digits or more of its beginning.
    """
    from shadow.config.known import HEAD, entry_text, read_known
    from shadow.sinks.results import finding_called, findings_in

    if is_all == bool(words):
        raise click.UsageError("name the findings, or give --all")
    if not reason.strip():
        raise click.UsageError("--reason is empty: say why it is accepted")
    findings = findings_in(folder)
    there = {each.id for each in read_known(file)} if file.exists() else set()
    chosen = findings if is_all else [finding_called(word, findings, folder) for word in words]
    today = datetime.now().astimezone().date()
    last = None if until is None else until.date()
    if last is not None and last < today:
        raise click.UsageError(f"--until {last} is over; give a day that comes")
    new: dict[str, Finding] = {each.id: each for each in chosen if each.id not in there}
    text = "".join(entry_text(each, reason=reason, by=by, on=today, until=last) for each in new.values())
    _append(file, text if file.exists() else HEAD + text)
    for each in chosen:
        click.echo(f"{each.id} {'accepted' if each.id in new else 'is accepted already'}: {each.title}")
    click.echo(f"{len(new)} added to {file}; shadow replay --known {file} reads it")


@known.command()
@click.argument("file", type=_FILE, metavar="FILE")
def check(file: Path) -> None:
    """Read FILE as a run would, and list what it accepts."""
    from shadow.config.known import read_known

    today = datetime.now().astimezone().date()
    entries = read_known(file)
    for each in entries:
        click.echo(f"{each.label}  {_until(each.until, today)}  {each.title or each.endpoint}: {each.reason}")
    click.echo(f"{file}: ok, {len(entries)} entries")


def _until(until: date | None, today: date) -> str:
    if until is None:
        return "for ever"
    return f"expired on {until}" if until < today else f"until {until}"


def _append(file: Path, text: str) -> None:
    try:
        with file.open("a", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise SinkError(f"cannot write {str(file)!r}: {error.strerror}") from error
