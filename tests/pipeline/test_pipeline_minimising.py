"""What was found is told with the fewest edits and the smallest request that show the same cause."""

import json
from base64 import b64decode
from itertools import count
from typing import Any

import pytest

from mutators import Mutator, mutator
from shadow.content.entity import with_raw_body
from shadow.model import Edit, Expect, Finding, Level, Outcome, Request, Wire
from shadow.pipeline.reshowing import MinimiseSettings
from shadow.wire.http1 import serialise_request
from tests.pipeline.conftest import Answering, Bench, exchange, reply

KIND = (b"Content-Type", b"application/json")
WELL, BROKEN = reply(200, b'{"ok": 1}'), reply(500, b'{"error": "x"}')
LARGE = json.dumps({f"k{at}": {"v": [at, at + 1], "w": "x"} for at in range(60)}).encode()


def sets(name: str, value: object = 1, expect: Expect = Expect.SURVIVE) -> Mutator:
    """A mutator that sets a member of the body."""

    def edit(asked: Request, rng: object) -> Edit | None:
        """Sets a member."""
        document = json.loads(asked.body)
        document[name] = value
        made = with_raw_body(asked, json.dumps(document).encode())
        return Edit(made, f"set {name}") if made != asked else None

    edit.__name__ = f"set_{name}"
    made: Mutator = mutator(level=Level.BODY, expect=expect)(edit)
    return made


def asked(line: str = "SEARCH /v1/x?a=1&b=2", number: int = 0, body: bytes = LARGE) -> Any:
    headers = ((b"X-A", b"1"), (b"Authorization", b"Bearer t"), KIND)
    return exchange(line, number, body=body, headers=headers, answer=WELL)


