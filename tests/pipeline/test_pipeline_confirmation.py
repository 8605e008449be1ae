"""What does not show every time is not reported; what has shown is not sent again."""

import json
from collections.abc import Iterator
from itertools import count

import pytest

from shadow.model import (
    Change,
    Difference,
    Exchange,
    Expect,
    Judgement,
    Outcome,
    Parcel,
    Reply,
    Request,
    Response,
    Sent,
    Verdict,
)
from shadow.pipeline.confirmation import Confirmed
from shadow.pipeline.environment import Pair
from tests.pipeline.conftest import Bench, always, edits, exchange, is_edited, reply

FULL, LESS = b'{"id": "ab12cd34ef", "a": 1}', b'{"id": "ab12cd34ef"}'
OTHER = b'{"id": "ab12cd34ef", "a": 2}'
GET = exchange("GET /v1/x", answer=reply(200, FULL))


async def confirmed(
    bench: Bench,
    one: Exchange,
    answer: Outcome,
    past: tuple[Exchange, ...] = (),
    baseline: Outcome | None = None,
) -> Confirmed | None:
    """What is left of the original's differences once it was sent again."""
    case, first = bench.case(one, past), Pair(answer, baseline)
    judgement = bench.judging.original(case, first)
    assert judgement.verdict is Verdict.FAILED
    return await bench.confirmation.original(case, first, judgement, "raw")


def places(found: Confirmed | None) -> list[str]:
    return [each.where for each in found.judgement.differences] if found else []


@pytest.mark.parametrize("times", [1, 3, 5])
async def test_read_is_sent_again_so_often_and_what_lasts_is_confirmed(times: int) -> None:
    bench = Bench(always(reply(200, LESS)), times=times)
    found = await confirmed(bench, GET, reply(200, LESS))
    assert places(found) == ["body:$.a"]
    assert found is not None
    assert found.times == f"{times}/{times}"
    assert bench.sent == [("candidate", "confirmation")] * times


@pytest.mark.parametrize("good_at", [0, 1, 2])
async def test_difference_that_does_not_show_every_time_is_dropped(good_at: int) -> None:
    calls = count()

    def flaky(_: Request) -> Outcome:
        return reply(200, FULL if next(calls) == good_at else LESS)

    bench = Bench(flaky)
    assert await confirmed(bench, GET, reply(200, LESS)) is None
    assert len(bench.sent) == good_at + 1, "no longer than it takes"


@pytest.mark.parametrize(
    ("values", "times", "left"),
    [([2, 2, 2], 3, ["body:$.a"]), ([2, 3, 4, 5, 6, 7], 6, ["body:$.a"]), ([2, 3, 4, 1], 4, [])],
    ids=["another one", "one drawn by lot", "one drawn from few by lot"],
)
async def test_value_that_the_candidate_changes_itself_must_show_more_often(
    values: list[int], times: int, left: list[str]
) -> None:
    given = iter(values)
    bench = Bench(
        lambda _: reply(200, b'{"id": "ab12cd34ef", "a": %d}' % next(given)), always(reply(200, FULL))
    )
    found = await confirmed(bench, GET, reply(200, OTHER), baseline=reply(200, FULL))
    assert places(found) == left
    assert len(bench.candidate.requests) == times


async def test_of_several_differences_those_that_last_are_left() -> None:
    calls = count()

    def answering(_: Request) -> Outcome:
        return reply(200, LESS if next(calls) % 2 else b'{"a": "one"}')

    bench = Bench(answering)
    one = exchange("GET /v1/x", answer=reply(200, b'{"id": "ab12cd34ef", "a": 1, "b": 2}'))
    found = await confirmed(bench, one, reply(200, LESS))
    assert places(found) == ["body:$.b"]


