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

_ODD_TEXTS = st.sampled_from(
    [
        *(
            "",
            "\0",
            "a\0b",
            "\ud800",
            "a\udfffb",
            "é" * 300,
            "FROM ",
            "FROM\n",
            "*",
            "\u202e",
            "a" * 64 + "!",
        ),
        *(
            "' OR 1=1 --",
            "FR",
            "FROM \0",
            "0x" + "0" * 40,
            "a" * 65 + ".example",
            "é.example",
            "..",
            "0.0.0.0",
        ),
    ]
)
_TEXTS = _ODD_TEXTS | st.text(st.characters(exclude_categories=()))
_ODD_NUMBERS = st.sampled_from([0, -1, 2**31, 2**63 - 1, 2**63, -(2**63) - 1, 2**64, 10**400, 1e308, 0.1])
_NUMBERS = st.one_of(_ODD_NUMBERS, st.integers(), st.floats(), st.booleans())
_VALUES = st.recursive(
    st.none() | _NUMBERS | _TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXTS, inner, max_size=4),
    max_leaves=8,
)
_NAMED: dict[str, Any] = {"name": "a", "image": "b", "formfile": "FROM b"}
_SIZED: dict[str, Any] = {"vcpus": 1, "memory_mb": 512, "disk_gb": 1}
_SOUND: dict[str, dict[str, Any]] = {
    "POST /v1/instances": {**_NAMED, **_SIZED, "tags": ["a"], "max_price_hour": 1},
    "PATCH {instance}": {"name": "a", "formfile": "FROM b", "tags": ["a"], "max_price_hour": 1, "id": "{id}"},
    "POST /v1/dns/records": {"name": "a.example", "type": "A", "value": "192.0.2.1", "ttl": 5},
    "POST /v1/accounts": {"name": "a", "role": "readonly"},
    "POST /v1/keys": {
        "algorithm": "secp256k1-recoverable",
        "public": "02" + "00" * 32,
        "account": "0x",
        "not_after": 1,
    },
    "POST /v1/tools/quote": {"parameters": {**_SIZED, "hours": 3}},
    "POST /v1/tools/tag": {"parameters": {"instance": "{id}", "tags": []}},
    "POST {instance}/resize": {"vcpus": 2, "memory_mb": 512, "disk_gb": 1, "id": "{id}"},
    "POST {instance}/transfer": {"to": "0x" + "0" * 40, "from": "0x" + "0" * 40},
    "PUT {instance}/grants/0x0": {"level": "readonly"},
    "POST {instance}/stop": {},
}


def _spoilt(start: str) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    """A route, and a body for it of which one member is anything at all."""
    sound = _SOUND[start]
    inner = sound.get("parameters", sound)
    members = st.sampled_from([*inner, "parameters" if inner is not sound else "owner"])

    def spoil(spoilt: tuple[str, Any]) -> tuple[str, dict[str, Any]]:
        name, value = spoilt
        if inner is sound or name == "parameters":
            return start, {**sound, name: value}
        return start, {"parameters": {**inner, name: value}}

    return members.flatmap(lambda name: st.tuples(st.just(name), _like(inner.get(name)))).map(spoil)


def _like(sound: Any) -> st.SearchStrategy[Any]:
    """Odd values of the type of `sound`, which get past the first check, and now and then any other."""
    match sound:
        case str():
            return st.one_of(_ODD_TEXTS, _TEXTS, _VALUES)
        case int():
            return st.one_of(_ODD_NUMBERS, _NUMBERS, _VALUES)
        case list():
            return st.one_of(st.lists(_ODD_TEXTS, max_size=3), _VALUES)
        case _:
            return _VALUES


_BODIES = st.sampled_from(list(_SOUND)).flatmap(_spoilt)
_RAW_BODIES = st.binary(max_size=200) | st.sampled_from(
    [b'{"a":' * 3000 + b"1" + b"}" * 3000, b"[" * 100_000, b'{"a":' + b"9" * 5000 + b"}", b'{"a":NaN}', b"\0"]
)
_CHARSETS = st.sampled_from(
    ["", "; charset=utf-8", "; charset=utf-16", "; charset=klingon", ";charset", '; charset="']
)
_RIGHT = {
    "alice": {("algorithm", "hmac-sha256")},
    "manager": {("algorithm", "ed25519")},
    "bob": {("algorithm", "secp256k1-recoverable")},
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
    """Runs a coroutine function of a ground where a release, or a bug, is served, in a loop of its own."""
    bugs, release = (
        ([], request.param) if request.param in ("stable", "candidate") else ([request.param], "candidate")
    )
    loop = asyncio.new_event_loop()
    grounds: list[Ground] = []
    is_ready, is_over = threading.Event(), asyncio.Event()

    async def hold() -> None:
        async with serving(*bugs, release=release) as ground:
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


def attack_by_documents(run: Run) -> None:
    instance = run(_make)

    @_many(400)
    @given(_BODIES)
    def attempt(case: tuple[str, dict[str, Any]]) -> None:
        method, _, path = case[0].replace("{instance}", instance).partition(" ")
        body = json.dumps(case[1]).replace("{id}", instance.rpartition("/")[2]).encode()
        answer = run(lambda ground: ground.ask(ground.cast.alice, method, path, body=body))
        assert answer.status < 500

    attempt()


def attack_by_bytes(run: Run) -> None:
    @_many(100)
    @given(_RAW_BODIES, st.sampled_from(["", "gzip", "deflate", "x-gzip"]), _CHARSETS)
    def attempt(body: bytes, coding: str, charset: str) -> None:
        headers = {"Content-Type": f"application/json{charset}", "Content-Encoding": coding}
        answer = run(
            lambda ground: ground.ask(ground.cast.alice, "POST", "/v1/instances", body=body, headers=headers)
        )
        assert answer.status in (415, 422)

    attempt()


def test_no_document_breaks_it(run: Run) -> None:
    attack_by_documents(run)


def test_no_bytes_in_a_body_break_it(run: Run) -> None:
    attack_by_bytes(run)


@pytest.mark.parametrize(
    ("run", "attack"),
    [
        *((bug, attack_by_documents) for bug in ("B24", "B27", "B54")),
        *((bug, attack_by_bytes) for bug in ("B25", "B30", "B31")),
    ],
    indirect=["run"],
)
def test_the_attacks_do_find_what_they_look_for(run: Run, attack: Callable[[Run], None]) -> None:
    with pytest.raises(AssertionError):
        attack(run)


def test_no_target_or_field_breaks_it(run: Run) -> None:
    instance = run(_make)
    segments = st.text(st.sampled_from("%0FaDd8f./;:*~!$'()+,=@é-_"), max_size=12)
    paths = st.sampled_from(
        ["/v1/instances/{}", "/v1/{}", "/v1/keys/{}", instance + "/grants/{}", "/v1/operations/{}", "/{}"]
    )
    names = st.sampled_from(["limit", "cursor", "status", "owner", "sort", "x"])

    @_many(150)
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

    @_many(100)
    @given(st.sampled_from(["alice", "manager", "bob"]), parts, stamps)
    def attempt(who: str, part: str, text: str) -> None:
        answer = run(
            lambda ground: ground.tampered(
                Ask("GET", "/v1/usage"), who=getattr(ground.cast, who), changed={part: text}
            )
        )
        assert answer.status == (200 if (part, text) in _RIGHT[who] else 401)

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

    @_many(150)
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


def _many(examples: int) -> settings:
    """So many examples, the same in every run."""
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
