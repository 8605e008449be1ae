"""One session of traffic: what it can ask of the service, and what it makes of the answers."""

from dataclasses import dataclass, field
from random import Random
from typing import Any

import aiohttp

from shadow.demo.client import Answer, Ask, Client
from shadow.demo.principals import Key, Principal

_NAMES = ("api", "web", "cache", "batch", "cafe\u0301", "zażółć", "build 🚀", "db primary")
_IMAGES = ("debian-12", "ubuntu-24.04", "alpine-3.20")
TAGS = ("web", "production", "staging", "eu", "nightly")


class Strange(Exception):  # noqa: N818 - what the answer is
    """The answer is not one that the client knows how to go on from."""


@dataclass(slots=True)
class Log:
    """What all sessions saw: the status of every answer, and a line for whatever was strange."""

    statuses: list[int] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Cast:
    """The principals by the part they play; the order is that of `principals`."""

    alice: Principal
    manager: Principal
    operator: Principal
    readonly: Principal
    bob: Principal
    admin: Principal


@dataclass(frozen=True, slots=True)
class Visit:
    """One session on one connection."""

    client: Client
    cast: Cast
    dice: Random
    log: Log
    number: int

    async def ask(
        self, who: Principal | Key | None, method: str, path: str, expect: int = 200, **more: Any
    ) -> Answer:
        """The answer to an `Ask`. Raises Strange where its status is not `expect`."""
        ask = Ask(method, path, **more)
        key = who.key if isinstance(who, Principal) else who
        try:
            answer = await self.client.send(ask, key)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Strange(f"{method} {path}: {type(error).__name__}") from error
        self.log.statuses.append(answer.status)
        if answer.status != expect:
            raise Strange(f"{method} {path}: {answer.status} instead of {expect}")
        return answer

    async def make(self, owner: Principal, **more: Any) -> str:
        """The path of a new instance."""
        headers: tuple[tuple[str, str], ...] = ()
        if self.dice.random() < 0.5:
            headers = (("Idempotency-Key", self.dice.randbytes(12).hex()),)
        document = self.blueprint() | more
        answer = await self.ask(owner, "POST", "/v1/instances", 201, document=document, headers=headers)
        return f"/v1/instances/{member(answer, 'id')}"

    def blueprint(self) -> dict[str, Any]:
        """What a new instance is to be."""
        dice, image = self.dice, self.dice.choice(_IMAGES)
        return {
            "name": f"{dice.choice(_NAMES)} {dice.randrange(1000)}",
            "image": image,
            "formfile": f"FROM {image}\nRUN apt-get install nginx\nEXPOSE {dice.choice((80, 443, 8080))}\n",
            "tags": dice.sample(TAGS, dice.randrange(4)),
            "vcpus": dice.choice((1, 2, 3, 4, 8)),
            "memory_mb": dice.choice((512, 1024, 1536, 2048, 8192)),
            "disk_gb": dice.randrange(5, 200),
            "max_price_hour": dice.choice((None, 1, 0.5, 2.25)),
        }

    async def do(self, who: Principal, instance: str, *actions: str) -> None:
        for action in actions:
            await self.ask(who, "POST", f"{instance}/{action}")

    async def pages(self, who: Principal, *, limit: int, **query: str) -> list[str]:
        """The paths of the instances on the first two pages."""
        asked = tuple({"limit": str(limit), **query}.items())
        first = await self.ask(who, "GET", "/v1/instances", query=asked)
        items, cursor = member(first, "items"), member(first, "next_cursor")
        if cursor is not None:
            second = await self.ask(who, "GET", "/v1/instances", query=(*asked, ("cursor", cursor)))
            items = [*items, *member(second, "items")]
        return [f"/v1/instances/{item['id']}" for item in items]

    async def shared(self, who: Principal) -> str:
        """One of the instances that alice shares with her team; neighbouring sessions get different ones."""
        found = await self.pages(who, limit=6, owner=self.cast.alice.address)
        if not found:
            raise Strange("GET /v1/instances: nothing is shared")
        return found[self.number % len(found)]


def member(answer: Answer, name: str) -> Any:
    """A member of the answer's object. Raises Strange where there is none."""
    if not isinstance(answer.document, dict) or name not in answer.document:
        raise Strange(f"the answer has no {name!r}")
    return answer.document[name]
