"""`shadow proxy`: the inline tap, and the pipeline as its child."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shadow.cli._options import RunCommand, require, run_options, settings_from
from shadow.cli._tap import supervise

if TYPE_CHECKING:
    from shadow.config import Settings
    from shadow.run.supervision import LiveTap


@click.command(cls=RunCommand)
@click.option("--live", metavar="URL", help="The service whose traffic is tapped.")
@click.option("--listen", metavar="HOST:PORT", help="Where clients connect.  [default: 127.0.0.1:8080]")
@click.option(
    "--front",
    type=click.Choice(["mitm", "light"]),
    help="mitmproxy, or a relay that carries more.",
)
@click.option("--certificate", metavar="PEM", help="Key and certificates for clients on TLS.")
@click.option("--live-ca", metavar="PEM", help="Authorities of the live service on TLS.")
@click.option("--http3", is_flag=True, default=None, help="Let clients come by HTTP/3 too.")
@run_options
def proxy(config_file: Path | None, *, quiet: bool, as_json: bool, **options: Any) -> int:
    """Pass live traffic through, and shadow it. Clients connect to --listen.

    The live service may also speak something other than HTTP: tcp://HOST:PORT, tls://, udp://, dtls:// and
    dns:// are passed on, and replayed to a --candidate of that kind: tcp:// or tls://, udp://, dns://.

    The tap and the pipeline are two processes: whatever happens to the pipeline, traffic goes on. When it
    dies, it is started again. Ctrl-C ends both in order.
    """
    settings = settings_from(config_file, options)
    require(settings, "live", "candidate")
    return supervise(_front(settings), quiet=quiet, as_json=as_json)


def _front(settings: "Settings") -> "LiveTap":
    """The tap that the settings ask for; mitmproxy is imported for its own alone."""
    if settings.front == "light":
        from shadow.run.front import FrontTap

        return FrontTap(settings)
    from shadow.run.inline import InlineTap

    return InlineTap(settings)
