"""`shadow mutate`: the mutants that would be sent, and why, without sending them."""

import json
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shadow.cli._keylog import key_log_at, keylog_option
from shadow.cli._options import settings_from
from shadow.cli._tell import tell

if TYPE_CHECKING:
    from shadow.config import Settings
    from shadow.pipeline.preview import Preview
    from shadow.pipeline.scheduler import Named

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--config", "config_file", type=_FILE, help="TOML settings: signing, identities, scope.")
@click.option("--mutants", type=int, metavar="N", help="Mutants per exchange.  [default: 3]")
@click.option("--stack", type=int, metavar="N", help="Edits in one mutant, at most.  [default: 3]")
@click.option("--mutator", "mutators", multiple=True, metavar="PATTERN", help="Use only these mutators.")
@click.option("--no-mutator", "no_mutators", multiple=True, metavar="PATTERN", help="Leave these out.")
@click.option("--seed", type=int, metavar="N", help="The same seed makes the same mutants.  [default: 0]")
@click.option(
    "--schema", multiple=True, metavar="FILE", help="OpenAPI or GraphQL: adds mutants at its limits."
)
@keylog_option
@click.option(
    "--allow-writes/--no-allow-writes", default=None, help="Whether a run would send mutants of writes."
)
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Show so many mutants at most.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a mutant, with its bytes.")
def mutate(
    files: tuple[str, ...], config_file: Path | None, *, limit: int | None, as_json: bool, **options: Any
) -> None:
    """Show the mutants that would be made of the exchanges in FILE (- for standard input), what each
    changes, and why it is its turn. Sends nothing.

    They are made of the requests as recorded; a run makes them of requests that are translated and signed
    for the target, with the same dice, and goes on with what is answered in new ways.
    """
    settings = settings_from(config_file, options)
    from rich.console import Console

    from shadow.cli._ledger import Ledger
    from shadow.cli._shown import as_row, as_text, summary_lines, summary_row
    from shadow.taps.files import Recording

    preview, catalog = _preview(settings)
    ledger, scope = Ledger(), settings.scope
    key_log = key_log_at(settings.keylog)
    console = Console(markup=False, emoji=False, highlight=False)
    count = 0
    with Recording(files, ports=scope.ports, protocols=scope.spoken, key_log=key_log) as recording:
        for shown in islice(preview.of(ledger.exchanges_of(recording)), limit):
            count += 1
            if as_json:
                click.echo(json.dumps(as_row(shown)))
                continue
            text = as_text(shown, may_write=settings.mutates_writes)
            if console.is_terminal:
                console.print(text, soft_wrap=True)
            else:
                click.echo(text.plain)
    if as_json:
        click.echo(json.dumps(summary_row(preview, catalog)))
    elif count:
        for line in summary_lines(preview, catalog, console.width if console.is_terminal else None):
            click.echo(line)
    for notice in recording.notices:
        tell(notice)
    ledger.tell(f"; stopped after {limit} mutants (--limit)" if count == limit else "")


def told_once(kind: str) -> Callable[[str, str], None]:
    """What tells of each plugin's first failure."""
    told: set[str] = set()

    def trouble(name: str, why: str) -> None:
        if name not in told:
            told.add(name)
            tell(f"the {kind} {name!r} of a plugin failed: {why}")

    return trouble


def _preview(settings: "Settings") -> "tuple[Preview, tuple[Named, ...]]":
    """What deals as a run with these settings would, and the mutators that it has."""
    from shadow.config.schemas import load_schema
    from shadow.pipeline.budget import Budget, BudgetSettings
    from shadow.pipeline.endpoint import Endpoints
    from shadow.pipeline.knowledge import Knowledge
    from shadow.pipeline.preview import Preview, PreviewSettings
    from shadow.pipeline.talk_preview import TalkPreview
    from shadow.run.catalogue import check_patterns, chosen_by, schedulers_of
    from shadow.run.configured import configured_signer, scope_of, secret_search

    check_patterns(settings)
    signer, endpoints = configured_signer(settings), Endpoints()
    knowledge = Knowledge(
        identities=settings.identities,
        signer=signer,
        naming=endpoints.name,
        schema=load_schema(settings.schema),
        secrets=secret_search(settings),
    )
    found = chosen_by(settings, told_once("mutator"))
    budget = Budget(BudgetSettings(settings.mutants_per_endpoint), hear=lambda _: None)
    of_requests, of_sessions, of_talks = schedulers_of(found, settings.seed, budget)
    talks = TalkPreview(
        of_talks,
        seed=settings.seed,
        mutants=settings.mutants,
        endpoints=endpoints,
    )
    preview = Preview(
        PreviewSettings(
            settings.seed, settings.mutants, settings.session.by, settings.stack, settings.transport
        ),
        (of_requests, of_sessions),
        scope=scope_of(settings),
        signer=signer,
        knowledge=knowledge,
        endpoints=endpoints,
        of_talk=talks.of,
    )
    talks.hear(preview)
    own = {each.name for each in found.of_requests}  # of bodies: lifted to messages they are no others
    return preview, (
        *found.of_requests,
        *found.of_sessions,
        *(each for each in found.of_talks if each.name not in own),
    )
