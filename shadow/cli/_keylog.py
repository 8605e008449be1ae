"""The option of every command that reads captures of TLS."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from shadow.taps.keylog import KeyLogFile

keylog_option = click.option(
    "--keylog",
    metavar="FILE",
    help="Secrets of TLS, from SSLKEYLOGFILE.",
)


def key_log_at(path: str | None) -> "KeyLogFile | None":
    """The whole key log; None for no path. Raises TapError where it cannot be read."""
    from shadow.taps.keylog import KeyLogFile

    return KeyLogFile(path) if path else None
