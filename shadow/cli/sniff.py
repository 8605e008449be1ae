"""`shadow sniff`: the passive tap, and the pipeline as its child."""

from pathlib import Path
from typing import Any

import click

from shadow.cli._keylog import keylog_option
from shadow.cli._options import RunCommand, require, run_options, settings_from
from shadow.cli._ports import as_option
from shadow.cli._tap import supervise


@click.command(cls=RunCommand)
@click.option("--interface", required=True, metavar="IF", help="Where the live service's traffic passes.")
@click.option(
    "--port",
    "ports",
    type=click.IntRange(1, 65535),
    multiple=True,
    required=True,
    metavar="N",
    help="A TCP port of the live service.",
)
@as_option
@keylog_option
@click.option("--live", metavar="URL", help="The live service as clients write it.")
@run_options
def sniff(
    interface: str,
    ports: tuple[int, ...],
    config_file: Path | None,
    *,
    quiet: bool,
    as_json: bool,
    **options: Any,
) -> int:
    """Listen beside live traffic, and shadow it. On Linux; needs root or CAP_NET_RAW.

    What is said in TLS is read where --keylog has its secrets. The privilege is given up once the socket is
    open. What the kernel drops because it comes too fast is counted.
    """
    settings = settings_from(config_file, options)
    require(settings, "candidate")
    from shadow.run.passive import PassiveTap
    from shadow.taps.sniff import SniffSettings

    tap = PassiveTap(settings, SniffSettings(interface, ports, settings.scope.spoken, settings.keylog))
    return supervise(tap, quiet=quiet, as_json=as_json)
