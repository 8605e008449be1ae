"""What sessions do: scripts, each with the answers that its client expects.

They keep to what users do: nobody steals signatures or orders steps so that only a defect would allow them.
"""

from collections.abc import Awaitable, Callable

from shadow.demo.client import Answer
from shadow.demo.visits import TAGS, Visit, member

_UNKNOWN = "00000000-0000-4000-8000-000000000000"

type Script = Callable[[Visit], Awaitable[None]]


async def whole_life(visit: Visit) -> None:
    owner = visit.dice.choice((visit.cast.alice, visit.cast.bob))
    instance = await visit.make(owner)
    await visit.do(owner, instance, "boot", "start")
    if visit.dice.random() < 0.5:
        await visit.ask(owner, "POST", f"{instance}/start", 409)
    await visit.do(owner, instance, "pause", "resume")
    await visit.ask(owner, "GET", f"{instance}/metrics")
    seen = await visit.ask(owner, "GET", instance)
    await visit.do(owner, instance, "stop")
    await visit.ask(owner, "PATCH", instance, 422, document={"name": ""})
    seen = await visit.ask(owner, "GET", instance)
    change = {"name": f"renamed {visit.number}", "tags": ["web", "eu", "nightly"]}
    await visit.ask(owner, "PATCH", instance, document=change, headers=_if_match(seen))
    await visit.ask(owner, "POST", f"{instance}/resize", document={"vcpus": 4, "disk_gb": 250})
    await visit.pages(owner, limit=3)
    await visit.ask(owner, "DELETE", instance, 204)
    await visit.ask(owner, "GET", instance, 404)
    await visit.ask(owner, "DELETE", instance, 404)


async def broken_boot(visit: Visit) -> None:
    owner = visit.cast.alice
    instance = await visit.make(owner, formfile="FROM debian-12\nRUN false\n", tags=[])
    await visit.do(owner, instance, "boot")
    await visit.ask(owner, "POST", f"{instance}/start", 409)
    await visit.do(owner, instance, "restore", "start", "snapshot", "reboot", "stop")
    await visit.ask(owner, "POST", f"{instance}/resume", 409)
    await visit.do(owner, instance, "start", "stop")
    await visit.ask(owner, "DELETE", instance, 204)


async def grants(visit: Visit) -> None:
    alice, bob = visit.cast.alice, visit.cast.bob
    instance = await visit.make(alice)
    grant = f"{instance}/grants/{bob.address}"
    await visit.do(alice, instance, "boot", "start")
    await visit.ask(bob, "GET", instance, 404)
    await visit.ask(alice, "PUT", grant, 201, document={"level": "readonly"})
    await visit.ask(bob, "GET", instance)
    await visit.ask(bob, "POST", f"{instance}/reboot", 403)
    await visit.ask(alice, "GET", grant)
    await visit.ask(alice, "PUT", grant, document={"level": "operator"})
    await visit.do(bob, instance, "stop", "start", "pause", "resume", "stop")
    await visit.ask(bob, "DELETE", instance, 403)
    await visit.ask(alice, "DELETE", grant, 204)
    await visit.ask(alice, "GET", grant, 404)
    await visit.ask(alice, "DELETE", instance, 204)


async def transfers(visit: Visit) -> None:
    alice, bob = visit.cast.alice, visit.cast.bob
    instance = await visit.make(alice)
    offer = {"to": bob.address, "from": alice.address}
    made = await visit.ask(alice, "POST", f"{instance}/transfer", 201, document=offer)
    transfer = f"/v1/transfers/{member(made, 'id')}"
    await visit.ask(alice, "POST", f"{instance}/transfer", 409, document=offer)
    await visit.ask(bob, "POST", f"{transfer}/accept")
    await visit.ask(alice, "GET", instance, 404)
    await visit.ask(bob, "GET", instance)
    await visit.do(bob, instance, "boot", "start")
    back = await visit.ask(bob, "POST", f"{instance}/transfer", 201, document={"to": alice.address})
    await visit.ask(bob, "POST", f"/v1/transfers/{member(back, 'id')}/cancel")
    await visit.ask(alice, "POST", f"/v1/transfers/{member(back, 'id')}/accept", 409)
    await visit.do(bob, instance, "stop")
    await visit.ask(bob, "DELETE", instance, 204)


