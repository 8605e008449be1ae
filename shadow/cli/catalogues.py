"""`shadow mutators` and `shadow comparators`: what there is, what it expects, and why."""

import json
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from shutil import get_terminal_size
from textwrap import wrap

import click

from shadow.model import Expect, Level

_MAX_WIDTH = 100
"""Longer lines are hard to read."""
_INDENT = "    "
_GAP = 2


@click.command()
@click.argument("pattern", nargs=-1)
@click.option(
    "--level",
    "levels",
    multiple=True,
    type=click.Choice([each.value for each in Level]),
    help="Only those of this level.",
)
@click.option(
    "--expect",
    "expects",
    multiple=True,
    type=click.Choice([each.value for each in Expect]),
    help="Only those that expect this.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def mutators(
    pattern: tuple[str, ...], *, levels: tuple[str, ...], expects: tuple[str, ...], as_json: bool
) -> None:
    """List the mutators whose name, level:NAME or expect:NAME matches a PATTERN, those of installed
    packages too."""
    from mutators import CATALOG, SESSION_CATALOG, TALK_CATALOG, load_plugins
    from mutators._packet_catalog import PACKET_CATALOG
    from shadow.pipeline.scheduler import Named, chosen

    plugins: list[Named] = [each for of_kind in load_plugins() for each in of_kind]
    every: tuple[Named, ...] = (*CATALOG, *SESSION_CATALOG, *TALK_CATALOG, *PACKET_CATALOG, *plugins)
    for each in pattern:
        if not chosen(every, wanted=[each], unwanted=[]):
            raise click.UsageError(f"no mutator matches {each!r}; see shadow mutators")
    found = [
        each
        for each in chosen(every, wanted=pattern or ["*"], unwanted=[])
        if (not levels or each.level in levels) and (not expects or each.expect in expects)
    ]
    if not found:
        raise click.UsageError("no mutator is of that level and expects that; see shadow mutators")
    own = {each.name for each in plugins}
    _show(
        [
            {"name": each.name, "level": str(each.level), "expect": str(each.expect)}
            | ({"from": "plugin"} if each.name in own else {})
            | {"reason": each.reason}
            for each in found
        ],
        as_json=as_json,
    )


@click.command()
@click.argument("pattern", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def comparators(pattern: tuple[str, ...], *, as_json: bool) -> None:
    """List the comparators whose name matches a PATTERN, and what each notices."""
    from comparators import CATALOG, TALK_CATALOG, load_plugins

    every = [(each.name, each.reason) for each in (*CATALOG, *load_plugins())] + [
        (each.name, each.reason) for each in TALK_CATALOG
    ]
    found = [
        {"name": name, "reason": reason}
        for name, reason in every
        if not pattern or any(fnmatchcase(name, each) for each in pattern)
    ]
    if not found:
        raise click.UsageError(f"no comparator matches {' '.join(pattern)!r}; see shadow comparators")
    _show(found, as_json=as_json)


def _show(rows: Sequence[Mapping[str, str]], *, as_json: bool) -> None:
    """One JSON object a line; or a line for each with all but its reason, which follows below."""
    if as_json:
        for row in rows:
            click.echo(json.dumps(row))
        return
    from rich.console import Console
    from rich.text import Text

    width = min(get_terminal_size().columns, _MAX_WIDTH)
    console = Console(markup=False, emoji=False, highlight=False)
    for name, rest, reason in _blocks(rows, width):
        text = Text(name, "bold")
        text.append("\n".join((rest, *reason)))
        if console.is_terminal:
            console.print(text, soft_wrap=True)
        else:
            click.echo(text.plain)


def _blocks(rows: Sequence[Mapping[str, str]], width: int) -> Iterator[tuple[str, str, list[str]]]:
    """Of each row the name, the rest of its first line in columns, and the lines of its reason."""
    columns = [key for key in rows[0] if key not in ("reason", "from")]
    widths = {key: max(len(row[key]) for row in rows) + _GAP for key in columns}
    header = [key.ljust(widths[key]) for key in columns]
    if len(columns) > 1:
        yield header[0].rstrip(), _after(header), []
    for row in rows:
        cells = [row[key].ljust(widths[key]) for key in columns] + [row.get("from", "")]
        reason = wrap(
            " ".join(row["reason"].split()), width, initial_indent=_INDENT, subsequent_indent=_INDENT
        )
        yield row["name"], _after(cells), reason


def _after(cells: Sequence[str]) -> str:
    """What stands after the first cell's text."""
    first = cells[0].rstrip()
    return "".join(cells)[len(first) :].rstrip()
