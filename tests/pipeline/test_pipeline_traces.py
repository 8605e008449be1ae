"""Rejected requests that leave something behind are found, and nothing else is taken for it."""

import json
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import pytest

from mutators import session_mutator
from shadow.model import Exchange, Expect, Identity, Level, Outcome, Request, Script, Step, Verdict, field
from shadow.pipeline.probes import Probe
from tests.pipeline.conftest import Bench, edits, exchange, is_edited, reply

THING = b'{"name": "new"}'
type Bug = Callable[["Things", dict[str, Any]], None]


class Things:
    """A service of things that bear a name, which refuses edited requests. `bug` is done to a refused one's
    thing all the same."""

    def __init__(self, bug: Bug | None = None, *, ticks: bool = False, accepts: bool = False) -> None:
        self.things: dict[str, dict[str, Any]] = {"1": {"name": "one", "seen": 0}}
        self.others = 0
        self._bug = bug
        self._ticks = count() if ticks else None
        self._accepts = accepts
        self._serials = count(2)

    def __call__(self, request: Request) -> Outcome:
        path = request.target.decode().strip("/").split("/")
        if request.method == b"POST" and path == ["things"]:
            if is_edited(request) and not self._accepts:
                return reply(422, b'{"error": "no"}')
            name = str(next(self._serials))
            self.things[name] = {"name": "made", "seen": 0}
            return reply(201, json.dumps({"thing_id": int(name)}).encode())
        if path == ["count"]:
            return reply(200, json.dumps({"others": self.others}).encode())
        thing = self.things.get(path[1])
        if thing is None:
            return reply(404)
        if request.method == b"GET":
            ticking = {"tick": next(self._ticks)} if self._ticks else {}
            return reply(200, json.dumps(thing | ticking).encode())
        if is_edited(request) and not self._accepts:
            if self._bug:
                self._bug(self, thing)
            return reply(422, b'{"error": "no"}')
        if request.method == b"DELETE":
            del self.things[path[1]]
            return reply(204)
        thing["name"] = json.loads(request.body)["name"]
        return reply(200, json.dumps(thing).encode())


def renames(_: Things, thing: dict[str, Any]) -> None:
    thing["name"] = "stained"


def counts(_: Things, thing: dict[str, Any]) -> None:
    thing["seen"] += 1


def counts_elsewhere(things: Things, _: dict[str, Any]) -> None:
    things.others += 1


def story(last: str = "PUT /things/{id}", body: bytes = THING) -> list[Exchange]:
    """A session that makes a thing, and then asks for something of it."""
    made = exchange("POST /things", 0, body=b"{}", answer=reply(201, b'{"thing_id": 7}'))
    return [made, exchange(last.format(id=7), 1, body=body, answer=reply(200, b'{"name": "new", "seen": 0}'))]


async def found(bench: Bench, told: Sequence[Exchange]) -> list[tuple[str, str, tuple[str, ...]]]:
    await bench.run(told, concurrency=1)
    return [(each.fault, each.endpoint, each.where) for each in bench.findings.values()]


@pytest.mark.parametrize("expect", [Expect.REJECT, Expect.SURVIVE])
@pytest.mark.parametrize("has_baseline", [True, False], ids=["baseline", "alone"])
@pytest.mark.parametrize(
    ("bug", "where"), [(renames, "body:$.name"), (counts, "body:$.seen")], ids=["renames", "counts"]
)
async def test_a_rejected_write_that_changes_its_subject_is_found(
    expect: Expect, bug: Bug, where: str, *, has_baseline: bool
) -> None:
    bench = Bench(
        Things(bug),
        Things() if has_baseline else None,
        mutators=[edits(expect, level=Level.BODY)],
        looks=True,
    )
    assert await found(bench, story()) == [("left-trace", "PUT /things/{id}", (where,))]
    finding = next(iter(bench.findings.values()))
    assert finding.confirmed == "3/3"
    assert finding.why == f"rejected with 422, yet the state changed at {where}"
    assert ("candidate", "probe") in bench.sent


async def test_a_write_done_in_part_is_found_though_its_original_did_the_same() -> None:
    def does(_: Things, thing: dict[str, Any]) -> None:
        thing["name"] = "new"  # as the original says

    bench = Bench(Things(does), Things(), mutators=[edits(Expect.SURVIVE, level=Level.BODY)], looks=True)
    assert await found(bench, story()) == [("left-trace", "PUT /things/{id}", ("body:$.name",))]


@pytest.mark.parametrize(
    ("candidate", "baseline"),
    [
        (Things(), Things()),
        (Things(counts), Things(counts)),
        (Things(ticks=True), Things()),
        (Things(ticks=True), None),
        (Things(accepts=True), Things(accepts=True)),
    ],
    ids=["nothing", "as the live release", "by itself", "by itself, alone", "accepted"],
)
@pytest.mark.parametrize("expect", [Expect.REJECT, Expect.SURVIVE])
async def test_what_is_no_trace_is_not_told(
    candidate: Things, baseline: Things | None, expect: Expect
) -> None:
    bench = Bench(candidate, baseline, mutators=[edits(expect, level=Level.BODY)], looks=True)
    told = await found(bench, story())
    assert [each for each in told if each[0] == "left-trace"] == []


