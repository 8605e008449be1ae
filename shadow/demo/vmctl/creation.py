"""How an instance comes to be: written, shared with its owner's team, then built."""

import unicodedata
from collections.abc import Mapping
from typing import Any

from shadow.demo.vmctl.machines import price_hour
from shadow.demo.vmctl.permissions import GRANTED
from shadow.demo.vmctl.service import Service


def create_instance(service: Service, owner: str, values: Mapping[str, Any]) -> str:
    """Write a new instance of acceptable `values`; its id. Call it in a transaction."""
    instance, now = service.chance.new_id(), service.clock.now()
    size = (values["vcpus"], values["memory_mb"], values["disk_gb"])
    name = values["name"]
    if service.bugs.has("B46"):
        name = unicodedata.normalize("NFC", name)
    service.store.run(
        "INSERT INTO instances (id, owner, name, status, vcpus, memory_mb, disk_gb, image, formfile,"
        " max_price_hour, price_hour, version, created_at, updated_at)"
        " VALUES (?, ?, ?, 'BUILDING', ?, ?, ?, ?, ?, ?, ?, 1, ?, ?)",
        *(instance, owner, name, *size, values["image"], values["formfile"], values.get("max_price_hour")),
        *(price_hour(service.bugs, *size), now, now),
    )
    write_tags(service, instance, values.get("tags", []))
    share_with_team(service, instance, owner)
    service.record(owner, "instance.create", instance)
    service.later(lambda: build(service, instance))
    return instance


def write_tags(service: Service, instance: str, tags: list[str]) -> None:
    service.store.run("DELETE FROM tags WHERE instance = ?", instance)
    for tag in tags:
        service.store.run("INSERT INTO tags VALUES (?, ?)", instance, tag)


def share_with_team(service: Service, instance: str, owner: str) -> None:
    """Replace all grants by those of the owner's team: to each member, by the member's role."""
    service.store.run("DELETE FROM grants WHERE instance = ?", instance)
    service.store.run(
        "INSERT INTO grants SELECT ?, member.address, member.role, ? FROM accounts AS member"
        " JOIN accounts AS owner ON owner.address = ? AND owner.tenant = member.tenant"
        " WHERE member.role IN (?, ?, ?)",
        *(instance, service.clock.now(), owner, *GRANTED),
    )


def build(service: Service, instance: str) -> None:
    """The builder's work. Nothing happens where the instance was deleted in the meantime."""
    service.store.run(
        "UPDATE instances SET status = 'BUILT', version = version + 1, updated_at = ?"
        " WHERE id = ? AND status = 'BUILDING'",
        *(service.clock.now(), instance),
    )
