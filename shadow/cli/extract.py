"""`shadow extract`: captures to exchanges, as JSON lines."""

import sys
from contextlib import nullcontext
from pathlib import Path

import click

from shadow.cli._keylog import keylog_option
from shadow.errors import SinkError


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option(
    "-o",
    "output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write there.  [default: standard output]",
)
@click.option(
    "--port",
    "ports",
    type=click.IntRange(1, 65535),
    multiple=True,
    metavar="N",
    help="Only these server ports.",
)
@keylog_option
def extract(files: tuple[str, ...], output: Path | None, ports: tuple[int, ...], keylog: str | None) -> None:
    """Print the exchanges in captures (- for standard input) as JSON lines. Sends nothing.

    The ledger goes to standard error: captured is what was seen, unparsed what could not be read as an
    exchange.
    """
    from shadow.model import Exchange
    from shadow.taps.files import Recording
    from shadow.taps.jsonl import encode

    is_kept = output is not None and output.exists()
    if is_kept and any(file != "-" and Path(file).samefile(output) for file in files):  # type: ignore[arg-type]  # is_kept
        raise click.UsageError(f"-o {str(output)!r} is one of the files to be read; choose another")
    captured = unparsed = 0
    reasons: dict[str, int] = {}
    try:
        with (
            Recording(files, ports=ports, keylog=keylog or "") as recording,
            output.open("wb") if output else nullcontext(sys.stdout.buffer) as stream,
        ):
            for item in recording:
                if isinstance(item, Exchange):
                    captured += 1
                    stream.write(encode(item))
                else:
                    unparsed += item.count
                    reasons[item.why] = reasons.get(item.why, 0) + item.count
            stream.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        place = str(output) if output else "standard output"
        raise SinkError(
            f"cannot write {place!r}: {error.strerror}; free space or choose another -o"
        ) from error
    for notice in recording.notices:
        click.echo(f"shadow: {notice}", err=True)
    for why, count in sorted(reasons.items()):
        click.echo(f"unparsed {count}: {why}", err=True)
    tls = recording.tls_counts
    seen = f"; TLS connections: {tls[0]} read, {tls[1]} without a key" if tls else ""
    click.echo(f"captured {captured + unparsed} = {captured} exchanges + {unparsed} unparsed{seen}", err=True)
