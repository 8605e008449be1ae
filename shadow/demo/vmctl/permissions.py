"""Who may do what to which instance."""

import sqlite3

from shadow.demo.vmctl.authentication import Caller
from shadow.demo.vmctl.bugs import Bugs
from shadow.demo.vmctl.calls import Call
from shadow.demo.vmctl.checks import is_uuid
from shadow.demo.vmctl.problems import forbidden, not_found
from shadow.demo.vmctl.store import Store

LEVELS = ("readonly", "operator", "manager", "owner")
"""Lowest first: each may do all that those before it may."""
GRANTED = LEVELS[:3]

_NEEDED = {
    **dict.fromkeys(("start", "stop", "pause", "resume", "reboot"), "operator"),
    **dict.fromkeys(("patch", "boot", "resize", "snapshot", "restore"), "manager"),
    **dict.fromkeys(("delete", "grant", "transfer"), "owner"),
    "read": "readonly",
}


def instance_for(call: Call, action: str, *, instance: str | None = None) -> sqlite3.Row:
    """The instance that the path (or `instance`) names, where the caller may do `action` to it.

    Raises Problem 404 where there is none, or none that the caller may know of, and 403.
    """
    row = find_instance(call.service.store, instance or call.path("id"))
    level = None if row is None else level_of(call.service.store, call.caller, row)
    if row is None or level is None:
        raise not_found("instance")
    if LEVELS.index(level) < LEVELS.index(_needed(action, call.service.bugs)):
        raise forbidden()
    return row


def find_instance(store: Store, instance: str) -> sqlite3.Row | None:
    """The instance, unless there is none or it was deleted."""
    if not is_uuid(instance):
        return None
    return store.one("SELECT * FROM instances WHERE id = ? AND status != 'KILLED'", instance)


def level_of(store: Store, caller: Caller, instance: sqlite3.Row) -> str | None:
    """The caller's level; None where the instance is no concern of the caller's."""
    if instance["owner"] == caller.address:
        return "owner"
    if caller.role == "admin":
        return "readonly"
    grant = store.one(
        "SELECT level FROM grants WHERE instance = ? AND address = ?", instance["id"], caller.address
    )
    return None if grant is None else grant["level"]


def require_own(caller: Caller, row: sqlite3.Row | None, kind: str, *, owner: str, own: str) -> sqlite3.Row:
    """`row`, where its column `owner` says `own`; an admin may see any.

    Raises Problem 404, which calls it `kind`: nobody learns of what is not theirs.
    """
    if row is None or (caller.role != "admin" and row[owner] != own):
        raise not_found(kind)
    return row


def require_role(caller: Caller, *roles: str) -> None:
    """Raises Problem 403 unless the caller's account has one of `roles`."""
    if caller.role not in roles:
        raise forbidden()


def _needed(action: str, bugs: Bugs) -> str:
    if action == "stop" and bugs.has("B13"):
        return "readonly"
    if action == "resize" and bugs.has("B14"):
        return "operator"
    return _NEEDED[action]
