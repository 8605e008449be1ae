"""Tools: work that goes on after the answer, followed by its operation."""

import json
import sqlite3
from decimal import Decimal
from typing import Any

from aiohttp import web

from shadow.demo.vmctl.answers import answer
from shadow.demo.vmctl.bugs import Bugs
from shadow.demo.vmctl.calls import Call
from shadow.demo.vmctl.checks import Invalid, Member, checked, integer, is_uuid, list_of, text, uuid
from shadow.demo.vmctl.creation import write_tags
from shadow.demo.vmctl.machines import moment, price_hour, sizes
from shadow.demo.vmctl.permissions import instance_for, require_own, require_role
from shadow.demo.vmctl.problems import Unprocessable, not_found
from shadow.demo.vmctl.service import Service

_SLOW_SECONDS = 0.5
_TOOLS = {
    "quote": "the price of an instance of some size, for some hours",
    "tag": "replace an instance's tags",
}


async def listed(call: Call) -> web.StreamResponse:
    items = [
        {"name": name, "description": text, "parameters": sorted(_members(name, call.service.bugs))}
        for name, text in _TOOLS.items()
    ]
    return answer(call.service, {"items": items})


async def run(call: Call) -> web.StreamResponse:
    require_role(call.caller, "manager", "owner")
    service, tool = call.service, call.path("name")
    if tool not in _TOOLS:
        raise not_found("tool")
    parameters = _parameters(call, tool)
    if tool == "tag":
        instance_for(call, "patch", instance=parameters["instance"])
        result: dict[str, Any] = {"instance": parameters["instance"]}
    else:
        result = _quote(service, parameters)
    made, now = service.chance.new_id(), service.clock.now()
    with service.store.transaction():
        service.store.run(
            "INSERT INTO operations VALUES (?, ?, ?, 'QUEUED', ?, ?, ?)",
            *(made, call.caller.address, tool, json.dumps(result), now, now),
        )
        service.record(call.caller.address, f"tool.{tool}", made)
    service.later(lambda: _finish(service, made, tool, parameters))
    headers = {"Location": f"/v1/operations/{made}"}
    return answer(service, _view(call, _operation(call, made)), status=202, headers=headers)


async def operation(call: Call) -> web.StreamResponse:
    return answer(call.service, _view(call, _operation(call, call.path("id"))))


ROUTES = (
    ("GET", "/v1/tools", listed),
    ("POST", "/v1/tools/{name}", run),
    ("GET", "/v1/operations/{id}", operation),
)


def _members(tool: str, bugs: Bugs) -> dict[str, Member]:
    if tool == "quote":
        return {**sizes(bugs, is_required=True), "hours": Member(integer(bugs, 1, 8784), is_required=True)}
    tags = list_of(text(bugs, longest=32), longest=16)
    return {"instance": Member(uuid, is_required=True), "tags": Member(tags, is_required=True)}


def _parameters(call: Call, tool: str) -> dict[str, Any]:
    bugs = call.service.bugs
    given = checked(call.document(), {"parameters": Member(_object, is_required=True)})["parameters"]
    if bugs.has("B54"):
        return dict(given)
    try:
        return checked(given, _members(tool, bugs))
    except Unprocessable as error:
        faults = [(path.replace("$", "$.parameters", 1), message) for path, message in error.faults]
        raise Unprocessable(faults) from None


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Invalid("must be an object")
    return value


def _quote(service: Service, parameters: dict[str, Any]) -> dict[str, Any]:
    size = (parameters["vcpus"], parameters["memory_mb"], parameters["disk_gb"])
    hourly = price_hour(service.bugs, *size)
    return {"price_hour": hourly, "price": str(Decimal(hourly) * parameters["hours"])}


def _finish(service: Service, operation: str, tool: str, parameters: dict[str, Any]) -> None:
    """The worker: first the effect, then the operation is done."""

    def effect() -> None:
        if tool == "tag":
            with service.store.transaction():
                write_tags(service, parameters["instance"], parameters["tags"])
                service.store.run(
                    "UPDATE instances SET version = version + 1, updated_at = ? WHERE id = ?",
                    *(service.clock.now(), parameters["instance"]),
                )

    if service.bugs.has("B52"):
        service.later(effect, delay_seconds=_SLOW_SECONDS)
    else:
        effect()
    service.store.run(
        "UPDATE operations SET status = 'DONE', updated_at = ? WHERE id = ?", service.clock.now(), operation
    )


def _operation(call: Call, operation: str) -> sqlite3.Row:
    row = None
    if is_uuid(operation):
        row = call.service.store.one("SELECT * FROM operations WHERE id = ?", operation)
    return require_own(call.caller, row, "operation", owner="account", own=call.caller.address)


def _view(call: Call, row: sqlite3.Row) -> dict[str, Any]:
    is_done = row["status"] == "DONE"
    return {
        "id": row["id"],
        "tool": row["tool"],
        "status": row["status"],
        "result": json.loads(row["result"]) if is_done else None,
        "created_at": moment(row["created_at"], call.service.bugs),
        "updated_at": moment(row["updated_at"], call.service.bugs),
    }
