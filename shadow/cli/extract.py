"""`shadow extract`: captures to exchanges, as JSON lines."""

import sys
from contextlib import nullcontext
from pathlib import Path

import click

from shadow.cli._keylog import key_log_at, keylog_option
from shadow.cli._ports import as_option
from shadow.cli._tell import tell
from shadow.errors import SinkError
from shadow.wire.protocols import Spoken


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
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=1,
    metavar="N",
    help="Processes that share captures among them.  [default: 1]",
)
@as_option
@keylog_option
def extract(
    files: tuple[str, ...],
    output: Path | None,
    ports: tuple[int, ...],
    workers: int,
    protocols: dict[int, Spoken],
    keylog: str | None,
) -> None:
    """Print the exchanges in captures (- for standard input) as JSON lines. Sends nothing.

    The ledger goes to standard error: captured is what was seen, unparsed what could not be read as an
    exchange.
    """
    from shadow.cli._ledger import Ledger
    from shadow.taps.division import Division
    from shadow.taps.files import Recording
    from shadow.taps.jsonl import encode

    is_kept = output is not None and output.exists()
    if is_kept and any(file != "-" and Path(file).samefile(output) for file in files):  # type: ignore[arg-type]  # is_kept
        raise click.UsageError(f"-o {str(output)!r} is one of the files to be read; choose another")
    ledger, key_log = Ledger(), key_log_at(keylog)
    try:
        with (
            Recording(files, ports=ports, protocols=protocols, key_log=key_log) as recording,
            output.open("wb") if output else nullcontext(sys.stdout.buffer) as stream,
        ):
            if workers > 1 and recording.is_divisible:
                division = Division(files, ports=ports, protocols=protocols, key_log=key_log, workers=workers)
                division.write(stream)
                recording.notices += division.notices
                recording.remarks = division.remarks
                ledger.exchanges, ledger.unparsed = division.exchanges, division.unparsed
            else:
                for exchange in ledger.exchanges_of(recording):
                    stream.write(encode(exchange))
            stream.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        place = str(output) if output else "standard output"
        raise SinkError(
            f"cannot write {place!r}: {error.strerror}; free space or choose another -o"
        ) from error
    for notice in recording.notices:
        tell(notice)
    tls = recording.remarks.tls
    read = f"; TLS connections: {tls.read} read, {tls.keyless} without a key" if key_log or tls.read else ""
    ledger.tell(read)