async def test_confirmed_difference_is_sent_again_no_more_at_its_endpoint() -> None:
    bench = Bench(always(reply(200, LESS)))
    await confirmed(bench, GET, reply(200, LESS))
    found = await confirmed(bench, GET, reply(200, LESS))
    assert places(found) == ["body:$.a"]
    assert len(bench.sent) == 3
    elsewhere = exchange("GET /v1/y", answer=reply(200, FULL))
    await confirmed(bench, elsewhere, reply(200, LESS))
    assert len(bench.sent) == 6


async def test_known_difference_does_not_vouch_for_a_new_one() -> None:
    answers: Iterator[Outcome] = iter([*[reply(200, LESS)] * 3, reply(200, FULL)])
    bench = Bench(lambda _: next(answers))
    await confirmed(bench, GET, reply(200, LESS))
    found = await confirmed(bench, GET, reply(200, b'{"id": 7}'))
    assert places(found) == ["body:$.a"]


async def test_what_was_refuted_three_times_is_not_tried_again() -> None:
    bench = Bench(always(reply(200, FULL)))
    for _ in range(5):
        assert await confirmed(bench, GET, reply(200, LESS)) is None
    assert len(bench.sent) == 3


async def test_places_in_lists_count_as_one_whatever_their_position() -> None:
    def items(*values: object) -> bytes:
        return json.dumps({"of": [{"a": each} for each in values]}).encode()

    one = exchange("GET /v1/x", answer=reply(200, items(1, 2, 3)))
    bench = Bench(always(reply(200, items(1, 2, "3"))))
    found = await confirmed(bench, one, reply(200, items("1", 2, 3)))
    assert places(found) == ["body:$.of[0].a"]


async def test_list_of_one_may_have_more_when_it_is_asked_for_again() -> None:
    def listed(count: int, field: bytes) -> Reply:
        item = b"<item><a>1</a>" + field + b"</item>"
        kind = ((b"Content-Type", b"text/xml"),)
        return Reply(Response(200, headers=kind, body=b"<list>" + item * count + b"</list>"))

    bench = Bench(always(listed(2, b"<b>1</b>")))
    one = exchange("GET /v1/x", answer=listed(1, b""))
    found = await confirmed(bench, one, listed(1, b"<b>1</b>"))
    assert places(found) == ["body:$.list.item.b"]


async def test_field_that_changed_everywhere_is_believed_of_what_is_gone_when_asked_again() -> None:
    def typed(kind: bytes, status: int = 200) -> Reply:
        return Reply(Response(status, headers=((b"X-Kind", kind),)))

    def answering(asked: Request) -> Outcome:
        return typed(b"b", 404 if asked.target == b"/v1/gone" else 200)

    bench = Bench(answering)
    for name in ("x", "y", "gone", "z", "gone"):
        found = await confirmed(bench, exchange(f"GET /v1/{name}", answer=typed(b"a")), typed(b"b"))
        is_early = name == "gone" and len(bench.sent) < 9
        assert places(found) == ([] if is_early else ["header:x-kind"])


# requests that write


@pytest.mark.parametrize(
    ("live", "answer", "is_at_once"),
    [
        (reply(201, FULL), reply(201, LESS), True),
        (reply(201, LESS), reply(201, FULL), True),
        (reply(201, FULL), reply(201, FULL.replace(b"1}", b'"1"}')), True),
        (reply(201), reply(500), True),
        (reply(201, FULL), reply(201, OTHER), False),
    ],
    ids=["missing", "added", "type", "status", "value"],
)
async def test_write_that_may_not_be_sent_again_is_believed_by_what_chance_cannot_make_or_when_it_recurs(
    live: Reply, answer: Reply, *, is_at_once: bool
) -> None:
    bench = Bench(always(reply(201, FULL)), may_write=False)
    one = exchange("POST /v1/x", answer=live)
    first = await confirmed(bench, one, answer)
    assert (first is not None) == is_at_once
    second = await confirmed(bench, one, answer)
    assert second is not None
    assert second.times == ("1/1" if is_at_once else "2/2")
    assert bench.of(Sent) == []


