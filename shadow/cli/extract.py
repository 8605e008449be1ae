"""`shadow extract`: captures to exchanges, as JSON lines or in another format."""

import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import BinaryIO

import click

from shadow.cli._keylog import key_log_at, keylog_option
from shadow.cli._ports import as_option
from shadow.cli._tell import tell
from shadow.errors import SinkError
from shadow.wire.protocols import Spoken

_FORMATS = ("jsonl", "har", "gor", "flows")


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option(
    "-o",
    "output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write there; the ending (.jsonl, .har, .gor, .flows; .gz) says how.  [default: standard output]",
)
@click.option(
    "--format", "form", type=click.Choice(_FORMATS), help="Write so.  [default: as -o ends, else jsonl]"
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
    help="Processes that share captures among them, for JSON lines.  [default: 1]",
)
@as_option
@keylog_option
def extract(
    files: tuple[str, ...],
    output: Path | None,
    form: str | None,
    ports: tuple[int, ...],
    workers: int,
    protocols: dict[int, Spoken],
    keylog: str | None,
) -> None:
    """Print the exchanges in captures (- for standard input) as JSON lines, or write them as HAR, GoReplay or
    mitmproxy flows. Sends nothing.

    The ledger goes to standard error: captured is what was seen, unparsed what could not be read as an
    exchange.
    """
    from shadow.cli._ledger import Ledger
    from shadow.taps.division import Division
    from shadow.taps.files import Recording
    from shadow.taps.formats import Writer, format_of, is_packed

    chosen, packed = format_of(form, output), output is not None and is_packed(output)
    sources = [file for file in (*files, *([keylog] if keylog else [])) if file != "-"]
    if output is not None and any(_is_same(file, output) for file in sources):
        raise click.UsageError(f"-o {str(output)!r} is one of the files to be read; choose another")
    if workers > 1 and (packed or chosen.name != "jsonl"):
        tell("one process reads and writes: only plain JSON lines are shared among --workers")
        workers = 1
    ledger, key_log = Ledger(), key_log_at(keylog)
    try:
        with (
            Recording(files, ports=ports, protocols=protocols, key_log=key_log) as recording,
            _opened(output, packed=packed) as stream,
        ):
            writer = Writer(chosen, stream.write)
            if workers > 1 and recording.is_divisible:
                division = Division(files, ports=ports, protocols=protocols, key_log=key_log, workers=workers)
                division.write(stream)
                recording.notices += division.notices
                recording.remarks = division.remarks
                ledger.exchanges, ledger.unparsed = division.exchanges, division.unparsed
            else:
                for exchange in ledger.exchanges_of(recording):
                    writer.add(exchange)
            writer.finish()
            stream.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        place = str(output) if output else "standard output"
        raise SinkError(
            f"cannot write {place!r}: {error.strerror}; free space or choose another -o"
        ) from error
    for notice in (*recording.notices, *writer.remarks()):
        tell(notice)
    tls = recording.remarks.tls
    read = f"; TLS connections: {tls.read} read, {tls.keyless} without a key" if key_log or tls.read else ""
    ledger.tell(read)


def _opened(output: Path | None, *, packed: bool) -> AbstractContextManager[BinaryIO]:
    """Where to write. A file appears when it is complete."""
    from shadow.taps.whole_file import whole_file

    return nullcontext(sys.stdout.buffer) if output is None else whole_file(output, is_packed=packed)


def _is_same(one: str, other: Path) -> bool:
    try:
        return Path(one).samefile(other)
    except OSError:  # one of them is not there
        return False
