"""`shadow config`: check a configuration file, print the schema of one."""

import json
from pathlib import Path

import click


@click.group()
def config() -> None:
    """Check a configuration file, or print its schema."""


@config.command()
@click.argument("file", type=click.Path(path_type=Path))
def check(file: Path) -> None:
    """Read FILE as a run would; says what is wrong, or nothing but ok."""
    from shadow.config import load
    from shadow.run.checking import check as check_run

    check_run(load(file, {}))
    click.echo(f"{file}: ok")


@config.command()
def schema() -> None:
    """Print the JSON Schema of the configuration file."""
    from shadow.config import json_schema

    click.echo(json.dumps(json_schema(), indent=2))
