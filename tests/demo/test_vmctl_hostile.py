"""Releases without bugs answer anything at all without breaking."""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shadow.demo.client import Ask
from tests.demo.conftest import Ground, Serving

_TEXTS = st.text(st.characters(exclude_categories=())) | st.sampled_from(
    ["", "\0", "\ud800", "é" * 300, "FROM ", "FROM\n", "*", "' OR 1=1 --", "a" * 64 + "!", "\u202e"]
)
_NUMBERS = (
    st.integers()
    | st.sampled_from([2**31, 2**63 - 1, 2**63, -(2**63) - 1, 2**64, 10**400])
    | st.floats()
    | st.booleans()
)
_VALUES = st.recursive(
    st.none() | _NUMBERS | _TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXTS, inner, max_size=4),
    max_leaves=8,
)
_MEMBERS = st.sampled_from(
    [
        *(
            "name",
            "image",
            "formfile",
            "tags",
            "vcpus",
            "memory_mb",
            "disk_gb",
            "max_price_hour",
            "id",
            "owner",
        ),
        *("level", "to", "from", "role", "algorithm", "public", "account", "not_after", "parameters"),
        *("instance", "hours", "type", "value", "ttl"),
    ]
)
_NAMED: dict[str, Any] = {"name": "a", "image": "b", "formfile": "FROM b"}
_SOUND: dict[str, dict[str, Any]] = {
    "/v1/instances": {
        **_NAMED,
        "vcpus": 1,
        "memory_mb": 512,
        "disk_gb": 1,
    },
    "/v1/dns/records": {"name": "a.example", "type": "A", "value": "192.0.2.1", "ttl": 5},
    "/v1/accounts": {"name": "a", "role": "readonly"},
    "/v1/keys": {"algorithm": "secp256k1-recoverable", "public": "02" + "00" * 32},
    "/v1/tools/quote": {"parameters": {"vcpus": 1, "memory_mb": 512, "disk_gb": 1, "hours": 3}},
    "/v1/tools/tag": {"parameters": {"instance": "{id}", "tags": []}},
    "{instance}/resize": {"vcpus": 2},
    "{instance}/transfer": {"to": "0x" + "0" * 40},
    "{instance}/stop": {},
}
_HEADERS = st.sampled_from(
    [
        *(
            "If-Match",
            "If-None-Match",
            "Idempotency-Key",
            "Content-Type",
            "Content-Encoding",
            "Authorization",
        ),
        *("Last-Event-ID", "Accept", "Range", "Expect", "X-Original-URL", "X-HTTP-Method-Override"),
    ]
)
_HEADER_TEXTS = st.text(
    st.characters(codec="utf-8", exclude_characters="\r\n\0", exclude_categories=("Cc", "Cs")), max_size=40
)

type Action = Callable[[Ground], Awaitable[Any]]
type Run = Callable[[Action], Any]


@pytest.fixture(params=["stable", "candidate"])
def run(serving: Serving, request: pytest.FixtureRequest) -> Iterator[Run]:
    """Runs a coroutine function of a ground where a service without bugs is served, in a loop of its own."""
    loop = asyncio.new_event_loop()
    grounds: list[Ground] = []
    is_ready, is_over = threading.Event(), asyncio.Event()

    async def hold() -> None:
        async with serving(release=request.param) as ground:
            grounds.append(ground)
            is_ready.set()
            await is_over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(hold(),))
    thread.start()
    assert is_ready.wait(20)

    async def call(action: Action) -> Any:
        return await action(grounds[0])

    yield lambda action: asyncio.run_coroutine_threadsafe(call(action), loop).result(30)
    loop.call_soon_threadsafe(is_over.set)
    thread.join()
    loop.close()


def test_no_body_breaks_it(run: Run) -> None:
    instance = run(_make)

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(list(_SOUND)), _MEMBERS, _VALUES, st.booleans())
    def attempt(path: str, member: str, value: Any, is_patch: bool) -> None:
        document = _placed(dict(_SOUND[path]), member, value)
        body = json.dumps(document).replace("{id}", instance.rpartition("/")[2]).encode()
        method, target = ("PATCH", instance) if is_patch else ("POST", path.replace("{instance}", instance))
        answer = run(lambda ground: ground.ask(ground.cast.alice, method, target, body=body))
        assert answer.status < 500

    attempt()


