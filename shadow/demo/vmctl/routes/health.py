"""Whether the service is well, and which API it speaks: open to all."""

from aiohttp import web

from shadow.demo.vmctl.answers import answer
from shadow.demo.vmctl.edge import SERVICE


async def health(request: web.Request) -> web.StreamResponse:
    service = request.app[SERVICE]
    service.store.one("SELECT 1")
    return answer(service, {"status": "ok"})


async def version(request: web.Request) -> web.StreamResponse:
    return answer(request.app[SERVICE], {"service": "vmctl", "api": "v1"})
