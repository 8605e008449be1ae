"""What takes the exchanges of a tap."""

from typing import Protocol

from shadow.model import Exchange


class TakesExchanges(Protocol):
    """Where a tap's exchanges go; the feed's sender is one. Nothing here waits or raises."""

    def offer(self, exchange: Exchange) -> bool: ...

    def skip(self, why: str) -> None: ...

    def time(self, seconds: float) -> None: ...
