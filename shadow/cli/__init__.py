"""The command line. Commands are imported when they are used, so that `shadow --help` costs nothing."""

import sys
import traceback
from importlib import import_module

import click

from shadow.errors import ShadowError, first_in, nearest

_COMMANDS = {
    "proxy": ("shadow.cli.proxy", "Tap live traffic inline, and shadow it."),
    "mirror": ("shadow.cli.mirror", "Tap copies of live requests that a proxy mirrors, and shadow them."),
    "sniff": ("shadow.cli.sniff", "Tap live traffic from beside it, and shadow it."),
    "listen": ("shadow.cli.listen", "Shadow what taps elsewhere send, such as a mitmdump of your own."),
    "addon": ("shadow.cli.addon", "Print the path of the addon for a mitmdump of your own."),
    "replay": (
        "shadow.cli.replay",
        "Shadow recorded traffic: pcap, HAR, flows, GoReplay, JSON lines.",
    ),
    "extract": (
        "shadow.cli.extract",
        "Write the exchanges in captures as JSON lines, HAR, GoReplay or flows; sends nothing.",
    ),
    "mutate": ("shadow.cli.mutate", "Show the mutants that would be sent; sends nothing."),
    "packets": ("shadow.cli.packets", "Send malformed packets, and see whether the service lives."),
    "mutators": ("shadow.cli.catalogues", "List the mutators, with what each expects and why."),
    "comparators": ("shadow.cli.catalogues", "List the comparators."),
    "repro": ("shadow.cli.repro", "Send a finding again: still there, gone, or cannot tell."),
    "known": ("shadow.cli.known", "Write the file of accepted findings that --known reads."),
    "config": ("shadow.cli.config", "Check a configuration file, or print its schema."),
    "demo": ("shadow.cli.demo", "The whole way on the reference service, from traffic to findings."),
    "pipeline": ("shadow.cli.pipeline", "The half of a tap command that replays and compares."),
}
_HIDDEN = {"pipeline"}
_EXIT_BUG = 70
"""EX_SOFTWARE of sysexits.h."""


class _Commands(click.Group):
    """Finds commands by the table above and imports only the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        return [name for name in _COMMANDS if name not in _HIDDEN]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # click's
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = getattr(import_module(_COMMANDS[cmd_name][0]), cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in _COMMANDS:
            hint = nearest(args[0], self.list_commands(ctx)) or "; see shadow --help"
            raise click.UsageError(f"no such command {args[0]!r}{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, _COMMANDS[name][1]) for name in self.list_commands(ctx)])


def _print_version(
    ctx: click.Context, _parameter: click.Parameter, wanted: bool
) -> None:  # click's signature
    if wanted:
        from importlib.metadata import version

        click.echo(f"shadow {version('shadow')}")
        ctx.exit()


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version)
def _shadow() -> None:
    """Replay live traffic, and hostile variants of it, into a new release; see what breaks.

    Exit codes: 0 nothing found at or above --fail-on; 1 findings; 2 wrong usage or settings; 3 stopped by a
    safety rule; 4 the shadow environment could not be used.
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and end the process with its exit code."""
    try:
        # not click's own main, which takes a reader that has gone away for an error
        given = sys.argv[1:] if arguments is None else list(arguments)
        with _shadow.make_context("shadow", given) as context:
            code = _shadow.invoke(context)
    except click.exceptions.Exit as end:
        code = end.exit_code
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except ShadowError as error:
        code = _told(error)
    except BaseExceptionGroup as group:
        code = _told(group)
    except (click.Abort, KeyboardInterrupt):
        code = 130
    except BrokenPipeError:
        sys.stderr.close()  # the reader went away; there is nobody left to tell
        code = 0
    except Exception as error:  # noqa: BLE001  # a bug must not look like findings to who reads the exit code
        code = _told(error)
    sys.exit(code if isinstance(code, int) else 0)


def _told(error: BaseException) -> int:
    """Say what went wrong, in one line where the user can put it right; the exit code."""
    wrong = first_in(error) if isinstance(error, BaseExceptionGroup) else error
    if isinstance(wrong, ShadowError):
        click.echo(f"shadow: {wrong}", err=True)
        return wrong.exit_code
    traceback.print_exception(error)
    click.echo("shadow: this is a bug in shadow; please report what stands above", err=True)
    return _EXIT_BUG
