"""Releases of a service on loopback ports, for `bench.judging`: what is wrong, and harmless change."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from random import Random

from bench.judging_answers import Answer, Ask, Service
from bench.judging_causes import Cause
from bench.load import free_port
from shadow.model import Headers, Request, Response

_MAX_JITTER_SECONDS = 0.003


class Release:
    """What one port serves. With `is_new` fields and members come in another order, fields in lower case."""

    def __init__(self, service: Service, causes: Sequence[Cause], seed: int, *, is_new: bool) -> None:
        self._service = service
        self._causes = causes
        self._dice = Random(seed)
        self._is_new = is_new
        self.asked = 0

    def response(self, request: Request) -> Response:
        self.asked += 1
        ask = self._service.read(request)
        answer = self._service.answer(ask)
        for cause in self._causes:
            answer = self._shown(cause, ask, answer)
        if self._is_new:
            self._vary(answer)
        return answer.response()

    def _shown(self, cause: Cause, ask: Ask | None, answer: Answer) -> Answer:
        return cause.shows(ask or Ask("unknown"), answer, self._dice) or answer

    def _vary(self, answer: Answer) -> None:
        """Change what means nothing."""
        self._dice.shuffle(answer.fields)
        answer.fields = [(name.lower(), value) for name, value in answer.fields]
        answer.fields.append(("Server", "shop/2"))
        if isinstance(answer.body, dict) and answer.raw is None:
            answer.body = dict(reversed(answer.body.items()))


@contextmanager
def serving(make: Sequence[Callable[[str], Release]]) -> Iterator[list[str]]:
    """The ``host:port`` of each release, which is made of its own."""
    hosts = [f"127.0.0.1:{free_port()}" for _ in make]
    loop = asyncio.new_event_loop()
    releases = [maker(host) for maker, host in zip(make, hosts, strict=True)]

    async def start() -> list[asyncio.Server]:
        return [
            await asyncio.start_server(_spoken(release), "127.0.0.1", int(host.rpartition(":")[2]))
            for release, host in zip(releases, hosts, strict=True)
        ]

    servers = loop.run_until_complete(start())
    thread = threading.Thread(target=loop.run_forever, name="releases", daemon=True)
    thread.start()
    try:
        yield hosts
    finally:
        for each in servers:
            loop.call_soon_threadsafe(each.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


def _spoken(release: Release) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    """HTTP/1.1 with bodies of stated length, which is all that Shadow's clients say here."""
    jitter = Random(1)

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (request := await _read(reader)) is not None:
                response = release.response(request)
                await asyncio.sleep(jitter.random() * _MAX_JITTER_SECONDS)
                writer.write(written(response, request.method))
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    return speak


async def _read(reader: asyncio.StreamReader) -> Request | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head[:-4].split(b"\r\n")
    method, target, _ = first.split(b" ", 2)
    headers: Headers = tuple(
        (name, value.strip()) for name, _, value in (line.partition(b":") for line in lines)
    )
    length = next((int(value) for name, value in headers if name.lower() == b"content-length"), 0)
    return Request(method, target, headers=headers, body=await reader.readexactly(length))


def written(response: Response, method: bytes) -> bytes:
    """As it goes over the wire."""
    lines = [b"HTTP/1.1 %d %b" % (response.status, response.reason or b"OK")]
    lines += [b"%b: %b" % pair for pair in response.headers]
    names = {name.lower() for name, _ in response.headers}
    if b"content-length" not in names and response.status not in (204, 304):
        lines.append(b"Content-Length: %d" % len(response.body))
    body = b"" if method == b"HEAD" else response.body
    return b"\r\n".join([*lines, b"", body])
