"""`shadow mutate`: the mutants that would be sent, without sending them."""

import json
from base64 import b64encode
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shadow.cli._keylog import key_log_at, keylog_option
from shadow.cli._options import settings_from
from shadow.cli._tell import tell

if TYPE_CHECKING:
    from mutators import Mutator, TalkMutator
    from shadow.config import Settings
    from shadow.model import Edit, Exchange, TalkEdit
    from shadow.pipeline.endpoint import Endpoints

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--config", "config_file", type=_FILE, help="TOML settings: signing, identities, scope.")
@click.option("--mutants", type=int, metavar="N", help="Mutants per exchange.  [default: 3]")
@click.option("--mutator", "mutators", multiple=True, metavar="PATTERN", help="Use only these mutators.")
@click.option("--no-mutator", "no_mutators", multiple=True, metavar="PATTERN", help="Leave these out.")
@click.option("--seed", type=int, metavar="N", help="The same seed makes the same mutants.  [default: 0]")
@click.option(
    "--schema", multiple=True, metavar="FILE", help="OpenAPI or GraphQL: adds mutants at its limits."
)
@keylog_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object a mutant, with its bytes.")
def mutate(files: tuple[str, ...], config_file: Path | None, *, as_json: bool, **options: Any) -> None:
    """Show the mutants that would be made of the exchanges in FILE (- for standard input). Sends
    nothing.

    They are made of the requests as recorded; a run makes them of requests that are translated and signed
    for the target, with the same dice.
    """
    settings = settings_from(config_file, options)
    from shadow.cli._ledger import Ledger
    from shadow.taps.files import Recording

    ledger, scope = Ledger(), settings.scope
    key_log = key_log_at(settings.keylog)
    with Recording(files, ports=scope.ports, protocols=scope.spoken, key_log=key_log) as recording:
        for exchange, endpoint, mutator, edit in _made(settings, ledger.exchanges_of(recording)):
            if as_json:
                shown = {
                    "index": exchange.index,
                    "endpoint": endpoint,
                    "mutator": mutator.name,
                    "level": mutator.level,
                    "expect": mutator.expect,
                    "what": edit.what,
                    "reason": mutator.reason,
                    "raw_base64": b64encode(_said(exchange, edit)).decode(),
                }
                click.echo(json.dumps(shown))
            else:
                what = edit.what.encode("unicode_escape").decode()
                click.echo(f"{exchange.index} {endpoint}: {mutator.name} ({mutator.expect}): {what}")
    for notice in recording.notices:
        tell(notice)
    ledger.tell()


def _said(exchange: "Exchange", edit: "Edit | TalkEdit") -> bytes:
    """All that would leave for it."""
    from shadow.model import TalkEdit
    from shadow.wire.http1 import serialise_request
    from shadow.wire.spoken import spoken

    if isinstance(edit, TalkEdit):
        request = edit.request or exchange.request
        return b"".join(spoken(exchange.protocol, request, edit.messages, is_exact=True))
    return b"".join(edit.wire.segments) if edit.wire else serialise_request(edit.request)


type _Shown = "tuple[Exchange, str, Mutator | TalkMutator, Edit | TalkEdit]"


def _made(settings: "Settings", exchanges: "Iterable[Exchange]") -> "Iterator[_Shown]":
    """Each mutant with its exchange, endpoint and mutator, in the order of a run."""
    from mutators import CATALOG, dice, load_plugins
    from shadow.config.schemas import load_schema
    from shadow.model import CONVERSATIONS
    from shadow.pipeline.endpoint import Endpoints
    from shadow.pipeline.knowledge import Knowledge
    from shadow.pipeline.scheduler import Scheduler, chosen
    from shadow.pipeline.session_key import session_of
    from shadow.run.assembly import check_patterns, configured_signer, scope_of, secret_search
    from shadow.wire.http1_form import replayable

    check_patterns(settings)
    scope, signer = scope_of(settings), configured_signer(settings)
    endpoints = Endpoints()
    knowledge = Knowledge(
        identities=settings.identities,
        signer=signer,
        naming=endpoints.name,
        schema=load_schema(settings.schema),
        secrets=secret_search(settings),
    )
    wanted = chosen((*CATALOG, *load_plugins()[0]), wanted=settings.mutators, unwanted=settings.no_mutators)
    scheduler = Scheduler(wanted, seed=settings.seed)
    talks = _TalksMade(settings, endpoints)
    for seen in exchanges:
        exchange = replayable(seen)
        if scope.refusal(exchange, session_of(exchange, settings.session.by, signer)):
            continue
        if exchange.protocol in CONVERSATIONS:
            yield from talks.made(exchange)
            continue
        request, index = exchange.request, exchange.index
        known = knowledge.snapshot(request, "recorded")

        def edited(mutator: "Mutator") -> "Edit | None":
            return mutator(request, dice(settings.seed, index, mutator.name), known)  # noqa: B023  # used at once

        endpoint = endpoints.name(request)
        for mutator, edit in scheduler.deal(endpoint, index, settings.mutants, edited):
            yield exchange, endpoint, mutator, edit
        knowledge.learn(exchange, {"recorded": exchange})


class _TalksMade:
    """The mutants of conversations."""

    def __init__(self, settings: "Settings", endpoints: "Endpoints") -> None:
        from mutators import CATALOG, TALK_CATALOG, lifted, load_plugins
        from shadow.pipeline.scheduler import Scheduler, chosen
        from shadow.pipeline.talk_endpoint import TalkEndpoints
        from shadow.pipeline.talk_trials import TalkKnowledge

        single, _, of_talks = load_plugins()
        every = (*TALK_CATALOG, *of_talks, *lifted((*CATALOG, *single)))
        wanted = chosen(every, wanted=settings.mutators, unwanted=settings.no_mutators)
        self._settings = settings
        self._scheduler = Scheduler(wanted, seed=settings.seed)
        self._endpoints = TalkEndpoints(endpoints)
        self._knowledge = TalkKnowledge()

    def made(self, exchange: "Exchange") -> "Iterator[_Shown]":
        from mutators import dice
        from shadow.pipeline.talk_trials import opening

        talk, endpoint = opening(exchange), self._endpoints.name(exchange)
        known = self._knowledge.snapshot(endpoint)

        def edited(mutator: "TalkMutator") -> "TalkEdit | None":
            return mutator(talk, dice(self._settings.seed, talk.index, mutator.name), known)

        for mutator, edit in self._scheduler.deal(endpoint, talk.index, self._settings.mutants, edited):
            yield talk, endpoint, mutator, edit
        self._knowledge.learn(endpoint, talk)
