"""Requests per CPU second over HTTP/2, beside a bare loop over h2: ``python -m bench.http2_sending [N]``.

Each takes N seconds. Needs nginx. The bare loop keeps one request under way on one connection, checks nothing
and has no time limits: what is left between the two is what the transport costs.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import StreamEnded

from bench.load import nginx
from shadow.model import Reply, Request
from shadow.replay import Guard, GuardSettings, Sending, Target
from shadow.replay.http2 import Http2Transport

_ANSWER = '{"id":"0f1e2d3c-4b5a-4968-8796-a5b4c3d2e1f0","name":"web","status":"STARTED","vcpus":4}'
_FIELDS = (
    (b"user-agent", b"bench"),
    (b"accept", b"application/json"),
    (b"authorization", b"Bearer 0f1e2d3c4b5a49688796a5b4c3d2e1f0"),
)
_PER_LANE = 8
"""Requests under way at a time on one connection."""

type Loop = Callable[[int, float], Awaitable[int]]


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 2.0
    loops: dict[str, Loop] = {
        "bare h2": bare,
        "one lane, one at a time": alone,
        "one lane, 8 at a time": many,
    }
    with nginx(_ANSWER, protocol="http2") as port:
        rates = {name: asyncio.run(_rate(loop, port, seconds)) for name, loop in loops.items()}
    print(f"{'client':<26}{'per CPU second':>16}{'of bare h2':>12}")
    for name, rate in rates.items():
        print(f"{name:<26}{rate:>16,.0f}{rate / rates['bare h2']:>12.0%}")


async def _rate(loop: Loop, port: int, seconds: float) -> float:
    began = time.process_time()
    count = await loop(port, seconds)
    return count / (time.process_time() - began)


async def bare(port: int, seconds: float) -> int:
    """How many requests a loop with nothing besides gets answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    connection = H2Connection(H2Configuration(client_side=True, header_encoding=None))
    connection.initiate_connection()
    head = ((b":method", b"GET"), (b":scheme", b"http"), (b":authority", b"bench"), (b":path", b"/v1/x"))
    end, count = time.perf_counter() + seconds, 0
    while time.perf_counter() < end:
        number = connection.get_next_available_stream_id()
        connection.send_headers(number, (*head, *_FIELDS), end_stream=True)
        writer.write(connection.data_to_send())
        is_answered = False
        while not is_answered:
            for event in connection.receive_data(await reader.read(65_536)):
                if size := getattr(event, "flow_controlled_length", 0):
                    connection.acknowledge_received_data(size, number)
                is_answered |= isinstance(event, StreamEnded)
        count += 1
    writer.close()
    await writer.wait_closed()
    return count


async def alone(port: int, seconds: float) -> int:
    return await _sent(port, seconds, 1)


async def many(port: int, seconds: float) -> int:
    return await _sent(port, seconds, _PER_LANE)


async def _sent(port: int, seconds: float, at_a_time: int) -> int:
    """How many requests the transport gets answered, with so many under way on one lane."""
    target = Target("candidate", "http", "127.0.0.1", port)
    transport = Http2Transport(target, Guard(GuardSettings(), [target]))
    headers = ((b"Host", target.authority.encode()), *_FIELDS)
    sending = Sending(Request(b"GET", b"/v1/x", headers=headers), lane="a")
    end = time.perf_counter() + seconds
    counts: list[int] = []

    async def send() -> None:
        count = 0
        while time.perf_counter() < end:
            outcome = await transport.send(sending)
            assert isinstance(outcome, Reply), outcome
            count += 1
        counts.append(count)

    async with asyncio.TaskGroup() as group:
        for number in range(at_a_time):
            group.create_task(send(), name=f"sender {number}")
    await transport.close()
    return sum(counts)


if __name__ == "__main__":
    main()
