"""Recorded DNS queries asked again: over UDP, and over TCP what is cut there or needs it."""

from time import monotonic

from shadow.errors import UnsafeError
from shadow.model import Message, Silence
from shadow.replay._contract import Sending, Target
from shadow.replay.conversing import Progress, TalkSettings, TalkTransport, UnsayableError
from shadow.replay.datagram import Port, open_port
from shadow.replay.guard import Guard
from shadow.replay.hearing import Hearing
from shadow.replay.line import Line, abort_all, connect
from shadow.wire.dns_message import DnsMessage, parse

_CUT = 0x0200
"""The flag TC (RFC 1035 §4.1.1)."""
_TRANSFERS = (251, 252)
"""IXFR and AXFR."""
_UNANSWERED_SECONDS = 2.0
_MAX_QUERY_BYTES = 65_535


class DnsTransport(TalkTransport):
    """Each query from a port of its own, so its recorded id is kept: a signature may cover it.

    The answer is the one that fits the query by id and question; a cut one is asked for again over TCP, which
    is another sending, unless the recorded one was cut too.
    """

    name = "dns"

    def __init__(self, target: Target, guard: Guard, settings: TalkSettings | None = None) -> None:
        super().__init__(target, guard, settings)
        self._ports: set[Port] = set()
        self._lines: set[Line] = set()

    @property
    def open_connections(self) -> int:
        return len(self._ports) + len(self._lines)

    async def close(self) -> None:
        """Close everything, and return when the sockets are gone."""
        for port in tuple(self._ports):
            port.abort()
            await port.closed()
        await abort_all(self._lines)

    async def _talk(self, sending: Sending, progress: Progress) -> None:
        texts = [each.body for each in sending.messages if each.is_from_client]
        if sending.manner is not None:
            await self._ask_exactly(texts, sending, progress)
            return
        query = parse(texts[0]) if texts else "there is no query"
        if isinstance(query, str):
            raise UnsayableError(query)
        live = [parse(each.body) for each in sending.messages if not each.is_from_client]
        ears = _Ears(query, Hearing(joins=False, bytes_max=self.settings.bytes_max))
        if any(question.kind in _TRANSFERS for question in query.questions):
            await self._ask_by_tcp(texts[0], ears, sending, progress, amount=max(len(live), 1))
            return
        await self._ask_by_udp(texts[0], ears, sending, progress)
        was_cut = any(isinstance(each, DnsMessage) and each.flags & _CUT for each in live)
        if ears.is_cut and not was_cut:
            if refusal := await self._guard.turn(sending, self.target):
                raise UnsafeError(refusal)
            progress.remark("cut over UDP, so it was asked for again over TCP")
            ears = _Ears(query, Hearing(joins=False, bytes_max=self.settings.bytes_max))
            await self._ask_by_tcp(texts[0], ears, sending, progress, amount=1)

    async def _ask_exactly(self, texts: list[bytes], sending: Sending, progress: Progress) -> None:
        """Send what may be no query, over UDP; what bears the id of the first is an answer, however short."""
        hearing = Hearing(joins=False, bytes_max=self.settings.bytes_max)
        ident = texts[0][:2] if texts else b""

        def hear(text: bytes) -> None:
            if text[:2] == ident and text[2:3] >= b"\x80":
                hearing.hear(text)

        address = (await self._guard.addresses(self.target))[0]
        port = await open_port(address, lambda sock: Port(sock, hear, hearing.end))
        progress.connected_at = monotonic()
        progress.hearing = hearing
        self._ports.add(port)
        try:
            for text in texts:
                port.say(text)
            await hearing.until(len(texts), min(_UNANSWERED_SECONDS, sending.timeout_seconds))
        finally:
            self._ports.discard(port)
            port.abort()

    async def _ask_by_udp(self, text: bytes, ears: "_Ears", sending: Sending, progress: Progress) -> None:
        address = (await self._guard.addresses(self.target))[0]
        port = await open_port(address, lambda sock: Port(sock, ears.hear, ears.hearing.end))
        progress.connected_at = monotonic()
        progress.hearing = ears.hearing
        self._ports.add(port)
        try:
            port.say(text)
            await ears.answered(1, _patience_seconds(sending))
        finally:
            self._ports.discard(port)
            port.abort()

    async def _ask_by_tcp(
        self, text: bytes, ears: "_Ears", sending: Sending, progress: Progress, *, amount: int
    ) -> None:
        if len(text) > _MAX_QUERY_BYTES:
            raise UnsayableError(f"{len(text)} bytes are no DNS query")
        progress.hearing = ears.hearing  # so a server that answered over UDP is not taken to be down
        line = await connect(
            self._guard,
            self.target,
            lambda: Line(ears.hear_stream, ears.hearing.end, self._lines),
            progress,
            timeout_seconds=self.settings.connect_timeout_seconds,
        )
        try:
            await line.say(len(text).to_bytes(2) + text)
            await ears.answered(amount, sending.timeout_seconds)
            if amount > 1:
                await ears.hearing.for_seconds(self.settings.end_seconds)
        except BaseException:
            line.abort()
            raise
        line.leave()


def _patience_seconds(sending: Sending) -> float:
    """How long for an answer; less where live gave none either, as far as was captured."""
    was_answered = any(not each.is_from_client for each in sending.messages)
    return sending.timeout_seconds if was_answered else min(_UNANSWERED_SECONDS, sending.timeout_seconds)


class _Ears:
    """Hears the answers to one query, and nothing else."""

    def __init__(self, query: DnsMessage, hearing: Hearing) -> None:
        self.hearing = hearing
        self.is_cut = False
        self._query = query
        self._stranger = ""
        """What came that is no answer to the query."""
        self._pending = bytearray()

    def hear(self, text: bytes) -> None:
        message = parse(text)
        if isinstance(message, str):
            self._stranger = message
        elif not _is_answer(message, self._query):
            self._stranger = "an answer to another query"
        else:
            self.is_cut = bool(message.flags & _CUT)
            self.hearing.hear(text)

    def hear_stream(self, data: bytes) -> None:
        """Takes bytes of a TCP connection (RFC 1035 §4.2.2)."""
        self._pending += data
        while len(self._pending) >= 2:
            end = 2 + int.from_bytes(self._pending[:2])
            if len(self._pending) < end:
                break
            text = bytes(self._pending[2:end])
            del self._pending[:end]
            self.hear(text)

    async def answered(self, amount: int, seconds: float) -> None:
        """Wait for so many answers."""
        await self.hearing.until(amount, seconds)
        if self._stranger and not self.hearing.messages:
            self.hearing.ending = None
            self.hearing.end(Silence.MALFORMED, self._stranger)


def _is_answer(message: DnsMessage, query: DnsMessage) -> bool:
    if not message.is_answer or message.id != query.id:
        return False
    return not message.questions or not query.questions or _asked(message) == _asked(query)


def _asked(message: DnsMessage) -> list[tuple[str, int, int]]:
    return [(name.lower(), kind, group) for name, kind, group in message.questions]


def is_query(message: Message) -> bool:
    """Whether it asks, and changes nothing: no update and no notice (RFC 2136, RFC 1996)."""
    found = parse(message.body)
    return not isinstance(found, str) and found.opcode in (0, 1, 2)
