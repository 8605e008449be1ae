"""The passive tap as `shadow sniff` runs it: a thread that listens, with no privilege left."""

import asyncio
import threading

import msgspec

from shadow.config import Settings
from shadow.feed.sender import Sender
from shadow.run.supervision import Tell
from shadow.taps.sniff import Sniffer, SniffSettings, drop_privileges


class PassiveTap:
    """A `LiveTap`: listens to an interface beside the live traffic."""

    name = "sniff"

    def __init__(self, settings: Settings, sniff: SniffSettings) -> None:
        # nobody listens; what answers on the sniffed ports of this machine is live
        ports = (*sniff.ports, *(port for port in sniff.protocols if port not in sniff.ports))
        self.settings = msgspec.structs.replace(
            settings, listen="", scope=msgspec.structs.replace(settings.scope, ports=ports)
        )
        self._sniff = sniff
        self._sniffer: Sniffer | None = None

    async def prepare(self) -> None:
        """Open the socket, which alone needs a privilege. Raises TapError."""
        self._sniffer = Sniffer(self._sniff)

    async def carry(self, sender: Sender, stop: asyncio.Event, tell: Tell) -> None:
        sniffer = self._sniffer
        assert sniffer is not None
        drop_privileges()
        ports = ", ".join(map(str, self._sniff.ports))
        others = "".join(f", {port} as {spoken}" for port, spoken in self._sniff.protocols.items())
        tell(f"listening on {self._sniff.interface}, TCP port {ports}{others}")
        ended = threading.Event()
        try:
            async with asyncio.TaskGroup() as group:
                listening = group.create_task(asyncio.to_thread(sniffer.run, sender, ended), name="sniffer")
                await stop.wait()
                ended.set()
                await listening
        finally:
            ended.set()
            sniffer.close()
        tell(f"took {sniffer.frame_count} frames; the kernel dropped {sniffer.lost_count}")
        remarks = sniffer.remarks()
        for line in remarks.lines():
            tell(line)
        if sniffer.decryption is not None:
            tls = remarks.tls
            tell(f"TLS connections: {tls.read} read, {tls.keyless} without a key")
