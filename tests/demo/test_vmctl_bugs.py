"""Each bug shows when it is on, and does not when it is off."""

import asyncio
import gzip
import re
import unicodedata
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

from shadow.demo.client import Answer, Ask, Client, sign
from shadow.demo.principals import Principal, principals
from shadow.demo.visits import Cast
from shadow.demo.vmctl import BUGS, VmctlSettings
from shadow.demo.vmctl.app import make_app
from shadow.demo.vmctl.seeding import seed
from shadow.demo.vmctl.service import Service, make_service
from shadow.demo.vmctl.signatures import canonical
from tests.demo.conftest import SEED, Ground, Serving

type Show = Callable[[Ground], Awaitable[bool]]

SHOWS: dict[str, Show] = {}
_USAGE = Ask("GET", "/v1/usage")
_LIST = "/v1/instances"


def shows(bug: str) -> Callable[[Show], Show]:
    def register(show: Show) -> Show:
        SHOWS[bug] = show
        return show

    return register


@shows("B01")
async def missing_signature(ground: Ground) -> bool:
    answer = await ground.tampered(_USAGE, who=ground.cast.alice, without="X-Signature")
    return answer.status == 200


@shows("B02")
async def digest_from_header(ground: Ground) -> bool:
    instance = await ground.make(ground.cast.alice)
    signed, sent = (Ask("PATCH", instance, document={"name": name}) for name in ("signed", "sent"))
    return (await ground.tampered(signed, who=ground.cast.alice, sent=sent)).status == 200


@shows("B03")
async def only_the_head_signed(ground: Ground) -> bool:
    alice, instance = ground.cast.alice, await ground.make(ground.cast.alice)
    signed, sent = (
        Ask("PATCH", instance, document={"name": f"{'long' * 10} {end}"}) for end in ("signed", "sent")
    )
    assert (await ground.tampered(signed, who=alice)).status == 200
    other_head = Ask("PATCH", instance, document={"name": f"other {'long' * 10}"})
    assert (await ground.tampered(signed, who=alice, sent=other_head)).status == 401
    return (await ground.tampered(signed, who=alice, sent=sent)).status == 200


@shows("B04")
async def algorithm_none(ground: Ground) -> bool:
    answer = await ground.tampered(
        _USAGE, who=ground.cast.bob, changed={"algorithm": "none", "signature": "00"}
    )
    return answer.status == 200


@shows("B05")
async def prefix_compared(ground: Ground) -> bool:
    ask, alice = _USAGE, ground.cast.alice
    fields = ground.client.signing_fields(ask, alice.key)
    short = {**fields, "X-Signature": fields["X-Signature"][:16]}
    assert (await ground.tampered(ask, who=alice, changed={"signature": "0" * 64})).status == 401
    return (await ground.ask(None, "GET", ask.path, headers=short)).status == 200


@shows("B06")
async def path_not_signed(ground: Ground) -> bool:
    answer = await ground.tampered(
        _USAGE, who=ground.cast.alice, sent=Ask("GET", "/v1/tools"), changed={"original_url": "/v1/usage"}
    )
    # X-Original-URL is written X-Original-Url by the helper above: field names have no case.
    return answer.status == 200


@shows("B07")
async def last_duplicate_wins(ground: Ground) -> bool:
    fields = tuple(ground.client.signing_fields(_USAGE, ground.cast.alice.key).items())
    ask = Ask("GET", "/v1/usage", headers=(("X-Signature", "00" * 32), *fields))
    return (await ground.client.send(ask, None)).status == 200


@shows("B08")
async def expired_accepted(ground: Ground) -> bool:
    return (await ground.tampered(_USAGE, who=ground.cast.alice, at=1_600_000_000)).status == 200


@shows("B09")
async def future_accepted(ground: Ground) -> bool:
    return (await ground.tampered(_USAGE, who=ground.cast.alice, at=9_000_000_000)).status == 200


@shows("B10")
async def revoked_key_accepted(ground: Ground) -> bool:
    return (await ground.ask(ground.cast.alice.keys[-1], "GET", "/v1/usage")).status == 200


