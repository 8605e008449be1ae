"""One run from settings to exit code: sinks are opened, the pipeline works off its source, all is written."""

import asyncio
import os
import secrets
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import msgspec

from shadow.config import Settings, parse_address
from shadow.config.known import load_known
from shadow.content.redaction import Redactor
from shadow.errors import TargetError
from shadow.judge.accepted import Acceptance
from shadow.model import (
    Choosy,
    Event,
    Fate,
    Finding,
    Forgave,
    Found,
    SecretTaken,
    Settled,
    Severity,
    Sink,
    StateChanged,
)
from shadow.pipeline.judging import Judging
from shadow.pipeline.pipeline import Pipeline
from shadow.pipeline.source import Source, Tapped
from shadow.replay import Guard, Target
from shadow.run.admin import Controls, admin_settings, administered
from shadow.run.assembly import Assembly, assemble
from shadow.run.configured import configured_redactor
from shadow.run.crew import Crew
from shadow.run.workers import Workers
from shadow.sinks.console import Console, ConsoleSettings
from shadow.sinks.explanation import Explanation
from shadow.sinks.folder import Folder, claim
from shadow.sinks.forgiven import ForgivenPlaces
from shadow.sinks.known import KnownFindings
from shadow.sinks.ledger import Ledger
from shadow.sinks.lines import read_findings
from shadow.sinks.output import Output, OutputSettings
from shadow.sinks.prometheus import serve
from shadow.sinks.store import Store, StoreSettings
from shadow.taps.jsonl import encode

_CONNECT_SECONDS = 3.0
_MIN_REFUSED = 5
"""Fewer may be chance."""
_ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_OUTPUT = OutputSettings(summary_every_seconds=1.0)
"""What a pipeline that is killed had settled since its last summary counts as lost."""

_DATAGRAM_SCHEMES = ("udp", "dns")

EXIT_FINDINGS = 1
EXIT_UNSAFE = 3
EXIT_TARGET = 4
EXIT_BROKEN = 70
"""All workers were killed, or work on exchanges broke, so that what is in them was not tried: EX_SOFTWARE of
sysexits.h."""


class RunSettings(msgspec.Struct, frozen=True):
    """What is particular to one run and stands in no file."""

    is_live: bool
    """Whether exchanges come from a tap; then a target that is down is waited for, never the reverse."""
    run: str = ""
    """Name of the run; made up where empty."""
    view: ConsoleSettings = ConsoleSettings()


class _Sinks:
    """All listeners of a run."""

    def __init__(self) -> None:
        self.all: list[Sink] = []
        self.earlier: tuple[Finding, ...] = ()
        """What an earlier process of this run had found."""
        self.redactor: Redactor | None = None
        self._early: list[Event] = []
        """What was heard before there were sinks."""
        self._heard_by: dict[type, tuple[Callable[[Event], None], ...]] = {}
        self._count = 0

    def hear(self, event: Event) -> None:
        if self.redactor is None:
            self._early.append(event)
            return
        if isinstance(event, SecretTaken):
            self.redactor.learn(event.value)
            return
        if self._count != len(self.all):
            self._heard_by, self._count = {}, len(self.all)
        kind = type(event)
        found = self._heard_by.get(kind)
        if found is None:
            found = self._heard_by[kind] = tuple(each.hear for each in self.all if _hears(each, kind))
        for hear in found:
            hear(event)

    def open(self, redactor: Redactor) -> None:
        """From now on there are sinks, and a redactor of theirs: pass on what was heard until now."""
        self.redactor = redactor
        early, self._early = self._early, []
        for event in early:
            self.hear(event)


def _hears(sink: Sink, kind: type) -> bool:
    return not isinstance(sink, Choosy) or kind not in sink.ignores


