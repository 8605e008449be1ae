"""Traffic for the reference service: sessions of several principals, as its users would have them."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from shadow.demo.client import Client
from shadow.demo.principals import principals
from shadow.demo.scripts import SCRIPTS
from shadow.demo.visits import Cast, Log, Strange, Visit
from shadow.demo.vmctl.settings import ClockKind


@dataclass(frozen=True, slots=True)
class TrafficSummary:
    """What became of the traffic."""

    sessions: int
    requests: int
    by_status: dict[int, int]
    unexpected: tuple[str, ...]
    """One line for each answer that was not the one to be expected, or that did not come."""


async def drive(
    base_url: str,
    *,
    seed: int,
    sessions: int,
    concurrency: int = 4,
    host_header: str | None = None,
    clock: ClockKind = "real",
) -> TrafficSummary:
    """Run `sessions` sessions, `concurrency` at a time, each on its own kept-alive connection.

    The seed decides what each session does, whatever the others do. It must be the service's own, for
    the keys come from it. `clock` must be the service's own too; with ``fixed`` the nonces come from the
    seed, so that the same traffic cannot be driven twice at one database. An unexpected answer ends its
    session.
    """
    log = Log()
    numbers = iter(range(sessions))
    async with asyncio.TaskGroup() as group:
        for worker in range(min(concurrency, sessions)):
            group.create_task(
                _work(base_url, numbers, log, seed=seed, host=host_header, is_fixed=clock == "fixed"),
                name=f"traffic-{worker}",
            )
    by_status = dict(sorted(Counter(log.statuses).items()))
    return TrafficSummary(sessions, len(log.statuses), by_status, tuple(log.unexpected))


async def _work(
    base_url: str, numbers: Iterator[int], log: Log, *, seed: int, host: str | None, is_fixed: bool
) -> None:
    cast = Cast(*principals(seed))
    for number in numbers:
        dice = Random(f"vmctl:traffic:{seed}:{number}")
        script = SCRIPTS[number] if number < len(SCRIPTS) else dice.choice(SCRIPTS)
        nonces = Random(f"vmctl:nonces:{seed}:{number}") if is_fixed else None
        async with Client(base_url, host=host, dice=nonces) as client:
            try:
                await script(Visit(client, cast, dice, log, number))
            except Strange as strange:
                log.unexpected.append(f"session {number}, {script.__name__}: {strange}")