@shows("B11")
async def key_of_another_accepted(ground: Ground) -> bool:
    fields = ground.client.signing_fields(_USAGE, ground.cast.alice.key)
    message = canonical(
        b"GET",
        b"/v1/usage",
        timestamp=fields["X-Timestamp"].encode(),
        nonce=fields["X-Nonce"].encode(),
        digest=fields["X-Content-SHA256"].encode(),
        host=f"127.0.0.1:{ground.port}".encode(),
    )
    fields["X-Signature"] = sign(ground.cast.readonly.key, message).hex()
    return (await ground.ask(None, "GET", "/v1/usage", headers=fields)).status == 200


@shows("B12")
async def nonce_accepted_twice(ground: Ground) -> bool:
    fields = ground.client.signing_fields(_USAGE, ground.cast.alice.key)
    answers = [await ground.ask(None, "GET", "/v1/usage", headers=fields) for _ in range(2)]
    return answers[1].status == 200


@shows("B13")
async def readonly_stops(ground: Ground) -> bool:
    instance = await ground.started(ground.cast.alice)
    return (await ground.ask(ground.cast.readonly, "POST", f"{instance}/stop")).status == 200


@shows("B14")
async def operator_resizes(ground: Ground) -> bool:
    instance = await ground.make(ground.cast.alice)
    answer = await ground.ask(ground.cast.operator, "POST", f"{instance}/resize", {"vcpus": 2})
    return answer.status == 200


@shows("B15")
async def metrics_for_all(ground: Ground) -> bool:
    instance = await ground.make(ground.cast.alice)
    return (await ground.ask(ground.cast.bob, "GET", f"{instance}/metrics")).status == 200


@shows("B16")
async def body_id_used(ground: Ground) -> bool:
    alice, bob = ground.cast.alice, ground.cast.bob
    others, own = await ground.make(alice), await ground.make(bob)
    await ground.ask(bob, "PATCH", own, {"id": others.rpartition("/")[2], "name": "mine"})
    return bool((await ground.ask(alice, "GET", others)).document["name"] == "mine")


@shows("B17")
async def owner_assigned(ground: Ground) -> bool:
    instance = await ground.make(ground.cast.alice)
    await ground.ask(ground.cast.manager, "PATCH", instance, {"owner": ground.cast.bob.address})
    return (await ground.ask(ground.cast.bob, "GET", instance)).status == 200


@shows("B18")
async def from_trusted(ground: Ground) -> bool:
    alice, bob, instance = ground.cast.alice, ground.cast.bob, await ground.make(ground.cast.alice)
    offer = {"from": alice.address, "to": bob.address}
    return (await ground.ask(bob, "POST", f"{instance}/transfer", offer)).status == 201


@shows("B19")
async def accepted_twice(ground: Ground) -> bool:
    alice, bob, instance = ground.cast.alice, ground.cast.bob, await ground.make(ground.cast.alice)
    offer = await ground.ask(alice, "POST", f"{instance}/transfer", {"to": bob.address})
    answers = await _at_once(ground, bob, Ask("POST", f"/v1/transfers/{offer.document['id']}/accept"))
    return sorted(answer.status for answer in answers) == [200, 200]


@shows("B20")
async def created_twice(ground: Ground) -> bool:
    document = {"name": "a", "image": "b", "formfile": "FROM b", "vcpus": 1, "memory_mb": 512, "disk_gb": 1}
    ask = Ask("POST", _LIST, document=document, headers=(("Idempotency-Key", "once"),))
    answers = await _at_once(ground, ground.cast.bob, ask)
    assert [answer.status for answer in answers] == [201, 201]
    return bool(len({answer.document["id"] for answer in answers}) == 2)


@shows("B21")
async def started_after_delete(ground: Ground) -> bool:
    instance = await ground.make(ground.cast.alice)
    await ground.ask(ground.cast.alice, "DELETE", instance)
    return (await ground.ask(ground.cast.alice, "POST", f"{instance}/start")).status == 200


@shows("B22")
async def pause_when_stopped(ground: Ground) -> bool:
    instance = await ground.started(ground.cast.alice)
    await ground.ask(ground.cast.alice, "POST", f"{instance}/stop")
    return (await ground.ask(ground.cast.alice, "POST", f"{instance}/pause")).status == 500


