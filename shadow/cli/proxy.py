"""`shadow proxy`: the inline tap, and the pipeline as its child."""

import asyncio
import secrets
import tempfile
from pathlib import Path
from typing import Any

import click

from shadow.cli._options import child_options, require, run_options, settings_from, tell


@click.command()
@click.option("--live", metavar="URL", help="The service whose traffic is tapped; never sent anything else.")
@click.option("--listen", metavar="HOST:PORT", help="Where clients connect.  [default: 127.0.0.1:8080]")
@click.option("--certificate", metavar="PEM", help="Key and certificates for clients on TLS.")
@click.option("--live-ca", metavar="PEM", help="Authorities that vouch for the live service on TLS.")
@click.option("--http3", is_flag=True, default=None, help="Let clients come by HTTP/3 too.")
@run_options
def proxy(config_file: Path | None, *, quiet: bool, as_json: bool, **options: Any) -> int:
    """Pass live traffic through, and shadow it. Clients connect to --listen.

    The live service may also speak something other than HTTP: tcp://HOST:PORT, tls://, udp://, dtls:// and
    dns:// are passed on and captured; they are not yet replayed.

    The tap and the pipeline are two processes: whatever happens to the pipeline, traffic goes on. When it
    dies, it is started again. Ctrl-C ends both in order.
    """
    settings = settings_from(config_file, options)
    require(settings, "live", "candidate")
    from shadow.run.inline import InlineTap
    from shadow.run.supervision import Supervision

    with tempfile.TemporaryDirectory(prefix="shadow-") as folder:
        supervision = Supervision(
            InlineTap(settings),
            Path(folder),
            run=secrets.token_hex(6),
            options=child_options(quiet=quiet, as_json=as_json),
            tell=tell,
        )
        return asyncio.run(supervision.run())