REFUSED, WORDED = b'{"error": "no such owner 7"}', b'{"error": "owner 7 is unknown"}'


@pytest.mark.parametrize(("status", "is_sent_again"), [(422, True), (400, True), (401, False), (429, False)])
async def test_write_that_everybody_refused_is_sent_again_save_where_refusals_are_counted(
    status: int, *, is_sent_again: bool
) -> None:
    bench = Bench(always(reply(status, WORDED)), may_write=False)
    one = exchange("POST /v1/x", answer=reply(status, REFUSED))
    found = await confirmed(bench, one, reply(status, WORDED))
    assert places(found) == (["body:$.error"] if is_sent_again else [])
    assert bench.sent == [("candidate", "confirmation")] * (3 if is_sent_again else 0)


async def test_write_of_another_endpoint_shows_the_same_place_again() -> None:
    bench = Bench(always(reply(201, FULL)), may_write=False)
    first, second = (
        exchange(f"POST /v1/{name}", at, answer=reply(201, FULL)) for at, name in enumerate("xy")
    )
    assert await confirmed(bench, first, reply(201, OTHER)) is None
    found = await confirmed(bench, second, reply(201, OTHER))
    assert places(found) == ["body:$.a"]


async def test_exchanges_that_showed_a_cause_before_it_was_told_are_listed_with_it() -> None:
    bench = Bench(always(reply(201, OTHER)), may_write=False)
    for at in range(3):
        await bench.conduct(exchange("POST /v1/x", at, answer=reply(201, FULL)))
    (found,) = bench.findings.values()
    assert (found.exchanges, found.count) == ((0, 1, 2), 3)


async def test_place_that_lasts_at_a_read_is_believed_of_a_write_at_once() -> None:
    bench = Bench(always(reply(200, OTHER)), may_write=False)
    assert await confirmed(bench, GET, reply(200, OTHER)) is not None
    write = exchange("POST /v1/y", answer=reply(201, FULL))
    assert places(await confirmed(bench, write, reply(201, OTHER))) == ["body:$.a"]


@pytest.mark.parametrize(
    ("status", "answer", "left"),
    [
        (422, b'{"of": [{"a": "no 3 are left"}]}', []),
        (422, b'{"of": [{"a": "3 are sold out"}]}', ["body:$.of[0].a"]),
        (201, b'{"of": [{"a": "3 are sold out"}]}', []),
    ],
    ids=["other number in a refusal", "other words in a refusal", "other words in what was taken"],
)
async def test_once_drifted_words_of_a_refusal_are_told(status: int, answer: bytes, left: list[str]) -> None:
    bench = Bench(always(reply(status, answer)), may_write=False)
    bench.judging.is_drifted = True
    one = exchange("POST /v1/x", answer=reply(status, b'{"of": [{"a": "no 5 are left"}]}'))
    assert places(await confirmed(bench, one, reply(status, answer))) == left


async def test_once_drifted_words_of_a_refusal_that_the_body_alone_says_are_told_when_seen_twice() -> None:
    answer = reply(200, b'{"errors": [{"message": "b is unknown"}]}')
    bench = Bench(always(answer), may_write=False)
    bench.judging.is_drifted = True
    one = exchange("POST /graphql", answer=reply(200, b'{"errors": [{"message": "no such b"}]}'))
    assert await confirmed(bench, one, answer) is None
    assert places(await confirmed(bench, one, answer)) == ["body:$.errors[0].message"]
    assert bench.sent == [], "whether it left something behind, no status says"


def test_looking_back_what_comes_with_another_status_is_not_told_by_itself() -> None:
    bench = Bench(always(reply(200, LESS)))
    status = Difference("status", Change.VALUE, 200, 500)
    field = Difference("header:x", Change.MISSING, "1", None)
    judgement = Judgement(Verdict.FAILED, differences=(status, field))
    case, answers = bench.case(GET), Pair[Outcome](reply(500), None)
    assert bench.confirmation.looked_back(case, answers, judgement, (field,)) is None
    alone = Judgement(Verdict.FAILED, differences=(field,))
    assert places(bench.confirmation.looked_back(case, answers, alone, (field,))) == ["header:x"]


