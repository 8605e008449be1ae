"""`shadow mutators` and `shadow comparators`: what there is, what it expects, and why."""

import json

import click
from rich import box
from rich.console import Console
from rich.table import Table


@click.command()
@click.argument("pattern", default="*")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def mutators(pattern: str, *, as_json: bool) -> None:
    """List the mutators whose name, level:NAME or expect:NAME matches PATTERN."""
    from mutators import CATALOG, SESSION_CATALOG, TALK_CATALOG
    from mutators._packet_catalog import PACKET_CATALOG
    from shadow.pipeline.scheduler import Named, chosen

    every: tuple[Named, ...] = (*CATALOG, *SESSION_CATALOG, *TALK_CATALOG, *PACKET_CATALOG)
    found = chosen(every, wanted=[pattern], unwanted=[])
    if not found:
        raise click.UsageError(f"no mutator matches {pattern!r}; see shadow mutators")
    _show(
        [{"name": m.name, "level": str(m.level), "expect": str(m.expect), "reason": m.reason} for m in found],
        as_json=as_json,
    )


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def comparators(*, as_json: bool) -> None:
    """List the comparators and what each notices."""
    from comparators import CATALOG, TALK_CATALOG

    of_answers = [{"name": each.name, "reason": each.reason} for each in CATALOG]
    of_talks = [{"name": each.name, "reason": each.reason} for each in TALK_CATALOG]
    _show([*of_answers, *of_talks], as_json=as_json)


def _show(rows: list[dict[str, str]], *, as_json: bool) -> None:
    if as_json:
        for row in rows:
            click.echo(json.dumps(row))
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in rows[0]:
        table.add_column(column, no_wrap=column == "name", overflow="fold")
    for row in rows:
        table.add_row(*(" ".join(value.split()) for value in row.values()))
    Console().print(table, markup=False)
