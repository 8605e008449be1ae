"""Instances: made, listed, read, changed and deleted."""

import sqlite3
from typing import Any

from aiohttp import HttpVersion11, web

from shadow.demo.vmctl.answers import answer, nothing
from shadow.demo.vmctl.calls import Call
from shadow.demo.vmctl.checks import checked, is_uuid
from shadow.demo.vmctl.creation import create_instance, write_tags
from shadow.demo.vmctl.idempotency import once
from shadow.demo.vmctl.listing import page
from shadow.demo.vmctl.machines import changes, entity_fields, etag, members, view
from shadow.demo.vmctl.permissions import instance_for, require_role
from shadow.demo.vmctl.problems import Problem, Unprocessable, not_found


async def create(call: Call) -> web.StreamResponse:
    require_role(call.caller, "owner")
    service = call.service
    wanted = call.document()
    values = checked(wanted, members(service.bugs))

    def make() -> tuple[str, dict[str, Any]]:
        made = create_instance(service, call.caller.address, values)
        row = _reread(call, made)
        shown = {"max_price_hour": values.get("max_price_hour")}
        return made, {"instance": view(service, row) | shown, "etag": etag(row, service.bugs)}

    made, document = await once(call, wanted, make)
    headers = {"Location": f"/v1/instances/{made}", "ETag": document["etag"]}
    return answer(service, document["instance"], status=201, headers=headers)


async def listed(call: Call) -> web.StreamResponse:
    service = call.service
    found = page(call)
    items = [view(service, row) for row in found.rows]
    if service.bugs.has("B47"):
        items = [item for item in items if any(row["id"] == item["id"] for row in _everything(call))]
    response = answer(service, {"items": items, "next_cursor": found.next_cursor})
    if service.settings.release == "candidate" and call.request.version == HttpVersion11:
        response.enable_chunked_encoding()
    return response


async def read(call: Call) -> web.StreamResponse:
    service = call.service
    row = instance_for(call, "read")
    fields = entity_fields(row, service.bugs)
    if _names(call.request.headers.get("If-None-Match"), row, call):
        return web.Response(status=304, headers=fields)
    return answer(service, view(service, row), headers=fields)


async def change(call: Call) -> web.StreamResponse:
    row = instance_for(call, "patch")
    document = call.document()
    _check_unchanged(call, row)
    row = _target(call, row, document)
    if call.service.bugs.has("B49"):
        for name, value in document.items():
            _write(call, row, checked({name: value}, changes(call.service.bugs)))
    values = checked(document, changes(call.service.bugs))
    if not values:
        raise Unprocessable([("$", "nothing to change")])
    with call.service.store.transaction():
        _write(call, row, values)
        call.service.record(call.caller.address, "instance.patch", row["id"])
    row = _reread(call, row["id"])
    return answer(call.service, view(call.service, row), headers=entity_fields(row, call.service.bugs))


async def delete(call: Call) -> web.StreamResponse:
    row = instance_for(call, "delete")
    _check_unchanged(call, row)
    with call.service.store.transaction():
        call.service.store.run(
            "UPDATE instances SET status = 'KILLED', version = version + 1, updated_at = ? WHERE id = ?",
            *(call.service.clock.now(), row["id"]),
        )
        call.service.store.run(
            "UPDATE transfers SET status = 'CANCELLED' WHERE instance = ? AND status = 'PENDING'", row["id"]
        )
        call.service.record(call.caller.address, "instance.delete", row["id"])
    return nothing()


ROUTES = (
    ("POST", "/v1/instances", create),
    ("GET", "/v1/instances", listed),
    ("GET", "/v1/instances/{id}", read),
    ("PATCH", "/v1/instances/{id}", change),
    ("DELETE", "/v1/instances/{id}", delete),
)


def _target(call: Call, row: sqlite3.Row, document: dict[str, Any]) -> sqlite3.Row:
    """The instance to write to. A body that names another than the path is refused."""
    named = document.get("id")
    if call.service.bugs.has("B16") and isinstance(named, str) and is_uuid(named):
        other = call.service.store.one("SELECT * FROM instances WHERE id = ?", named)
        return row if other is None else other
    if named is not None and named != row["id"]:
        raise Unprocessable([("$.id", "must be the instance's own")])
    return row


def _write(call: Call, row: sqlite3.Row, values: dict[str, Any]) -> None:
    store = call.service.store
    columns = [name for name in values if name not in ("tags", "id")]
    assignments = "".join(f"{column} = ?, " for column in columns)
    store.run(
        f"UPDATE instances SET {assignments}version = version + 1, updated_at = ? WHERE id = ?",  # noqa: S608 - names of our own
        *(values[column] for column in columns),
        *(call.service.clock.now(), row["id"]),
    )
    if "tags" in values:
        write_tags(call.service, row["id"], values["tags"])


def _everything(call: Call) -> list[sqlite3.Row]:
    return call.service.store.all("SELECT * FROM instances")


def _check_unchanged(call: Call, row: sqlite3.Row) -> None:
    wanted = call.request.headers.get("If-Match")
    if wanted is None or call.service.bugs.has("B50"):
        return
    if not _names(wanted, row, call):
        raise Problem(412, "precondition_failed", "the instance has changed")


def _names(wanted: str | None, row: sqlite3.Row, call: Call) -> bool:
    """Whether a list of entity tags holds the row's, or is ``*``. Weak and strong count alike."""
    if wanted is None:
        return False
    own = etag(row, call.service.bugs).removeprefix("W/")
    tags = [tag.strip().removeprefix("W/") for tag in wanted.split(",")]
    return "*" in tags or own in tags


def _reread(call: Call, instance: str) -> sqlite3.Row:
    row = call.service.store.one("SELECT * FROM instances WHERE id = ?", instance)
    if row is None:
        raise not_found("instance")
    return row
