"""What the live release does too, once the dice fall otherwise, is not the candidate's alone."""

from random import Random

import pytest

from mutators import Mutator, mutator
from shadow.model import Edit, Expect, Level, Outcome, Request, Verdict, field, with_field
from tests.pipeline.conftest import Answering, Bench, always, exchange, reply


@mutator(level=Level.HEADER, expect=Expect.SURVIVE)
def add_own(request: Request, rng: Random) -> Edit:
    """Of the target's own value something else for each target."""
    own = (field(request.headers, b"host") or b"").partition(b".")[0]
    made = with_field(request.headers, b"x-edit", own + b"%d" % rng.randrange(3))
    return Edit(Request(request.method, request.target, headers=made), "added a field")


@mutator(level=Level.HEADER, expect=Expect.SURVIVE)
def add_alike(request: Request, rng: Random) -> Edit:
    """The same for each target."""
    made = with_field(request.headers, b"x-edit", b"a%d" % rng.randrange(3))
    return Edit(Request(request.method, request.target, headers=made), "added a field")


def answering(bad: Outcome, *words: bytes) -> Answering:
    """`bad` to what ends with one of these in the field that the mutators add."""
    return lambda asked: bad if (field(asked.headers, b"x-edit") or b"?").endswith(words) else reply()


ALWAYS, NEVER = (b"0", b"1", b"2"), (b"!",)


@pytest.mark.parametrize(
    ("one", "theirs", "severity"),
    [
        (add_own, lambda digit: tuple(each for each in ALWAYS if each != digit), "medium"),
        (add_own, lambda _: NEVER, "high"),
        (add_alike, lambda digit: tuple(each for each in ALWAYS if each != digit), "high"),
    ],
    ids=["breaks at other dice", "never breaks", "was given the same and did not break"],
)
async def test_breakage_that_the_live_release_shows_with_other_dice_weighs_less(
    one: Mutator, theirs: object, severity: str
) -> None:
    digit = await drawn(one)
    assert callable(theirs)
    bench = Bench(answering(reply(500), digit), answering(reply(500), *theirs(digit)), mutators=[one])
    for index in range(2):
        await bench.conduct(exchange("GET /a", index=0, session=f"s{index}"))
    found = [each for each in bench.findings.values() if each.fault == "F100"]
    assert [each.severity for each in found] == [severity]
    assert found[0].count == 2
    assert ("the live release does so too" in found[0].why) == (severity == "medium")


async def test_class_that_the_live_release_answers_with_other_dice_is_no_disagreement() -> None:
    digit = await drawn(add_own)
    others = tuple(each for each in ALWAYS if each != digit)
    bench = Bench(answering(reply(400), digit), answering(reply(400), *others), mutators=[add_own])
    await bench.conduct(exchange("GET /a"))
    assert bench.findings == {}
    assert bench.verdicts["add_own"] is Verdict.UNDECIDED
    alone = Bench(answering(reply(400), digit), answering(reply(400), *NEVER), mutators=[add_own])
    await alone.conduct(exchange("GET /a"))
    assert [each.fault for each in alone.findings.values()] == ["mutation-regression"]


async def test_what_the_candidate_does_alone_is_confirmed_though_it_was_seen_on_both_before() -> None:
    digit = await drawn(add_alike)
    bench = Bench(answering(reply(500), *ALWAYS), answering(reply(500), digit), mutators=[add_alike])
    await bench.conduct(exchange("GET /a"))
    (found,) = bench.findings.values()
    assert found.severity == "medium"
    for index in range(1, 9):
        count, sent = len(bench.candidate.requests), len(bench.sent)
        await bench.conduct(exchange("GET /a", index))
        if field(bench.candidate.requests[count + 1].headers, b"x-edit") != b"a" + digit:
            break
    assert ("candidate", "confirmation") in bench.sent[sent:]
    (found,) = bench.findings.values()
    assert found.severity == "high"


@mutator(level=Level.HEADER, expect=Expect.SURVIVE)
def change_method(request: Request, rng: Random) -> Edit:
    """Another method, and the target's own value."""
    own = (field(request.headers, b"host") or b"").partition(b".")[0]
    method = rng.choice((b"GET", b"DELETE"))
    return Edit(
        Request(method, request.target, headers=with_field(request.headers, b"x-edit", own)), "changed"
    )


@pytest.mark.parametrize("may_write", [False, True])
async def test_no_other_draw_makes_a_write_of_what_reads(*, may_write: bool) -> None:
    bench = Bench(
        lambda asked: reply(500 if field(asked.headers, b"x-edit") else 200),
        always(reply()),
        mutators=[change_method],
        may_write=may_write,
    )
    for index in range(12):
        await bench.conduct(exchange(f"GET /{'abcdefghijkl'[index]}", index))
    assert bench.baseline is not None
    first = {(each.target, each.method) for each in bench.candidate.requests}
    assert {(each.target, each.method) for each in bench.baseline.requests} <= first
    assert len(bench.baseline.requests) > 60, "and other draws were tried"


async def drawn(one: Mutator) -> bytes:
    """What the dice of exchange 0 give."""
    bench = Bench(lambda _: reply(), mutators=[one])
    await bench.conduct(exchange("GET /a"))
    return (field(bench.candidate.requests[-1].headers, b"x-edit") or b"")[-1:]
