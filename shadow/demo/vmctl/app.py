"""The service as a whole: its routes, and one process that serves them until it is cancelled."""

import asyncio
import logging
from collections.abc import Callable

from aiohttp import web

from shadow.demo.vmctl.bodies import MAX_BODY_BYTES
from shadow.demo.vmctl.edge import SERVICE, envelope, metrics, signed
from shadow.demo.vmctl.routes import (
    accounts,
    audit,
    dns,
    events,
    figures,
    grants,
    health,
    instances,
    keys,
    lifecycle,
    tokens,
    tools,
    transfers,
)
from shadow.demo.vmctl.seeding import seed
from shadow.demo.vmctl.service import Service, make_service
from shadow.demo.vmctl.settings import VmctlSettings

_RESOURCES = (
    *(accounts, keys, tokens, instances, lifecycle, grants, transfers),
    *(figures, dns, tools, events, audit),
)
_PARTING_SECONDS = 1.0  # what a client that still reads gets when the service ends

_http_log = logging.getLogger("shadow.demo.vmctl.http")
_http_log.addHandler(logging.NullHandler())  # hostile requests are its daily bread: silent unless configured


def make_app(service: Service) -> web.Application:
    app = web.Application(middlewares=[envelope], client_max_size=MAX_BODY_BYTES)
    app[SERVICE] = service
    for module in _RESOURCES:
        for method, path, respond in module.ROUTES:
            app.router.add_route(method, path, signed(respond))
            if method == "GET" and module is not events:
                app.router.add_route("HEAD", path, signed(respond))
    for path, handler in (("/health", health.health), ("/version", health.version), ("/metrics", metrics)):
        app.router.add_get(path, handler)
    return app


async def serve(settings: VmctlSettings, *, ready: Callable[[int], None]) -> None:
    """Serve until cancelled. `ready` is told the port, once connections are accepted.

    Raises OSError where the address cannot be bound, sqlite3.Error where the database cannot be used.
    """
    service = make_service(settings)
    runner = web.AppRunner(
        make_app(service),
        access_log=None,
        auto_decompress=False,
        logger=_http_log,
        handle_signals=False,
        shutdown_timeout=_PARTING_SECONDS,
    )
    try:
        seed(service)
        await runner.setup()
        await web.TCPSite(runner, settings.host, settings.port).start()
        ready(runner.addresses[0][1])
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()
        service.close()
