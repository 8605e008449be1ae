"""`shadow mirror`: takes the copies of requests that a proxy sends, and the pipeline as its child."""

from pathlib import Path
from typing import Any

import click

from shadow.cli._options import RunCommand, require, run_options, settings_from
from shadow.cli._tap import supervise


@click.command(cls=RunCommand)
@click.option("--listen", metavar="HOST:PORT", help="Where mirrors send.  [default: 127.0.0.1:8080]")
@click.option("--live", metavar="URL", help="The live service as clients write it.")
@run_options
def mirror(config_file: Path | None, *, quiet: bool, as_json: bool, **options: Any) -> int:
    """Take mirrored requests (nginx, Envoy, Istio, Traefik), answer each with 202, and shadow them.

    Mirrors show requests only: what the candidate answers is compared with what a --baseline does. See
    docs/mirroring.md for what to write into the proxy's configuration.
    """
    settings = settings_from(config_file, options)
    require(settings, "candidate")
    from shadow.run.mirror import MirrorTap

    return supervise(MirrorTap(settings), quiet=quiet, as_json=as_json)
