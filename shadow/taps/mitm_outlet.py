"""What all parts of the inline tap share: where exchanges go, how they are numbered, what may be held."""

import logging
from contextlib import suppress

from mitmproxy import flow

from shadow.model import authority
from shadow.taps.mitm_body import Allowance
from shadow.taps.taker import TakesExchanges

_log = logging.getLogger(__name__)


class Outlet:
    """One tap's way out. All of it belongs to one event loop."""

    def __init__(
        self,
        taker: TakesExchanges,
        *,
        live: str = "",
        name: str = "mitm",
        max_body_bytes: int = 1 << 20,
        max_held_bytes: int = 64 << 20,
        first_index: int = 0,
    ) -> None:
        """`live` names the live service; empty where each flow has its own.

        `max_held_bytes` bounds the copies of all that is on its way through at one moment. Exchanges are
        counted from `first_index`.
        """
        self.taker = taker
        self.name = name
        self.max_body_bytes = max_body_bytes
        self.held = Allowance(max_held_bytes)
        self._live = live
        self._next_index = first_index
        self._has_broken = False

    def next_index(self) -> int:
        """The number of an exchange that begins now."""
        self._next_index += 1
        return self._next_index - 1

    def live_of(self, flow: flow.Flow) -> str:
        """``host:port`` of the live service that `flow` goes to; empty where that is not known."""
        address = flow.server_conn.address
        return self._live or (authority(address[0], address[1]) if address else "")

    def broke(self) -> None:
        """Count a bug of ours, which must not touch live traffic; the first is told."""
        if not self._has_broken:
            self._has_broken = True
            _log.exception("the tap failed on a flow; live traffic goes on, further ones are only counted")
        with suppress(Exception):  # the taker may be what failed
            self.taker.skip("tap_failed")


def session_of(flow: flow.Flow) -> str:
    """One client connection."""
    peer = flow.client_conn.peername
    return authority(peer[0], peer[1])
