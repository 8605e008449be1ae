"""What is done to an instance: boot, start, stop, pause, resume, reboot, snapshot, restore, resize."""

import sqlite3
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from shadow.demo.vmctl.answers import answer
from shadow.demo.vmctl.calls import Call
from shadow.demo.vmctl.checks import Member, checked, is_uuid, uuid
from shadow.demo.vmctl.machines import (
    TRANSITIONS,
    entity_fields,
    next_status,
    price_hour,
    sizes,
    view,
)
from shadow.demo.vmctl.permissions import instance_for
from shadow.demo.vmctl.problems import Unprocessable, not_found

_COOLING = {"STARTED": "PAUSED"}
_SIZES = ("vcpus", "memory_mb", "disk_gb")


def _step(action: str) -> Callable[[Call], Awaitable[web.StreamResponse]]:
    async def respond(call: Call) -> web.StreamResponse:
        row = _instance(call, action)
        values = _values(call, action, row)
        following = _following(call, action, row)
        with call.service.store.transaction():
            _write(call, row, following, values)
            if action == "snapshot":
                call.service.store.run(
                    "INSERT INTO snapshots VALUES (?, ?, ?)",
                    *(call.service.chance.new_id(), row["id"], call.service.clock.now()),
                )
            call.service.record(call.caller.address, f"instance.{action}", row["id"])
        row = call.service.store.all("SELECT * FROM instances WHERE id = ?", row["id"])[0]
        return answer(call.service, view(call.service, row), headers=entity_fields(row, call.service.bugs))

    return respond


ROUTES = tuple(("POST", f"/v1/instances/{{id}}/{action}", _step(action)) for action in TRANSITIONS)


def _instance(call: Call, action: str) -> sqlite3.Row:
    if action == "start" and call.service.bugs.has("B21") and is_uuid(call.path("id")):
        row = call.service.store.one(
            "SELECT * FROM instances WHERE id = ? AND owner = ?", call.path("id"), call.caller.address
        )
        if row is not None:
            return row
    return instance_for(call, action)


def _values(call: Call, action: str, row: sqlite3.Row) -> dict[str, Any]:
    """The new sizes of a resize; every other action takes none."""
    document = call.optional_document()
    bugs = call.service.bugs
    named = {"id": Member(uuid)}
    values = checked(document, {**named, **sizes(bugs)} if action == "resize" else named)
    if action == "resize" and not values.keys() & set(_SIZES):
        raise Unprocessable([("$", "give vcpus, memory_mb or disk_gb")])
    if values.pop("id", row["id"]) != row["id"]:
        raise Unprocessable([("$.id", "must be the instance's own")])
    return values


def _following(call: Call, action: str, row: sqlite3.Row) -> str:
    status, bugs = row["status"], call.service.bugs
    if action == "pause" and bugs.has("B22"):
        return _COOLING[status]
    if action == "stop" and bugs.has("B23") and status == "STOPPED":
        return "STOPPED"
    if status == "KILLED" and bugs.has("B21"):
        return "STARTED"
    following = next_status(action, status)
    if action == "boot" and row["formfile"].rstrip().endswith("RUN false"):
        return "CRITICAL_ERROR"
    return following


def _write(call: Call, row: sqlite3.Row, status: str, values: dict[str, Any]) -> None:
    size = [values.get(part, row[part]) for part in _SIZES]
    written = call.service.store.run(
        "UPDATE instances SET status = ?, vcpus = ?, memory_mb = ?, disk_gb = ?, price_hour = ?,"
        " version = version + 1, updated_at = ? WHERE id = ?",
        *(status, *size, price_hour(call.service.bugs, *size), call.service.clock.now(), row["id"]),
    )
    if not written:
        raise not_found("instance")