async def test_what_other_sessions_do_meanwhile_is_no_trace() -> None:
    things = Things()
    others = [
        exchange("PUT /things/1", at, body=b'{"name": "n%d"}' % at, session=f"s{at}", seen_at=1e9)
        for at in range(2, 40)
    ]
    told = [*story(), *others]
    bench = Bench(things, Things(), mutators=[edits(Expect.REJECT), edits(Expect.SURVIVE)], looks=True)
    await bench.run(told, concurrency=8)
    assert [each.fault for each in bench.findings.values() if each.fault == "left-trace"] == []


async def test_a_probe_shows_what_the_subject_does_not() -> None:
    probe = Probe("count", Request(b"GET", b"/count"), None)
    mutants = [edits(Expect.REJECT)]
    bench = Bench(Things(counts_elsewhere), Things(), mutators=mutants, looks=True)
    assert await found(bench, story()) == []
    bench = Bench(Things(counts_elsewhere), Things(), mutators=mutants, looks=True, probes=[probe])
    assert await found(bench, story()) == [("left-trace", "PUT /things/{id}", ("body:$.others",))]
    ignoring = Probe("count", Request(b"GET", b"/count"), None, ("body:$.others",))
    bench = Bench(Things(counts_elsewhere), Things(), mutators=mutants, looks=True, probes=[ignoring])
    assert await found(bench, story()) == []


async def test_a_probe_is_asked_with_the_credentials_of_its_identity() -> None:
    who = Identity("admin", headers=((b"Authorization", b"Bearer t"),))
    probe = Probe("count", Request(b"GET", b"/count"), who)
    bench = Bench(Things(), Things(), mutators=[edits(Expect.REJECT)], looks=True, probes=[probe])
    await bench.run(story(), concurrency=1)
    asked = [each for each in bench.candidate.requests if each.target == b"/count"]
    assert asked
    assert {field(each.headers, b"authorization") for each in asked} == {b"Bearer t"}
    assert all(field(each.headers, b"shadow-run") == b"r1" for each in asked)


async def test_looks_are_a_bounded_share_of_all_that_is_sent() -> None:
    told = [exchange("PUT /things/1", at, body=THING, session=f"s{at}") for at in range(200)]
    bench = Bench(Things(), Things(), mutators=[edits(Expect.SURVIVE)], looks=True)
    await bench.run(told, concurrency=1)
    looks = sum(target == "candidate" and parcel == "probe" for target, parcel in bench.sent)
    sent = sum(target == "candidate" for target, _ in bench.sent)
    assert 0 < looks <= 41 + 0.25 * sent


async def test_a_read_is_not_watched() -> None:
    bench = Bench(Things(), Things(), mutators=[edits(Expect.REJECT)], looks=True)
    await bench.run([exchange("GET /things/1", 0)], concurrency=1)
    assert ("candidate", "probe") not in bench.sent


@pytest.mark.parametrize("looks", [True, False], ids=["by a look", "by the answer"])
async def test_a_condition_is_put_on_the_state_as_it_is(*, looks: bool) -> None:
    tags = count(1)

    class Tagged(Things):
        tag = "t0"

        def __call__(self, request: Request) -> Outcome:
            tag = b'"%b"' % self.tag.encode()
            if request.method == b"PUT":
                if field(request.headers, b"if-match") != tag:
                    return reply(412)
                if not is_edited(request):
                    self.tag = f"t{next(tags)}"
            return reply(200, b"{}", (b"ETag", b'"%b"' % self.tag.encode()))

    told = exchange("PUT /things/1", 0, body=THING, headers=((b"If-Match", b'"t0"'),))
    bench = Bench(Tagged(), mutators=[edits(Expect.SURVIVE)], looks=looks)
    await bench.run([told], concurrency=1)
    edited = [each for each in bench.candidate.requests if is_edited(each)]
    assert field(edited[0].headers, b"if-match") == b'"t1"'


@pytest.mark.parametrize("bug", [renames, None], ids=["bug", "none"])
async def test_a_rejected_last_step_of_a_session_is_watched(bug: Bug | None) -> None:
    @session_mutator(level=Level.SEQUENCE, expect=Expect.REJECT)
    def refused_step(past: Sequence[Exchange], rng: object) -> Script:
        """Adds a step."""
        del rng
        steps = [Step(each.request, at) for at, each in enumerate(past)]
        made = past[1].request
        last = Request(made.method, made.target, headers=(*made.headers, (b"x-edit", b"1")), body=made.body)
        return Script((*steps, Step(last, 1)), (2,), "a step too many")

    bench = Bench(Things(bug), Things(), of_sessions=[refused_step], looks=True)
    told = await found(bench, story())
    assert told == ([("left-trace", "PUT /things/{id}", ("body:$.name",))] if bug else [])
    assert bench.verdicts["refused_step"] is (Verdict.FAILED if bug else Verdict.PASSED)
