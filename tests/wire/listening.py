"""A listener that keeps what it hears, for the tests of conversations."""

from shadow.model import Exchange, Request, Response
from shadow.wire.listener import Link

LINK = Link("pcap", ("10.0.0.1:40000", "10.0.0.2:80"), 1)
HANDSHAKE = LINK.exchange(0, 0, 1.0, Request(b"GET", b"/chat"), Response(101))


class Heard:
    """In the sense of `shadow.wire.listener.Listener`."""

    def __init__(self, room_bytes: int = 1 << 30) -> None:
        self.exchanges: list[Exchange] = []
        self.begun: list[float] = []
        self.unparsed_why: list[str] = []
        self.unread_why: list[str] = []
        self.others: list[tuple[str, int]] = []
        self.passed_bytes = 0
        self.kept_bytes = 0
        self.most_kept_bytes = 0
        self._room_bytes = room_bytes

    def begin(self, time: float) -> int:
        self.begun.append(time)
        return len(self.begun) - 1

    def found(self, exchange: Exchange) -> None:
        self.exchanges.append(exchange)

    def unparsed(self, why: str, index: int) -> None:
        self.unparsed_why.append(why)

    def unread(self, why: str) -> None:
        self.unread_why.append(why)

    def other(self, kind: str, count: int) -> None:
        self.others.append((kind, count))

    def passed(self, count: int) -> None:
        self.passed_bytes += count

    def keep(self, count: int) -> bool:
        self.kept_bytes += count
        self.most_kept_bytes = max(self.most_kept_bytes, self.kept_bytes)
        return self.kept_bytes <= self._room_bytes


def messages(exchange: Exchange) -> list[tuple[str, bytes]]:
    """Who said what: ``"client"`` or ``"server"``, with the kind where there is one, and the body."""
    return [
        (("client" if each.is_from_client else "server") + (f" {each.kind}" if each.kind else ""), each.body)
        for each in exchange.messages
    ]
