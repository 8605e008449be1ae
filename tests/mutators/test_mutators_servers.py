"""The expectations against a real server: what means the same is answered alike, what must be refused is."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web
from lxml import etree

from mutators import CATALOG, Mutator, dice
from shadow.content.coding import gzip
from shadow.model import Edit, Ending, Expect, Known, Level, Request, Wire
from shadow.wire.http1 import ResponseReader, serialise_request

HEADERS = (
    (b"Host", b"shadow.test"),
    (b"Accept", b"a/b, c/d"),
    (b"Cookie", b"a=1; b=2"),
    (b"X-Kept", b"kept"),
    (b"Shadow-Run", b"1"),
)


CHUNKED = (b"Transfer-Encoding", b"chunked")
PARTS = b'--XX\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--XX--\r\n'


def post(kind: bytes, body: bytes, *more: tuple[bytes, bytes]) -> Request:
    headers = (*HEADERS, (b"Content-Type", kind), *more)
    if CHUNKED not in more:
        headers = (*headers, (b"Content-Length", b"%d" % len(body)))
    return Request(b"POST", b"/v1/a%2fb?x=1&y=a+b%2f", b"HTTP/1.1", headers, body)


REQUESTS = (
    Request(b"GET", b"/v1/items/42?limit=10&q=%C3%A9", b"HTTP/1.1", HEADERS),
    post(b"application/json", '{"name":"é","n":12,"l":[{"a":1,"b":[]}],"s":"a/b\\n"}'.encode()),
    post(b"application/json", b'{"a":"b","c":[1,2,3]}', CHUNKED),
    post(b"application/x-www-form-urlencoded", b"a=1+2&b=x%20y&c"),
    post(b"multipart/form-data; boundary=XX", PARTS),
    post(b"application/json", gzip(b'{"a":"bbbbbbbbbb","c":[1,2,3]}'), (b"Content-Encoding", b"gzip")),
    post(
        b"application/xml",
        b'<s:r xmlns:s="urn:x" a="1" b=\'2\'><s:c>text &amp; more</s:c><d/>plain<e></e><![CDATA[1<2]]></s:r>',
    ),
    post(b"text/plain", gzip(b"text " * 40), (b"Content-Encoding", b"gzip")),
)


async def echo(request: web.Request) -> web.Response:
    """Answers what it understood, in one spelling."""
    meaning: list[object] = [
        request.method,
        request.path,
        sorted(request.query.items()),
        sorted(request.cookies.items()),
    ]
    meaning.append(sorted(value for name, value in request.headers.items() if name.lower() == "x-kept"))
    try:
        meaning.append(await _content(request))
    except (ValueError, etree.XMLSyntaxError):
        return web.Response(status=400)
    return web.json_response(meaning, dumps=lambda value: json.dumps(value, sort_keys=True))


async def _content(request: web.Request) -> object:
    if request.content_type == "application/x-www-form-urlencoded":
        return sorted((name, str(value)) for name, value in (await request.post()).items())
    if request.content_type == "multipart/form-data":
        return [(name, str(value)) for name, value in (await request.post()).items()]
    body = await request.read()
    if request.content_type == "application/json":
        return json.loads(body)
    if request.content_type == "application/xml":
        root = etree.fromstring(body, etree.XMLParser(resolve_entities=False))
        elements = list(root.iter("*"))
        return [
            (one.tag, sorted(map(str, one.attrib.items())), list(map(str, one.itertext())))
            for one in elements
        ]
    return body.hex()


async def answer(port: int, wire: Wire, method: bytes) -> tuple[int, bytes]:
    """(status, body) of the answer; status 0 where the connection was closed without one."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for segment in wire.segments:
            writer.write(segment)
            await writer.drain()
        if wire.ending is Ending.HALF_CLOSE:
            writer.write_eof()
        message = ResponseReader(method)
        if wire.ending is Ending.LISTEN:  # what waits for more is told that none will come
            asyncio.get_running_loop().call_later(0.3, _end, writer)
        async with asyncio.timeout(10):
            while piece := await reader.read(65_536):
                response = message.feed(piece)
                if response is not None:
                    return response.status, response.body
    except ConnectionError:
        pass  # a server may reset what it refuses
    finally:
        writer.close()
    return 0, b""


def _end(writer: asyncio.StreamWriter) -> None:
    if not writer.is_closing():
        writer.write_eof()


async def with_server(run: Callable[[int], Awaitable[None]]) -> None:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", echo)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        await run(runner.addresses[0][1])
    finally:
        await runner.cleanup()


def mutants(one: Mutator, request: Request, count: int = 6) -> list[Edit]:
    known = Known()
    drawn = (one(request, dice(7, 0, one.name, attempt), known) for attempt in range(count))
    return [edit for edit in drawn if edit is not None]


def wire_of(edit: Edit) -> Wire:
    """The edit's bytes; its pauses are of no interest here."""
    if edit.wire is None:
        return Wire((serialise_request(edit.request),))
    return Wire(edit.wire.segments, ending=edit.wire.ending)


OTHERS = {Level.AUTH, Level.PERMISSION}
SAME = [
    one
    for one in CATALOG
    if one.expect is Expect.SAME
    and one.level not in OTHERS
    and not one.over
    and not one.edit.__module__.startswith("mutators.graphql")
]
REJECT = [
    one for one in CATALOG if one.expect is Expect.REJECT and one.level is Level.FRAMING and not one.over
]


async def test_what_means_the_same_is_answered_alike() -> None:
    async def run(port: int) -> None:
        tried = set()
        for request in REQUESTS:
            control = await answer(port, Wire((serialise_request(request),)), request.method)
            assert control[0] == 200
            for one in SAME:
                for edit in mutants(one, request):
                    got = await answer(port, wire_of(edit), request.method)
                    assert got == control, f"{one.name}: {edit.what}"
                    tried.add(one.name)
        unasked = {"reorder_protobuf_fields", "pack_protobuf_field"}
        assert tried == {one.name for one in SAME} - unasked

    await with_server(run)


async def test_what_must_be_refused_is_refused() -> None:
    async def run(port: int) -> None:
        refused = set()
        for request in REQUESTS[:3]:
            for one in REJECT:
                for edit in mutants(one, request, 12):
                    status, _ = await answer(port, wire_of(edit), request.method)
                    is_refusal = status in {0, 501, 505} or 400 <= status < 500
                    assert is_refusal, f"{one.name}: {edit.what}"
                    refused.add(one.name)
        assert refused == {one.name for one in REJECT}

    await with_server(run)


@pytest.mark.parametrize("level", [Level.FRAMING, Level.NETWORK])
async def test_the_server_answers_again_after_every_mutant(level: Level) -> None:
    async def run(port: int) -> None:
        control = Wire((serialise_request(REQUESTS[1]),))
        for one in CATALOG:
            if one.level is level:
                for edit in mutants(one, REQUESTS[1], 3):
                    if edit.wire is not None and edit.wire.ending is Ending.RESET:
                        continue
                    await answer(port, wire_of(edit), edit.request.method)
        assert (await answer(port, control, b"POST"))[0] == 200

    await with_server(run)
