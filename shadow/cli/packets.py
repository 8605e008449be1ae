"""`shadow packets`: malformed packets to a target that can take them."""

import asyncio
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any

import click

from shadow.cli._options import require, settings_from
from shadow.errors import ConfigError


@click.command()
@click.argument("files", nargs=-1, metavar="[FILE...]")
@click.option("--candidate", metavar="URL", help="http:, https:, tcp:, tls:, udp: or dns://HOST")
@click.option("--baseline", metavar="URL", help="Sent what the candidate dies of.")
@click.option("--live", metavar="URL", help="Where it was recorded; never sent anything.")
@click.option(
    "--config", "config_file", type=click.Path(path_type=Path, dir_okay=False), help="TOML settings."
)
@click.option(
    "--port", "ports", type=click.IntRange(1, 65535), multiple=True, metavar="N", help="Server ports."
)
@click.option(
    "--packets",
    "count",
    type=click.IntRange(1, 10_000_000),
    default=1000,
    metavar="N",
    help="How many are sent.  [default: 1000]",
)
@click.option(
    "--rate",
    type=click.FloatRange(0.1, 100_000),
    default=200,
    metavar="N",
    help="Packets per second.  [default: 200]",
)
@click.option("--duration", metavar="TIME", help="Stop after this time, for example 10m.")
@click.option("--mutator", "mutators", multiple=True, metavar="PATTERN", help="Use only these mutators.")
@click.option("--no-mutator", "no_mutators", multiple=True, metavar="PATTERN", help="Leave these out.")
@click.option("--seed", type=int, metavar="N", help="Of the packets.  [default: 0]")
@click.option("--allow", multiple=True, metavar="HOST|CIDR", help="Targets besides loopback and namespaces.")
@click.option("--spoof", multiple=True, metavar="CIDR", help="Where sources may be made up from.")
@click.option("--restart", default="", metavar="COMMAND", help="Starts the candidate again once it is gone.")
@click.option("--restart-baseline", default="", metavar="COMMAND", help="The same for the baseline.")
@click.option(
    "--wait", default="10s", show_default=True, metavar="TIME", help="For the candidate to come back."
)
@click.option("--out", metavar="DIR", help="Output folder.  [default: shadow-out]")
@click.option("--write", default="", metavar="FILE", help="Write the packets to a capture; sends nothing.")
def packets(
    files: tuple[str, ...],
    config_file: Path | None,
    ports: tuple[int, ...],
    count: int,
    rate: float,
    spoof: tuple[str, ...],
    restart: str,
    restart_baseline: str,
    wait: str,
    allow: tuple[str, ...],
    write: str,
    **options: Any,
) -> int:
    """Send malformed packets, made of recorded ones, and see whether the service lives.

    On Linux; needs root or CAP_NET_RAW, which is given up once the socket is open. Targets are on loopback,
    in a network namespace, or allowed by name. What the service dies of is found by sending it again.
    """
    if allow:
        options["safety"] = {"allow": list(allow)}
    settings = settings_from(config_file, options)
    require(settings, "candidate")
    from shadow.config import parse_duration
    from shadow.packets.campaign import CampaignSettings
    from shadow.packets.execution import PacketsSettings, execute

    campaign = CampaignSettings(
        packets_max=count,
        per_second=rate,
        duration_seconds=settings.duration_seconds,
        wait_seconds=parse_duration("wait", wait),
    )
    particular = PacketsSettings(
        files, frozenset(ports), _networks(spoof), restart, restart_baseline, campaign, write
    )
    return asyncio.run(execute(settings, particular, click.echo))


def _networks(texts: tuple[str, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
    try:
        return tuple(ip_network(text) for text in texts)
    except ValueError as error:
        raise ConfigError(f"spoof is wrong: {error}; write a network such as 10.0.0.0/24") from error
