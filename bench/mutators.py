"""How fast mutants are made: the whole catalogue, as a run deals it, beside other makers of hostile input.

Every attempt counts, also those that found nothing to edit, and the dice. CPU time, the fastest of several
rounds.

Run it as ``python -m bench.mutators [--rounds 3] [--captures DIR]``. Exits with 1 where the goal is missed.
"""

import argparse
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from random import Random
from resource import RUSAGE_CHILDREN, getrusage
from tempfile import TemporaryDirectory
from time import process_time

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from bench.corpus import captured, corpus, signer
from mutators import CATALOG, Mutator, dice
from shadow.model import Exchange
from shadow.pipeline.endpoint import Endpoints
from shadow.pipeline.knowledge import Knowledge
from shadow.pipeline.scheduler import Scheduler

_GOAL_PER_SECOND = 20_000
_SLOWEST = 15
_CAPTURED = 100


class Subject:
    """Exchanges, each with what is known when it is mutated."""

    def __init__(self, exchanges: Sequence[Exchange]) -> None:
        knowledge = Knowledge(identities=(), signer=signer())
        for each in exchanges:
            knowledge.learn(each, {"recorded": each})
        self.exchanges = exchanges
        self.known = [knowledge.snapshot(each.request, "recorded") for each in exchanges]
        endpoints = Endpoints()
        self.endpoints = [endpoints.name(each.request) for each in exchanges]


def catalogue_seconds(subject: Subject, catalog: Sequence[Mutator]) -> dict[str, tuple[float, int]]:
    """Of each mutator: seconds over all exchanges, and how many mutants it made.

    All mutators have a request before the next one comes, as in a run.
    """
    spent = dict.fromkeys((each.name for each in catalog), 0.0)
    made = dict.fromkeys(spent, 0)
    for exchange, known in zip(subject.exchanges, subject.known, strict=True):
        for mutator in catalog:
            began = process_time()
            edit = mutator(exchange.request, dice(0, exchange.index, mutator.name), known)
            spent[mutator.name] += process_time() - began
            made[mutator.name] += edit is not None
    return {name: (spent[name], made[name]) for name in spent}


def whole(subject: Subject, catalog: Sequence[Mutator]) -> int:
    """How many mutants the whole catalogue makes of all exchanges."""
    count = 0
    for exchange, known in zip(subject.exchanges, subject.known, strict=True):
        request, index = exchange.request, exchange.index
        for mutator in catalog:
            count += mutator(request, dice(0, index, mutator.name), known) is not None
    return count


def dealt(subject: Subject, catalog: Sequence[Mutator], budget: int) -> int:
    """How many mutants a scheduler deals with a budget for each exchange."""
    scheduler = Scheduler(catalog, seed=0)
    count = 0
    for exchange, known, endpoint in zip(subject.exchanges, subject.known, subject.endpoints, strict=True):

        def attempt(mutator: Mutator) -> object:
            return mutator(exchange.request, dice(0, exchange.index, mutator.name), known)  # noqa: B023  # used at once

        count += sum(1 for _ in scheduler.deal(endpoint, exchange.index, budget, attempt))
    return count


def bytewise(bodies: Sequence[bytes], count: int) -> int:
    """As many mutants as radamsa's kind makes: one to four edits of bytes, blind to what they mean."""
    for number in range(count):
        rng = Random(number)
        body = bytearray(bodies[number % len(bodies)])
        for _ in range(rng.randint(1, 4)):
            at, end = sorted((rng.randrange(len(body) + 1), rng.randrange(len(body) + 1)))
            match rng.randrange(6):
                case 0 if body:
                    body[at % len(body)] ^= 1 << rng.randrange(8)
                case 1:
                    del body[at : min(end, at + 64)]
                case 2:
                    body[at:at] = rng.randbytes(rng.randint(1, 8))
                case 3:
                    body[at:at] = body[at : min(end, at + 64)] * rng.randint(1, 8)
                case 4:
                    body[at:end] = bytes(rng.sample(bytes(body[at:end]), end - at))
                case _:
                    body[at:at] = rng.choice((b"-1", b"4294967296", b"\x00", b"%n", b"A" * 256))
    return count


