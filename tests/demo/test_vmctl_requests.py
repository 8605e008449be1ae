"""The service's manners: statuses, codes, fields, pages, permissions, and what it must not forget."""

import json
import sqlite3
import zlib
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from shadow.demo.client import Ask
from tests.demo.conftest import Ground, Serving

_UNKNOWN = "/v1/instances/00000000-0000-4000-8000-000000000000"
_CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


@pytest.mark.parametrize("who", ["alice", "manager", "operator", "readonly", "bob", "admin"])
async def test_every_principal_is_known_by_its_signature(serving: Serving, who: str) -> None:
    async with serving() as ground:
        answer = await ground.ask(getattr(ground.cast, who), "GET", "/v1/usage")
        assert answer.status == 200
        assert answer.document["account"] == getattr(ground.cast, who).address


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        pytest.param({"without": "X-Signature"}, "missing_signature", id="no signature"),
        pytest.param({"without": "X-Key-Id"}, "missing_signature", id="no key"),
        pytest.param({"without": "X-Nonce"}, "bad_signature", id="no nonce"),
        pytest.param({"without": "X-Timestamp"}, "expired", id="no timestamp"),
        pytest.param({"without": "X-Algorithm"}, "bad_algorithm", id="no algorithm"),
        pytest.param({"changed": {"signature": "00" * 32}}, "bad_signature", id="zeroed"),
        pytest.param({"changed": {"signature": "zz"}}, "bad_signature", id="no hexadecimal"),
        pytest.param({"changed": {"signature": "é"}}, "bad_signature", id="no ascii"),
        pytest.param({"changed": {"key_id": "key_0"}}, "unknown_key", id="unknown key"),
        pytest.param({"changed": {"key_id": "é"}}, "unknown_key", id="odd key"),
        pytest.param({"changed": {"algorithm": "md5"}}, "bad_algorithm", id="unknown algorithm"),
        pytest.param({"changed": {"algorithm": "ed25519"}}, "bad_algorithm", id="another algorithm"),
        pytest.param({"changed": {"nonce": "another-nonce"}}, "bad_signature", id="another nonce"),
        pytest.param({"changed": {"nonce": "short"}}, "bad_signature", id="short nonce"),
        pytest.param({"changed": {"content_sha256": "0" * 64}}, "bad_signature", id="another digest"),
        pytest.param({"changed": {"timestamp": "1e9"}}, "expired", id="odd timestamp"),
        pytest.param({"at": 1_000_000_000}, "expired", id="old"),
        pytest.param({"at": 9_000_000_000}, "expired", id="future"),
    ],
)
async def test_a_wrong_stamp_is_refused_by_its_code(
    serving: Serving, changed: dict[str, Any], code: str
) -> None:
    async with serving() as ground:
        answer = await ground.tampered(Ask("GET", "/v1/usage"), who=ground.cast.alice, **changed)
        assert (answer.status, answer.document["error"]["code"]) == (401, code)
        assert answer.document["error"]["request_id"] == answer.headers["X-Request-Id"]


@pytest.mark.parametrize("who", ["manager", "operator"])
async def test_a_wrong_signature_of_another_algorithm_is_refused(serving: Serving, who: str) -> None:
    async with serving() as ground:
        for signature in ("", "00" * 64, "00" * 65, "ff" * 64, "ff" * 65, "04" * 65):
            answer = await ground.tampered(
                Ask("GET", "/v1/usage"), who=getattr(ground.cast, who), changed={"signature": signature}
            )
            assert answer.status == 401


async def test_a_high_s_is_refused(serving: Serving) -> None:
    async with serving() as ground:
        ask = Ask("GET", "/v1/usage")
        fields = ground.client.signing_fields(ask, ground.cast.bob.key)
        raw = bytes.fromhex(fields["X-Signature"])
        high = (_CURVE_ORDER - int.from_bytes(raw[32:64])).to_bytes(32)
        fields["X-Signature"] = (raw[:32] + high + bytes([raw[64] ^ 1])).hex()
        answer = await ground.ask(None, "GET", "/v1/usage", headers=fields)
        assert (answer.status, answer.document["error"]["code"]) == (401, "bad_signature")


