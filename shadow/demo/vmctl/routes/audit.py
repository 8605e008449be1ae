"""The audit: who did what to what, newest first, for admins."""

from aiohttp import web

from shadow.demo.vmctl.answers import answer
from shadow.demo.vmctl.calls import Call
from shadow.demo.vmctl.listing import count
from shadow.demo.vmctl.machines import moment
from shadow.demo.vmctl.permissions import require_role

_MAX_LIMIT = 200


async def listed(call: Call) -> web.StreamResponse:
    require_role(call.caller, "admin")
    limit = call.query({"limit": count(_MAX_LIMIT)}).get("limit", 20)
    rows = call.service.store.all("SELECT * FROM audit ORDER BY seq DESC LIMIT ?", limit)
    items = [
        {
            "at": moment(row["at"], call.service.bugs),
            "actor": row["actor"],
            "action": row["action"],
            "subject": row["subject"],
        }
        for row in rows
    ]
    return answer(call.service, {"items": items})


ROUTES = (("GET", "/v1/audit", listed),)