def generated(count: int) -> int:
    """As many JSON documents as Hypothesis makes of about the same size."""
    text = st.text(max_size=24)
    item = st.fixed_dictionaries(
        {
            "id": st.integers(),
            "sku": text,
            "title": text,
            "price": st.floats(),
            "tags": st.lists(text, max_size=3),
        }
    )
    documents = st.fixed_dictionaries(
        {"name": text, "enabled": st.booleans(), "items": st.lists(item, min_size=5, max_size=15)}
    )
    made = 0

    @settings(
        max_examples=count,
        phases=(Phase.generate,),
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(documents)
    def draw(_: object) -> None:
        nonlocal made
        made += 1

    draw()
    return made


def per_second(make: Callable[[], int], rounds: int) -> float:
    """The most that was made in a second of this process's time."""
    best = 0.0
    for _ in range(rounds):
        began = process_time()
        count = make()
        best = max(best, count / (process_time() - began))
    return best


def radamsa_per_second(bodies: Sequence[bytes], folder: Path) -> float | None:
    """By radamsa itself, reading and writing files; None where it is not installed."""
    program = shutil.which("radamsa")
    if program is None:
        return None
    seeds = []
    for number, body in enumerate(bodies):
        (folder / f"{number}").write_bytes(body)
        seeds.append(str(folder / f"{number}"))
    began = _children_seconds()
    subprocess.run([program, "-n", "2000", *seeds], check=True, stdout=subprocess.DEVNULL)
    return 2000 / (_children_seconds() - began)


def _children_seconds() -> float:
    usage = getrusage(RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _table(rows: Iterable[tuple[str, float, int, int]]) -> None:
    for name, seconds, made, count in rows:
        each = f"{seconds / made * 1e6:9.1f}" if made else "        -"
        print(f"  {name:38} {seconds / count * 1e6:9.1f} {each} {made:6}")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--exchanges", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--captures", type=Path, help="folder of captures whose requests come in too")
    given_ = parser.parse_args()
    exchanges = corpus(given_.exchanges)
    if given_.captures:
        exchanges += captured(sorted(given_.captures.glob("*.pcap*")), _CAPTURED)
    subject = Subject(exchanges)
    bodies = [each.request.body for each in exchanges if each.request.body]
    median = sorted(len(each) for each in bodies)[len(bodies) // 2]
    catalog = [each for each in CATALOG if each.fits(is_http2=False, is_call=False)]
    print(f"{len(exchanges)} exchanges, {len(bodies)} bodies of {median} bytes at the median")
    whole(subject, catalog)
    spent = catalogue_seconds(subject, catalog)
    print(f"{len(catalog)} mutators, the slowest: us an attempt, us a mutant, mutants")
    slowest = sorted(spent.items(), key=lambda each: -each[1][0])[:_SLOWEST]
    _table((name, seconds, made, len(exchanges)) for name, (seconds, made) in slowest)
    ours = per_second(lambda: whole(subject, catalog), given_.rounds)
    rates = {
        "the whole catalogue": ours,
        "as dealt, 20 for an exchange": per_second(lambda: dealt(subject, catalog, 20), given_.rounds),
        "as dealt, 3 for an exchange": per_second(lambda: dealt(subject, catalog, 3), given_.rounds),
        "bytes, blindly": per_second(lambda: bytewise(bodies, 5000), given_.rounds),
        "Hypothesis, JSON": per_second(lambda: generated(100), 1),
    }
    with TemporaryDirectory() as folder:
        if (rate := radamsa_per_second(bodies, Path(folder))) is not None:
            rates["radamsa"] = rate
    for name, rate in rates.items():
        print(f"{name:32} {rate:9.0f} mutants/s  {ours / rate:8.2f}")
    return 0 if ours >= _GOAL_PER_SECOND else 1


if __name__ == "__main__":
    sys.exit(main())