async def test_a_revoked_key_is_refused(serving: Serving) -> None:
    async with serving() as ground:
        for owner in (ground.cast.alice, ground.cast.bob):
            answer = await ground.ask(owner.keys[-1], "GET", "/v1/usage")
            assert (answer.status, answer.document["error"]["code"]) == (401, "key_revoked")


async def test_a_nonce_serves_once(serving: Serving) -> None:
    async with serving() as ground:
        fields = ground.client.signing_fields(Ask("GET", "/v1/usage"), ground.cast.alice.key)
        answers = [await ground.ask(None, "GET", "/v1/usage", headers=fields) for _ in range(2)]
        assert [answer.status for answer in answers] == [200, 401]
        assert answers[1].document["error"]["code"] == "replayed"


async def test_the_query_is_signed_sorted_and_the_absolute_form_means_the_same(serving: Serving) -> None:
    async with serving() as ground:
        ask = Ask("GET", "/v1/instances", query=(("sort", "name"), ("limit", "2")))
        fields = ground.client.signing_fields(ask, ground.cast.alice.key)
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        host = f"127.0.0.1:{ground.port}"
        target = f"http://{host}/v1/instances?limit=2&sort=name"
        request = f"GET {target} HTTP/1.1\r\nHost: {host}\r\n{lines}Connection: close\r\n\r\n"
        assert (await ground.raw(request.encode())).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PUT", "/v1/instances", 405),
        ("GET", "/v1/keys", 405),
        ("DELETE", "/health", 405),
        ("GET", "/v2", 404),
        ("GET", "//v1/usage", 404),
        ("GET", _UNKNOWN, 404),
        ("GET", "/v1/instances/%FF", 404),
        ("GET", "/v1/instances/%00", 404),
        ("GET", "/v1/transfers/x", 404),
        ("POST", "/v1/transfers/x/accept", 404),
        ("DELETE", "/v1/keys/%F0%9F%9A%80", 404),
        ("GET", "/v1/operations/%ED%A0%80", 404),
        ("POST", f"{_UNKNOWN}/start", 404),
        ("GET", "/v1/audit", 403),
    ],
)
async def test_what_is_not_there_is_refused_in_json(
    serving: Serving, method: str, path: str, status: int
) -> None:
    async with serving() as ground:
        answer = await ground.ask(ground.cast.alice, method, path)
        assert answer.status == status
        assert answer.document["error"]["code"]
        assert ("Allow" in answer.headers) == (status == 405)


@pytest.mark.parametrize(
    ("more", "status"),
    [
        pytest.param({"body": b"{}", "headers": {"Content-Type": "text/plain"}}, 415, id="media type"),
        pytest.param({"body": b"{}", "headers": {"Content-Encoding": "br"}}, 415, id="coding"),
        pytest.param({"body": b"{"}, 422, id="cut"),
        pytest.param({"body": b"[]"}, 422, id="array"),
        pytest.param({"body": b'\xef\xbb\xbf{"name":"a"}'}, 422, id="byte order mark"),
        pytest.param({"body": b'{"name":"\xff"}'}, 422, id="no UTF-8"),
        pytest.param({"body": b'{"name":"a","name":"b"}'}, 422, id="repeated member"),
        pytest.param({"body": b'{"max_price_hour":1e999}'}, 422, id="infinite"),
        pytest.param({"body": b'{"max_price_hour":' + b"9" * 5000 + b"}"}, 422, id="many digits"),
        pytest.param({"body": b'{"max_price_hour":-1}'}, 422, id="negative"),
        pytest.param({"body": b'{"max_price_hour":true}'}, 422, id="boolean"),
        pytest.param({"document": {"status": "STARTED"}}, 422, id="status"),
        pytest.param({"document": {"id": _UNKNOWN[-36:]}}, 422, id="another id"),
        pytest.param({"document": {}}, 422, id="nothing"),
        pytest.param({"document": {"tags": ["a", "a"]}}, 422, id="repeated tag"),
        pytest.param({"body": b'{"name":"' + b"a" * (1 << 20) + b'"}'}, 413, id="too large"),
        pytest.param(
            {"body": zlib.compress(b" " * (1 << 21)), "headers": {"Content-Encoding": "deflate"}},
            413,
            id="bomb",
        ),
    ],
)
async def test_an_unacceptable_body_changes_nothing(
    serving: Serving, more: dict[str, Any], status: int
) -> None:
    async with serving() as ground:
        instance = await ground.make(ground.cast.alice)
        await ground.ask(ground.cast.alice, "GET", instance)
        before = (await ground.ask(ground.cast.alice, "GET", instance)).headers["ETag"]
        answer = await ground.ask(ground.cast.alice, "PATCH", instance, **more)
        assert answer.status == status
        if status == 422:
            assert all(set(fault) == {"path", "msg"} for fault in answer.document)
        assert (await ground.ask(ground.cast.alice, "GET", instance)).headers["ETag"] == before