async def operating(visit: Visit) -> None:
    operator = visit.cast.operator
    instance = await visit.shared(operator)
    await visit.ask(operator, "GET", instance)
    await visit.do(operator, instance, "start", "pause", "resume")
    await visit.ask(operator, "GET", f"{instance}/metrics")
    await visit.do(operator, instance, "reboot", "stop")
    await visit.ask(operator, "PATCH", instance, 403, document={"name": "mine"})
    await visit.ask(operator, "POST", f"{instance}/snapshot", 403)


async def managing(visit: Visit) -> None:
    manager = visit.cast.manager
    instance = await visit.shared(manager)
    seen = await visit.ask(manager, "GET", instance)
    named = {"id": member(seen, "id"), "tags": visit.dice.sample(TAGS, 3)}
    await visit.ask(manager, "PATCH", instance, document=named, headers=_if_match(seen))
    await visit.ask(manager, "POST", f"{instance}/resize", document={"memory_mb": 4096})
    await visit.do(manager, instance, "snapshot")
    await visit.ask(manager, "POST", f"{instance}/resume", 409)
    tags = {"instance": member(seen, "id"), "tags": visit.dice.sample(TAGS, 2)}
    started = await visit.ask(manager, "POST", "/v1/tools/tag", 202, document={"parameters": tags})
    await visit.ask(manager, "GET", f"/v1/operations/{member(started, 'id')}")
    await visit.ask(manager, "GET", instance)
    await visit.ask(manager, "DELETE", instance, 403)
    await visit.ask(manager, "PUT", f"{instance}/grants/{visit.cast.bob.address}", 403, document={})


async def looking(visit: Visit) -> None:
    reader = visit.cast.readonly
    instance = await visit.shared(reader)
    await visit.ask(None, "GET", "/version")
    await visit.ask(reader, "GET", instance)
    await visit.ask(reader, "GET", f"{instance}/metrics")
    await visit.ask(reader, "GET", "/v1/usage")
    await visit.ask(reader, "GET", "/v1/tools")
    await visit.ask(reader, "GET", "/v1/instances", query=(("status", "BUILT"), ("sort", "name")))
    await visit.ask(reader, "POST", f"{instance}/start", 403)
    await visit.ask(reader, "GET", f"/v1/instances/{_UNKNOWN}", 404)


async def tokens(visit: Visit) -> None:
    reader = visit.dice.choice((visit.cast.readonly, visit.cast.bob))
    made = await visit.ask(reader, "POST", "/v1/tokens", 201)
    bearer = (("Authorization", f"Bearer {member(made, 'token')}"),)
    for path in ("/v1/usage", "/v1/tools", "/v1/dns/records"):
        await visit.ask(None, "GET", path, headers=bearer)
    await visit.ask(None, "GET", "/v1/instances", query=(("limit", "2"), ("sort", "-name")), headers=bearer)
    await visit.ask(None, "POST", "/v1/tokens", 401, headers=bearer)


async def team(visit: Visit) -> None:
    alice = visit.cast.alice
    joining = {"name": f"member {visit.number}", "role": "operator"}
    made = await visit.ask(alice, "POST", "/v1/accounts", 201, document=joining)
    address = member(made, "address")
    await visit.ask(alice, "GET", f"/v1/accounts/{address}")
    await visit.ask(visit.cast.bob, "GET", f"/v1/accounts/{address}", 404)
    wanted = {"algorithm": "ed25519", "public": visit.dice.randbytes(32).hex(), "account": address}
    first = await visit.ask(alice, "POST", "/v1/keys", 201, document=wanted)
    await visit.ask(alice, "POST", "/v1/keys", 201, document={"algorithm": "hmac-sha256", "account": address})
    await visit.ask(alice, "POST", "/v1/keys", 422, document={"algorithm": "ed25519", "public": "none"})
    await visit.ask(alice, "DELETE", f"/v1/keys/{member(first, 'id')}", 204)
    await visit.ask(alice, "DELETE", f"/v1/keys/{member(first, 'id')}", 404)


