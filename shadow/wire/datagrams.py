"""Datagrams, put together to queries with their answers and to conversations, by both their ends."""

from collections import OrderedDict
from collections.abc import Mapping
from itertools import islice
from typing import Protocol

from shadow.wire.dns import Asker, Queries, Seen, Way
from shadow.wire.dns_message import DnsMessage, parse
from shadow.wire.dns_records import answered
from shadow.wire.http1 import Limits
from shadow.wire.listener import Link, Listener
from shadow.wire.packet import Datagram, FlowKey, reverse
from shadow.wire.talk import NOTHING
from shadow.wire.transcript import Transcript

_MULTICAST_PORT = 5353
"""Of multicast DNS (RFC 6762)."""
_ANY = 255
_MAX_ANSWERS = 64
"""How many records of a multicast answer are looked at for what it answers."""
_IDLE_SECONDS = 30.0
"""Captured time after which a conversation is over."""
_MAX_TALKS = 16_384

_CUT = "a DNS message longer than what was captured of it"


class _Links(Protocol):
    """Both ends of a datagram, with a number of its own for a new conversation."""

    def __call__(self, key: FlowKey, *, is_new: bool = True) -> Link: ...


class Datagrams:
    """Reads the datagrams of one capture from and to the ports whose protocol is known."""

    def __init__(
        self,
        protocols: Mapping[int, str],
        link: _Links,
        listener: Listener,
        queries: Queries,
        limits: Limits,
    ) -> None:
        """`protocols` says which is spoken at which port, ``"dns"`` or ``"udp"``."""
        self._protocols = protocols
        self._link = link
        self._listener = listener
        self._queries = queries
        self._limits = limits
        self._talks: OrderedDict[FlowKey, _Talk] = OrderedDict()
        """By the direction of the first datagram; that which was silent for longest first."""

    def take(self, datagram: Datagram, time: float) -> None:
        """Takes the next captured datagram, seen at Unix time `time`."""
        self.tick(time)
        key, payload, lost = datagram
        if self._protocols[self._port(key)] == "dns":
            self._take_dns(key, payload, time, is_cut=lost > 0)
        else:
            self._take_udp(key, payload, time, is_cut=lost > 0)

    def tick(self, time: float) -> None:
        """Ends what was silent for too long at Unix time `time`."""
        self._queries.expire(time)
        while self._talks:
            key, talk = next(iter(self._talks.items()))
            if time - talk.time <= _IDLE_SECONDS:
                break
            self._end(key)

    def finish(self) -> None:
        """The capture has ended."""
        self._queries.finish()
        for key in list(self._talks):
            self._end(key)

    def _take_dns(self, key: FlowKey, payload: bytes, time: float, *, is_cut: bool) -> None:
        message = parse(payload)
        if isinstance(message, str):
            self._listener.unparsed(_CUT if is_cut else message, 0)
        elif message.is_answer:
            ways = _ways_back(key, message, payload)
            self._queries.answer(Seen(message, payload, time, ways, key[1], is_cut))
        else:
            link = self._link(key, is_new=False)
            seen = Seen(message, payload, time, _ways(key, message), key[1], is_cut)
            self._queries.ask(Asker(link.tap, *link.sides), seen)

    def _take_udp(self, key: FlowKey, payload: bytes, time: float, *, is_cut: bool) -> None:
        first = key if key in self._talks else reverse(key)
        talk = self._talks.get(first)
        if talk is None:
            first, talk = key, self._begin(key, time)
        talk.time = max(talk.time, time)
        self._talks.move_to_end(first)
        if talk.is_full:
            self._listener.passed(len(payload))
        elif is_cut:
            talk.transcript.is_complete = False
            self._listener.passed(len(payload))
        elif not talk.transcript.add(payload, time, is_from_client=(first == key) is talk.is_client_first):
            talk.is_full, talk.transcript.is_complete = True, False
            talk.transcript.tell()
            self._listener.passed(len(payload))

    def _begin(self, key: FlowKey, time: float) -> "_Talk":
        if len(self._talks) >= _MAX_TALKS:
            self._end(next(iter(self._talks)))
        client = 0 if _ports(key)[1] == self._port(key) else 1
        exchange = self._link(key).exchange(client, self._listener.begin(time), time, NOTHING, protocol="udp")
        transcript = Transcript(exchange, self._listener, self._limits)
        talk = self._talks[key] = _Talk(transcript, time, is_client_first=not client)
        return talk

    def _end(self, key: FlowKey) -> None:
        self._talks.pop(key).transcript.tell()

    def _port(self, key: FlowKey) -> int:
        """The port that tells the protocol; the lower one where both would."""
        return min(port for port in _ports(key) if port in self._protocols)


class _Talk:
    """A conversation that is under way."""

    __slots__ = ("is_client_first", "is_full", "time", "transcript")

    def __init__(self, transcript: Transcript, time: float, *, is_client_first: bool) -> None:
        self.transcript = transcript
        self.time = time
        """When its last datagram was seen."""
        self.is_client_first = is_client_first
        self.is_full = False
        """Its bounds are reached; it was told."""


def _ports(key: FlowKey) -> tuple[int, int]:
    ends = key[0]
    return int.from_bytes(ends[-4:-2]), int.from_bytes(ends[-2:])


def _ways(key: FlowKey, query: DnsMessage) -> list[Way]:
    """The ways by which an answer to `query`, sent in the direction `key`, may be found."""
    ends, _ = key
    if _ports(key) == (_MULTICAST_PORT, _MULTICAST_PORT):
        return [(name.lower(), kind) for name, kind, _ in query.questions]
    return [(_asker(ends), query.id) if _is_multicast(ends) else (ends, query.id)]


def _ways_back(key: FlowKey, answer: DnsMessage, text: bytes) -> list[Way]:
    """The ways by which the query of `answer`, sent in the direction `key`, may have gone."""
    if _ports(key) == (_MULTICAST_PORT, _MULTICAST_PORT):
        found = islice(answered(answer, text), _MAX_ANSWERS)
        return [(name.lower(), asked) for name, kind, _ in found for asked in (kind, _ANY)]
    ends, _ = reverse(key)
    return [(ends, answer.id), (_asker(ends), answer.id)]


def _asker(ends: bytes) -> bytes:
    """Address and port of who sends in this direction: answers to multicast come from anyone."""
    return ends[: (len(ends) - 4) // 2] + ends[-4:-2]


def _is_multicast(ends: bytes) -> bool:
    size = (len(ends) - 4) // 2
    return ends[size] & 0xF0 == 0xE0 if size == 4 else ends[size] == 0xFF
