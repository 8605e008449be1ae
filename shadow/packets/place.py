"""One target as a campaign uses it: packets and looks ask the guard, and go where it has checked."""

import asyncio
import contextlib
import shlex
import shutil
from collections.abc import Callable, Sequence

import msgspec

from mutators._packet import Ends
from shadow.errors import ConfigError, TargetError, UnsafeError
from shadow.model import Request, Wire
from shadow.packets.campaign import Made
from shadow.packets.connecting import Connections, plain
from shadow.packets.health import Health, Look
from shadow.packets.wire import PacketSocket
from shadow.replay import Guard, Sending, Target
from shadow.replay.guard import Address

_END_SECONDS = 3.0
_NOWHERE = asyncio.subprocess.DEVNULL
_NOTHING = Request(b"", b"")
"""A packet is no request; the guard counts its bytes."""


def command_of(option: str, line: str) -> tuple[str, ...]:
    """The command that `line` writes, which `option` gave. Raises ConfigError for what cannot be started."""
    try:
        words = tuple(shlex.split(line))
    except ValueError as error:
        raise ConfigError(f"--{option} {line!r} is no command line: {error}; close its quotes") from error
    if words and shutil.which(words[0]) is None:
        raise ConfigError(f"--{option}: {words[0]!r} is no program that can be started; give its whole path")
    return words


class Service:
    """A `Place`. `aim` gives the packets of what was made, for these ends. `restart` is a command with its
    arguments, or empty; what it starts is ended by `close`."""

    def __init__(
        self,
        target: Target,
        guard: Guard,
        wire: PacketSocket,
        look: Look,
        ends: Ends,
        *,
        aim: Callable[[Made, Ends], Sequence[bytes]],
        connections: Connections | None = None,
        restart: Sequence[str] = (),
    ) -> None:
        """Without `connections` what belongs to one goes out without; they are closed with this."""
        self._target = target
        self._guard = guard
        self._wire = wire
        self._look = look
        self._ends = ends
        self._connections = connections
        self._aim = aim
        self.unconnected = 0
        """Packets of connections that the target did not take."""
        self._command = tuple(restart)
        self._started: list[asyncio.subprocess.Process] = []

    async def send(self, made: Made) -> str:
        try:
            await self._address()
        except (UnsafeError, TargetError) as error:
            return str(error)
        if made.is_in_stream and self._connections is not None:
            return await self._send_in_stream(made, self._connections)
        return await self._send_all(self._aim(made, self._ends))

    async def _send_all(self, packets: Sequence[bytes]) -> str:
        for packet in packets:
            if refusal := await self._guard.turn(Sending(_NOTHING, Wire((packet,)))):
                return refusal
            self._wire.send(packet)
        return ""

    async def _send_in_stream(self, made: Made, connections: Connections) -> str:
        """Connect, say it there, and end the connection by a reset, however it stands."""
        if refusal := await self._guard.turn():
            return refusal
        try:
            stream = await connections.open()
            ends = msgspec.structs.replace(self._ends, stream=stream)
            refusal = await self._send_all([plain(ends, stream, "A"), *self._aim(made, ends)])
            stream = await connections.quiet(stream)
            return await self._send_all([plain(ends, stream, "R")]) or refusal
        except TargetError:  # whether it is gone, the next look shows
            self.unconnected += len(made.packets)
            return ""
        finally:
            connections.end()

    async def health(self) -> Health:
        """Raises UnsafeError where not even a look may be sent, TargetError where nobody knows where to."""
        address = await self._address()
        if refusal := await self._guard.turn():
            raise UnsafeError(refusal)
        return await self._look.health(address)

    async def restart(self) -> None:
        """Raises TargetError where the command does not start."""
        if not self._command:
            return
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command, stdin=_NOWHERE, stdout=_NOWHERE, stderr=_NOWHERE
            )
        except OSError as error:
            raise TargetError(f"cannot start {self._command[0]!r} again: {error.strerror}") from error
        self._started.append(process)

    async def _address(self) -> Address:
        """Where the packets go, checked once more. Raises UnsafeError, TargetError."""
        addresses = await self._guard.addresses(self._target)
        if self._wire.address not in addresses:
            told = f"{self._target.host!r} was {self._wire.address.ip} and is {addresses[0].ip} now"
            raise UnsafeError(told)
        return self._wire.address

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
        if self._connections is not None:
            self._connections.close()
