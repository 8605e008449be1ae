"""Options that several commands share, and how they become settings."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shadow.config import Settings, load

if TYPE_CHECKING:
    from shadow.sinks.console import ConsoleSettings

type Command = Callable[..., Any]

_UNSET = None
_FILE = click.Path(path_type=Path, dir_okay=False)

_TARGETS = [
    click.option("--candidate", metavar="URL", help="The release under test, in the shadow environment."),
    click.option("--baseline", metavar="URL", help="The live release, in the shadow environment; advised."),
]
_RUN = [
    click.option("--config", "config_file", type=_FILE, help="TOML settings; every option has a key there."),
    click.option("--out", metavar="DIR", help="Output folder.  [default: shadow-out]"),
    click.option(
        "--mutants", type=int, metavar="N", help="Mutants per exchange; 0: only originals.  [default: 3]"
    ),
    click.option("--mutator", "mutators", multiple=True, metavar="PATTERN", help="Use only these mutators."),
    click.option("--no-mutator", "no_mutators", multiple=True, metavar="PATTERN", help="Leave these out."),
    click.option(
        "--seed",
        type=int,
        metavar="N",
        help="Of all dice; with --concurrency 1 the same seed gives the same run.  [default: 0]",
    ),
    click.option("--rate", metavar="N/s", help="Requests per second to each target; it waits, never drops."),
    click.option(
        "--condition",
        multiple=True,
        metavar="LIST",
        help="A bad network on the way: latency=200ms,jitter=50ms,down.bandwidth=10kB/s,probability=20%; each"
        " one given meets by itself.",
    ),
    click.option("--concurrency", type=int, metavar="N", help="Exchanges worked on at once.  [default: 8]"),
    click.option(
        "--workers", type=int, metavar="N", help="Processes that share the work, by session.  [default: 1]"
    ),
    click.option("--duration", metavar="TIME", help="Stop after this time, for example 30m."),
    click.option("--metrics", metavar="HOST:PORT", help="Serve Prometheus metrics there."),
    click.option("--admin", metavar="HOST:PORT", help="Serve GET /state, POST /pause, /resume, /stop there."),
    click.option(
        "--ignore", multiple=True, metavar="PATH", help="Places never reported: body:$.a.b, header:x"
    ),
    click.option(
        "--fail-on",
        type=click.Choice(["low", "medium", "high", "never"]),
        help="Lowest severity that makes the exit code 1.  [default: low]",
    ),
    click.option(
        "--allow-writes/--no-allow-writes",
        default=_UNSET,
        help="Whether mutants of writing methods are sent.  [default: no]",
    ),
    click.option(
        "--explain-correlation",
        is_flag=True,
        default=_UNSET,
        help="Tell at the end which live values became which, and which could not be mapped.",
    ),
    click.option("--quiet", is_flag=True, help="Print findings only."),
    click.option("--json", "as_json", is_flag=True, help="Print findings and the summary as JSON lines."),
]


def run_options(command: Command) -> Command:
    """Add the options of every command that sends."""
    return _apply([*_TARGETS, *_RUN], command)


def settings_from(config_file: Path | None, options: dict[str, Any]) -> Settings:
    """The file's settings with the given options over it; options that were not given say nothing."""
    given = {key: value for key, value in options.items() if value is not None and value != ()}
    if ignore := given.pop("ignore", ()):
        given["noise"] = {"ignore": list(ignore)}
    if protocols := given.pop("protocols", {}):
        given["scope"] = {"protocols": {str(port): spoken for port, spoken in protocols.items()}}
    return load(config_file, {key: list(v) if isinstance(v, tuple) else v for key, v in given.items()})


def require(settings: Settings, *names: str) -> None:
    """Raises click.UsageError naming the first of `names` that was given neither as option nor as key."""
    for name in names:
        if not getattr(settings, name):
            raise click.UsageError(f"missing --{name} URL (or the key {name!r} in the configuration)")


def _apply(options: list[Callable[[Command], Command]], command: Command) -> Command:
    for option in reversed(options):
        command = option(command)
    return command


def child_options(*, quiet: bool, as_json: bool) -> list[str]:
    """The options of how a run is shown, for the process that shows it."""
    return [*(["--quiet"] if quiet else []), *(["--json"] if as_json else [])]


def view_from(*, quiet: bool, as_json: bool) -> "ConsoleSettings":
    """How a run is shown."""
    from shadow.sinks.console import ConsoleSettings

    return ConsoleSettings(is_quiet=quiet or as_json, is_json=as_json)
