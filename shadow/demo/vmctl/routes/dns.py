"""DNS records of a team."""

import ipaddress
import re
import sqlite3
from typing import Any

from aiohttp import web

from shadow.demo.vmctl.answers import answer, nothing
from shadow.demo.vmctl.bugs import Bugs
from shadow.demo.vmctl.calls import Call
from shadow.demo.vmctl.checks import Check, Invalid, Member, checked, integer, is_uuid, one_of, text
from shadow.demo.vmctl.listing import count
from shadow.demo.vmctl.machines import moment
from shadow.demo.vmctl.permissions import require_own, require_role
from shadow.demo.vmctl.problems import Unprocessable

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?\Z")
_LABEL_BYTES = 63
_NAME_CHARACTERS = 253
_LONGEST_TTL_SECONDS = 604_800
_MAX_LIMIT = 100


async def create(call: Call) -> web.StreamResponse:
    require_role(call.caller, "manager", "owner")
    values = _values(call)
    made, now = call.service.chance.new_id(), call.service.clock.now()
    with call.service.store.transaction():
        call.service.store.run(
            "INSERT INTO dns_records (id, tenant, name, type, value, ttl, created_at, updated_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            *(made, call.caller.tenant, *values, now, now),
        )
        call.service.record(call.caller.address, "dns.create", made)
    headers = {"Location": f"/v1/dns/records/{made}"}
    return answer(call.service, _view(call, _record(call, made)), status=201, headers=headers)


async def listed(call: Call) -> web.StreamResponse:
    limit = call.query({"limit": count(_MAX_LIMIT)}).get("limit", 20)
    rows = call.service.store.all(
        "SELECT * FROM dns_records WHERE tenant = ? ORDER BY seq LIMIT ?", call.caller.tenant, limit
    )
    return answer(call.service, {"items": [_view(call, row) for row in rows]})


async def read(call: Call) -> web.StreamResponse:
    row = _record(call, call.path("id"))
    return answer(call.service, _view(call, row) | {"wire_name": _wire(row["name"]).hex()})


async def put(call: Call) -> web.StreamResponse:
    require_role(call.caller, "manager", "owner")
    row = _record(call, call.path("id"))
    values = _values(call)
    with call.service.store.transaction():
        call.service.store.run(
            "UPDATE dns_records SET name = ?, type = ?, value = ?, ttl = ?, updated_at = ? WHERE id = ?",
            *(*values, call.service.clock.now(), row["id"]),
        )
        call.service.record(call.caller.address, "dns.put", row["id"])
    return answer(call.service, _view(call, _record(call, row["id"])))


async def delete(call: Call) -> web.StreamResponse:
    require_role(call.caller, "manager", "owner")
    row = _record(call, call.path("id"))
    with call.service.store.transaction():
        call.service.store.run("DELETE FROM dns_records WHERE id = ?", row["id"])
        call.service.record(call.caller.address, "dns.delete", row["id"])
    return nothing()


ROUTES = (
    ("POST", "/v1/dns/records", create),
    ("GET", "/v1/dns/records", listed),
    ("GET", "/v1/dns/records/{id}", read),
    ("PUT", "/v1/dns/records/{id}", put),
    ("DELETE", "/v1/dns/records/{id}", delete),
)


def _values(call: Call) -> tuple[str, str, str, int]:
    """Name, type, value and time to live (seconds) of the body's record."""
    bugs = call.service.bugs
    members = {
        "name": Member(_domain_name(bugs), is_required=True),
        "type": Member(one_of("A", "AAAA", "CNAME", "TXT"), is_required=True),
        "value": Member(text(bugs, longest=255), is_required=True),
        "ttl": Member(integer(bugs, 1, _LONGEST_TTL_SECONDS)),
    }
    values = checked(call.document(), members)
    try:
        _CONTENT.get(values["type"], str)(values["value"])
        if values["type"] == "CNAME":
            _domain_name(bugs)(values["value"])
    except (ValueError, Invalid):
        raise Unprocessable([("$.value", f"is no value for a record of type {values['type']}")]) from None
    return values["name"], values["type"], values["value"], values.get("ttl", 300)


_CONTENT: dict[str, type] = {"A": ipaddress.IPv4Address, "AAAA": ipaddress.IPv6Address}


def _domain_name(bugs: Bugs) -> Check:
    """Labels of letters, digits, hyphens and underscores, in lower case, without the final dot."""
    longest = _LABEL_BYTES + 2 if bugs.has("B55") else _LABEL_BYTES
    plain = text(bugs, longest=_NAME_CHARACTERS)

    def check(value: Any) -> str:
        name: str = plain(value)
        if not all(_LABEL.match(label) and len(label) <= longest for label in name.split(".")):
            raise Invalid("must be a domain name")
        return name

    return check


def _wire(name: str) -> bytes:
    """The name as DNS messages carry it (RFC 1035 §3.1)."""
    labels = [label.encode("idna") for label in name.split(".")]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def _record(call: Call, record: str) -> sqlite3.Row:
    """The record, where it is the caller's team's; an admin may see any."""
    row = (
        call.service.store.one("SELECT * FROM dns_records WHERE id = ?", record) if is_uuid(record) else None
    )
    return require_own(call.caller, row, "record", owner="tenant", own=call.caller.tenant)


def _view(call: Call, row: sqlite3.Row) -> dict[str, Any]:
    bugs = call.service.bugs
    return {
        "id": row["id"],
        "name": row["name"],
        "type": row["type"],
        "value": row["value"],
        "ttl": row["ttl"],
        "created_at": moment(row["created_at"], bugs),
        "updated_at": moment(row["updated_at"], bugs),
    }
