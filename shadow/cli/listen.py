"""`shadow listen`: a pipeline for taps that run elsewhere."""

import time
from pathlib import Path
from typing import Any

import click
import msgspec

from shadow.cli._options import RunCommand, require, run_options, settings_from, view_from
from shadow.cli._tell import tell


@click.command(cls=RunCommand)
@click.option(
    "--socket",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    metavar="PATH",
    help="Unix socket at which taps are heard.",
)
@click.option("--live", metavar="URL", help="The service whose traffic is tapped.")
@click.option(
    "--listen",
    metavar="HOST:PORT",
    help="Where the tap is.  [default: 127.0.0.1:8080]",
)
@run_options
def listen(socket: Path, config_file: Path | None, *, quiet: bool, as_json: bool, **options: Any) -> int:
    """Shadow what taps send to a socket, such as a mitmdump of your own with the addon of `shadow addon`.

    Taps may come and go. Ctrl-C ends the listening; what has come is worked off, or left at a second one.
    """
    settings = settings_from(config_file, options)
    require(settings, "live", "candidate")
    from shadow.pipeline.source import Tapped
    from shadow.run.execution import RunSettings, execute
    from shadow.run.loop import run_replay
    from shadow.run.workers import hired

    seconds = settings.duration_seconds
    ends_at = None if seconds is None else time.monotonic() + seconds
    source = Tapped(
        socket, is_alone=lambda: ends_at is not None and time.monotonic() > ends_at, is_standing=True
    )
    settings = msgspec.structs.replace(settings, duration="")  # what is left when it is over is worked off
    tell(f"taps connect to {socket}, live is {settings.live}")
    run_settings = RunSettings(is_live=True, view=view_from(quiet=quiet, as_json=as_json))
    with hired(settings, is_live=True) as workers:
        return run_replay(execute(settings, source, run_settings, workers))
