"""Which mutants an exchange is given."""

import dataclasses
from collections import Counter
from collections.abc import Callable
from random import Random

import pytest

from mutators import CATALOG, Mutator, mutator
from shadow.model import Edit, Expect, Level, Request, Wire
from shadow.pipeline.order import SAFE_METHODS
from shadow.replay import TRIAL_FIELD
from shadow.replay.fake import Answer
from tests.pipeline.conftest import Bench, always, by_edit, edits, exchange, is_edited, reply

JSON = b'{"a": 1}'
REJECTED, ACCEPTED = edits(Expect.REJECT), edits(Expect.SURVIVE)


def bytes_of(*lines: bytes) -> Wire:
    return Wire((b"\r\n".join((*lines, b"", b"")),))


SMUGGLED = Wire((b"GET /a HTTP/1.1\r\nContent-Length: 0\r\n\r\n", b"POST /b HTTP/1.1\r\n\r\n"))


def order_of(bench: Bench) -> list[str]:
    return ["mutant" if is_edited(each) else "plain" for each in bench.candidate.requests]


@pytest.mark.parametrize(
    ("line", "mutator", "may_write", "is_sent"),
    [
        ("POST /a", ACCEPTED, False, False),
        ("POST /a", REJECTED, False, False),
        ("POST /a", ACCEPTED, True, True),
        ("GET /a", ACCEPTED, False, True),
        ("GET /a", edits(Expect.SURVIVE, method=b"DELETE"), False, False),
        ("GET /a", edits(Expect.SURVIVE, method=b"DELETE"), True, True),
        ("GET /a", edits(Expect.SURVIVE, method=b"get"), False, False),
        ("GET /a", edits(Expect.SURVIVE, headers=((b"X-HTTP-Method-Override", b"PUT"),)), False, False),
        ("GET /a", edits(Expect.SURVIVE, headers=((b"x-method-override", b"PUT"),)), False, False),
        ("GET /a", edits(Expect.SURVIVE, target=b"/a?_method=PUT"), False, False),
        ("GET /a", edits(Expect.SURVIVE, headers=((b"X-HTTP-Method", b"PUT"),)), True, True),
        ("GET /a", edits(Expect.SURVIVE, target=b"/a?%5Fmethod=PUT"), False, False),
        ("GET /a", edits(Expect.SURVIVE, target=b"/a?x=1&_METHOD=PUT"), False, False),
        ("GET /a", edits(Expect.SURVIVE, body=b"a=1&_method=DELETE"), False, False),
        ("GET /a", edits(Expect.SURVIVE, body=b'{"_method": "DELETE"}'), False, False),
        ("GET /a", edits(Expect.SURVIVE, body=b'form-data; name="_method"\r\n\r\nPUT'), False, False),
        ("GET /a", edits(Expect.SURVIVE, body=b"the method: none"), False, True),
        ("GET /a", edits(Expect.SURVIVE, wire=bytes_of(b"DELETE /a HTTP/1.1")), False, False),
        (
            "GET /a",
            edits(Expect.SURVIVE, wire=bytes_of(b"GET /a HTTP/1.1", b"X-HTTP-METHOD: PUT")),
            False,
            False,
        ),
        ("GET /a", edits(Expect.SURVIVE, wire=bytes_of(b"GET /?_method=PUT HTTP/1.1")), False, False),
        ("GET /a", edits(Expect.SURVIVE, wire=SMUGGLED), False, False),
        ("GET /a", edits(Expect.SURVIVE, wire=SMUGGLED), True, True),
        ("GET /a", edits(Expect.SURVIVE, wire=bytes_of(b"get /a HTTP/1.1")), False, True),
    ],
    ids=[
        "of a write",
        "of a write, to be rejected",
        "of a write, allowed",
        "of a read",
        "made a write",
        "made a write, allowed",
        "made an unknown method",
        "overridden by a field",
        "by another field",
        "by a parameter",
        "overridden, allowed",
        "by an escaped parameter",
        "by a parameter in capitals",
        "by a form",
        "by JSON",
        "by multipart",
        "a body that speaks of methods",
        "made a write in bytes",
        "overridden by a field in bytes",
        "overridden by a parameter in bytes",
        "a write inside the body",
        "a write inside the body, allowed",
        "still a read in bytes",
    ],
)
async def test_no_mutant_writes_unless_that_was_allowed(
    line: str, mutator: Mutator, *, may_write: bool, is_sent: bool
) -> None:
    bench = Bench(always(reply()), mutators=[mutator], may_write=may_write)
    await bench.conduct(exchange(line))
    assert any(is_edited(each) for each in bench.candidate.requests) == is_sent


@pytest.mark.parametrize("line", ["GET /v1/x/7?a=1&b=2", "POST /v1/x", "DELETE /v1/x/7"])
async def test_no_mutator_of_the_catalogue_writes_where_that_was_not_allowed(line: str) -> None:
    bench = Bench(always(reply(200, JSON)), mutators=CATALOG, mutants=len(CATALOG), may_write=False, times=1)
    body = b"" if line.startswith("GET") else JSON
    kind = ((b"Content-Type", b"application/json"),) if body else ()
    one = exchange(line, body=body, headers=kind, answer=reply(200, JSON))
    later, _ = await bench.conduct(one)
    assert {each.method for each in bench.candidate.requests} <= {one.request.method, *SAFE_METHODS}
    if one.request.method != b"GET":
        assert len(bench.candidate.requests) == 1
        assert later.mutants == ()
    else:
        assert len(bench.candidate.requests) > 20


