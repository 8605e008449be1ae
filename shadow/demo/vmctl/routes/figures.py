"""Figures: what one instance does at present, and what an account's instances cost."""

from decimal import Decimal

from aiohttp import web

from shadow.demo.vmctl.answers import answer, number
from shadow.demo.vmctl.calls import Call
from shadow.demo.vmctl.machines import moment
from shadow.demo.vmctl.permissions import find_instance, instance_for
from shadow.demo.vmctl.problems import not_found


async def metrics(call: Call) -> web.StreamResponse:
    service, dice = call.service, call.service.chance.dice
    if service.bugs.has("B15"):
        row = find_instance(service.store, call.path("id"))
        if row is None:
            raise not_found("instance")
    else:
        row = instance_for(call, "read")
    is_running = row["status"] == "STARTED"
    document = {
        "instance": row["id"],
        "at": moment(service.clock.now(), service.bugs),
        "cpu_percent": round(dice.uniform(2, 60), 2) if is_running else 0,
        "memory_used_mb": int(row["memory_mb"] * dice.uniform(0.2, 0.8)) if is_running else 0,
        "disk_used_gb": number(service, row["disk_gb"] / 4),
        "network_bytes": {
            "received": dice.randrange(10**6) if is_running else 0,
            "sent": dice.randrange(10**6) if is_running else 0,
        },
    }
    return answer(service, document)


async def usage(call: Call) -> web.StreamResponse:
    service = call.service
    rows = service.store.all(
        "SELECT vcpus, memory_mb, disk_gb, price_hour FROM instances WHERE owner = ? AND status != 'KILLED'",
        call.caller.address,
    )
    document = {
        "account": call.caller.address,
        "as_of": moment(service.clock.now(), service.bugs),
        "instances": len(rows),
        "vcpus": sum(row["vcpus"] for row in rows),
        "memory_gib": number(service, sum(row["memory_mb"] for row in rows) / 1024),
        "disk_gb": sum(row["disk_gb"] for row in rows),
        "price_hour": str(sum((Decimal(row["price_hour"]) for row in rows), Decimal("0.0000"))),
    }
    return answer(service, document)


ROUTES = (("GET", "/v1/instances/{id}/metrics", metrics), ("GET", "/v1/usage", usage))
