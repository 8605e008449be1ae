"""Loopback services that hold conversations: each sound, or with one defect that only a mutant shows."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import dns.exception
import dns.message
import dns.opcode
import dns.rcode
import dns.rrset
from aiohttp import WSMsgType, web

from tests.replay.talks import tcp_service

type Service = Callable[[bool], AbstractAsyncContextManager[int]]
"""From whether it is sound to its port, while it runs."""
ADDRESS = "192.0.2.7"


@asynccontextmanager
async def websocket(is_sound: bool) -> AsyncIterator[int]:
    """Answers objects; unsound, it dies of a member that is null."""

    async def chat(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(max_msg_size=1 << 19)
        await socket.prepare(request)
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                await socket.send_bytes(message.data[:4])
                continue
            await socket.send_json(_answer(message.data, is_sound=is_sound))
        return socket

    app = web.Application()
    app.router.add_get("/chat", chat)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield _port(runner)
    finally:
        await runner.cleanup()


def _port(runner: Any) -> int:
    """Where it listens."""
    port: int = runner.addresses[0][1]
    return port


def _answer(text: str, *, is_sound: bool) -> dict[str, Any]:
    try:
        asked = json.loads(text)
    except (ValueError, RecursionError):
        return {"type": "error", "why": "no JSON"}
    if not isinstance(asked, dict):
        return {"type": "error", "why": "no object"}
    name = asked.get("op", "")
    if not is_sound:
        name = name if isinstance(name, str) else asked["op"]["kind"] if name is None else str(name)
    return {"type": "reply", "op": str(name)[:20], "size": len(str(asked.get("text", "")))}


@asynccontextmanager
async def lines(is_sound: bool) -> AsyncIterator[int]:
    """Remembers values; unsound, it takes what one read brings for a line."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        values: dict[bytes, bytes] = {}
        try:
            while line := await (reader.readline() if is_sound else reader.read(4096)):
                match line.split():
                    case [b"SET", name, value]:
                        values[name] = value
                        writer.write(b"+OK\r\n")
                    case [b"GET", name]:
                        writer.write(b"$" + values.get(name, b"") + b"\r\n")
                    case _:
                        writer.write(b"-ERR\r\n")
        except ValueError:  # a line without an end
            return

    async with tcp_service(serve) as port:
        yield port


@asynccontextmanager
async def datagrams(is_sound: bool) -> AsyncIterator[int]:
    """Answers queries of 3 to 600 bytes; unsound, shorter ones too."""

    def answer(text: bytes) -> bytes | None:
        if not text.startswith(b"Q") or len(text) > 600 or (is_sound and len(text) < 3):
            return None
        return b"A" + text[1:3][::-1]

    async with _udp(answer) as port:
        yield port


@asynccontextmanager
async def names(is_sound: bool) -> AsyncIterator[int]:
    """Knows one name, by dnspython; unsound, only in small letters."""

    def answer(text: bytes) -> bytes | None:
        if len(text) < 12 or text[2] & 0x80:
            return None
        try:
            asked = dns.message.from_wire(text)
        except (dns.exception.DNSException, ValueError):
            return text[:2] + bytes((0x80 | text[2] & 0x79, 1)) + bytes(8)
        made = dns.message.make_response(asked)
        made.set_rcode(_code(asked))
        question = asked.question[0] if asked.question else None
        if made.rcode() == dns.rcode.NOERROR and question is not None:
            name = question.name.canonicalize() if is_sound else question.name
            if name.to_text() != "www.example.":
                made.set_rcode(dns.rcode.NXDOMAIN)
            elif question.rdtype == 1:
                made.answer.append(dns.rrset.from_text(question.name, 60, "IN", "A", ADDRESS))
        return made.to_wire()

    async with _udp(answer) as port:
        yield port


def _code(asked: dns.message.Message) -> dns.rcode.Rcode:
    if asked.opcode() != dns.opcode.QUERY:
        return dns.rcode.NOTIMP
    if asked.edns > 0:
        return dns.rcode.BADVERS
    is_plain = len(asked.question) == 1 and not asked.answer and not asked.authority
    return dns.rcode.NOERROR if is_plain else dns.rcode.FORMERR


@asynccontextmanager
async def _udp(answer: Callable[[bytes], bytes | None]) -> AsyncIterator[int]:
    class Server(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport: Any = transport

        def datagram_received(self, data: bytes, addr: object) -> None:
            if (text := answer(data)) is not None:
                self.transport.sendto(text, addr)

    made, _ = await asyncio.get_running_loop().create_datagram_endpoint(Server, local_addr=("127.0.0.1", 0))
    try:
        yield made.get_extra_info("sockname")[1]
    finally:
        made.close()