async def test_what_goes_over_http1_gets_no_frames_of_http2() -> None:
    frames = [one for one in CATALOG if one.over]
    bench = Bench(always(reply()), mutators=frames, mutants=len(frames))
    await bench.conduct(exchange("GET /a"))
    assert order_of(bench).count("mutant") == 0


async def test_budget_bounds_the_mutants() -> None:
    mutators = [edits(Expect.SURVIVE, name=f"m{n}") for n in range(9)]
    bench = Bench(always(reply()), mutators=mutators, mutants=4)
    await bench.conduct(exchange("GET /a"))
    assert order_of(bench).count("mutant") == 4


@pytest.mark.parametrize("answering", [by_edit(reply(), reply(500)), by_edit(reply(401), reply(200))])
async def test_same_seed_makes_the_same_mutants(answering: Callable[[Request], Answer]) -> None:
    def run(seed: int) -> Bench:
        return Bench(answering, mutators=CATALOG, mutants=6, seed=seed, times=1)

    sent = []
    for seed in (1, 1, 2):
        bench = run(seed)
        await bench.conduct(exchange("GET /v1/x/7?a=1&b=2", answer=reply(200, JSON)))
        sent.append(
            [(trial.mutator, trial.edits) for trial in bench.trials_heard if trial.mutator is not None]
        )
    assert sent[0] == sent[1]
    assert sent[0] != sent[2]
    assert len(sent[0]) > 2


async def test_mutator_that_is_answered_in_new_ways_gets_more_of_the_budget() -> None:
    """The service has ever new answers to one of thirty mutators, and one to all others."""
    count = 0

    def answering(request: Request) -> Answer:
        nonlocal count
        if (b"x-which", b"7") in request.headers:
            count += 1
            return reply(200 + count % 90)
        return reply()

    mutators = [edits(Expect.SURVIVE, name=f"m{at}", headers=((b"x-which", b"%d" % at),)) for at in range(30)]
    bench = Bench(answering, mutators=mutators, mutants=3)
    for index in range(60):
        await bench.conduct(exchange("GET /a", index))
    tries = Counter(trial.mutator for trial in bench.trials_heard if trial.mutator)
    assert set(tries) == {each.name for each in mutators}
    middle = sorted(tries.values())[len(tries) // 2]
    assert tries["m7"] > 2.5 * middle


async def test_what_was_refused_live_gets_fewer_mutants_that_stand_for_none_of_what_is_taken() -> None:
    mutators = [edits(Expect.SURVIVE, name=f"m{at}", headers=((b"x", b"%d" % at),)) for at in range(9)]
    bench = Bench(always(reply()), mutators=mutators, mutants=9)
    for index, answer in enumerate((reply(422), reply(200))):
        await bench.conduct(exchange("GET /a", index, answer=answer))
    tries = Counter(trial.exchange for trial in bench.trials_heard if trial.mutator)
    assert tries == {0: 3, 1: 9}


async def test_each_mutant_bears_a_number_of_its_own() -> None:
    @mutator(level=Level.HEADER, expect=Expect.SURVIVE)
    def barren(request: Request, rng: Random) -> Edit | None:
        """Nothing."""

    none = [dataclasses.replace(barren, name=f"none{at}") for at in range(9)]
    bench = Bench(
        always(reply()), mutators=[*none, *(edits(Expect.SURVIVE, name=f"m{at}") for at in range(9))]
    )
    await bench.conduct(exchange("GET /a"))
    numbers = [
        value for each in bench.candidate.requests for name, value in each.headers if name == TRIAL_FIELD
    ]
    assert len(numbers) == len(set(numbers)) == 10


async def test_what_was_prepared_for_a_mutator_without_an_edit_is_not_lost_on_keys() -> None:
    """Each mutant of a request with an Idempotency-Key has a key of its own."""
    headers = ((b"Idempotency-Key", b"0123456789abcdef"),)
    bench = Bench(always(reply()), mutators=[edits(Expect.SURVIVE, name=f"m{at}") for at in range(5)])
    await bench.conduct(exchange("GET /a", headers=headers))
    keys = [
        value
        for each in bench.candidate.requests
        for name, value in each.headers
        if name == b"Idempotency-Key"
    ]
    assert len(keys) == len(set(keys)) == 6


@pytest.mark.parametrize(
    ("name", "wire", "is_sent"),
    [
        (b"Stripe-Signature", None, False),
        (b"X-Other", None, True),
        (b"Stripe-Signature", bytes_of(b"GET /a HTTP/1.1"), True),
    ],
    ids=["signed", "not signed", "framed otherwise"],
)
async def test_signed_request_is_not_reworded_where_nobody_can_sign_it_again(
    name: bytes, wire: Wire | None, *, is_sent: bool
) -> None:
    """It would be refused for its signature, and that would be taken for another meaning."""
    bench = Bench(always(reply()), mutators=[edits(Expect.SAME, target=b"/a?b=1", wire=wire)])
    await bench.conduct(exchange("GET /a", headers=((name, b"t=1,v1=00"),)))
    assert bool(len(bench.candidate.requests) > 1) == is_sent