@pytest.mark.parametrize(
    "query",
    [
        (("limit", "0"),),
        (("limit", "101"),),
        (("limit", "x"),),
        (("limit", "²"),),
        (("limit", "1"), ("limit", "2")),
        (("cursor", "x"),),
        (("cursor", "WyJuYW1lIiwiYSIsMV0"),),
        (("cursor", "WyJjcmVhdGVkX2F0Iiw5OTk5OTk5OTk5OTk5OTk5OTk5OTk5LDFd"),),
        (("status", "KILLED"),),
        (("owner", "*"),),
        (("sort", "price"),),
    ],
    ids=str,
)
async def test_an_unacceptable_query_is_named(serving: Serving, query: tuple[tuple[str, str], ...]) -> None:
    async with serving() as ground:
        answer = await ground.ask(ground.cast.alice, "GET", "/v1/instances", query=query)
        assert answer.status == 422
        assert answer.document[0]["path"] == f"query:{query[0][0]}"


@pytest.mark.parametrize("sort", ["created_at", "-created_at", "name", "-name", "updated_at", "-updated_at"])
async def test_pages_join_to_the_whole_list(serving: Serving, sort: str) -> None:
    async with serving() as ground:
        whole = await ground.ask(ground.cast.alice, "GET", "/v1/instances", query=(("sort", sort),))
        items: list[str] = []
        query: tuple[tuple[str, str], ...] = (("sort", sort), ("limit", "5"))
        while True:
            page = await ground.ask(ground.cast.alice, "GET", "/v1/instances", query=query)
            items += [item["id"] for item in page.document["items"]]
            if page.document["next_cursor"] is None:
                break
            query = (*query[:2], ("cursor", page.document["next_cursor"]))
        assert items == [item["id"] for item in whole.document["items"]]
        assert len(items) == 12


_ALLOWED = {
    "readonly": {"GET"},
    "operator": {"GET", "start", "pause", "resume", "reboot", "stop"},
    "manager": {"GET", "start", "pause", "resume", "reboot", "stop", "resize", "snapshot", "PATCH"},
    "admin": {"GET"},
    "bob": set[str](),
}


@pytest.mark.parametrize("who", _ALLOWED)
async def test_each_role_may_do_what_its_level_says(serving: Serving, who: str) -> None:
    async with serving() as ground:
        instance = await ground.make(ground.cast.alice)
        await ground.ask(ground.cast.alice, "POST", f"{instance}/boot")
        caller = getattr(ground.cast, who)
        steps = ("start", "pause", "resume", "reboot", "stop", "snapshot")
        done = {step for step in steps if await _succeeds(ground, caller, "POST", f"{instance}/{step}")}
        if await _succeeds(ground, caller, "POST", f"{instance}/resize", {"vcpus": 2}):
            done.add("resize")
        if await _succeeds(ground, caller, "PATCH", instance, {"name": "b"}):
            done.add("PATCH")
        for method in ("GET", "DELETE"):
            if await _succeeds(ground, caller, method, instance):
                done.add(method)
        assert done == _ALLOWED[who]


