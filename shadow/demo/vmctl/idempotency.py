"""A request with an Idempotency-Key has its effect once, however often it is sent."""

import asyncio
import hashlib
import json
import re
from collections.abc import Callable
from typing import Any

from shadow.demo.vmctl.calls import Call
from shadow.demo.vmctl.problems import Unprocessable, conflict

_KEY = re.compile(r"[\x21-\x7e]{1,255}\Z")
_QUOTA_SECONDS = 0.005  # what the ledger of quotas takes to answer


async def once(
    call: Call, document: dict[str, Any], make: Callable[[], tuple[str, dict[str, Any]]]
) -> tuple[str, dict[str, Any]]:
    """What `make` gave (an id and a document): now, or at the first request with the same key.

    Raises Problem 409 where the key came with another `document`, 422 where it is no key.
    """
    store, caller = call.service.store, call.caller.address
    key = call.request.headers.get("Idempotency-Key")
    if key is None:
        with store.transaction():
            return make()
    if not _KEY.match(key):
        raise Unprocessable([("header:idempotency-key", "must be 1 to 255 visible characters")])
    meaning = json.dumps(document, sort_keys=True)  # not its bytes: spelling changes nothing
    digest = hashlib.sha256(meaning.encode()).hexdigest()
    earlier = store.one("SELECT * FROM idempotency WHERE account = ? AND key = ?", caller, key)
    if call.service.bugs.has("B20"):
        await asyncio.sleep(_QUOTA_SECONDS)
    if earlier is not None:
        if earlier["digest"] != digest:
            raise conflict("the idempotency key was used for another request")
        return earlier["instance"], json.loads(earlier["answer"])
    with store.transaction():
        made, shown = make()
        store.run(
            "INSERT OR REPLACE INTO idempotency VALUES (?, ?, ?, ?, ?)",
            *(caller, key, digest, made, json.dumps(shown)),
        )
    return made, shown
