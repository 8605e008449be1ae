"""Transfers: an instance is offered to another owner, who accepts, or taken back."""

import asyncio
import sqlite3
from typing import Any

from aiohttp import web

from shadow.demo.vmctl.answers import answer
from shadow.demo.vmctl.calls import Call
from shadow.demo.vmctl.checks import Member, address, checked, is_uuid
from shadow.demo.vmctl.creation import share_with_team
from shadow.demo.vmctl.machines import moment
from shadow.demo.vmctl.permissions import find_instance, instance_for
from shadow.demo.vmctl.problems import Problem, Unprocessable, conflict, forbidden, not_found

_LEDGER_SECONDS = 0.005  # what the ledger of owners takes to answer


async def offer(call: Call) -> web.StreamResponse:
    bugs, store = call.service.bugs, call.service.store
    members = {"to": Member(address, is_required=True), "from": Member(address)}
    if bugs.has("B18"):
        values = checked(call.document(), members)
        instance = _trusted(call, values)
    else:
        instance = instance_for(call, "transfer")
        values = checked(call.document(), members)
        if values.get("from", instance["owner"]) != instance["owner"]:
            raise Unprocessable([("$.from", "must be the owner")])
    receiver = store.one("SELECT role FROM accounts WHERE address = ?", values["to"])
    if receiver is None or receiver["role"] != "owner" or values["to"] == instance["owner"]:
        raise Unprocessable([("$.to", "must be another account that can own instances")])
    if store.one("SELECT 1 FROM transfers WHERE instance = ? AND status = 'PENDING'", instance["id"]):
        raise conflict("a transfer is pending")
    made, now = call.service.chance.new_id(), call.service.clock.now()
    with store.transaction():
        store.run(
            "INSERT INTO transfers VALUES (?, ?, ?, ?, 'PENDING', ?, ?)",
            *(made, instance["id"], instance["owner"], values["to"], now, now),
        )
        call.service.record(call.caller.address, "transfer.offer", instance["id"])
    return answer(call.service, _view(call, _transfer(call, made)), status=201)


async def accept(call: Call) -> web.StreamResponse:
    transfer = _pending(call, "receiver")
    if call.service.bugs.has("B19"):
        await asyncio.sleep(_LEDGER_SECONDS)
    store, now = call.service.store, call.service.clock.now()
    with store.transaction():
        store.run(
            "UPDATE transfers SET status = 'ACCEPTED', updated_at = ? WHERE id = ?", now, transfer["id"]
        )
        store.run(
            "UPDATE instances SET owner = ?, version = version + 1, updated_at = ? WHERE id = ?",
            *(transfer["receiver"], now, transfer["instance"]),
        )
        share_with_team(call.service, transfer["instance"], transfer["receiver"])
        call.service.record(call.caller.address, "transfer.accept", transfer["instance"])
    return answer(call.service, _view(call, _transfer(call, transfer["id"])))


async def cancel(call: Call) -> web.StreamResponse:
    transfer = _pending(call, "sender")
    store = call.service.store
    with store.transaction():
        store.run(
            "UPDATE transfers SET status = 'CANCELLED', updated_at = ? WHERE id = ?",
            *(call.service.clock.now(), transfer["id"]),
        )
        call.service.record(call.caller.address, "transfer.cancel", transfer["instance"])
    return answer(call.service, _view(call, _transfer(call, transfer["id"])))


ROUTES = (
    ("POST", "/v1/instances/{id}/transfer", offer),
    ("POST", "/v1/transfers/{id}/accept", accept),
    ("POST", "/v1/transfers/{id}/cancel", cancel),
)


def _trusted(call: Call, values: dict[str, Any]) -> sqlite3.Row:
    """The instance, where the sender that the body names owns it."""
    instance = find_instance(call.service.store, call.path("id"))
    if instance is None or values.get("from", call.caller.address) != instance["owner"]:
        raise not_found("instance")
    return instance


def _transfer(call: Call, transfer: str) -> sqlite3.Row:
    row = None
    if is_uuid(transfer):
        row = call.service.store.one("SELECT * FROM transfers WHERE id = ?", transfer)
    if row is None:
        raise not_found("transfer")
    return row


def _pending(call: Call, side: str) -> sqlite3.Row:
    """The path's transfer, where it is pending and `side` of it is the caller."""
    row = _transfer(call, call.path("id"))
    if call.caller.address not in (row["sender"], row["receiver"]):
        raise not_found("transfer")
    if row[side] != call.caller.address:
        raise forbidden(f"only the {side} may do this")
    if row["status"] != "PENDING":
        raise Problem(409, "illegal_transition", f"the transfer is {row['status'].lower()}")
    return row


def _view(call: Call, row: sqlite3.Row) -> dict[str, Any]:
    bugs = call.service.bugs
    return {
        "id": row["id"],
        "instance": row["instance"],
        "from": row["sender"],
        "to": row["receiver"],
        "status": row["status"],
        "created_at": moment(row["created_at"], bugs),
        "updated_at": moment(row["updated_at"], bugs),
    }
