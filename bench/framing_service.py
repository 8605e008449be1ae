"""One small service on any of several HTTP servers: it answers what it understood of a request.

`python framing_service.py SERVER PORT`, by an interpreter that has SERVER; nothing else is imported.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Iterable
from importlib import import_module
from typing import Any

_HOST = "127.0.0.1"


def said(method: str, path: str, query: str, fields: list[str], body: bytes) -> bytes:
    """The answer's body: what the server made of the request; of its fields, Host and X-Shadow-Extra."""
    host, extra = (text.encode("utf-8", "backslashreplace").decode() for text in fields)
    meaning = {
        "method": method,
        "path": path,
        "query": query,
        "host": host.rsplit(":", 1)[0],
        "extra": extra,
        "body": body.decode("latin-1"),
    }
    return json.dumps(meaning, sort_keys=True).encode()


def wsgi(
    environ: dict[str, Any], start_response: Callable[[str, list[tuple[str, str]]], object]
) -> Iterable[bytes]:
    """For gunicorn, waitress, cheroot, Twisted and werkzeug."""
    length = environ.get("CONTENT_LENGTH") or "0"
    source = environ["wsgi.input"]
    is_ended = environ.get("wsgi.input_terminated") or environ.get("SERVER_SOFTWARE", "").startswith(
        "gunicorn"
    )
    is_ended = is_ended or "Cheroot" in environ.get("SERVER_SOFTWARE", "")
    body = source.read() if is_ended else source.read(int(length))
    text = said(
        environ["REQUEST_METHOD"],
        environ.get("PATH_INFO", ""),
        environ.get("QUERY_STRING", ""),
        [environ.get("HTTP_HOST", ""), environ.get("HTTP_X_SHADOW_EXTRA", "")],
        body,
    )
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(text)))])
    return [text]


async def asgi(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """For uvicorn."""
    body = b""
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            return
        body += event.get("body", b"")
        if not event.get("more_body"):
            break
    fields = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    text = said(
        scope["method"],
        scope["path"],
        scope["query_string"].decode("latin-1"),
        [fields.get("host", ""), fields.get("x-shadow-extra", "")],
        body,
    )
    head = [(b"content-type", b"application/json"), (b"content-length", str(len(text)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": text})


def gunicorn(port: int) -> None:
    base = import_module("gunicorn.app.base").BaseApplication

    class Service(base):  # type: ignore[misc, valid-type]
        def load_config(self) -> None:
            settings = {
                "bind": f"{_HOST}:{port}",
                "worker_class": "gthread",
                "threads": 8,
                "loglevel": "critical",
            }
            for name, value in settings.items():
                self.cfg.set(name, value)

        def load(self) -> object:
            return wsgi

    Service().run()


def waitress(port: int) -> None:
    import_module("waitress").serve(
        wsgi, host=_HOST, port=port, threads=8, connection_limit=10_000, _quiet=True
    )


def cheroot(port: int) -> None:
    import_module("cheroot.wsgi").Server((_HOST, port), wsgi, numthreads=32).start()


def werkzeug(port: int) -> None:
    handler = import_module("werkzeug.serving").WSGIRequestHandler
    handler.protocol_version = "HTTP/1.1"
    import_module("werkzeug.serving").run_simple(_HOST, port, wsgi, threaded=True)


def twisted(port: int) -> None:
    web, reactor = import_module("twisted.web.server"), import_module("twisted.internet.reactor")
    resource = import_module("twisted.web.resource").Resource

    class Service(resource):  # type: ignore[misc, valid-type]
        isLeaf = True  # noqa: N815

        def render(self, request: Any) -> bytes:
            path, _, query = request.uri.partition(b"?")
            fields = [request.getHeader(name) or "" for name in ("host", "x-shadow-extra")]
            request.setHeader("Content-Type", "application/json")
            return said(
                request.method.decode("latin-1"),
                path.decode("latin-1"),
                query.decode("latin-1"),
                fields,
                request.content.read(),
            )

    reactor.listenTCP(port, web.Site(Service()), interface=_HOST)
    reactor.run()


def uvicorn_h11(port: int) -> None:
    import_module("uvicorn").run(
        asgi, host=_HOST, port=port, http="h11", log_level="critical", lifespan="off"
    )


def uvicorn_httptools(port: int) -> None:
    import_module("uvicorn").run(
        asgi, host=_HOST, port=port, http="httptools", log_level="critical", lifespan="off"
    )


def aiohttp(port: int) -> None:
    web = import_module("aiohttp.web")

    async def answer(request: Any) -> Any:
        path, _, query = request.raw_path.partition("?")
        fields = [request.headers.get(name, "") for name in ("Host", "X-Shadow-Extra")]
        text = said(request.method, path, query, fields, await request.read())
        return web.Response(body=text, content_type="application/json")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    web.run_app(app, host=_HOST, port=port, print=None, access_log=None)


def tornado(port: int) -> None:
    web = import_module("tornado.web")

    class Service(web.RequestHandler):  # type: ignore[misc, name-defined]
        def answer(self) -> None:
            fields = [self.request.headers.get(name, "") for name in ("Host", "X-Shadow-Extra")]
            self.set_header("Content-Type", "application/json")
            asked = self.request
            self.finish(said(asked.method, asked.path, asked.query, fields, asked.body))

        get = post = put = delete = head = options = patch = answer

    async def serve() -> None:
        web.Application([(r".*", Service)]).listen(port, address=_HOST)
        await asyncio.Event().wait()

    asyncio.run(serve())


SERVERS: dict[str, Callable[[int], None]] = {
    "aiohttp": aiohttp,
    "cheroot": cheroot,
    "gunicorn": gunicorn,
    "tornado": tornado,
    "twisted": twisted,
    "uvicorn-h11": uvicorn_h11,
    "uvicorn-httptools": uvicorn_httptools,
    "waitress": waitress,
    "werkzeug": werkzeug,
}

if __name__ == "__main__":
    SERVERS[sys.argv[1]](int(sys.argv[2]))
