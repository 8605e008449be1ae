"""`shadow repro`: a finding sent again, to see whether it is still there."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shadow.cli._options import settings_from
from shadow.errors import SinkError

if TYPE_CHECKING:
    from shadow.judge.recipe import Recipe
    from shadow.model import Finding, Outcome
    from shadow.run.retold import Outcome as Retold

_FILE = click.Path(path_type=Path, dir_okay=False)
_EXIT_GONE, _EXIT_THERE, _EXIT_UNKNOWN = 0, 1, 4
_MAX_TEXT = 160
_FORMS = ("curl", "raw", "har", "pytest")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.argument("word", metavar="FINDING")
@click.option("--candidate", metavar="URL", help="Where it is sent.  [default: as in its run]")
@click.option("--baseline", metavar="URL", help="The live release, in the shadow.  [default: as in its run]")
@click.option("--live", metavar="URL", help="Never sent anything.  [default: as in its run]")
@click.option("--config", "config_file", type=_FILE, metavar="FILE", help="TOML settings, as of its run.")
@click.option("--times", type=click.IntRange(1, 100), default=3, metavar="N", help="How often.  [default: 3]")
@click.option(
    "--allow-writes/--no-allow-writes", default=None, help="Whether mutants of writing methods are sent."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("--as", "form", type=click.Choice(_FORMS), help="Send nothing: write it in this form.")
@click.option("-o", "output", type=_FILE, metavar="FILE", help="With --as: write there.")
def repro(
    folder: Path,
    word: str,
    config_file: Path | None,
    *,
    times: int,
    as_json: bool,
    form: str | None,
    output: Path | None,
    **options: Any,
) -> int:
    """Send a finding of the run in DIR again, the smallest form of it, and see what comes.

    FINDING is an id, or four digits or more of its beginning. Credentials are redacted in DIR, so they
    come from --config. Exit codes: 0 it is gone, 1 it is still there, 4 that cannot be told.

    --as gives it for others to send: curl (a command line), raw (its bytes), har (with its answers), pytest
    (a file that fails while it is there, and needs the standard library alone).
    """
    from shadow.judge.recipe import recipe_of
    from shadow.run.loop import run_replay
    from shadow.run.repro import Repro
    from shadow.run.retold import Standing
    from shadow.sinks.results import finding_called, findings_in, summary_in

    findings = findings_in(folder)
    finding = finding_called(word, findings, folder)
    recipe = recipe_of(finding)
    if isinstance(recipe, str):
        click.echo(f"cannot tell: {recipe}; run again", err=True)
        return _EXIT_UNKNOWN
    given = {key: value for key, value in options.items() if value is not None}
    settings = settings_from(config_file, given)
    urls = summary_in(folder).get("targets", {})
    missing = {role: url for role, url in urls.items() if not getattr(settings, role)}
    settings = settings_from(config_file, missing | given)
    if not settings.candidate:
        raise click.UsageError("missing --candidate URL: the folder does not say where its run sent")
    if form is not None:
        return _write(form, folder, finding, recipe, settings.candidate, output)
    ids = {one for each in findings for one in (each.id, *each.also)}
    outcome = run_replay(Repro(settings, folder, finding, recipe, ids).run(times))
    if as_json:
        click.echo(json.dumps(outcome.as_json(finding)))
    else:
        for line in _lines(finding, outcome):
            click.echo(line)
    codes = {Standing.GONE: _EXIT_GONE, Standing.THERE: _EXIT_THERE, Standing.UNKNOWN: _EXIT_UNKNOWN}
    return codes[outcome.standing]


def _write(
    form: str, folder: Path, finding: "Finding", recipe: "Recipe", origin: str, output: Path | None
) -> int:
    """Write the finding in a form that others can send."""
    from shadow.run.reproductions import exchanges_named, reproduction

    made, why = reproduction(form, finding, recipe, exchanges_named(folder, recipe), origin)
    if why:
        click.echo(f"shadow: finding {finding.id} cannot be told as {form}: {why}", err=True)
        return _EXIT_UNKNOWN
    if output is None:
        sys.stdout.buffer.write(made)
        return 0
    try:
        output.write_bytes(made)
    except OSError as error:
        raise SinkError(f"cannot write {str(output)!r}: {error.strerror}") from error
    return 0


def _lines(finding: "Finding", retold: "Retold") -> list[str]:
    from shadow.sinks.console import shown

    trial = retold.trial
    rows = [("finding", f"{finding.id} {finding.severity} {finding.fault}"), ("", finding.title)]
    if finding.mutator:
        rows.append(("edit", f"{finding.mutator}: {'; '.join(dict.fromkeys(finding.edits))}"))
    if trial is not None:
        rows += [("sent to", trial.endpoint)] if trial.endpoint != finding.endpoint else []
        for name, now, then in (
            ("control", trial.control, finding.control),
            ("answer", trial.answer, finding.answer),
            ("baseline", trial.baseline, finding.baseline),
        ):
            if now is not None or then is not None:
                rows.append((name, f"{_answer(now, retold)}{_before(then)}"))
    rows += [("verdict", f"{retold.standing.value}, seen {retold.seen} of {retold.times}")]
    rows += [("why", retold.redactor.text(retold.why))]
    rows += [("besides", f"{each.id} {each.severity} {each.title}") for each in retold.others]
    rows += [("note", each) for each in retold.notes]
    return [f"{name.ljust(9)} {shown(text, 400)}" for name, text in rows]


def _answer(outcome: "Outcome | None", retold: "Retold") -> str:
    """One answer in one line."""
    from shadow.judge import message

    told = retold.redactor.value(message(outcome))
    return "none" if told is None else _words(told)


def _before(told: dict[str, Any] | None) -> str:
    """How it was in the run, where that can be said in a word."""
    status = None if told is None else told.get("status", told.get("silence"))
    return "" if status is None else f"  (in the run: {status})"


def _words(told: dict[str, Any]) -> str:
    if "silence" in told:
        return f"no answer: {told['silence']} {told.get('detail', '')}".rstrip()
    if "messages" in told:
        return f"{told['class']}: {json.dumps(told['messages'])[:_MAX_TEXT]}"
    body = told.get("body", f"<{told['body_bytes']} bytes>")
    return f"{told['status']} {' '.join(body.split())[:_MAX_TEXT]}"
