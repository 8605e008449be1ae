"""The service's edge: every answer gets its id here, and every refusal becomes a document."""

import resource
from collections.abc import Awaitable, Callable

from aiohttp import web

from shadow.demo.vmctl.answers import answer
from shadow.demo.vmctl.authentication import authenticate
from shadow.demo.vmctl.calls import Call
from shadow.demo.vmctl.problems import Problem
from shadow.demo.vmctl.service import Service

SERVICE: web.AppKey[Service] = web.AppKey("service", Service)

type Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
type Respond = Callable[[Call], Awaitable[web.StreamResponse]]

_SERVER = {"stable": "vmctl/1.4.2", "candidate": "vmctl/1.5.0"}
_REFUSED_BYTES = 1 << 16
_CODES = {
    400: "bad_request",
    404: "not_found",
    405: "method_not_allowed",
    413: "content_too_large",
    417: "expectation_failed",
}


def signed(respond: Respond) -> Handler:
    """A route for callers who prove who they are."""

    async def handle(request: web.Request) -> web.StreamResponse:
        service = request.app[SERVICE]
        body = await request.read()
        return await respond(Call(service, request, authenticate(service, request, body), body))

    return handle


@web.middleware
async def envelope(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refusals as JSON, and on every answer the request's id and the service's name."""
    service = request.app[SERVICE]
    request_id = service.chance.new_id()
    try:
        await request.read()  # even what no route wants, so that the connection can be used again
        response = await handler(request)
    except Problem as problem:
        response = _refusal(service, request, problem, request_id)
    except web.HTTPException as error:
        allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
        translated = Problem(error.status, _CODES.get(error.status, "refused"), error.reason.lower(), allow)
        response = _refusal(service, request, translated, request_id)
    except ConnectionError:  # nobody is there to be answered
        if request.transport is not None:
            request.transport.abort()
        raise
    service.counted[response.status] = service.counted.get(response.status, 0) + 1
    if response.prepared:
        return response
    response.headers["X-Request-Id"] = request_id
    response.headers["Server"] = _SERVER[service.settings.release]
    if service.settings.release == "candidate":
        _spell_otherwise(response)
    if service.bugs.has("B51") and request.method == "HEAD":
        return await _with_body(request, response)
    return response


async def metrics(request: web.Request) -> web.Response:
    """The process's own counters, as Prometheus text."""
    service = request.app[SERVICE]
    lines = ["# TYPE vmctl_answers_total counter"]
    lines += [
        f'vmctl_answers_total{{status="{status}"}} {n}' for status, n in sorted(service.counted.items())
    ]
    lines += [
        "# TYPE process_resident_memory_bytes gauge",
        f"process_resident_memory_bytes {_resident_bytes()}",
        "# TYPE process_cpu_seconds_total counter",
        f"process_cpu_seconds_total {resource.getrusage(resource.RUSAGE_SELF).ru_utime:.3f}",
    ]
    return web.Response(text="\n".join(lines) + "\n")


def _refusal(service: Service, request: web.Request, problem: Problem, request_id: str) -> web.Response:
    if service.bugs.has("B48"):
        head = f"{request.method} {request.raw_path} {request.headers}"
        service.refused.append(head.encode("utf-8", "replace").ljust(_REFUSED_BYTES, b"\0"))
    if service.bugs.has("B42") and problem.status in (404, 409):
        if problem.status == 404:
            return answer(service, None)
        problem.status = 400
    if service.bugs.has("B43") and problem.code == "illegal_transition":
        problem.code = "invalid_state"
    return answer(service, problem.document(request_id), status=problem.status, headers=problem.headers)


def _spell_otherwise(response: web.StreamResponse) -> None:
    """The newer release writes its fields in lower case and the other way round, which means nothing."""
    fields = list(response.headers.items())
    response.headers.clear()
    for name, value in reversed(fields):
        response.headers.add(name.lower(), value)


async def _with_body(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    await response.prepare(request)
    await response.write_eof()
    if isinstance(response, web.Response) and isinstance(response.body, bytes) and request.transport:
        request.transport.write(response.body)
    return response


def _resident_bytes() -> int:
    with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123 - no path of ours
        return int(statm.read().split()[1]) * resource.getpagesize()
