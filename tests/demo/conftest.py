"""A running reference service for each test, and hands to try it with."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from shadow.demo.client import Answer, Ask, Client
from shadow.demo.principals import Key, Principal, principals
from shadow.demo.visits import Cast
from shadow.demo.vmctl import VmctlSettings, serve

SEED = 11


@dataclass(frozen=True, slots=True)
class Ground:
    """A running service, its principals, and one connection to it."""

    port: int
    cast: Cast
    client: Client

    async def ask(
        self, who: Principal | Key | None, method: str, path: str, document: Any = None, **more: Any
    ) -> Answer:
        """The answer to a request that `who` signs."""
        headers = tuple(more.pop("headers", {}).items())
        ask = Ask(method, path, document=document, headers=headers, **more)
        return await self.client.send(ask, who.key if isinstance(who, Principal) else who)

    async def tampered(
        self,
        ask: Ask,
        *,
        who: Principal,
        at: float | None = None,
        without: str = "",
        sent: Ask | None = None,
        changed: Mapping[str, str] = MappingProxyType({}),
    ) -> Answer:
        """The answer to `ask` with its signing fields changed, or to `sent` with the fields of `ask`."""
        fields = self.client.signing_fields(ask, who.key, at=at)
        fields |= {f"X-{name.replace('_', '-').title()}": value for name, value in changed.items()}
        fields.pop(without, None)
        sent = ask if sent is None else sent
        return await self.client.send(
            Ask(
                sent.method,
                sent.path,
                query=sent.query,
                document=sent.document,
                body=sent.body,
                headers=tuple(fields.items()),
            ),
            None,
        )

    async def make(self, owner: Principal, **more: Any) -> str:
        """The path of a new instance of `owner`'s, built."""
        document = {
            "name": "web",
            "image": "debian-12",
            "formfile": "FROM debian-12\n",
            "vcpus": 1,
            "memory_mb": 1024,
            "disk_gb": 10,
        }
        answer = await self.ask(owner, "POST", "/v1/instances", document | more)
        assert answer.status == 201, answer
        return f"/v1/instances/{answer.document['id']}"

    async def started(self, owner: Principal) -> str:
        """The path of a new instance of `owner`'s, started."""
        instance = await self.make(owner)
        for action in ("boot", "start"):
            assert (await self.ask(owner, "POST", f"{instance}/{action}")).status == 200
        return instance

    async def raw(self, message: bytes) -> bytes:
        """Everything the service sends back on a connection of its own, until it closes it."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(message)
        writer.write_eof()
        try:
            async with asyncio.timeout(10):
                return await reader.read()
        finally:
            writer.close()


type Serving = Callable[..., AbstractAsyncContextManager[Ground]]


@pytest.fixture
def serving(tmp_path: Path) -> Serving:
    """``serving("B01", release="candidate")``: a context with a service that has these bugs."""

    @asynccontextmanager
    async def start(*bugs: str, **settings: Any) -> AsyncIterator[Ground]:
        settings.setdefault("db", tmp_path / "vmctl.db")
        settings.setdefault("seed", SEED)
        wanted = VmctlSettings(bugs=frozenset(bugs), **settings)
        bound: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        async with asyncio.TaskGroup() as group:
            service = group.create_task(serve(wanted, ready=bound.set_result), name="vmctl")
            port = await bound
            try:
                async with Client(f"http://127.0.0.1:{port}") as client:
                    yield Ground(port, Cast(*principals(SEED)), client)
            finally:
                service.cancel()

    return start
