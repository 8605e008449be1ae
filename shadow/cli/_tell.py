"""What commands tell a person besides their output; here by itself, for settings take long to import."""

import click


def tell(line: str) -> None:
    """One line for a person, on standard error."""
    click.echo(f"shadow: {line}", err=True)
