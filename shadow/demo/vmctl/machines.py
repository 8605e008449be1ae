"""Instances: how they are shaped, priced, shown, and how one status leads to another."""

import hashlib
import re
import sqlite3
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from typing import Any

from shadow.demo.vmctl.bugs import Bugs
from shadow.demo.vmctl.checks import Check, Invalid, Member, integer, list_of, price, text, uuid
from shadow.demo.vmctl.clock import iso
from shadow.demo.vmctl.problems import Problem
from shadow.demo.vmctl.service import Service

STATUSES = (
    *("BUILDING", "BUILT", "CREATED", "STARTED", "PAUSED", "STOPPED", "CRITICAL_ERROR"),
    "KILLED",
)
TRANSITIONS: dict[str, dict[str, str]] = {
    "boot": {"BUILT": "CREATED"},
    "start": {"CREATED": "STARTED", "STOPPED": "STARTED"},
    "stop": {"STARTED": "STOPPED"},
    "pause": {"STARTED": "PAUSED"},
    "resume": {"PAUSED": "STARTED"},
    "reboot": {"STARTED": "STARTED"},
    "snapshot": {"STARTED": "STARTED", "PAUSED": "PAUSED", "STOPPED": "STOPPED"},
    "restore": {"CRITICAL_ERROR": "STOPPED"},
    "resize": {"BUILT": "BUILT", "CREATED": "CREATED", "STOPPED": "STOPPED"},
}
_VCPU_HOUR = Decimal("0.01275")
_GIB_HOUR = Decimal("0.00435")
_DISK_GB_HOUR = Decimal("0.00011")
_CENT_OF_CENT = Decimal("0.0001")
_WORDS = re.compile(r"(?:[^!<>]+[-. ]?)+\Z")
_WORDS_CHARACTERS = 29


def members(bugs: Bugs) -> dict[str, Member]:
    """What a new instance is described by."""
    return {
        "name": Member(name(bugs), is_required=True),
        "image": Member(text(bugs, longest=128), is_required=True),
        "formfile": Member(formfile(bugs), is_required=True),
        "tags": Member(list_of(text(bugs, longest=32), longest=16)),
        "max_price_hour": Member(price),
        **sizes(bugs, is_required=True),
    }


def changes(bugs: Bugs) -> dict[str, Member]:
    """What may be changed of one that exists; an `id` must be its own."""
    allowed = {part: member for part, member in members(bugs).items() if part not in sizes(bugs)}
    allowed = {part: Member(member.check) for part, member in allowed.items() if part != "image"}
    if bugs.has("B17"):
        allowed |= {"owner": Member(text(bugs, longest=64)), "status": Member(text(bugs, longest=32))}
    return allowed | {"id": Member(uuid)}


def sizes(bugs: Bugs, *, is_required: bool = False) -> dict[str, Member]:
    return {
        "vcpus": Member(integer(bugs, 1, 64), is_required),
        "memory_mb": Member(integer(bugs, 256, 524_288), is_required),
        "disk_gb": Member(integer(bugs, 1, 4096), is_required),
    }


def name(bugs: Bugs) -> Check:
    """1 to 64 characters on one line, no white space at either end."""
    plain = text(bugs, longest=64)

    def check(value: Any) -> str:
        if bugs.has("B26") and not _WORDS.match(str(value)[-_WORDS_CHARACTERS:]):
            raise Invalid("must be words")
        chosen: str = plain(value)
        if chosen != chosen.strip():
            raise Invalid("must not begin or end with white space")
        return chosen

    return check


def formfile(bugs: Bugs) -> Check:
    """A recipe that begins with ``FROM``."""
    plain = text(bugs, longest=16_384, has_lines=True)

    def check(value: Any) -> str:
        recipe: str = plain(value)
        if bugs.has("B29") and len(recipe) < 4:
            raise ConnectionAbortedError("formfile ended early")
        if not recipe.startswith("FROM "):
            raise Invalid("must begin with FROM")
        return recipe

    return check


def price_hour(bugs: Bugs, vcpus: int, memory_mb: int, disk_gb: int) -> str:
    """Price of one hour, to a hundredth of a cent."""
    exact = vcpus * _VCPU_HOUR + Decimal(memory_mb) / 1024 * _GIB_HOUR + disk_gb * _DISK_GB_HOUR
    return str(exact.quantize(_CENT_OF_CENT, ROUND_DOWN if bugs.has("B37") else ROUND_HALF_UP))


def next_status(action: str, status: str) -> str:
    """Where `action` leads from `status`. Raises Problem 409 where it leads nowhere."""
    following = TRANSITIONS[action].get(status)
    if following is None:
        raise illegal(action, status)
    return following


def illegal(action: str, status: str) -> Problem:
    return Problem(409, "illegal_transition", f"cannot {action} when {status}")


def etag(row: sqlite3.Row, bugs: Bugs) -> str:
    opaque = hashlib.sha256(f"{row['id']}:{row['updated_at']:.6f}".encode()).hexdigest()[:20]
    return f'W/"{opaque}"' if bugs.has("B39") else f'"{opaque}"'


def entity_fields(row: sqlite3.Row, bugs: Bugs) -> dict[str, str]:
    """The answer's fields that speak of the instance shown."""
    fields = {"ETag": etag(row, bugs), "Cache-Control": "private, no-cache"}
    if not bugs.has("B39"):
        fields["Vary"] = "Authorization, X-Key-Id"
    return fields


def view(service: Service, row: sqlite3.Row) -> dict[str, Any]:
    """An instance as a document. The order of its tags says nothing."""
    bugs = service.bugs
    tags: list[str] | None = [
        each["tag"] for each in service.store.all("SELECT tag FROM tags WHERE instance = ?", row["id"])
    ]
    service.chance.dice.shuffle(tags or [])
    if bugs.has("B45"):
        tags = tags or None
    document = {
        "id": row["id"],
        "owner": row["owner"],
        "name": row["name"],
        "status": row["status"].lower() if bugs.has("B44") else row["status"],
        "vcpus": row["vcpus"],
        "memory_mb": str(row["memory_mb"]) if bugs.has("B36") else row["memory_mb"],
        "disk_gb": row["disk_gb"],
        "image": row["image"],
        "formfile": row["formfile"],
        "tags": tags,
        "price_hour": row["price_hour"],
        "max_price_hour": row["max_price_hour"],
        "version": row["version"],
        "created_at": moment(row["created_at"], bugs),
        "updated_at": moment(row["updated_at"], bugs),
    }
    if bugs.has("B35"):
        del document["image"]
    return document


def moment(seconds: float, bugs: Bugs) -> str:
    """A time as the service writes it."""
    if bugs.has("B38"):
        return iso(seconds).replace("T", " ").removesuffix("Z")
    return iso(seconds)