@shows("B23")
async def stopped_twice(ground: Ground) -> bool:
    instance = await ground.started(ground.cast.alice)
    await ground.ask(ground.cast.alice, "POST", f"{instance}/stop")
    return (await ground.ask(ground.cast.alice, "POST", f"{instance}/stop")).status == 200


@shows("B24")
async def odd_characters(ground: Ground) -> bool:
    instance = await ground.make(ground.cast.alice)
    bodies = (
        rb'{"name": "a\u0000b"}',
        rb'{"name": "a\ud800b"}',
        rb'{"tags": ["\u0000"]}',
        rb'{"formfile": "FROM \udfff"}',
    )
    answers = [await ground.ask(ground.cast.alice, "PATCH", instance, body=body) for body in bodies]
    return _all_or_none(500, 422, answers)


@shows("B25")
async def deep_json(ground: Ground) -> bool:
    instance = await ground.make(ground.cast.alice)
    bodies = (b'{"a":' + b"[" * depth + b"]" * depth + b"}" for depth in (2_000, 100_000))
    answers = [await ground.ask(ground.cast.alice, "PATCH", instance, body=body) for body in bodies]
    return _all_or_none(500, 422, answers)


@shows("B26")
async def backtracking(ground: Ground) -> bool:
    """A short name shows which check is used; its cost doubles with each further character."""
    instance = await ground.make(ground.cast.alice)
    return (await ground.ask(ground.cast.alice, "PATCH", instance, {"name": "aaa!"})).status == 422


@shows("B27")
async def huge_integer(ground: Ground) -> bool:
    alice, instance = ground.cast.alice, await ground.make(ground.cast.alice)
    answers = [
        await ground.ask(alice, "POST", f"{instance}/resize", {"vcpus": huge})
        for huge in (2**63, 2**64, 10**30)
    ]
    return _all_or_none(500, 422, answers)


@shows("B28")
async def nan_echoed(ground: Ground) -> bool:
    size = b'"vcpus":1,"memory_mb":512,"disk_gb":1'
    body = b'{"name":"a","image":"b","formfile":"FROM b",' + size + b',"max_price_hour":NaN}'
    answer = await ground.ask(ground.cast.alice, "POST", _LIST, body=body)
    return answer.status == 201 and b"NaN" in answer.body


@shows("B29")
async def short_formfile(ground: Ground) -> bool:
    instance = await ground.make(ground.cast.alice)
    try:
        answer = await ground.ask(ground.cast.alice, "PATCH", instance, {"formfile": "FR"})
    except aiohttp.ClientError:
        return True
    assert answer.status == 422
    return False


@shows("B30")
async def odd_charset(ground: Ground) -> bool:
    instance = await ground.make(ground.cast.alice)
    headers = {"Content-Type": "application/json; charset=klingon"}
    answer = await ground.ask(ground.cast.alice, "PATCH", instance, {"name": "a"}, headers=headers)
    return _all_or_none(500, 415, [answer])


@shows("B31")
async def broken_gzip(ground: Ground) -> bool:
    alice, instance = ground.cast.alice, await ground.make(ground.cast.alice)
    whole = gzip.compress(b'{"name": "packed"}')
    headers = {"Content-Encoding": "gzip"}
    assert (await ground.ask(alice, "PATCH", instance, body=whole, headers=headers)).status == 200
    answers = [
        await ground.ask(alice, "PATCH", instance, body=body, headers=headers)
        for body in (whole[:-9], b"plain")
    ]
    return _all_or_none(500, 422, answers)


@shows("B32")
async def stack_trace(ground: Ground) -> bool:
    answer = await ground.ask(ground.cast.alice, "GET", _LIST, query=(("sort", "zzz"),))
    return answer.status == 500 and b"Traceback" in answer.body


@shows("B33")
async def all_owners(ground: Ground) -> bool:
    answer = await ground.ask(ground.cast.bob, "GET", _LIST, query=(("owner", "*"),))
    return answer.status == 200 and ground.cast.alice.address in answer.body.decode()


@shows("B34")
async def sort_in_sql(ground: Ground) -> bool:
    answer = await ground.ask(ground.cast.bob, "GET", _LIST, query=(("sort", "length(name)"),))
    return answer.status == 200


@shows("B35")
async def field_gone(ground: Ground) -> bool:
    return "image" not in (await _one(ground))


