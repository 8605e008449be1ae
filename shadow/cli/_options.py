"""Options that several commands share, and how they become settings."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from shadow.config import Settings
    from shadow.sinks.console import ConsoleSettings

type Command = Callable[..., Any]

_UNSET = None
_FILE = click.Path(path_type=Path, dir_okay=False)
_LEVELS = click.Choice(["low", "medium", "high", "never"])

_TARGETS = [
    click.option("--candidate", metavar="URL", help="The release under test, in the shadow environment."),
    click.option("--baseline", metavar="URL", help="The live release, in the shadow environment; advised."),
]
_SENT = [
    click.option("--mutants", type=int, metavar="N", help="Per exchange; 0: originals only.  [default: 3]"),
    click.option("--stack", type=int, metavar="N", help="Edits in one mutant, at most.  [default: 3]"),
    click.option(
        "--mutants-per-endpoint", type=int, metavar="N", help="In a whole run; 0: no limit.  [default: 0]"
    ),
    click.option(
        "--mutants-per-minute", type=int, metavar="N", help="In any minute; 0: no limit.  [default: 0]"
    ),
    click.option("--mutator", "mutators", multiple=True, metavar="PATTERN", help="Use only these mutators."),
    click.option("--no-mutator", "no_mutators", multiple=True, metavar="PATTERN", help="Leave these out."),
    click.option(
        "--allow-writes/--no-allow-writes",
        default=_UNSET,
        help="Whether mutants of writing methods are sent.",
    ),
    click.option(
        "--condition", multiple=True, metavar="LIST", help="A bad network: latency=200ms,jitter=50ms"
    ),
    click.option("--seed", type=int, metavar="N", help="Of all dice.  [default: 0]"),
    click.option(
        "--schema", multiple=True, metavar="FILE", help="OpenAPI or GraphQL: adds mutants at its limits."
    ),
]
_PACE = [
    click.option("--rate", metavar="N/s", help="Requests per second to each target."),
    click.option("--concurrency", type=int, metavar="N", help="Exchanges worked on at once.  [default: 8]"),
    click.option("--workers", type=int, metavar="N", help="Processes that share the work.  [default: 1]"),
    click.option("--duration", metavar="TIME", help="Stop after this time, for example 30m."),
]
_TOLD = [
    click.option("--out", metavar="DIR", help="Output folder.  [default: shadow-out]"),
    click.option(
        "--fail-on", type=_LEVELS, metavar="LEVEL", help="Exit code 1 from low, medium, high; or never."
    ),
    click.option("--known", metavar="FILE", help="Findings that were accepted: silent; told when gone."),
    click.option("--ignore", multiple=True, metavar="PATH", help="Never reported: body:$.a.b, header:x"),
    click.option(
        "--explain-correlation",
        is_flag=True,
        default=_UNSET,
        help="Tell which live values became which.",
    ),
    click.option("--metrics", metavar="HOST:PORT", help="Serve Prometheus metrics there."),
    click.option("--admin", metavar="HOST:PORT", help="Serve GET /state, POST /pause, /resume, /stop."),
    click.option("--quiet", is_flag=True, help="Print findings only."),
    click.option("--json", "as_json", is_flag=True, help="Findings and summary as JSON lines."),
]
_REST = [
    click.option(
        "--config", "config_file", type=_FILE, metavar="FILE", help="TOML settings; every option has a key."
    ),
]
_SECTIONS = {
    "Targets": _TARGETS,
    "What is sent": _SENT,
    "Pace": _PACE,
    "What is told": _TOLD,
    "Besides": _REST,
}
"""Of the help, after what is particular to a command."""


class RunCommand(click.Command):
    """A command that sends: it has many options, and shows them in sections."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        shared = {name: title for title, options in _SECTIONS.items() for name in _names(options)}
        sections: dict[str, list[tuple[str, str]]] = {title: [] for title in ("Traffic", *_SECTIONS)}
        for each in self.get_params(ctx):
            row = each.get_help_record(ctx)
            is_help = "--help" in each.opts
            if row is not None and isinstance(each, click.Option):
                sections["Besides" if is_help else shared.get(each.name or "", "Traffic")].append(row)
        for title, rows in sections.items():
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows, col_max=26)


def _names(options: Sequence[Callable[[Command], Command]]) -> set[str]:
    """What click calls the parameters of `options`."""
    named = click.command("options")(_apply(options, lambda: None))
    return {each.name or "" for each in named.params}


def run_options(command: Command) -> Command:
    """Add the options of every command that sends."""
    return _apply([each for options in _SECTIONS.values() for each in options], command)


def settings_from(config_file: Path | None, options: dict[str, Any]) -> "Settings":
    """The file's settings with the given options over it; options that were not given say nothing."""
    from shadow.config import load

    given = {key: value for key, value in options.items() if value is not None and value != ()}
    if ignore := given.pop("ignore", ()):
        given["noise"] = {"ignore": list(ignore)}
    if schema := given.pop("schema", ()):
        given["schema"] = {"files": list(schema)}
    if protocols := given.pop("protocols", {}):
        given["scope"] = {"protocols": {str(port): spoken for port, spoken in protocols.items()}}
    return load(config_file, {key: list(v) if isinstance(v, tuple) else v for key, v in given.items()})


def require(settings: "Settings", *names: str) -> None:
    """Raises click.UsageError naming the first of `names` that was given neither as option nor as key."""
    for name in names:
        if not getattr(settings, name):
            raise click.UsageError(f"missing --{name} URL (or the key {name!r} in the configuration)")


def _apply(options: Sequence[Callable[[Command], Command]], command: Command) -> Command:
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