async def execute(
    settings: Settings, source: Source, run_settings: RunSettings, workers: Workers | None = None
) -> int:
    """Work off `source`, with `workers` where there are any; the exit code.

    All that was found is written when this returns.
    A run whose name stands in the output folder's summary goes on from there. Raises ShadowError before
    anything is sent, or another run's files are touched, where it cannot begin.
    """
    run = workers.run if workers is not None else run_settings.run or secrets.token_hex(6)
    key = workers.key if workers is not None else secrets.token_bytes(16)
    acceptance = load_known(settings.known, datetime.now().astimezone().date())
    sinks = _Sinks()
    earlier: dict[str, Finding] = {}
    admin = admin_settings(settings, os.environ)
    assembly = assemble(
        settings,
        run=run,
        is_live=run_settings.is_live,
        hear=sinks.hear,
        earlier=earlier,
        spending=None if workers is None else workers.spending,
        acceptance=acceptance,
    )
    try:
        downs = await check_targets(settings, assembly, is_live=run_settings.is_live)
        with _opened(settings, run_settings, run, key, sinks, acceptance) as ledger:
            earlier |= {each.id: each for each in sinks.earlier}
            for link in assembly.environment.links:
                why = dict(downs).get(link.target.name, "")
                link.standing.tell(is_up=not why, why=why)
            if _is_one_place(assembly.targets):
                why = "candidate and baseline are one address, so nothing can differ between them"
                sinks.hear(StateChanged("one-sided", why))
            crew = None if workers is None else Crew(workers, assembly, settings, sinks.hear)
            sinks.all += [crew] if crew is not None else []
            controls = _controls(assembly, crew or assembly.pipeline, ledger, run)
            async with administered(admin, controls) as url:
                if url:
                    print(f"admin at {url}", file=sys.stderr, flush=True)  # noqa: T201  # port 0 must be told
                await _run(crew or assembly.pipeline, source, controls.stop)
            if crew is None:
                _tell_learned(assembly, sinks)
            if why := _blindness(assembly.judging):
                sinks.hear(StateChanged("blind", why))
            lost = sum(source.captured.values()) - ledger.captured
            if lost > 0:
                tap = max(source.captured, key=source.captured.__getitem__)
                sinks.hear(Settled(tap, Fate.DROPPED, lost, "lost with a pipeline that was ended"))
        if crew is not None and crew.is_lost:
            return EXIT_BROKEN
        if assembly.pipeline.failure:
            pipeline = assembly.pipeline
            raise TargetError(f"{pipeline.failure}; see [{pipeline.table}] in the configuration")
        is_up = not assembly.environment.down if crew is None else crew.is_up
        return _exit_code(settings, ledger, halted=assembly.guard.halted, is_up=is_up)
    finally:
        await assembly.environment.close()


def _tell_learned(assembly: Assembly, sinks: _Sinks) -> None:
    """Tell which values correspond, where that is asked for, and what was taken for noise."""
    for link in assembly.environment.links:
        if (trace := link.correlation.trace) is not None:
            sinks.hear(trace.told(link.target.name))
    sinks.hear(Forgave(assembly.judging.noise.forgiven()))


async def check_targets(settings: Settings, assembly: Assembly, *, is_live: bool) -> list[tuple[str, str]]:
    """Name and reason of each target that takes no connection. Raises UnsafeError for one that may not be
    used, and TargetError for one that cannot be, unless a tap waits for it."""
    await assembly.guard.check()
    downs = await _unreachable(assembly.guard, assembly.targets)
    if downs and not is_live:
        raise TargetError(downs[0][1])
    await _require_http2(settings, assembly)
    troubles = [] if downs else await _logged_in(assembly)
    if troubles and not is_live:
        raise TargetError(troubles[0])
    return downs


