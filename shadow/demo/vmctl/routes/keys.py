"""Signing keys: made for a team's accounts, and revoked."""

import re
from typing import Any

from aiohttp import web
from coincurve import PublicKey

from shadow.demo.principals import ALGORITHMS, ED25519, HMAC, SECP256K1
from shadow.demo.vmctl.answers import answer, nothing
from shadow.demo.vmctl.calls import Call
from shadow.demo.vmctl.checks import Member, address, checked, hexadecimal, integer, one_of
from shadow.demo.vmctl.machines import moment
from shadow.demo.vmctl.permissions import require_role
from shadow.demo.vmctl.problems import Unprocessable, conflict, not_found

_KEY = re.compile(r"key_[0-9a-f]{16}\Z")
_LATEST = 253_402_300_799  # the last second of the year 9999
_PUBLIC_BYTES = {ED25519: 32, SECP256K1: 33}


async def create(call: Call) -> web.StreamResponse:
    require_role(call.caller, "owner")
    service = call.service
    members = {
        "algorithm": Member(one_of(*ALGORITHMS), is_required=True),
        "public": Member(hexadecimal(*_PUBLIC_BYTES.values())),
        "account": Member(address),
        "not_after": Member(integer(service.bugs, 0, _LATEST)),
    }
    values = checked(call.document(), members)
    verifier = _verifier(call, values)
    account = values.get("account", call.caller.address)
    if not service.store.one(
        "SELECT 1 FROM accounts WHERE address = ? AND tenant = ?", account, call.caller.tenant
    ):
        raise Unprocessable([("$.account", "must be of your team")])
    made, now = "key_" + service.chance.dice.randbytes(8).hex(), service.clock.now()
    with service.store.transaction():
        service.store.run(
            "INSERT INTO keys VALUES (?, ?, ?, ?, 'active', ?, ?)",
            *(made, account, values["algorithm"], verifier, values.get("not_after"), now),
        )
        service.record(call.caller.address, "key.create", made)
    document = {
        "id": made,
        "algorithm": values["algorithm"],
        "account": account,
        "status": "active",
        "not_after": values.get("not_after"),
        "created_at": moment(now, service.bugs),
    }
    if values["algorithm"] == HMAC:
        document["secret"] = verifier.hex()
    return answer(service, document, status=201)


async def delete(call: Call) -> web.StreamResponse:
    require_role(call.caller, "owner")
    store, wanted = call.service.store, call.path("id")
    key = None
    if _KEY.match(wanted):
        key = store.one(
            "SELECT keys.* FROM keys JOIN accounts ON accounts.address = keys.account"
            " WHERE keys.id = ? AND keys.status = 'active' AND accounts.tenant = ?",
            *(wanted, call.caller.tenant),
        )
    if key is None:
        raise not_found("key")
    others = store.one(
        "SELECT 1 FROM keys WHERE account = ? AND status = 'active' AND not_after IS NULL AND id != ?",
        *(key["account"], wanted),
    )
    if wanted == call.caller.key or not others:
        raise conflict("the key is in use: an account needs one")
    with store.transaction():
        store.run("UPDATE keys SET status = 'revoked' WHERE id = ?", wanted)
        call.service.record(call.caller.address, "key.revoke", wanted)
    return nothing()


ROUTES = (("POST", "/v1/keys", create), ("DELETE", "/v1/keys/{id}", delete))


def _verifier(call: Call, values: dict[str, Any]) -> bytes:
    """What the service verifies with: a new secret, or the public key given."""
    algorithm, public = values["algorithm"], values.get("public")
    if algorithm == HMAC:
        if public is not None:
            raise Unprocessable([("$.public", "has no meaning for this algorithm")])
        return call.service.chance.new_secret()
    if public is None or len(public) != _PUBLIC_BYTES[algorithm]:
        raise Unprocessable([("$.public", f"must be {_PUBLIC_BYTES[algorithm]} bytes in hexadecimal")])
    if algorithm == SECP256K1 and not _is_point(public):
        raise Unprocessable([("$.public", "is no point of the curve")])
    return bytes(public)


def _is_point(public: bytes) -> bool:
    try:
        PublicKey(public)
    except ValueError:
        return False
    return True