async def test_once_drifted_exchanges_that_showed_other_words_of_a_refusal_before_are_listed() -> None:
    bench = Bench(always(reply(200, b'{"errors": [{"message": "b is unknown"}]}')), may_write=False)
    bench.judging.is_drifted = True
    for at in range(3):
        live = reply(200, b'{"errors": [{"message": "no such b"}]}')
        await bench.conduct(exchange("POST /graphql", at, answer=live))
    (found,) = bench.findings.values()
    assert (found.exchanges, found.count) == ((0, 1, 2), 3)


async def test_write_is_told_anew_at_the_end_of_its_session() -> None:
    bench = Bench(always(reply(201, LESS)), times=2)
    past = (exchange("POST /v1/y", 0, answer=reply(201)), exchange("GET /v1/z", 1))
    found = await confirmed(bench, exchange("POST /v1/x", 2, answer=reply(201, FULL)), reply(201, LESS), past)
    assert places(found) == ["body:$.a"]
    assert [(each.method, each.target) for each in bench.candidate.requests] == [
        (b"POST", b"/v1/y"),
        (b"GET", b"/v1/z"),
        (b"POST", b"/v1/x"),
    ] * 2
    assert {parcel for _, parcel in bench.sent} == {"confirmation"}


# state that only one target has


@pytest.mark.parametrize(
    ("line", "live", "answer", "left"),
    [
        ("GET /v1/x/41000042", reply(200, FULL), reply(404), []),
        ("GET /v1/x/41000042", reply(200), reply(500), ["status"]),
        ("POST /v1/x", reply(201), reply(409), ["status"]),
        ("GET /v1/x", reply(200, b'{"of": [1, 2]}'), reply(200, b'{"of": [1]}'), []),
        ("GET /v1/x", reply(200, b'{"of": [{"a": 1}]}'), reply(200, b'{"of": [{"a": 2}]}'), []),
        ("GET /v1/x", reply(200, b'{"of": [{"a": 1}]}'), reply(200, b'{"of": [{}]}'), ["body:$.of[0].a"]),
        ("GET /v1/x/41000042", reply(200, FULL), reply(200, OTHER), []),
        ("GET /v1/x", reply(200, FULL), reply(200, OTHER), []),
        ("POST /v1/x", reply(200, FULL), reply(200, OTHER), ["body:$.a"]),
        ("GET /v1/x/41000042", reply(200, FULL), reply(200, LESS), ["body:$.a"]),
    ],
    ids=[
        "status of a stranger's thing",
        "broken",
        "status of what is made anew",
        "length of a list",
        "value in a list",
        "field gone from a list",
        "value of a stranger's thing",
        "value of what is everyone's",
        "value of what is made anew",
        "field gone from a stranger's thing",
    ],
)
async def test_once_drifted_only_what_no_drift_explains_is_left(
    line: str, live: Reply, answer: Reply, left: list[str]
) -> None:
    bench = Bench(always(answer))
    bench.judging.is_drifted = True
    found = await confirmed(bench, exchange(line, answer=live), answer)
    assert places(found) == left


async def test_once_drifted_reads_are_told_anew_too_where_writes_are_allowed() -> None:
    past = (exchange("POST /v1/y", 0),)
    for may_write, lines in ((True, [b"/v1/y", b"/v1/x"]), (False, [b"/v1/x"])):
        bench = Bench(always(reply(200, LESS)), times=1, may_write=may_write)
        bench.judging.is_drifted = True
        await confirmed(bench, exchange("GET /v1/x", 1, answer=reply(200, FULL)), reply(200, LESS), past)
        assert [each.target for each in bench.candidate.requests] == lines


# mutants


