"""Writes that are accepted and not done are found; what is done late, or by others, is nobody's fault."""

import json
from itertools import count

import pytest

from shadow.model import Exchange, Expect, Outcome, Request
from tests.pipeline.conftest import Bench, edits, exchange, is_edited, reply


class Store:
    """Things that can be made, read, changed and deleted, unless the service only says so."""

    def __init__(self, *lies: bytes, keeps_refused: bool = False, first: int = 501) -> None:
        self._lies = lies
        self._keeps_refused = keeps_refused
        self._things: dict[str, dict[str, object]] = {}
        self._numbers = count(first)

    def __call__(self, request: Request) -> Outcome:
        path = request.target.decode().strip("/").split("/")
        if path == ["things"]:
            return self._collection(request)
        thing = self._things.get(path[1])
        if thing is None:
            return reply(404, b"{}")
        if request.method == b"DELETE":
            if request.method not in self._lies:
                del self._things[path[1]]
            return reply(204)
        if request.method == b"PUT" and request.method not in self._lies:
            thing["name"] = json.loads(request.body)["name"]
        return reply(200, json.dumps(thing).encode())

    def _collection(self, request: Request) -> Outcome:
        if request.method == b"GET":
            return reply(200, json.dumps({"items": list(self._things.values())}).encode())
        if is_edited(request) and not self._keeps_refused:
            return reply(422, b'{"error": "no"}')
        name = f"{next(self._numbers)}"
        self._things[name] = {"thing_id": int(name), "name": "new"}
        return reply(422 if is_edited(request) else 201, json.dumps({"thing_id": int(name)}).encode())


def story(index: int) -> list[Exchange]:
    """A thing is made, read, changed and deleted."""
    one = 901 + index
    told = Store(first=one)
    asked = [
        ("POST /things", b'{"name": "new"}'),
        (f"GET /things/{one}", b""),
        (f"PUT /things/{one}", b'{"name": "other"}'),
        (f"GET /things/{one}", b""),
        (f"DELETE /things/{one}", b""),
    ]
    found = []
    for at, (line, body) in enumerate(asked):
        made = exchange(line, index + at, body=body, session=f"s{index}", seen_at=float(index + at))
        found.append(
            exchange(
                line,
                index + at,
                body=body,
                session=f"s{index}",
                seen_at=float(index + at),
                answer=told(made.request),
            )
        )
    return found


async def faults(bench: Bench, sessions: int = 3) -> set[tuple[str, str]]:
    told = [each for at in range(sessions) for each in story(at * 10)]
    await bench.run(told, concurrency=1, is_in_order=True)
    return {(each.fault, each.endpoint) for each in bench.findings.values()}


def bench_of(candidate: Store, baseline: Store | None, *, may_write: bool = True) -> Bench:
    mutators = [edits(Expect.SURVIVE)]
    return Bench(candidate, baseline, mutators=mutators, looks=True, may_write=may_write)


@pytest.mark.parametrize("may_write", [True, False])
@pytest.mark.parametrize(
    ("lie", "expected"),
    [
        (b"DELETE", {("F103", "DELETE /things/{id}")}),
        (b"PUT", {("no-effect", "PUT /things/{id}")}),
    ],
)
async def test_what_is_accepted_and_not_done_is_found(
    lie: bytes, expected: set[tuple[str, str]], *, may_write: bool
) -> None:
    found = await faults(bench_of(Store(lie), Store(), may_write=may_write))
    assert expected <= found
    assert {fault for fault, _ in found if fault in ("F103", "no-effect")} == {next(iter(expected))[0]}


async def test_a_release_beside_itself_does_what_it_says() -> None:
    assert await faults(bench_of(Store(), Store())) == set()
    assert await faults(bench_of(Store(), None)) == set()


async def test_what_both_releases_leave_is_meant_so() -> None:
    found = await faults(bench_of(Store(b"DELETE", b"PUT"), Store(b"DELETE", b"PUT")))
    assert not {fault for fault, _ in found} & {"F103", "no-effect"}


async def test_a_deletion_that_leaves_all_as_it_was_is_told_without_a_baseline() -> None:
    assert ("F103", "DELETE /things/{id}") in await faults(bench_of(Store(b"DELETE"), None))


async def test_a_refused_creation_that_made_something_shows_in_its_collection() -> None:
    candidate = Store(keeps_refused=True)
    told = [
        exchange("GET /things", 0, answer=reply(200, b'{"items": []}')),
        *(
            exchange("POST /things", at, body=b'{"name": "n"}', answer=reply(201, b'{"thing_id": 901}'))
            for at in (1, 2)
        ),
    ]
    bench = Bench(candidate, Store(), mutators=[edits(Expect.REJECT)], looks=True)
    await bench.run(told, concurrency=1, is_in_order=True)
    assert ("left-trace", "POST /things") in {(each.fault, each.endpoint) for each in bench.findings.values()}