def _controls(assembly: Assembly, pipeline: Pipeline | Crew, ledger: Ledger, run: str) -> Controls:
    """The switches of the run. What is stopped so counts as stopped by a safety rule."""

    def stop(why: str) -> None:
        assembly.guard.halt(why)
        pipeline.stop(why)

    def state() -> dict[str, object]:
        return {
            "run": run,
            "state": assembly.governor.state,
            "states": list(ledger.states),
            "targets": {
                link.target.name: pipeline.finds_up(link.target.name)
                if isinstance(pipeline, Crew)
                else link.is_up
                for link in assembly.environment.links
            },
            "requests": assembly.guard.admitted,
            "bytes": assembly.guard.admitted_bytes,
            "ledger": {"captured": ledger.captured} | {fate.value: n for fate, n in ledger.fates.items()},
        }

    return Controls(state, stop, assembly.governor.pause, assembly.governor.resume)


async def _run(pipeline: Pipeline | Crew, source: Source, kill: Callable[[str], None]) -> None:
    """Run until the end, or until a signal asks to stop; a second one ends at once.

    Where taps come and go, the first signal ends the taking alone: what was taken is worked off. SIGUSR1 has
    nothing sent any more, as the kill file does.
    """
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    standing = source if isinstance(source, Tapped) and source.is_standing else None
    asked = 0 if standing is None else -1

    def stop() -> None:
        nonlocal asked
        asked += 1
        if asked == 0 and standing is not None:
            standing.end()
        elif asked == 1:
            pipeline.stop("interrupted")
        elif task is not None:
            task.cancel()

    for each in _ENDING_SIGNALS:
        loop.add_signal_handler(each, stop)
    loop.add_signal_handler(signal.SIGUSR1, kill, "asked to by SIGUSR1")
    try:
        await pipeline.run(source)
    except asyncio.CancelledError:
        if task is None or asked < 2:
            raise
        task.uncancel()  # a person asked for it: what was found is written as at any end
    finally:
        for each in (*_ENDING_SIGNALS, signal.SIGUSR1):
            loop.remove_signal_handler(each)


@contextmanager
def _opened(
    settings: Settings,
    run_settings: RunSettings,
    run: str,
    key: bytes,
    sinks: _Sinks,
    acceptance: Acceptance | None,
) -> Iterator[Ledger]:
    """The sinks, heard by `sinks` inside, closed in the end: the console last, to tell of all others."""
    redactor = configured_redactor(settings, key)
    ledger = Ledger()
    known = None if acceptance is None else KnownFindings(settings.known, acceptance)
    started_at = time.time()

    def unwritten() -> dict[str, int]:
        """What is in no file, by reason; known once there are files."""
        output = next((each for each in sinks.all if isinstance(each, Output)), None)
        store = next((each for each in sinks.all if isinstance(each, Store)), None)
        exchanges = sum(output.unwritten.values()) if output else 0
        broken = (output.broken if output else 0) + (store.broken if store else 0)
        return {"exchanges": exchanges, "store": store.lost if store else 0, "broken": broken}

    def summary() -> dict[str, object]:
        seconds = round(time.time() - started_at, 3)
        of_known = None if known is None else known.summary()
        told = ledger.summary(
            run, settings.seed, started_at, seconds, unwritten(), of_known, urls_of(settings)
        )
        return told | {"has_baseline": bool(settings.baseline)}

    with ExitStack() as stack:
        folder: Folder = claim(Path(settings.out), run_settings.run)
        if folder.earlier is not None:
            started_at = folder.earlier["started_at"]
            ledger.resume(folder.earlier)
            sinks.earlier = read_findings((folder.path / "findings.jsonl").read_bytes())
        if settings.metrics:
            metrics, exporter = serve(*parse_address("metrics", settings.metrics), version("shadow"))
            stack.callback(exporter.close)
            print(f"metrics at {exporter.url}", file=sys.stderr, flush=True)  # noqa: T201  # port 0 must be told
            sinks.all.append(metrics)
        view = msgspec.structs.replace(run_settings.view, duration_seconds=settings.duration_seconds)
        console = Console(view, ledger, summary, redactor, sys.stdout, sys.stderr)
        stack.callback(console.close)
        output = Output(folder, summary, redactor, encode, _OUTPUT)
        stack.callback(output.close)
        store = Store(folder.path / "store.db", redactor, StoreSettings())
        stack.callback(store.close)
        forgiven = ForgivenPlaces(folder, redactor)
        stack.callback(forgiven.close)
        sinks.all[:0] = [
            ledger,
            *([known] if known is not None else []),
            console,
            output,
            store,
            forgiven,
        ]
        if settings.explain_correlation:
            explanation = Explanation(folder, redactor, None if run_settings.view.is_quiet else sys.stderr)
            stack.callback(explanation.close)
            sinks.all.append(explanation)
        sinks.open(redactor)
        for each in sinks.earlier:
            sinks.hear(Found(each, is_new=False))
        yield ledger