def document_of(request: Request) -> dict[str, Any]:
    try:
        found = json.loads(request.body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


async def worked_off(bench: Bench, exchanges: int = 20, **how: Any) -> Finding:
    """The one finding of a run over exchanges that are all the same."""
    for number in range(exchanges):
        later, _ = await bench.conduct(asked(number=number, **how))
        if later.is_left:
            await bench.trials.conduct_slow(later)
    (found,) = bench.findings.values()
    return found


def sent(bench: Bench) -> int:
    return bench.sent.count(("candidate", "minimisation"))


def breaks_on(*names: str) -> Answering:
    def answering(request: Request) -> Outcome:
        return BROKEN if document_of(request).keys() >= set(names) else WELL

    return answering


@pytest.mark.parametrize("has_baseline", [True, False], ids=["with-baseline", "alone"])
async def test_edits_that_matter_only_together_are_told_together(*, has_baseline: bool) -> None:
    baseline: Answering | None = (lambda _: WELL) if has_baseline else None
    mutators = [sets(name) for name in ("aa", "bb", "cc", "dd")]
    bench = Bench(breaks_on("aa", "bb"), baseline, mutators=mutators, mutants=3, stack=4)
    found = await worked_off(bench, 60)
    assert set((found.mutator or "").split("+")) == {"set_aa", "set_bb"}
    assert set(found.edits) == {"set aa", "set bb"}
    assert found.minimised is not None
    assert found.minimised["to"]["edits"] == 2
    assert found.confirmed == "3/3"


async def test_of_edits_of_which_one_matters_that_one_is_told_and_counted_under_its_name() -> None:
    """It breaks only every other exchange, so that a stack may be the first to show it."""
    quiet = sets("aa")

    def only_in_stacks(request: Request) -> Outcome:
        document = document_of(request)
        return BROKEN if "aa" in document and is_open else WELL

    is_open = False
    bench = Bench(only_in_stacks, mutators=[quiet, sets("bb")], mutants=2, stack=2)
    for number in range(3):
        await bench.conduct(asked(number=number))
    is_open = True
    while not bench.findings:
        number += 1
        await bench.conduct(asked(number=number))
    (found,) = bench.findings.values()
    assert found.mutator == "set_aa"
    assert found.edits == ("set aa",)


async def test_a_stack_that_shows_a_known_cause_is_one_more_sighting_of_it() -> None:
    bench = Bench(breaks_on("aa"), mutators=[sets("aa"), sets("bb")], mutants=2, stack=2)
    found = await worked_off(bench, 12)
    assert found.mutator == "set_aa"
    assert found.count > 10
    assert sum(each == ("candidate", "confirmation") for each in bench.sent) == 6


async def test_one_field_of_a_large_document_is_found() -> None:
    def answering(request: Request) -> Outcome:
        return BROKEN if document_of(request).get("k7") == "bad" else WELL

    bench = Bench(answering, lambda _: WELL, mutators=[sets("k7", "bad")])
    found = await worked_off(bench, 2)
    assert found.minimised is not None
    assert found.minimised["to"]["bytes"] < found.minimised["from"]["bytes"] / 5
    assert '--data-raw \'{"k7": "bad"}\'' in found.reproduce["curl"]
    assert "Authorization: Bearer t" in found.reproduce["curl"]
    assert "x-a" not in found.reproduce["curl"].lower()
    assert "?a=1" not in found.reproduce["curl"]
    assert found.answer is not None
    assert (found.answer["status"], found.baseline and found.baseline["status"]) == (500, 200)
    assert bench.sent.count(("candidate", "minimisation")) == bench.sent.count(("baseline", "minimisation"))


async def test_what_was_found_is_not_counted_again_for_being_told_smaller() -> None:
    bench = Bench(breaks_on("aa"), mutators=[sets("aa")])
    found = await worked_off(bench, 3)
    assert found.minimised is not None
    assert (found.count, found.exchanges) == (3, (0, 1, 2))


async def test_each_cause_is_made_smaller_once() -> None:
    bench = Bench(breaks_on("aa"), mutators=[sets("aa")])
    await worked_off(bench, 1)
    before = sent(bench)
    await worked_off(bench, 5)
    assert sent(bench) == before > 0


async def test_a_form_in_which_the_request_would_be_valid_is_not_taken() -> None:
    """What must be refused for `n` is refused no more once `mode` has gone: the finding needs `mode`."""

    def strict(request: Request) -> Outcome:
        document = document_of(request)
        return reply(422) if document.get("mode") == "strict" and document.get("n") == "bad" else WELL

    body = json.dumps({"mode": "strict", "n": 1, "other": 2}).encode()
    bench = Bench(lambda _: WELL, strict, mutators=[sets("n", "bad", Expect.REJECT)])
    found = await worked_off(bench, 1, body=body)
    assert found.minimised is not None
    line = found.reproduce["curl"]
    assert '"mode": "strict"' in line
    assert '"n": "bad"' in line
    assert '"other"' not in line


async def test_a_control_that_would_be_answered_otherwise_is_not_taken() -> None:
    """Without `id` the request is a notification, which is taken whatever it asks for."""

    def lenient(request: Request) -> Outcome:
        return WELL if "id" in document_of(request) else reply(202)

    body = json.dumps({"id": 1, "method": "list", "params": {}}).encode()
    bench = Bench(lenient, mutators=[sets("method", "none", Expect.REJECT)])
    found = await worked_off(bench, 1, body=body)
    assert '"id": 1' in found.reproduce["curl"]
    assert "params" not in found.reproduce["curl"]


async def test_an_edit_without_meaning_stays_without_one() -> None:
    """The answer tells how many members there are, of both: that is no difference, but the order is."""

    def answering(request: Request) -> Outcome:
        names = list(document_of(request))
        return reply(200, json.dumps({"first": names[:1] == sorted(names)[:1]}).encode())

    @mutator(level=Level.BODY, expect=Expect.SAME)
    def turned(request: Request, rng: object) -> Edit:
        """Turns the order of the members round, which has no meaning."""
        members = list(json.loads(request.body).items())[::-1]
        return Edit(with_raw_body(request, json.dumps(dict(members)).encode()), "turned")

    body = json.dumps({"a": 1, "b": 2, "c": 3, "d": 4}).encode()
    live = reply(200, b'{"first": true}')
    bench = Bench(answering, mutators=[turned])
    one = exchange("SEARCH /v1/x", 0, body=body, headers=(KIND,), answer=live)
    later, _ = await bench.conduct(one)
    await bench.trials.conduct_slow(later)
    (found,) = bench.findings.values()
    assert found.fault == "metamorphic"
    assert found.minimised is not None
    kept = json.loads(found.reproduce["curl"].partition("--data-raw '")[2].partition("'")[0])
    assert len(kept) == 2
    assert list(kept) == sorted(kept, reverse=True)


async def test_the_cause_never_changes_into_another() -> None:
    """Half of the members more break it in another way."""

    def answering(request: Request) -> Outcome:
        document = document_of(request)
        if "aa" not in document:
            return WELL
        return BROKEN if len(document) > 30 else reply(500, b'{"other": "y"}')

    bench = Bench(answering, mutators=[sets("aa")])
    found = await worked_off(bench, 1)
    assert found.answer is not None
    assert json.loads(found.answer["body"]) == {"error": "x"}
    assert len(bench.findings) == 1


async def test_a_service_that_breaks_now_and_then_ends_the_work_in_order() -> None:
    """It breaks while it is confirmed, and then every third time."""
    calls = count()

    def flaky(request: Request) -> Outcome:
        if "aa" not in document_of(request):
            return WELL
        number = next(calls)
        return BROKEN if number < 4 or number % 3 == 0 else WELL

    bench = Bench(flaky, mutators=[sets("aa")])
    found = await worked_off(bench, 1)
    assert found.minimised is None
    assert found.confirmed == "3/3"
    assert sent(bench) <= 200


@pytest.mark.parametrize("sends", [0, 1, 10, 40])
async def test_no_more_is_sent_than_one_finding_may_cost(sends: int) -> None:
    bench = Bench(breaks_on("aa"), mutators=[sets("aa")], minimise=MinimiseSettings(sends=sends))
    found = await worked_off(bench, 1)
    assert sent(bench) <= sends
    assert (found.minimised is None) == (sends < 10)


async def test_nothing_is_sent_once_the_run_is_ending() -> None:
    bench = Bench(breaks_on("aa"), mutators=[sets("aa")])
    later, _ = await bench.conduct(asked())
    bench.stopping.set()
    await bench.trials.conduct_slow(later)
    assert later.is_left
    assert sent(bench) == 0


async def test_a_write_is_made_smaller_at_the_end_of_its_session_told_anew() -> None:
    bench = Bench(breaks_on("k7", "aa"), mutators=[sets("aa")], may_write=True)
    past = (exchange("POST /v1/y", 0, answer=reply(201)),)
    later, _ = await bench.conduct(asked("POST /v1/x", 1), past)
    before = len(bench.candidate.requests)
    await bench.trials.conduct_slow(later)
    (found,) = bench.findings.values()
    assert found.minimised is not None
    told = [each.target for each in bench.candidate.requests[before:]]
    assert told[::2] == [b"/v1/y"] * (len(told) // 2)
    assert json.loads(found.reproduce["curl"].partition("--data-raw '")[2].partition("'")[0]).keys() == {
        "k7",
        "aa",
    }


async def test_writes_that_are_not_allowed_are_not_sent_to_make_them_smaller() -> None:
    bench = Bench(breaks_on("aa"), mutators=[sets("aa")], may_write=False)
    later, _ = await bench.conduct(asked("POST /v1/x"))
    await bench.trials.conduct_slow(later)
    assert not later.is_left
    assert bench.sent == [("candidate", "original")]


async def test_a_mutant_of_exact_bytes_is_made_anew_of_the_smaller_request() -> None:
    @mutator(level=Level.BODY, expect=Expect.SURVIVE)
    def spelled_out(request: Request, rng: object) -> Edit:
        """Says exactly what is sent."""
        told = Request(
            request.method, request.target, headers=(*request.headers, (b"X-Wire", b"1")), body=request.body
        )
        return Edit(told, "spelled out", Wire((serialise_request(told) + b"!",)))

    def breaks(request: Request) -> Outcome:
        names = {name.lower() for name, _ in request.headers}
        return BROKEN if names >= {b"x-needed", b"x-wire"} else WELL

    bench = Bench(breaks, lambda _: WELL, mutators=[spelled_out])
    headers = ((b"X-Needed", b"1"), (b"X-Spare", b"1"), KIND)
    later, _ = await bench.conduct(exchange("SEARCH /v1/x", 0, body=LARGE, headers=headers, answer=WELL))
    await bench.trials.conduct_slow(later)
    (found,) = bench.findings.values()
    assert found.reproduce["curl"] is None
    raw = b64decode(found.reproduce["raw_base64"])
    assert b"X-Needed" in raw
    assert b"X-Spare" not in raw
    assert raw.endswith(b"\r\n\r\n{}!")