async def test_who_has_no_grant_cannot_tell_that_an_instance_exists(serving: Serving) -> None:
    async with serving() as ground:
        instance = await ground.make(ground.cast.alice)
        answers = [await ground.ask(ground.cast.bob, "GET", path) for path in (instance, _UNKNOWN)]
        shown = [(answer.status, answer.document["error"]["message"]) for answer in answers]
        assert shown[0] == shown[1]


async def test_a_key_made_can_be_used_until_it_is_revoked(serving: Serving) -> None:
    async with serving() as ground:
        alice = ground.cast.alice
        spare = alice.keys[1]
        assert (await ground.ask(spare, "GET", "/v1/usage")).status == 200
        assert (await ground.ask(alice, "DELETE", f"/v1/keys/{spare.id}")).status == 204
        assert (await ground.ask(spare, "GET", "/v1/usage")).status == 401
        assert (await ground.ask(alice, "DELETE", f"/v1/keys/{alice.key.id}")).status == 409
        reader = ground.cast.readonly.key
        assert (await ground.ask(alice, "DELETE", f"/v1/keys/{reader.id}")).status == 409


async def test_an_idempotency_key_makes_one_instance(serving: Serving) -> None:
    async with serving() as ground:
        document = {
            "name": "a",
            "image": "b",
            "formfile": "FROM b",
            "vcpus": 1,
            "memory_mb": 512,
            "disk_gb": 1,
        }
        headers = {"Idempotency-Key": "k"}
        answers = [
            await ground.ask(ground.cast.bob, "POST", "/v1/instances", document, headers=headers)
            for _ in "ab"
        ]
        assert answers[0].body == answers[1].body
        spelt = json.dumps(dict(reversed(document.items())), indent=1).encode()
        same = await ground.ask(ground.cast.bob, "POST", "/v1/instances", body=spelt, headers=headers)
        assert (same.status, same.body) == (201, answers[0].body)
        other = await ground.ask(
            ground.cast.bob, "POST", "/v1/instances", document | {"vcpus": 2}, headers=headers
        )
        assert other.status == 409


async def test_conditions_follow_the_entity_tag(serving: Serving) -> None:
    async with serving() as ground:
        alice, instance = ground.cast.alice, await ground.make(ground.cast.alice)
        tag = (await ground.ask(alice, "GET", instance)).headers["ETag"]
        same = await ground.ask(alice, "GET", instance, headers={"If-None-Match": tag})
        assert (same.status, same.body) == (304, b"")
        assert (
            await ground.ask(alice, "PATCH", instance, {"name": "b"}, headers={"If-Match": tag})
        ).status == 200
        late = await ground.ask(alice, "DELETE", instance, headers={"If-Match": tag})
        assert late.status == 412
        assert (await ground.ask(alice, "DELETE", instance, headers={"If-Match": "*"})).status == 204


async def test_a_token_reads_and_never_writes(serving: Serving) -> None:
    async with serving() as ground:
        made = await ground.ask(ground.cast.alice, "POST", "/v1/tokens")
        bearer = {"Authorization": f"Bearer {made.document['token']}"}
        assert (await ground.ask(None, "GET", "/v1/usage", headers=bearer)).status == 200
        assert (await ground.ask(None, "POST", "/v1/tokens", headers=bearer)).status == 401
        token = made.document["token"]
        # the last of 43 characters holds two bits that mean nothing: another one may decode to the same
        twins = [
            token[:-1] + last for last in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        ]
        for wrong in ("", "x", "a.b.c", f"{token}=", f"{token}.", "é", *(set(twins) - {token})):
            headers = {"Authorization": f"Bearer {wrong}"}
            assert (await ground.ask(None, "GET", "/v1/usage", headers=headers)).status == 401