def urls_of(settings: Settings) -> dict[str, str]:
    """The URLs of the targets and of the live service, by role, where they are given."""
    urls = {"live": settings.live, "candidate": settings.candidate, "baseline": settings.baseline}
    return {role: url for role, url in urls.items() if url}


async def _logged_in(assembly: Assembly) -> list[str]:
    """Have every identity log in at every target; why, for each that cannot."""
    return [why for link in assembly.environment.links for why in await link.log_in()]


async def _unreachable(guard: Guard, targets: tuple[Target, ...]) -> list[tuple[str, str]]:
    """Name and reason of each target that takes no connection."""
    found = []
    for target in targets:
        if target.scheme in _DATAGRAM_SCHEMES:
            continue  # nothing tells before something is sent
        try:
            address = (await guard.addresses(target))[0]
            async with asyncio.timeout(_CONNECT_SECONDS):
                _, writer = await asyncio.open_connection(address.ip, address.port)
            writer.close()
        except TimeoutError:
            why = f"no connection within {_CONNECT_SECONDS:g} s"
        except OSError as error:
            why = os.strerror(error.errno) if error.errno else str(error)
        else:
            continue
        url = f"{target.scheme}://{target.authority}"
        found.append(
            (
                target.name,
                f"cannot reach {target.name} {url!r}: {why}; start it, or give another --{target.name}",
            )
        )
    return found


async def _require_http2(settings: Settings, assembly: Assembly) -> None:
    """Raises TargetError for a target that does not speak what everything is to be carried in."""
    for link in assembly.environment.links if settings.transport == "http2" else ():
        if why := await link.http2_refusal():
            url = f"{link.target.scheme}://{link.target.authority}"
            raise TargetError(f"transport = 'http2', but {link.target.name} {url!r}: {why}; use 'auto'")


def _blindness(judging: Judging) -> str:
    """Why little could be found, where most of what the live service took was refused here; else empty."""
    refused, taken = judging.refused_count, judging.taken_count
    if refused < _MIN_REFUSED or refused * 2 < taken:
        return ""
    return (
        f"the shadow environment refused {refused} of {taken} originals that the live service took: do its"
        " data, the credentials and the Host field fit? see docs/configuration.md on signing and host"
    )


def _is_one_place(targets: tuple[Target, ...]) -> bool:
    places = {msgspec.structs.replace(each, name="") for each in targets}
    return len(targets) > len(places)


def _exit_code(settings: Settings, ledger: Ledger, *, halted: str, is_up: bool) -> int:
    if halted:
        return EXIT_UNSAFE
    is_unused = not ledger.fates[Fate.REPLAYED] or not is_up
    if ledger.fates[Fate.DROPPED] and is_unused:
        return EXIT_TARGET
    ranks = list(Severity)
    told = ranks[ranks.index(Severity(settings.fail_on)) :] if settings.fail_on != "never" else []
    if any(ledger.findings[each] for each in told):
        return EXIT_FINDINGS
    return EXIT_BROKEN if ledger.broke else 0
