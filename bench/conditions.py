"""How exactly the relay keeps what a condition asks for, over real sockets on loopback.

`python -m bench.conditions`: mean and spread of latency, and bandwidth, as asked for and as measured.
"""

import asyncio
import time
from statistics import mean, pstdev

from shadow.model import Reply, Request
from shadow.replay import Guard, GuardSettings, RawTransport, Sending, Target
from shadow.replay.conditioned import ConditionedTransport
from shadow.replay.conditions_reading import parse_conditions
from shadow.replay.relay import Relay

_ASK = Request(b"GET", b"/", headers=((b"Host", b"h"),))
_BODY_BYTES = 200_000


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    size = _BODY_BYTES
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            body = b"x" * (0 if b"GET / " in head else size)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def timed(port: int, text: str, ask: Request, times: int) -> list[float]:
    """Seconds that each of `times` requests took over the condition."""
    target = Target("candidate", "http", "127.0.0.1", port)
    guard, relay = Guard(GuardSettings(), [target]), Relay(target, parse_conditions(text), 1)
    guard.lead(target, relay.detour)
    transport = ConditionedTransport(RawTransport(target, guard), relay, hear=lambda _: None)
    found = []
    for _ in range(times):
        start = time.perf_counter()
        outcome = await transport.send(Sending(ask, timeout_seconds=60.0, lane="a"))
        found.append(time.perf_counter() - start)
        assert isinstance(outcome, Reply), outcome
    await transport.close()
    return found


async def main() -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    plain = await timed(port, "", _ASK, 200)
    print(f"relay alone: {mean(plain) * 1e3:.2f} ms for a request")
    for latency, jitter in ((5, 0), (20, 10), (50, 20)):
        took = await timed(port, f"latency={latency}ms,jitter={jitter}ms", _ASK, 100)
        spread = pstdev(took) * 12**0.5 / 2
        print(f"latency {latency} ms, jitter {jitter} ms: {mean(took) * 1e3:.2f} ms, {spread * 1e3:.2f} ms")
    large = Request(b"GET", b"/large", headers=((b"Host", b"h"),))
    for rate in (100_000, 1_000_000):
        took = await timed(port, f"down.bandwidth={rate // 1000}kB/s", large, 2)
        print(f"bandwidth {rate} B/s: {_BODY_BYTES / mean(took):.0f} B/s")
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
