"""Exchanges per second of each transport against a local nginx: ``python -m bench.replay [seconds]``.

Needs nginx and wrk. Believe the ratios: on a shared machine the absolute figures move.
"""

import asyncio
import sys
import time
from typing import NamedTuple

from bench.load import nginx, wrk
from shadow.model import Reply, Request
from shadow.replay import Guard, GuardSettings, RawTransport, Sending, Target, Transport
from shadow.replay.http import HttpTransport

LANES = 32
_ANSWER = '{"id":"0f1e2d3c-4b5a-4968-8796-a5b4c3d2e1f0","name":"web","status":"STARTED","vcpus":4}'


class Rate(NamedTuple):
    """How fast something sent."""

    per_second: float
    per_cpu_second: float | None
    """Exchanges per second of our own CPU; None where that is not ours to measure."""


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 3.0
    with nginx(_ANSWER) as port:
        url, whole_seconds = f"http://127.0.0.1:{port}/v1/x", max(round(seconds), 1)
        rates = {"wrk": Rate(wrk(url, seconds=whole_seconds, connections=LANES).requests_per_second, None)}
        for kind in (RawTransport, HttpTransport):
            rates[kind.name] = asyncio.run(drive(kind, port, seconds))
    whole = rates["wrk"].per_second
    print(f"{'client':<10}{'exchanges/s':>14}{'per CPU second':>18}{'of wrk':>10}")
    for name, rate in rates.items():
        cpu = "" if rate.per_cpu_second is None else f"{rate.per_cpu_second:,.0f}"
        print(f"{name:<10}{rate.per_second:>14,.0f}{cpu:>18}{rate.per_second / whole:>10.1%}")
    raw, full = rates["raw"].per_cpu_second, rates["aiohttp"].per_cpu_second
    assert raw is not None
    assert full is not None
    print(f"raw / aiohttp, per CPU second: {raw / full:.1f}")


async def drive(kind: type[RawTransport] | type[HttpTransport], port: int, seconds: float) -> Rate:
    """What a transport reaches with as many lanes, each waiting for its answers."""
    target = Target("candidate", "http", "127.0.0.1", port)
    transport: Transport = kind(target, Guard(GuardSettings(), [target]))
    end = time.perf_counter() + seconds
    counts: list[int] = []

    async def lane(number: int) -> None:
        headers = (
            (b"Host", target.authority.encode()),
            (b"User-Agent", b"bench"),
            (b"Accept", b"application/json"),
            (b"Authorization", b"Bearer 0f1e2d3c4b5a49688796a5b4c3d2e1f0"),
        )
        sending = Sending(Request(b"GET", b"/v1/x", headers=headers), lane=str(number))
        count = 0
        while time.perf_counter() < end:
            outcome = await transport.send(sending)
            assert isinstance(outcome, Reply), outcome
            count += 1
        counts.append(count)

    began, cpu_began = time.perf_counter(), time.process_time()
    async with asyncio.TaskGroup() as group:
        for number in range(LANES):
            group.create_task(lane(number), name=f"lane {number}")
    spent, cpu_spent = time.perf_counter() - began, time.process_time() - cpu_began
    await transport.close()
    return Rate(sum(counts) / spent, sum(counts) / cpu_spent)


if __name__ == "__main__":
    main()