async def test_the_noise_that_must_not_be_reported_is_there(serving: Serving) -> None:
    async with serving() as ground:
        alice, tags = ground.cast.alice, [str(number) for number in range(10)]
        instance = await ground.make(alice, tags=tags)
        seen = [await ground.ask(alice, "GET", instance) for _ in range(2)]
        assert seen[0].headers["X-Request-Id"] != seen[1].headers["X-Request-Id"]
        orders = [(await ground.ask(alice, "GET", instance)).document["tags"] for _ in range(5)]
        assert any(order != orders[0] for order in orders)
        assert all(sorted(order) == tags for order in orders)
        tokens = [(await ground.ask(alice, "POST", "/v1/tokens")).document["token"] for _ in range(2)]
        assert tokens[0] != tokens[1]
        assert seen[0].headers["ETag"] == seen[1].headers["ETag"]


async def test_releases_without_bugs_differ_in_form_alone(serving: Serving, tmp_path: Path) -> None:
    shown = {}
    for release in ("stable", "candidate"):
        async with serving(release=release, db=tmp_path / f"{release}.db", clock="fixed") as ground:
            answer = await ground.ask(None, "GET", "/version")
            shown[release] = (answer.document, answer.headers["Server"], list(answer.document))
    assert shown["stable"][0] == shown["candidate"][0]
    assert shown["stable"][1] != shown["candidate"][1]


async def test_ids_differ_between_processes_while_accounts_do_not(serving: Serving, tmp_path: Path) -> None:
    seen = []
    for name in ("one.db", "two.db"):
        async with serving(db=tmp_path / name) as ground:
            answer = await ground.ask(ground.cast.bob, "GET", "/v1/instances")
            seen.append(answer.document["items"])
    assert [item["owner"] for item in seen[0]] == [item["owner"] for item in seen[1]]
    assert {item["id"] for item in seen[0]}.isdisjoint(item["id"] for item in seen[1])


async def test_a_database_that_exists_is_kept(serving: Serving, tmp_path: Path) -> None:
    async with serving() as ground:
        instance = await ground.make(ground.cast.alice)
    async with serving() as ground:
        assert (await ground.ask(ground.cast.alice, "GET", instance)).status == 200
    with closing(sqlite3.connect(tmp_path / "vmctl.db")) as db:
        assert db.execute("SELECT count(*) FROM accounts").fetchone() == (6,)


async def test_events_tell_what_happened(serving: Serving) -> None:
    async with serving() as ground:
        instance = await ground.make(ground.cast.bob)
        answer = await ground.ask(
            ground.cast.bob, "GET", "/v1/events", query=(("limit", "1"),), headers={"Last-Event-ID": "16"}
        )
        assert b"event: instance.create\n" in answer.body
        assert instance.rpartition("/")[2].encode() in answer.body


async def _succeeds(ground: Ground, who: Any, method: str, path: str, document: Any = None) -> bool:
    """Whether the request is granted; a refusal must be of the permission, or of what it left undone."""
    answer = await ground.ask(who, method, path, document)
    assert answer.status in (200, 204, 403, 404, 409), answer
    return answer.status in (200, 204)


@pytest.mark.parametrize("release", ["stable", "candidate"])
@pytest.mark.parametrize("version", ["HTTP/1.0", "HTTP/1.1", "HTTP/2.0"])
async def test_lists_are_answered_in_every_version_that_is_read(
    serving: Serving, release: str, version: str
) -> None:
    async with serving(release=release) as ground:
        fields = ground.client.signing_fields(Ask("GET", "/v1/instances"), ground.cast.alice.key)
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        head = f"GET /v1/instances {version}\r\nHost: 127.0.0.1:{ground.port}\r\nConnection: close\r\n"
        assert (await ground.raw(f"{head}{lines}\r\n".encode())).split()[1] == b"200"
