"""`shadow packets` from settings to exit code: the only place where a privilege is needed, and given up."""

import asyncio
import secrets
import signal
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import msgspec

from mutators._packet import Ends, Network, PacketMutator, Seed
from mutators._packet_catalog import PACKET_CATALOG
from shadow.config import Settings, parse_live, parse_target
from shadow.errors import ConfigError, SinkError, TapError, TargetError
from shadow.model import Finding
from shadow.packets.campaign import Campaign, CampaignSettings, Made
from shadow.packets.connecting import Connections
from shadow.packets.craft import Crafting
from shadow.packets.health import Health, Look
from shadow.packets.place import Service, command_of
from shadow.packets.seeds import made_up, seeds_in
from shadow.packets.telling import capture, finding_of, write
from shadow.packets.wire import PacketSocket, check_place, is_namespaced
from shadow.pipeline.scheduler import chosen
from shadow.replay import Guard, GuardSettings, Target
from shadow.replay.guard import Address
from shadow.sinks.folder import claim
from shadow.taps.pcap import is_capture, records
from shadow.taps.sniff import drop_privileges
from shadow.taps.source import Source

EXIT_FINDINGS = 1
EXIT_UNSAFE = 3
_PROTOCOLS = {"http": "tcp", "https": "tcp", "tcp": "tcp", "tls": "tcp", "udp": "udp", "dns": "dns"}


class PacketsSettings(msgspec.Struct, frozen=True):
    """What is particular to this command and stands in no file."""

    files: tuple[str, ...] = ()
    ports: frozenset[int] = frozenset()
    spoof: tuple[Network, ...] = ()
    restart: str = ""
    """Command line that starts the candidate again."""
    baseline_restart: str = ""
    campaign: CampaignSettings = CampaignSettings()
    write: str = ""
    """Write the packets to this capture in place of sending them."""


type Tell = Callable[[str], None]


async def execute(settings: Settings, packets: PacketsSettings, tell: Tell) -> int:
    """The exit code. Raises ShadowError where the run cannot begin."""
    target = parse_target("candidate", settings.candidate)
    seeds, catalog = _seeds(packets, target), _catalog(settings)
    if packets.write:
        _write_only(settings, packets, target, catalog, seeds)
        tell(f"wrote {packets.campaign.packets_max} malformed packets to {packets.write!r}; nothing was sent")
        return 0
    async with AsyncExitStack() as stack:
        targets = [target, *([parse_target("baseline", settings.baseline)] if settings.baseline else [])]
        guard = Guard(_guard_settings(settings), targets)
        addresses = [await _address(guard, each, settings) for each in targets]
        restarts = (
            command_of("restart", packets.restart),
            command_of("restart-baseline", packets.baseline_restart),
        )
        wires = [PacketSocket(each) for each in addresses]
        connections = [Connections(each) if seeds[0].protocol == "tcp" else None for each in addresses]
        drop_privileges()
        services = []
        crafting = Crafting(catalog, seeds, _ends(wires[0], packets), seed=settings.seed)
        for each, wire, conns, restart in zip(targets, wires, connections, restarts, strict=False):
            ends, look = _ends(wire, packets), Look(each, seeds[0])
            service = Service(
                each, guard, wire, look, ends, aim=_aim(crafting), connections=conns, restart=restart
            )
            stack.push_async_callback(service.close)
            if await service.health() is not Health.WELL:
                raise TargetError(f"{each.name} {each.authority!r} is not well before anything was sent")
            services.append(service)
        campaign = Campaign(
            services[0],
            services[1] if len(services) > 1 else None,
            lambda number, without: crafting.make(number, without=without),
            packets.campaign,
            tell=tell,
        )
        code = await _conduct(settings, campaign, target, guard, tell)
        if services[0].unconnected:
            tell(f"the candidate took no connection for {services[0].unconnected} packets")
        if wires[0].unsent:
            tell(f"the system did not take {wires[0].unsent} packets: too short, or too long for the way")
        return code


async def _conduct(settings: Settings, campaign: Campaign, target: Target, guard: Guard, tell: Tell) -> int:
    run, started_at = secrets.token_hex(6), time.time()
    folder = claim(Path(settings.out))
    try:
        await _until_interrupted(campaign)
        where = f"{target.scheme} port {target.port}"
        findings = [finding_of(each, where=where, seed=settings.seed) for each in campaign.culprits]
        summary = write(folder, campaign, findings, run=run, seed=settings.seed, started_at=started_at)
    finally:
        folder.close()
    _tell_all(findings, summary, tell)
    if findings and settings.fail_on != "never":
        return EXIT_FINDINGS
    return EXIT_UNSAFE if guard.halted or campaign.is_refused else 0


