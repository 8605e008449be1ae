"""`shadow replay`: recorded traffic through the pipeline."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click

from shadow.cli._keylog import key_log_at, keylog_option
from shadow.cli._options import RunCommand, require, run_options, settings_from, view_from
from shadow.cli._ports import as_option


@click.command(cls=RunCommand)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--live", metavar="URL", help="Where it was recorded; never sent anything.")
@click.option(
    "--port",
    "ports",
    type=click.IntRange(1, 65535),
    multiple=True,
    metavar="N",
    help="Only these server ports.",
)
@as_option
@keylog_option
@click.option("--speed", metavar="X|max", help="1 is as fast as recorded.  [default: max]")
@click.option("--loops", metavar="N", help="Times through the files; 0 until --duration.")
@run_options
def replay(
    files: tuple[str, ...],
    config_file: Path | None,
    ports: tuple[int, ...],
    *,
    quiet: bool,
    as_json: bool,
    **options: Any,
) -> int:
    """Shadow recorded traffic: pcap, pcapng, HAR, mitmproxy flows, GoReplay, JSON lines.

    Each may be packed with gzip, bzip2, xz or zstd; - is standard input."""
    settings = settings_from(config_file, options)
    require(settings, "candidate")
    from shadow.pipeline.source import Looped, Recorded, Source
    from shadow.replay import Pace, Pacer
    from shadow.run.execution import RunSettings, execute
    from shadow.run.loop import run_replay
    from shadow.run.workers import hired
    from shadow.taps.files import Recording

    pacer = Pacer(Pace(settings.speed_factor, settings.rate_per_second))
    run_settings = RunSettings(is_live=False, view=view_from(quiet=quiet, as_json=as_json))
    scope = settings.scope
    key_log = key_log_at(settings.keylog)
    ports = ports or scope.ports

    def recorded() -> Recording:
        return Recording(files, ports=ports, protocols=scope.spoken, key_log=key_log)

    with recorded() as recording, hired(settings, is_live=False) as workers:
        source: Source = Recorded(recording, pacer)
        if settings.passes != 1:
            _check_rereadable(files)
            first = [recording]
            source = Looped(lambda: nullcontext(first.pop()) if first else recorded(), pacer, settings.passes)
        code = run_replay(execute(settings, source, run_settings, workers))
    for notice in recording.notices:
        click.echo(f"shadow: {notice}", err=True)
    return code


def _check_rereadable(files: tuple[str, ...]) -> None:
    """Raises click.UsageError for a pipe: there is no second pass over it."""
    for name in files:
        if name == "-" or not Path(name).is_file():
            raise click.UsageError(f"--loops: {name!r} cannot be read again; save it to a file first")