async def names(visit: Visit) -> None:
    manager = visit.cast.manager
    record = {"name": f"host-{visit.number}.example.org", "type": "A", "value": "192.0.2.7", "ttl": 600}
    made = await visit.ask(manager, "POST", "/v1/dns/records", 201, document=record)
    path = f"/v1/dns/records/{member(made, 'id')}"
    await visit.ask(manager, "GET", path)
    changed = {**record, "type": "AAAA", "value": "2001:db8::7"}
    await visit.ask(manager, "PUT", path, document=changed)
    await visit.ask(visit.cast.operator, "GET", path)
    await visit.ask(visit.cast.operator, "DELETE", path, 403)
    await visit.ask(manager, "PUT", path, 422, document={**record, "value": "not an address"})
    await visit.ask(manager, "GET", "/v1/dns/records", query=(("limit", "5"),))
    await visit.ask(manager, "DELETE", path, 204)
    size = {"vcpus": 2, "memory_mb": 2048, "disk_gb": 40, "hours": 24}
    quoted = await visit.ask(manager, "POST", "/v1/tools/quote", 202, document={"parameters": size})
    await visit.ask(manager, "GET", f"/v1/operations/{member(quoted, 'id')}")


async def mistakes(visit: Visit) -> None:
    alice, path = visit.cast.alice, "/v1/instances"
    await visit.ask(alice, "GET", "/v1/usage")
    await visit.ask(alice, "POST", path, 422, document=visit.blueprint() | {"vcpus": 0})
    await visit.ask(alice, "GET", path, 422, query=(("limit", "1000"),))
    await visit.ask(None, "GET", path, 401)
    await visit.pages(alice, limit=2, sort="name")
    form = (("Content-Type", "application/x-www-form-urlencoded"),)
    await visit.ask(alice, "POST", path, 415, body=b"name=web", headers=form)
    again = (("Idempotency-Key", visit.dice.randbytes(12).hex()),)
    wanted = visit.blueprint()
    made = await visit.ask(alice, "POST", path, 201, document=wanted, headers=again)
    await visit.ask(alice, "POST", path, 201, document=wanted, headers=again)
    await visit.ask(alice, "POST", path, 409, document=visit.blueprint() | {"name": "x"}, headers=again)
    instance = f"{path}/{member(made, 'id')}"
    await visit.ask(visit.cast.bob, "GET", instance, 404)
    await visit.ask(alice, "GET", instance)
    await visit.do(alice, instance, "boot")
    await visit.ask(alice, "DELETE", instance, 204)


async def oversight(visit: Visit) -> None:
    admin = visit.cast.admin
    found = await visit.pages(admin, limit=3)
    await visit.ask(admin, "GET", found[0])
    await visit.ask(admin, "GET", f"/v1/accounts/{visit.cast.bob.address}")
    await visit.ask(admin, "GET", "/v1/audit", query=(("limit", "3"),))
    await visit.ask(admin, "POST", f"{found[0]}/start", 403)
    await visit.ask(visit.cast.manager, "GET", "/v1/audit", 403)


async def watching(visit: Visit) -> None:
    bob = visit.cast.bob
    instance = await visit.make(bob)
    last = (("Last-Event-ID", "0"), ("Accept", "text/event-stream"))
    await visit.ask(bob, "GET", "/v1/events", query=(("limit", "1"),), headers=last)
    await visit.do(bob, instance, "boot", "start", "stop")
    await visit.ask(bob, "DELETE", instance, 204)


SCRIPTS: tuple[Script, ...] = (
    *(whole_life, operating, managing, looking, grants, transfers, broken_boot),
    *(mistakes, names, team, tokens, oversight, watching, whole_life, operating, looking),
)


def _if_match(seen: Answer) -> tuple[tuple[str, str], ...]:
    return (("If-Match", seen.headers.get("ETag", "*")),)
