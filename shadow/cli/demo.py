"""`shadow demo`: the reference service, its traffic, and the whole way from there to findings."""

import asyncio
from pathlib import Path
from typing import Literal

import click

_BUGS = "B01,B08,B10,B13,B21,B24,B27,B35,B36,B40"
"""A small selection, of every kind: signatures, permissions, lifecycle, robustness, plain regressions."""


@click.group(invoke_without_command=True)
@click.option("--bugs", default=_BUGS, metavar="LIST", help="Bugs of the candidate: B01,B07, all or none.")
@click.option("--sessions", default=40, type=click.IntRange(1), metavar="N", help="Sessions of traffic.")
@click.option("--mutants", default=10, type=click.IntRange(0), metavar="N", help="Mutants per exchange.")
@click.option("--seed", default=1, type=int, metavar="N", help="Of accounts, traffic and mutants.")
@click.option("--out", default="shadow-out/demo", metavar="DIR", help="Output folder.", show_default=True)
@click.pass_context
def demo(context: click.Context, bugs: str, sessions: int, mutants: int, seed: int, out: str) -> int | None:
    """Start two releases of the reference service, send traffic through the tap, show what is found.

    The same programs run as on a service of your own: three of the service, `shadow proxy`, and clients.
    """
    if context.invoked_subcommand is not None:
        return None
    from shadow.demo.show import Show, ShowSettings

    settings = ShowSettings(bugs=bugs, sessions=sessions, mutants=mutants, seed=seed, out=Path(out))
    return asyncio.run(Show(settings, tell=click.echo).run())


@demo.command()
@click.option("--release", type=click.Choice(["stable", "candidate"]), default="stable", show_default=True)
@click.option("--bugs", metavar="LIST", help="B01,B07, all or none.  [default: all of a candidate's]")
@click.option("--db", type=click.Path(path_type=Path, dir_okay=False), required=True, help="Database file.")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=0, type=click.IntRange(0, 65535), help="0: any free one.", show_default=True)
@click.option("--clock", type=click.Choice(["real", "fixed"]), default="real", show_default=True)
@click.option("--seed", default=0, type=int, help="Of accounts and keys.", show_default=True)
def vmctl(
    release: Literal["stable", "candidate"],
    bugs: str | None,
    db: Path,
    host: str,
    port: int,
    clock: Literal["real", "fixed"],
    seed: int,
) -> None:
    """Serve the reference service until interrupted."""
    from shadow.demo.vmctl import VmctlSettings, parse_bugs, serve
    from shadow.errors import ConfigError
    from shadow.model import authority

    settings = VmctlSettings(db, release, parse_bugs(bugs, release), host, port, clock, seed)

    def ready(bound: int) -> None:
        click.echo(f"vmctl {release} listens on http://{authority(host, bound)}")

    try:
        asyncio.run(serve(settings, ready=ready))
    except OSError as error:
        why = error.strerror or error
        raise ConfigError(f"cannot serve on {authority(host, port)}: {why}; choose another --port") from error


@demo.command()
@click.argument("url")
@click.option("--seed", default=0, type=int, help="The service's own seed.", show_default=True)
@click.option("--sessions", default=20, type=click.IntRange(1), show_default=True)
@click.option("--concurrency", default=4, type=click.IntRange(1), show_default=True)
def traffic(url: str, seed: int, sessions: int, concurrency: int) -> None:
    """Send sessions of several principals to the reference service at URL."""
    from shadow.demo.traffic import drive

    summary = asyncio.run(drive(url, seed=seed, sessions=sessions, concurrency=concurrency))
    click.echo(f"{summary.requests} requests in {summary.sessions} sessions: {summary.by_status}")
    for line in summary.unexpected:
        click.echo(f"unexpected: {line}")


@demo.command()
@click.option("--seed", default=0, type=int, help="The service's own seed.", show_default=True)
def config(seed: int) -> None:
    """Print the configuration that a user would write for the reference service."""
    from shadow.demo.settings import shadow_config

    click.echo(shadow_config(seed))
