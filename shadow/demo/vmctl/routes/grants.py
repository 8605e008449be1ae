"""Grants: what an instance's owner lets other accounts do with it."""

import sqlite3
from typing import Any

from aiohttp import web

from shadow.demo.vmctl.answers import answer, nothing
from shadow.demo.vmctl.calls import Call
from shadow.demo.vmctl.checks import Member, checked, is_address, one_of
from shadow.demo.vmctl.machines import moment
from shadow.demo.vmctl.permissions import GRANTED, instance_for
from shadow.demo.vmctl.problems import conflict, not_found


async def read(call: Call) -> web.StreamResponse:
    instance = instance_for(call, "read")
    return answer(call.service, _view(call, _grant(call, instance)))


async def put(call: Call) -> web.StreamResponse:
    instance = instance_for(call, "grant")
    level = checked(call.document(), {"level": Member(one_of(*GRANTED), is_required=True)})["level"]
    store, address = call.service.store, call.path("address")
    if not is_address(address) or not store.one("SELECT 1 FROM accounts WHERE address = ?", address):
        raise not_found("account")
    if address == instance["owner"]:
        raise conflict("the owner needs no grant")
    with store.transaction():
        is_new = not store.one(
            "SELECT 1 FROM grants WHERE instance = ? AND address = ?", instance["id"], address
        )
        store.run(
            "INSERT INTO grants VALUES (?, ?, ?, ?)"
            " ON CONFLICT (instance, address) DO UPDATE SET level = excluded.level",
            *(instance["id"], address, level, call.service.clock.now()),
        )
        call.service.record(call.caller.address, "grant.put", instance["id"])
    return answer(call.service, _view(call, _grant(call, instance)), status=201 if is_new else 200)


async def delete(call: Call) -> web.StreamResponse:
    instance = instance_for(call, "grant")
    _grant(call, instance)
    with call.service.store.transaction():
        call.service.store.run(
            "DELETE FROM grants WHERE instance = ? AND address = ?", instance["id"], call.path("address")
        )
        call.service.record(call.caller.address, "grant.delete", instance["id"])
    return nothing()


_PATH = "/v1/instances/{id}/grants/{address}"
ROUTES = (("GET", _PATH, read), ("PUT", _PATH, put), ("DELETE", _PATH, delete))


def _grant(call: Call, instance: sqlite3.Row) -> sqlite3.Row:
    address = call.path("address")
    grant = None
    if is_address(address):
        grant = call.service.store.one(
            "SELECT * FROM grants WHERE instance = ? AND address = ?", instance["id"], address
        )
    if grant is None:
        raise not_found("grant")
    return grant


def _view(call: Call, grant: sqlite3.Row) -> dict[str, Any]:
    return {
        "instance": grant["instance"],
        "address": grant["address"],
        "level": grant["level"],
        "created_at": moment(grant["created_at"], call.service.bugs),
    }
