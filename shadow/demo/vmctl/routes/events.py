"""What happens to the instances that a caller may see, as server-sent events."""

import asyncio
import json
from contextlib import suppress

from aiohttp import web

from shadow.demo.vmctl.calls import Call
from shadow.demo.vmctl.clock import iso
from shadow.demo.vmctl.listing import count
from shadow.demo.vmctl.permissions import find_instance, level_of
from shadow.demo.vmctl.service import Happening

_MAX_LIMIT = 1000
_LONGEST_SECONDS = 2.0  # a stream that nothing happens on is given up: clients come back with Last-Event-ID


async def stream(call: Call) -> web.StreamResponse:
    """Events after `Last-Event-ID`: at most `limit`, as they happen, until the stream's time is over."""
    left = call.query({"limit": count(_MAX_LIMIT)}).get("limit", _MAX_LIMIT)
    seen = _last_seen(call)
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
    await response.prepare(call.request)
    await response.write(b"retry: 1000\n\n")
    with suppress(TimeoutError):
        async with asyncio.timeout(_LONGEST_SECONDS):
            while left > 0:
                happened = call.service.happened
                news = [
                    each for each in call.service.happenings if each.number > seen and _may_see(call, each)
                ]
                for happening in news[:left]:
                    await response.write(_event(happening))
                    seen, left = happening.number, left - 1
                if not news:
                    await happened.wait()
    await response.write_eof()
    return response


ROUTES = (("GET", "/v1/events", stream),)


def _last_seen(call: Call) -> int:
    """The number after which events are wanted: the one stated, else only those to come."""
    stated = call.request.headers.get("Last-Event-ID", "")
    if stated.isascii() and stated.isdigit() and len(stated) <= 18:
        return int(stated)
    happenings = call.service.happenings
    return happenings[-1].number if happenings else 0


def _may_see(call: Call, happening: Happening) -> bool:
    store = call.service.store
    if happening.actor == call.caller.address:
        return True
    instance = find_instance(store, happening.subject)
    return instance is not None and level_of(store, call.caller, instance) is not None


def _event(happening: Happening) -> bytes:
    document = {"at": iso(happening.at), "subject": happening.subject}
    return f"id: {happening.number}\nevent: {happening.action}\ndata: {json.dumps(document)}\n\n".encode()
