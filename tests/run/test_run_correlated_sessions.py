"""Recorded sessions run against fresh instances that name everything anew, and nothing differs."""

import json
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from shadow.model import Exchange
from shadow.pipeline.source import Recorded
from shadow.replay import Pace, Pacer
from shadow.run.execution import RunSettings, execute
from shadow.sinks.console import ConsoleSettings
from tests.run.conftest import settings_for
from tests.run.office_clients import Client
from tests.run.offices import IDS, Office, Recorder, Style, opened

STYLES = {
    **{f"{ids} id": Style(ids=ids) for ids in IDS},
    **{
        f"{ids} told by {tells}": Style(ids=ids, tells=tells)
        for ids in ("number", "uuid", "composed", "letters", "short")
        for tells in ("wrapped", "location", "absolute", "string", "xml", "attribute", "html", "link", "list")
    },
    **{f"uuid told by {tells}": Style(ids="uuid", tells=tells) for tells in ("key", "jwt")},
    **{f"login by {login}": Style(login=login) for login in ("jwt", "cookie", "header")},
    **{f"etag {etag}": Style(etag=etag) for etag in ("version", "weak")},
    **{f"csrf in {csrf}": Style(csrf=csrf, login="cookie") for csrf in ("meta", "header", "cookie", "none")},
    "gzip": Style(coding="gzip"),
}


async def replayed(
    exchanges: Sequence[Exchange], candidate: Office, baseline: Office | None, out: Path, **options: Any
) -> list[dict[str, Any]]:
    """The findings of a run."""
    urls = {"baseline": baseline.url} if baseline else {}
    settings = settings_for(out, candidate.url, live=f"http://{exchanges[0].live}", **urls, **options)
    view = ConsoleSettings(is_quiet=True, is_json=True)
    await execute(settings, Recorded(exchanges, Pacer(Pace())), RunSettings(is_live=False, view=view))
    return [json.loads(line) for line in (out / "findings.jsonl").read_text().splitlines()]


def shown(found: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    return [(each["endpoint"], each["title"], each["why"]) for each in found]


@pytest.mark.parametrize("has_baseline", [True, False], ids=["baseline", "no baseline"])
@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES.keys())
async def test_a_session_runs_at_fresh_instances(style: Style, has_baseline: bool, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        live, ours, theirs = [await stack.enter_async_context(opened(style, seed)) for seed in (7, 3, 12)]
        recorder = Recorder(live)
        async for _ in Client(recorder, live, "ann").steps():
            pass
        found = await replayed(recorder.exchanges, ours, theirs if has_baseline else None, tmp_path)
    assert [(each, status) for each, status in ours.statuses if status >= 300] == []
    assert ours.quantities == live.quantities == [7, 7]
    assert shown(found) == []


@pytest.mark.parametrize("has_baseline", [True, False], ids=["baseline", "no baseline"])
@pytest.mark.parametrize(
    "style",
    [
        Style(),
        Style(ids="uuid"),
        Style(ids="composed", login="cookie"),
        Style(ids="letters", tells="location"),
    ],
    ids=lambda style: f"{style.ids} {style.tells} {style.login}",
)
async def test_interleaved_sessions_run_at_fresh_instances(
    style: Style, has_baseline: bool, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        live, ours, theirs = [await stack.enter_async_context(opened(style, seed)) for seed in (7, 3, 12)]
        recorder = Recorder(live)
        clients = [Client(recorder, live, name, 7 + at).steps() for at, name in enumerate("abc")]
        while clients:
            for each in tuple(clients):
                if await anext(each, "over") == "over":
                    clients.remove(each)
        found = await replayed(recorder.exchanges, ours, theirs if has_baseline else None, tmp_path)
    assert [(each, status) for each, status in ours.statuses if status >= 300] == []
    assert sorted(ours.quantities) == sorted(live.quantities)
    assert shown(found) == []


async def test_a_value_that_two_sessions_share_is_known_to_both(tmp_path: Path) -> None:
    style = Style(ids="number")
    async with AsyncExitStack() as stack:
        live, ours = [await stack.enter_async_context(opened(style, seed)) for seed in (7, 3)]
        recorder = Recorder(live)
        maker, reader = (Client(recorder, live, f"ann#{at}") for at in (1, 2))
        for each in (maker, reader):
            await each.log_in()
            await each.take_form()
        reader.csrf = maker.csrf = reader.csrf
        await maker.make()
        await reader.ask("GET", f"/orders/{maker.order}")
        await reader.ask("POST", "/batch", {"ids": [maker.order], "quantity": maker.order})
        found = await replayed(recorder.exchanges, ours, None, tmp_path)
    assert [(each, status) for each, status in ours.statuses if status >= 300] == []
    assert shown(found) == []
