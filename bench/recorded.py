"""A recording for benchmarks: exchanges of many sessions that a local nginx answers as it was recorded."""

import random
import uuid
from collections.abc import Iterator
from pathlib import Path

from bench.bare import Asked
from shadow.model import Exchange, Request, Response
from shadow.taps.jsonl import encode

ANSWER = '{"id":"0f1e2d3c-4b5a-4968-8796-a5b4c3d2e1f0","name":"web","status":"STARTED","vcpus":4}'
_SESSIONS = 64
_PLACES = 500


def asked(count: int) -> Iterator[Asked]:
    """Targets and fields of `count` GETs, by 64 clients in turn, each with a token of its own."""
    rng = random.Random(1)
    places = [b"/v1/instances/%b" % _uuid(rng) for _ in range(_PLACES)]
    tokens = [b"Bearer %032x" % rng.getrandbits(128) for _ in range(_SESSIONS)]
    for number in range(count):
        yield (
            rng.choice(places),
            (
                (b"Host", b"api.example.com"),
                (b"User-Agent", b"bench/1"),
                (b"Accept", b"application/json"),
                (b"Authorization", tokens[number % _SESSIONS]),
            ),
        )


def record(path: Path, count: int, answer: Response) -> None:
    """Write `count` exchanges as JSON lines, each answered with `answer`."""
    with path.open("wb") as file:
        for number, (target, headers) in enumerate(asked(count)):
            file.write(
                encode(
                    Exchange(
                        number,
                        "bench",
                        f"s{number % _SESSIONS}",
                        1.7e9 + number / 1000,
                        Request(b"GET", target, headers=headers),
                        answer,
                        0.0005,
                    )
                )
            )


def _uuid(rng: random.Random) -> bytes:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4)).encode()