@shows("B36")
async def integer_as_string(ground: Ground) -> bool:
    return bool((await _one(ground))["memory_mb"] == "1024")


@shows("B37")
async def rounded_down(ground: Ground) -> bool:
    # 0.01275 + 0.00435 + 10 * 0.00011 = 0.01820; with 5 GB more 0.01875
    instance = await ground.make(ground.cast.alice, disk_gb=15)
    return bool((await ground.ask(ground.cast.alice, "GET", instance)).document["price_hour"] == "0.0187")


@shows("B38")
async def other_timestamps(ground: Ground) -> bool:
    written = str((await _one(ground))["created_at"])
    return not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", written)


@shows("B39")
async def weak_etag(ground: Ground) -> bool:
    instance = await ground.make(ground.cast.alice)
    headers = (await ground.ask(ground.cast.alice, "GET", instance)).headers
    return headers["ETag"].startswith("W/") and "Vary" not in headers


@shows("B40")
async def short_page(ground: Ground) -> bool:
    answer = await ground.ask(ground.cast.alice, "GET", _LIST, query=(("limit", "3"),))
    return bool(len(answer.document["items"]) == 2)


@shows("B41")
async def unstable_order(ground: Ground) -> bool:
    answer = await ground.ask(ground.cast.alice, "GET", _LIST)
    names = [item["name"] for item in answer.document["items"]]
    return names != sorted(names)


@shows("B42")
async def softer_refusals(ground: Ground) -> bool:
    alice, instance = ground.cast.alice, await ground.make(ground.cast.alice)
    missing = await ground.ask(alice, "GET", instance[:-1] + ("0" if instance[-1] != "0" else "1"))
    illegal = await ground.ask(alice, "POST", f"{instance}/pause")
    assert (missing.status, illegal.status) in ((404, 409), (200, 400))
    return bool(missing.document is None and illegal.status == 400)


@shows("B43")
async def renamed_code(ground: Ground) -> bool:
    instance = await ground.make(ground.cast.alice)
    answer = await ground.ask(ground.cast.alice, "POST", f"{instance}/pause")
    return bool(answer.document["error"]["code"] != "illegal_transition")


@shows("B44")
async def lower_case(ground: Ground) -> bool:
    return bool((await _one(ground))["status"] == "built")


@shows("B45")
async def null_for_empty(ground: Ground) -> bool:
    return (await _one(ground))["tags"] is None


@shows("B46")
async def normalised_name(ground: Ground) -> bool:
    name = unicodedata.normalize("NFD", "café")
    instance = await ground.make(ground.cast.alice, name=name)
    return bool((await ground.ask(ground.cast.alice, "GET", instance)).document["name"] != name)


@shows("B49")
async def rejected_patch_writes(ground: Ground) -> bool:
    alice, instance = ground.cast.alice, await ground.make(ground.cast.alice)
    assert (await ground.ask(alice, "PATCH", instance, {"name": "left", "tags": 5})).status == 422
    return bool((await ground.ask(alice, "GET", instance)).document["name"] == "left")


@shows("B50")
async def if_match_ignored(ground: Ground) -> bool:
    instance = await ground.make(ground.cast.alice)
    headers = {"If-Match": '"of-another-version"'}
    answer = await ground.ask(ground.cast.alice, "PATCH", instance, {"name": "b"}, headers=headers)
    return answer.status == 200