async def _until_interrupted(campaign: Campaign) -> None:
    """Run it; Ctrl-C and SIGTERM end it, and what it found is written all the same."""
    endings, loop = (signal.SIGINT, signal.SIGTERM), asyncio.get_running_loop()
    try:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(campaign.run(), name="packets")
            for each in endings:
                loop.add_signal_handler(each, task.cancel)
    finally:
        for each in endings:
            loop.remove_signal_handler(each)


def _ends(wire: PacketSocket, packets: PacketsSettings) -> Ends:
    return Ends(wire.route.source, wire.address.ip, wire.address.port, packets.spoof, wire.is_mended)


def _aim(crafting: Crafting) -> Callable[[Made, Ends], tuple[bytes, ...]]:
    """What makes the same packets for other ends."""
    return lambda made, ends: crafting.make(made.number, mutator=made.mutator, ends=ends).packets


def _catalog(settings: Settings) -> tuple[PacketMutator, ...]:
    """The mutators that the settings leave. Raises ConfigError where they leave none."""
    found = chosen(PACKET_CATALOG, wanted=settings.mutators, unwanted=settings.no_mutators)
    if not found:
        raise ConfigError(
            f"no packet mutator matches {', '.join(settings.mutators)!r}: see shadow mutators --level packet"
        )
    return found


async def _address(guard: Guard, target: Target, settings: Settings) -> Address:
    """The checked address of `target` that takes malformed packets. Raises UnsafeError, TargetError."""
    addresses = await guard.addresses(target)
    found = addresses[0]
    check_place(found, allow=settings.safety.allow, is_namespaced=is_namespaced())
    return found


def _guard_settings(settings: Settings) -> GuardSettings:
    live = (parse_live(settings.live).authority,) if settings.live else ()
    safety = settings.safety
    return GuardSettings(
        live=live,
        allow=safety.allow,
        kill_file=safety.kill_file,
        requests_max=safety.max_requests or None,
        bytes_max=safety.max_bytes or None,
    )


def _seeds(packets: PacketsSettings, target: Target) -> list[Seed]:
    """What clients said in the captures, as far as it fits the target's scheme; else what is made up."""
    if target.scheme not in _PROTOCOLS:
        raise ConfigError(f"candidate scheme {target.scheme!r} is none of {', '.join(_PROTOCOLS)}")
    wanted = _PROTOCOLS[target.scheme]
    notices: list[str] = []
    found: list[Seed] = []
    for name in packets.files:
        source = Source(name, notices)
        if not is_capture(source.peek(4)):
            raise TapError(f"{name!r} is no pcap or pcapng: packets are made of captures")
        rows = (record for some in records(source) for record in some)
        found += seeds_in(rows, packets.ports)
    fitting = [_as(each, wanted) for each in found if (each.protocol == "tcp") is (wanted == "tcp")]
    if packets.files and not fitting:
        raise TapError(
            f"no {wanted} packet of a client with content is in {', '.join(packets.files)}: see --port"
        )
    return fitting or made_up(target.scheme, target.authority)


def _as(seed: Seed, protocol: str) -> Seed:
    return msgspec.structs.replace(seed, protocol=protocol)


def _write_only(
    settings: Settings,
    packets: PacketsSettings,
    target: Target,
    catalog: tuple[PacketMutator, ...],
    seeds: list[Seed],
) -> None:
    host = target.host if _is_address(target.host) else "127.0.0.1"
    ends = Ends("::1" if ":" in host else "127.0.0.1", host, target.port, packets.spoof)
    crafting = Crafting(catalog, seeds, ends, seed=settings.seed)
    made = (crafting.make(number) for number in range(packets.campaign.packets_max))
    try:
        Path(packets.write).write_bytes(capture([packet for each in made for packet in each.packets]))
    except OSError as error:
        raise SinkError(f"cannot write {packets.write!r}: {error.strerror}") from error


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _tell_all(findings: list[Finding], summary: dict[str, Any], tell: Tell) -> None:
    for each in findings:
        tell(f"{each.severity}  {each.title}: {each.why} ({each.confirmed}); packets-{each.id}.pcap")
    tell(f"sent {sum(summary['packets'].values())} malformed packets, looked {summary['looks']} times")
    counts = ", ".join(f"{count} {name}" for name, count in summary["findings"].items())
    tell(f"findings: {counts}" + (f"; ended early: {summary['stopped']}" if summary["stopped"] else ""))
