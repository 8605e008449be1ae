"""One target as a campaign uses it: packets ask the guard, looks go where the guard has checked."""

import asyncio
import contextlib
import shlex
from collections.abc import Callable, Sequence

from shadow.errors import TargetError, UnsafeError
from shadow.packets.campaign import Made
from shadow.packets.health import Health, Look
from shadow.packets.wire import PacketSocket
from shadow.replay import Guard, Target

_END_SECONDS = 3.0
_NOWHERE = asyncio.subprocess.DEVNULL


class Service:
    """A `Place`. `aim` gives the packets of what was made, addressed to this target. `restart` is a command
    line, or empty; what it starts is ended by `close`."""

    def __init__(
        self,
        target: Target,
        guard: Guard,
        wire: PacketSocket,
        look: Look,
        *,
        aim: Callable[[Made], Sequence[bytes]],
        restart: str = "",
    ) -> None:
        self._target = target
        self._guard = guard
        self._wire = wire
        self._look = look
        self._aim = aim
        self._command = shlex.split(restart)
        self._started: list[asyncio.subprocess.Process] = []

    async def send(self, made: Made) -> str:
        try:
            address = (await self._guard.addresses(self._target))[0]
        except (UnsafeError, TargetError) as error:
            return str(error)
        if address != self._wire.address:
            return f"{self._target.host!r} was {self._wire.address.ip} and is {address.ip} now"
        for packet in self._aim(made):
            if refusal := await self._guard.turn():
                return refusal
            self._wire.send(packet)
        return ""

    async def health(self) -> Health:
        return await self._look.health((await self._guard.addresses(self._target))[0])

    async def restart(self) -> None:
        if self._command:
            self._started.append(
                await asyncio.create_subprocess_exec(
                    *self._command, stdin=_NOWHERE, stdout=_NOWHERE, stderr=_NOWHERE
                )
            )

    async def close(self) -> None:
        """End what was started and still runs."""
        for process in self._started:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.terminate()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_END_SECONDS):
                        await process.wait()
        self._wire.close()
