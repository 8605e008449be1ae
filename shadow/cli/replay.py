"""`shadow replay`: recorded traffic through the pipeline."""

from pathlib import Path
from typing import Any

import click

from shadow.cli._keylog import key_log_at, keylog_option
from shadow.cli._options import require, run_options, settings_from, view_from
from shadow.cli._ports import as_option


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--live", metavar="URL", help="Where the traffic was recorded; never sent anything.")
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
@click.option("--speed", metavar="X|max", help="Of recorded time; 1 is as recorded.  [default: max]")
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
    from shadow.pipeline.source import Recorded
    from shadow.replay import Pace, Pacer
    from shadow.run.execution import RunSettings, execute
    from shadow.run.loop import run_replay
    from shadow.taps.files import Recording

    pacer = Pacer(Pace(settings.speed_factor, settings.rate_per_second))
    run_settings = RunSettings(is_live=False, view=view_from(quiet=quiet, as_json=as_json))
    scope = settings.scope
    key_log = key_log_at(settings.keylog)
    ports = ports or scope.ports
    with Recording(files, ports=ports, protocols=scope.spoken, key_log=key_log) as recording:
        code = run_replay(execute(settings, Recorded(recording, pacer), run_settings))
    for notice in recording.notices:
        click.echo(f"shadow: {notice}", err=True)
    return code