@shows("B51")
async def head_with_body(ground: Ground) -> bool:
    message = await ground.raw(b"HEAD /version HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    return not message.endswith(b"\r\n\r\n")


@shows("B52")
async def done_before_effect(ground: Ground) -> bool:
    alice, instance = ground.cast.alice, await ground.make(ground.cast.alice)
    parameters = {"instance": instance.rpartition("/")[2], "tags": ["new"]}
    made = await ground.ask(alice, "POST", "/v1/tools/tag", {"parameters": parameters})
    operation = await ground.ask(alice, "GET", f"/v1/operations/{made.document['id']}")
    assert operation.document["status"] == "DONE"
    return bool((await ground.ask(alice, "GET", instance)).document["tags"] != ["new"])


@shows("B53")
async def locked_out(ground: Ground) -> bool:
    alice = ground.cast.alice
    for _ in range(40):
        await ground.tampered(_USAGE, who=alice, changed={"signature": "00" * 32})
    return (await ground.ask(alice, "GET", "/v1/usage")).status == 429


@shows("B54")
async def unvalidated_parameters(ground: Ground) -> bool:
    documents: tuple[dict[str, Any], ...] = (
        {"parameters": {"vcpus": "two", "memory_mb": 1024, "disk_gb": 1, "hours": 1}},
        {"parameters": {}},
    )
    answers = [
        await ground.ask(ground.cast.manager, "POST", "/v1/tools/quote", document) for document in documents
    ]
    return _all_or_none(500, 422, answers)


@shows("B55")
async def long_label(ground: Ground) -> bool:
    record = {"name": f"{'a' * 65}.example.org", "type": "A", "value": "192.0.2.1"}
    made = await ground.ask(ground.cast.manager, "POST", "/v1/dns/records", record)
    if made.status == 422:
        return False
    path = f"/v1/dns/records/{made.document['id']}"
    return (await ground.ask(ground.cast.manager, "GET", path)).status == 500


@pytest.mark.parametrize("bug", SHOWS)
async def test_the_bug_shows_when_it_is_on(serving: Serving, bug: str) -> None:
    async with serving(bug) as ground:
        assert await SHOWS[bug](ground)


@pytest.mark.parametrize("bug", SHOWS)
async def test_the_bug_does_not_show_when_it_is_off(serving: Serving, bug: str) -> None:
    async with serving() as ground:
        assert not await SHOWS[bug](ground)


@pytest.mark.parametrize("bugs", [frozenset({"B47"}), frozenset()], ids=["on", "off"])
async def test_b47_a_list_reads_all_instances_for_each_of_its_items(
    tmp_path: Path, bugs: frozenset[str]
) -> None:
    async with _inside(tmp_path, bugs) as (service, ground):
        statements: list[str] = []
        service.store._connection.set_trace_callback(statements.append)
        await ground.ask(ground.cast.alice, "GET", _LIST, query=(("limit", "5"),))
        assert statements.count("SELECT * FROM instances") == (5 if bugs else 0)


@pytest.mark.parametrize("bugs", [frozenset({"B48"}), frozenset()], ids=["on", "off"])
async def test_b48_each_rejected_request_keeps_memory(tmp_path: Path, bugs: frozenset[str]) -> None:
    async with _inside(tmp_path, bugs) as (service, ground):
        for _ in range(3):
            assert (await ground.ask(None, "GET", "/v1/usage")).status == 401
        assert sum(map(len, service.refused)) == (3 << 16 if bugs else 0)


def test_every_bug_is_tried() -> None:
    assert set(BUGS) - set(SHOWS) == {"B47", "B48"}


@asynccontextmanager
async def _inside(tmp_path: Path, bugs: frozenset[str]) -> AsyncIterator[tuple[Service, Ground]]:
    """A service in this very loop, whose memory can be looked at."""
    service = make_service(VmctlSettings(db=tmp_path / "vmctl.db", seed=SEED, bugs=bugs))
    async with TestServer(make_app(service)) as server:
        seed(service)
        async with Client(str(server.make_url(""))) as client:
            yield service, Ground(server.port or 0, Cast(*principals(SEED)), client)
    service.close()


async def _at_once(ground: Ground, who: Principal, ask: Ask) -> list[Answer]:
    """The answers to two copies, each signed for itself, on two connections, sent at the same moment."""
    url = f"http://127.0.0.1:{ground.port}"
    async with Client(url) as one, Client(url) as other, asyncio.TaskGroup() as group:
        tasks = [group.create_task(client.send(ask, who.key)) for client in (one, other)]
    return [task.result() for task in tasks]


async def _one(ground: Ground) -> dict[str, Any]:
    instance = await ground.make(ground.cast.alice)
    return dict((await ground.ask(ground.cast.alice, "GET", instance)).document)


def _all_or_none(broken: int, sound: int, answers: list[Answer]) -> bool:
    """True when all are `broken`, False when all are `sound`; anything else fails the test."""
    statuses = {answer.status for answer in answers}
    assert statuses in ({broken}, {sound}), statuses
    return statuses == {broken}
