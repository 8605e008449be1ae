"""What a service tells of its limits, in refusals and in its schema, leads to mutants that cross them."""

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.end_to_end.conftest import findings, shadow

SCHEMA = {
    "openapi": "3.1.0",
    "paths": {
        "/machines": {
            "post": {
                "requestBody": {
                    "content": {
                        "application/json": {
                            "schema": {
                                "type": "object",
                                "required": ["cores"],
                                "properties": {"cores": {"type": "integer", "minimum": 1, "maximum": 64}},
                            }
                        }
                    }
                }
            }
        }
    },
}


def refusal(cores: object, most: int) -> dict[str, Any] | None:
    """What FastAPI says of a wrong number; None of a right one."""
    place = {"loc": ["body", "cores"], "input": cores}
    if type(cores) is not int:
        return {"type": "int_type", "msg": "Input should be a valid integer", **place}
    if cores > most:
        said = f"Input should be less than or equal to {most}"
        return {"type": "less_than_equal", "msg": said, "ctx": {"le": most}, **place}
    if cores < 1:
        said = "Input should be greater than or equal to 1"
        return {"type": "greater_than_equal", "msg": said, "ctx": {"ge": 1}, **place}
    return None


@asynccontextmanager
async def machines(most: int) -> AsyncIterator[str]:
    """The URL of a release that takes so many cores."""

    async def create(request: web.Request) -> web.Response:
        try:
            asked = json.loads(await request.read())
        except ValueError:
            return web.json_response({"detail": "no JSON"}, status=400)
        cores = asked.get("cores") if isinstance(asked, dict) else None
        wrong = refusal(cores, most)
        return web.json_response(
            {"detail": [wrong]} if wrong else {"cores": cores}, status=422 if wrong else 200
        )

    application = web.Application()
    application.router.add_post("/machines", create)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield "http://{}:{}".format(*runner.addresses[0])
    finally:
        await runner.cleanup()


def told(status: int | None, cores: int) -> dict[str, Any]:
    """A request that creates a machine, or with a status the answer, as an exchange's line has it."""
    body = json.dumps({"cores": cores}).encode()
    headers = [["Host", "a"], ["Content-Type", "application/json"], ["Content-Length", str(len(body))]]
    message = {"version": "HTTP/1.1", "headers": headers, "body": b64encode(body).decode()}
    if status is None:
        return {"method": "POST", "target": "/machines", **message}
    return {"status": status, "reason": "OK", **message, "headers": headers[1:]}


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    path = tmp_path / "machines.jsonl"
    lines = [
        {
            "index": at,
            "tap": "jsonl",
            "session": "s",
            "seen_at": 1_700_000_000.0 + at,
            "request": told(None, at % 6 + 1),
            "response": told(200, at % 6 + 1),
            "latency_seconds": 0.1,
        }
        for at in range(24)
    ]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    return path


async def found_in(folder: Path, capture: Path, most: int, *options: str) -> dict[str, list[str]]:
    """The edits of each finding of a candidate that takes so many cores, by mutator."""
    async with machines(most) as candidate, machines(64) as baseline:
        targets = ("--candidate", candidate, "--baseline", baseline)
        ended = await shadow(
            "replay", capture, *targets, "--allow-writes", "--concurrency", "1", *options, cwd=folder
        )
    assert ended.code == (0 if most == 64 else 1), ended.err
    return {each["mutator"]: each["edits"] for each in findings(folder / "shadow-out")}


OF_REFUSALS = ("--mutants", "2", "--mutator", "nudge_json_number", "--mutator", "limit_in_body")


@pytest.mark.slow
async def test_a_limit_read_out_of_a_refusal_is_crossed(tmp_path: Path, capture: Path) -> None:
    found = await found_in(tmp_path, capture, 1000, *OF_REFUSALS)
    assert "put 65, beside the told maximum 64, at body:$.cores" in found["limit_in_body"]


@pytest.mark.slow
async def test_a_documented_limit_is_crossed(tmp_path: Path, capture: Path) -> None:
    schema = tmp_path / "openapi.json"
    schema.write_text(json.dumps(SCHEMA), encoding="utf-8")
    options = ("--schema", str(schema), "--mutants", "3", "--mutator", "*documented*")
    found = await found_in(tmp_path, capture, 1000, *options)
    assert found == {
        "beyond_documented_limit_in_body": ["put 65, over the documented maximum 64, at body:$.cores"]
    }


@pytest.mark.slow
async def test_two_deployments_that_are_alike_give_no_finding(tmp_path: Path, capture: Path) -> None:
    schema = tmp_path / "openapi.json"
    schema.write_text(json.dumps(SCHEMA), encoding="utf-8")
    patterns = (
        "*documented*",
        "told_*",
        "limit_in_*",
        "answered_*",
        "beyond_*",
        "*foreign*",
        "*recorded_in*",
    )
    options = ("--schema", str(schema), "--mutants", "8", *(f"--mutator={each}" for each in patterns))
    assert await found_in(tmp_path, capture, 64, *options) == {}


async def test_a_bad_schema_stops_the_run_before_it_begins(tmp_path: Path, capture: Path) -> None:
    schema = tmp_path / "openapi.json"
    schema.write_text('{"openapi": "3.0.0", "paths": {"/x": {"$ref": "#/nope"}}}', encoding="utf-8")
    target = ("--candidate", "http://127.0.0.1:9")
    ended = await asyncio.wait_for(shadow("replay", capture, *target, "--schema", schema, cwd=tmp_path), 30)
    assert ended.code == 2
    assert "openapi.json: #/paths/~1x: $ref '#/nope' leads nowhere; define it there" in ended.err
