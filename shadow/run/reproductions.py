"""A finding in a form that others can send: a command line, raw bytes, a HAR, a file for pytest."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from shadow.judge.pytest_file import pytest_file
from shadow.judge.recipe import Recipe, request_in
from shadow.model import Exchange, Finding, Response
from shadow.sinks.results import lines_of
from shadow.taps import har_write
from shadow.taps.jsonl import decode

type Exchanges = Mapping[int, Exchange]
type Made = tuple[bytes, str]
"""What is written, and why there is nothing, of which one is empty."""


def reproduction(form: str, finding: Finding, recipe: Recipe, exchanges: Exchanges, origin: str) -> Made:
    """The finding in `form`, one of `FORMS`. `origin` is where it is to be sent: ``"http://host:port"``."""
    return FORMS[form](finding, recipe, exchanges, origin)


def exchanges_named(folder: Path, recipe: Recipe) -> dict[int, Exchange]:
    """Those of the folder's exchanges that `recipe` names, by index. Raises SinkError where the file is not
    to be read."""
    wanted = {recipe.exchange, *recipe.before, *recipe.others, *(each.exchange for each in recipe.steps)}
    found: dict[int, Exchange] = {}
    for line in lines_of(folder, "exchanges.jsonl"):
        exchange = decode(line)
        if isinstance(exchange, Exchange) and exchange.index in wanted:
            found[exchange.index] = exchange
            if len(found) == len(wanted):
                break
    return found


def _curl(_finding: Finding, recipe: Recipe, _exchanges: Exchanges, _origin: str) -> Made:
    line = recipe.shell or recipe.curl
    if line is None:
        what = "a sequence" if recipe.steps else "curl cannot send these bytes"
        return b"", f"{what}: --as raw gives them as they are, --as pytest a file that sends them"
    return line.encode("utf-8", "backslashreplace") + b"\n", ""


def _raw(_finding: Finding, recipe: Recipe, _exchanges: Exchanges, _origin: str) -> Made:
    return recipe.sent, ""


def _har(finding: Finding, recipe: Recipe, exchanges: Exchanges, origin: str) -> Made:
    """The unedited request with its answer, where there is one, then the finding's own, then the baseline's
    answer to that."""
    told = [(recipe.plain, finding.control, "control"), (recipe.sent, finding.answer, "answer")]
    told += [(recipe.sent, finding.baseline, "baseline")] if finding.baseline is not None else []
    subject = exchanges.get(recipe.exchange)
    entries = []
    for text, answer, what in told:
        request = request_in(text)
        if request is None or answer is None:
            continue
        exchange = Exchange(
            recipe.exchange,
            "repro",
            f"{finding.id} {what}",
            subject.seen_at if subject is not None else 0.0,
            request,
            _response(answer),
            None,
            urlsplit(origin).netloc,
        )
        entry = har_write.encode(exchange)
        entries += [_commented(entry, f"{finding.id} {what}")] if entry is not None else []
    if not entries:
        return b"", "its bytes are no one request of HTTP/1.1: --as raw gives them as they are"
    return har_write.head() + har_write.BETWEEN.join(entries) + har_write.TAIL, ""


def _commented(entry: bytes, comment: str) -> bytes:
    return msgspec.json.encode(msgspec.json.decode(entry) | {"comment": comment})


def _response(told: Mapping[str, Any]) -> Response | None:
    """An answer as findings have it: its content coding is undone, and long bodies are cut."""
    if "status" not in told or "headers" not in told:
        return None
    headers = tuple(
        (name.encode("latin-1", "replace"), value.encode("latin-1", "replace"))
        for name, value in told["headers"]
        if name.lower() != "content-encoding"
    )
    body = (
        told["body"].encode()
        if "body" in told
        else msgspec.json.decode(f'"{told["body_base64"]}"', type=bytes)
    )
    return Response(told["status"], headers=headers, body=body, is_complete=len(body) >= told["body_bytes"])


def _pytest(finding: Finding, recipe: Recipe, exchanges: Exchanges, origin: str) -> Made:
    text, why = pytest_file(finding, recipe, exchanges, origin)
    return text.encode(), why


FORMS: Mapping[str, Callable[[Finding, Recipe, Exchanges, str], Made]] = {
    "curl": _curl,
    "raw": _raw,
    "har": _har,
    "pytest": _pytest,
}