def test_no_bytes_in_a_body_break_it(run: Run) -> None:
    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.binary(max_size=200), st.sampled_from(["", "gzip", "deflate", "x-gzip"]))
    def attempt(body: bytes, coding: str) -> None:
        headers = {"Content-Encoding": coding} if coding else {}
        answer = run(
            lambda ground: ground.ask(ground.cast.alice, "POST", "/v1/instances", body=body, headers=headers)
        )
        assert answer.status in (415, 422)

    attempt()


def test_no_target_or_field_breaks_it(run: Run) -> None:
    instance = run(_make)
    segments = st.text(st.sampled_from("%0FaDd8f./;:*~!$'()+,=@é-_"), max_size=12)
    paths = st.sampled_from(
        ["/v1/instances/{}", "/v1/{}", "/v1/keys/{}", instance + "/grants/{}", "/v1/operations/{}", "/{}"]
    )
    names = st.sampled_from(["limit", "cursor", "status", "owner", "sort", "x"])

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(["GET", "PUT", "DELETE", "HEAD"]), paths, segments, names, _HEADERS, _HEADER_TEXTS)
    def attempt(method: str, path: str, segment: str, name: str, header: str, text: str) -> None:
        raw = segment.encode().replace(b"\xc3\xa9", b"%C3%A9").decode()
        listed = Ask("GET", f"/v1/instances?{name}={raw}&{raw}", headers=((header, text),))
        for ask in (Ask(method, path.format(raw), headers=((header, text),)), listed):
            assert run(_sent(ask)).status < 500

    attempt()


def test_no_stamp_breaks_it(run: Run) -> None:
    parts = st.sampled_from(["key_id", "algorithm", "timestamp", "nonce", "content_sha256", "signature"])
    stamps = _HEADER_TEXTS | st.text("0123456789abcdef", max_size=140)

    @settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(["alice", "manager", "bob"]), parts, stamps)
    def attempt(who: str, part: str, text: str) -> None:
        answer = run(
            lambda ground: ground.tampered(
                Ask("GET", "/v1/usage"), who=getattr(ground.cast, who), changed={part: text}
            )
        )
        assert answer.status == 401

    attempt()


def test_no_message_breaks_it(run: Run) -> None:
    lines = st.sampled_from(
        [
            *(
                b"Content-Length: 3",
                b"Content-Length: -1",
                b"Content-Length: 9" * 2,
                b"Transfer-Encoding: chunked",
            ),
            *(
                b"Transfer-Encoding: x",
                b"Expect: 100-continue",
                b"Expect: x",
                b"Host: a",
                b"Host:",
                b"Host: \xff",
            ),
            *(
                b"X-Key-Id: \xff\xfe",
                b"X-Signature: \xc3",
                b"Authorization: Bearer \xff",
                b"Upgrade: websocket",
            ),
            *(
                b"Content-Type: ;",
                b'Content-Type: application/json; charset="\xff',
                b"Cookie: \x01",
                b": x",
                b" a: b",
            ),
        ]
    )
    starts = st.sampled_from(
        [
            *(
                b"GET /v1/usage HTTP/1.1",
                b"POST /v1/instances HTTP/1.1",
                b"GET * HTTP/1.1",
                b"HEAD / HTTP/1.0",
            ),
            *(b"CONNECT a:1 HTTP/1.1", b"GET http://[ HTTP/1.1", b"GET /v1/instances/\xff HTTP/1.1", b"X"),
        ]
    )

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(starts, st.lists(lines, max_size=4), st.binary(max_size=20))
    def attempt(start: bytes, fields: list[bytes], body: bytes) -> None:
        message = b"\r\n".join([start, b"Host: a", b"Connection: close", *fields, b"", body])
        status = run(lambda ground: ground.raw(message)).split(b" ", 2)[1:2]
        assert not status or status[0] < b"500"

    attempt()
    assert run(lambda ground: ground.ask(ground.cast.alice, "GET", "/v1/usage")).status == 200


def _sent(ask: Ask) -> Action:
    return lambda ground: ground.client.send(ask, ground.cast.bob.key)


async def _make(ground: Ground) -> Any:
    return await ground.make(ground.cast.alice)


def _placed(document: dict[str, Any], member: str, value: Any) -> dict[str, Any]:
    """`document` with `value` as its `member`, or as its parameters' where it has some."""
    inner = document.get("parameters")
    if isinstance(inner, dict) and member != "parameters":
        return {"parameters": {**inner, member: value}}
    return {**document, member: value}
