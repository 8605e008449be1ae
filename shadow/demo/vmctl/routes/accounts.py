"""Accounts: members of an owner's team."""

import sqlite3
from typing import Any

from aiohttp import web

from shadow.demo.vmctl.answers import answer
from shadow.demo.vmctl.calls import Call
from shadow.demo.vmctl.checks import Member, checked, is_address, one_of, text
from shadow.demo.vmctl.machines import moment
from shadow.demo.vmctl.permissions import GRANTED, require_own, require_role


async def create(call: Call) -> web.StreamResponse:
    require_role(call.caller, "owner")
    service = call.service
    members = {
        "name": Member(text(service.bugs, longest=64), is_required=True),
        "role": Member(one_of(*GRANTED), is_required=True),
    }
    values = checked(call.document(), members)
    address = "0x" + service.chance.dice.randbytes(20).hex()
    with service.store.transaction():
        service.store.run(
            "INSERT INTO accounts VALUES (?, ?, ?, ?, ?)",
            *(address, values["name"], values["role"], call.caller.tenant, service.clock.now()),
        )
        service.record(call.caller.address, "account.create", address)
    headers = {"Location": f"/v1/accounts/{address}"}
    return answer(service, _view(call, _account(call, address)), status=201, headers=headers)


async def read(call: Call) -> web.StreamResponse:
    return answer(call.service, _view(call, _account(call, call.path("address"))))


ROUTES = (("POST", "/v1/accounts", create), ("GET", "/v1/accounts/{address}", read))


def _account(call: Call, address: str) -> sqlite3.Row:
    """The account, where it is of the caller's team; an admin may see any."""
    row = None
    if is_address(address):
        row = call.service.store.one("SELECT * FROM accounts WHERE address = ?", address)
    return require_own(call.caller, row, "account", owner="tenant", own=call.caller.tenant)


def _view(call: Call, row: sqlite3.Row) -> dict[str, Any]:
    return {
        "address": row["address"],
        "name": row["name"],
        "role": row["role"],
        "tenant": row["tenant"],
        "created_at": moment(row["created_at"], call.service.bugs),
    }