async def mutant_trials(bench: Bench, line: str, times: int) -> list[tuple[Verdict, str]]:
    """Verdict of the mutant and parcels sent for it, of each of so many equal exchanges."""
    found = []
    for index in range(times):
        before = len(bench.sent)
        await bench.conduct(exchange(line, index))
        mutants = [each for each in bench.trials_heard if each.mutator]
        parcels = "".join(parcel[0] for _, parcel in bench.sent[before:])
        found.append((mutants[-1].judgement.verdict, parcels))
    return found


async def test_mutant_refuted_three_times_is_not_tried_again() -> None:
    def answering(asked: Request) -> Outcome:
        is_first = bench.sent[-1:] == [("candidate", "original")]
        return reply(500) if is_edited(asked) and is_first else reply()

    bench = Bench(answering, mutators=[edits(Expect.SURVIVE)])
    found = await mutant_trials(bench, "GET /a", 5)
    assert [verdict for verdict, _ in found] == [Verdict.UNDECIDED] * 5
    assert [parcels for _, parcels in found][:3] == ["omccp"] * 3
    assert found[3][1] == "omp"


async def test_mutant_of_a_write_is_confirmed_in_sessions_told_anew() -> None:
    bench = Bench(
        lambda asked: reply(500) if is_edited(asked) else reply(), mutators=[edits(Expect.SURVIVE)], times=2
    )
    await bench.conduct(exchange("POST /a", 1), (exchange("PUT /b", 0),))
    targets = [(each.target, is_edited(each)) for each in bench.candidate.requests]
    told = [(b"/b", False), (b"/a", False), (b"/b", False), (b"/a", True)]
    assert targets == [(b"/a", False), (b"/a", True), *told, *told]
    assert {each.confirmed for each in bench.findings.values()} == {"2/2"}


@pytest.mark.parametrize(
    ("after", "baseline_after", "verdict", "probes"),
    [
        ([200], [200], Verdict.PASSED, 1),
        ([503, 503, 200], [200] * 3, Verdict.PASSED, 3),
        ([503, 503, 503], [200] * 3, Verdict.FAILED, 3),
        ([503], [503], Verdict.PASSED, 1),
        ([404, 404, 404], [200] * 3, Verdict.FAILED, 3),
    ],
    ids=["well", "well in the end", "unwell", "as the baseline is", "answers otherwise"],
)
async def test_aftermath_is_bad_where_the_unedited_request_never_gets_its_answer_again(
    after: list[int], baseline_after: list[int], verdict: Verdict, probes: int
) -> None:
    ours, theirs = iter(after), iter(baseline_after)
    bench = Bench(lambda _: reply(next(ours)), lambda _: reply(next(theirs)))
    judgement = await bench.confirmation.aftermath(bench.case(GET), Pair(reply(), reply()), "raw")
    assert judgement.verdict is verdict
    assert bench.sent.count(("candidate", "probe")) == bench.sent.count(("baseline", "probe")) == probes
    assert not is_edited(bench.candidate.requests[-1])


async def test_repeats_teach_what_is_noise() -> None:
    calls = count()

    def answering(_: Request) -> Outcome:
        return reply(200, b'{"a": %d}' % next(calls))

    bench = Bench(answering)
    one = exchange("GET /v1/x", answer=reply(200, b'{"a": 99}'))
    await confirmed(bench, one, reply(200, b'{"a": 98}'))
    case = bench.case(one)
    answers = Pair[Outcome](reply(200, b'{"a": 50}'), None)
    assert bench.judging.original(case, answers).verdict is Verdict.PASSED


async def test_confirming_is_told_as_such() -> None:
    bench = Bench(always(reply(200, LESS)), always(reply(200, FULL)), times=1)
    await confirmed(bench, GET, reply(200, LESS), baseline=reply(200, FULL))
    assert sorted((each.target, each.parcel) for each in bench.of(Sent)) == [
        ("baseline", Parcel.CONFIRMATION),
        ("candidate", Parcel.CONFIRMATION),
    ]
