"""The option of every command that reads captures of TLS. Apart, for `shadow extract` needs no settings."""

import click

keylog_option = click.option(
    "--keylog",
    metavar="FILE",
    help="Secrets of TLS connections, as SSLKEYLOGFILE has them written.",
)
