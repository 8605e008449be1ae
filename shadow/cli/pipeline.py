"""`shadow pipeline`: the half of a tap command that replays and compares."""

import os
from pathlib import Path

import click
import msgspec

from shadow.cli._options import view_from

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(hidden=True)
@click.option("--settings", "settings_file", type=_FILE, required=True, help="Settings as JSON, as checked.")
@click.option("--socket", type=_FILE, required=True, help="Where taps connect.")
@click.option("--run", required=True, help="Name of the run; the same name resumes it.")
@click.option("--parent", type=int, required=True, help="End in order when this process has gone.")
@click.option("--resumed", is_flag=True, help="An earlier pipeline of this run was ended.")
@click.option("--quiet", is_flag=True)
@click.option("--json", "as_json", is_flag=True)
def pipeline(
    settings_file: Path, socket: Path, run: str, parent: int, *, resumed: bool, quiet: bool, as_json: bool
) -> int:
    """Serve taps at SOCKET until they end in order, or a signal comes."""
    from shadow.config import Settings
    from shadow.pipeline.source import Tapped
    from shadow.run.execution import RunSettings, execute
    from shadow.run.loop import run_replay
    from shadow.run.workers import hired

    settings = msgspec.json.decode(settings_file.read_bytes(), type=Settings)
    settings_file.unlink()
    source = Tapped(socket, is_alone=lambda: os.getppid() != parent, is_resumed=resumed)
    run_settings = RunSettings(is_live=True, run=run, view=view_from(quiet=quiet, as_json=as_json))
    with hired(settings, is_live=True, run=run) as workers:
        return run_replay(execute(settings, source, run_settings, workers))
