"""Datagrams in captures: queries with their answers, and conversations of ports that are named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.capture import Packet, Talk, ethernet, ip, udp
from shadow.wire.datagrams import _MAX_TALKS
from shadow.wire.http1 import Limits
from tests.wire.listening import messages
from tests.wire.test_wire_dns_message import message, name, question, record
from tests.wire.test_wire_extraction import extracted, get, ok

CLIENT, SERVER = ("10.0.0.1", 40000), ("10.0.0.2", 53)
CLIENT6, SERVER6 = ("2001:db8::1", 40000), ("2001:db8::2", 53)
ASK = message(7, 0x0100, (question("a.example"),))
REPLY = message(7, 0x8180, (question("a.example"),), (record(b"\xc0\x0c", 1, b"\x01\x02\x03\x04"),))

type End = tuple[str, int]


def datagram(source: End, target: End, payload: bytes, at: float = 1.0, tags: bytes = b"") -> Packet:
    packet = ip(source[0], target[0], 17, udp(source[1], target[1], payload))
    return at, ethernet(packet, tags, ":" in source[0])


def vlan(number: int) -> bytes:
    return b"\x81\x00" + number.to_bytes(2)


@pytest.mark.parametrize(("client", "server"), [(CLIENT, SERVER), (CLIENT6, SERVER6)], ids=["IPv4", "IPv6"])
def test_query_and_answer_are_one_exchange(client: End, server: End) -> None:
    packets = [datagram(client, server, ASK, 1.0), datagram(server, client, REPLY, 1.5)]
    exchanges, unparsed = extracted(packets)
    assert not unparsed
    (found,) = exchanges
    host = f"[{client[0]}]" if ":" in client[0] else client[0]
    assert (found.protocol, found.session, found.latency_seconds) == ("dns", f"{host}:40000", 0.5)
    assert messages(found) == [("client", ASK), ("server", REPLY)]


def test_query_without_an_answer_is_an_exchange() -> None:
    (found,), _ = extracted([datagram(CLIENT, SERVER, ASK)])
    assert (messages(found), found.latency_seconds) == ([("client", ASK)], None)


def test_answer_by_another_vlan_is_found() -> None:
    packets = [datagram(CLIENT, SERVER, ASK, tags=vlan(17)), datagram(SERVER, CLIENT, REPLY, tags=vlan(18))]
    assert [len(each.messages) for each in extracted(packets)[0]] == [2]


@pytest.mark.parametrize(
    ("target", "answerer", "answered_to"),
    [
        (("224.0.0.252", 5355), ("10.0.0.9", 5355), CLIENT),
        (("ff02::1:3", 5355), ("2001:db8::9", 5355), CLIENT6),
        (("224.0.0.251", 5353), ("10.0.0.9", 5353), CLIENT),
    ],
    ids=["link-local", "link-local over IPv6", "legacy multicast"],
)
def test_multicast_query_is_answered_by_whoever_knows(target: End, answerer: End, answered_to: End) -> None:
    packets = [datagram(answered_to, target, ASK), datagram(answerer, answered_to, REPLY, 1.2)]
    exchanges, unparsed = extracted(packets)
    assert not unparsed
    assert [len(each.messages) for each in exchanges] == [2]


GROUP: End = ("224.0.0.251", 5353)
HERE: End = ("10.0.0.1", 5353)
THERE: End = ("10.0.0.9", 5353)
ANNOUNCED = message(0, 0x8400, (), (record(name("b.local"), 1, b"\x01\x02\x03\x04"),))


@pytest.mark.parametrize("target", [GROUP, HERE], ids=["to all", "to the asker"])
@pytest.mark.parametrize("kind", [1, 255], ids=["A", "any"])
def test_multicast_answer_has_no_question_and_answers_one_of_several(target: End, kind: int) -> None:
    asked = message(0, 0, (question("a.local"), question("B.local", kind, 0x8001)))
    exchanges, unparsed = extracted([datagram(HERE, GROUP, asked), datagram(THERE, target, ANNOUNCED, 1.1)])
    assert not unparsed
    assert messages(exchanges[0]) == [("client", asked), ("server", ANNOUNCED)]


def test_announcement_that_nobody_asked_for_is_unparsed() -> None:
    exchanges, unparsed = extracted([datagram(THERE, GROUP, ANNOUNCED)])
    assert not exchanges
    assert unparsed == ["a DNS answer without its query"]


@pytest.mark.parametrize("payload", [b"", b"hello", message(1, 0, (b"\x3fa",))])
def test_what_is_no_dns_is_unparsed(payload: bytes) -> None:
    exchanges, unparsed = extracted([datagram(CLIENT, SERVER, payload)])
    assert not exchanges
    assert ["no DNS message" in why for why in unparsed] == [True]


def test_conversation_of_a_named_port_is_one_exchange() -> None:
    server = ("10.0.0.2", 5000)
    packets = [
        datagram(CLIENT, server, b"one", 1.0),
        datagram(CLIENT, server, b"", 2.0),
        datagram(server, CLIENT, b"two", 3.0),
    ]
    (found,), unparsed = extracted(packets, protocols={5000: "udp"})
    assert not unparsed
    assert (found.protocol, found.live, found.seen_at) == ("udp", "10.0.0.2:5000", 1.0)
    assert found.session == "10.0.0.1:40000>10.0.0.2:5000#1"
    assert messages(found) == [("client", b"one"), ("client", b""), ("server", b"two")]
    assert extracted(packets) == ([], [])


def test_port_that_is_named_is_the_server_whoever_is_seen_first() -> None:
    server = ("10.0.0.2", 5000)
    packets = [datagram(server, CLIENT, b"one"), datagram(CLIENT, server, b"two", 2.0)]
    (found,), _ = extracted(packets, protocols={5000: "udp"})
    assert messages(found) == [("server", b"one"), ("client", b"two")]
    assert found.session == "10.0.0.1:40000>10.0.0.2:5000#1"


def test_silence_of_thirty_seconds_ends_a_conversation() -> None:
    server = ("10.0.0.2", 5000)
    packets = [datagram(CLIENT, server, b"x", at) for at in (1.0, 31.0, 61.1)]
    exchanges, _ = extracted(packets, protocols={5000: "udp"})
    assert [len(each.messages) for each in exchanges] == [2, 1]
    assert len({each.session for each in exchanges}) == 2


def test_conversation_ends_where_its_bound_is_reached() -> None:
    packets = [datagram(CLIENT, ("10.0.0.2", 5000), bytes(400), float(at)) for at in range(5)]
    (found,), _ = extracted(packets, protocols={5000: "udp"}, limits=Limits(max_body_bytes=1000))
    assert (len(found.messages), found.is_complete) == (2, False)


def test_number_of_conversations_is_bounded() -> None:
    packets = [
        datagram((f"10.1.{at >> 8}.{at & 255}", 40000), ("10.0.0.2", 5000), b"x")
        for at in range(_MAX_TALKS + 2)
    ]
    exchanges, _ = extracted(packets, protocols={5000: "udp"})
    assert len(exchanges) == _MAX_TALKS + 2


def test_datagram_that_the_capture_cut_is_missing() -> None:
    server = ("10.0.0.2", 5000)
    at, frame = datagram(CLIENT, server, bytes(100), 2.0)
    packets = [datagram(CLIENT, server, b"whole"), (at, frame[:80])]
    (found,), _ = extracted(packets, protocols={5000: "udp"})
    assert messages(found) == [("client", b"whole")]
    assert not found.is_complete


def test_answer_that_the_capture_cut_is_missing_and_a_query_unparsed() -> None:
    at, frame = datagram(SERVER, CLIENT, REPLY)
    exchanges, unparsed = extracted([datagram(CLIENT, SERVER, ASK), (at, frame[:-4])])
    assert [(len(each.messages), each.is_complete) for each in exchanges] == [(1, False)]
    assert not unparsed
    at, frame = datagram(CLIENT, SERVER, message(7, 0x0100, (question("a.example"),)) + bytes(50))
    assert extracted([(at, frame[:-9]), datagram(SERVER, CLIENT, REPLY)]) == (
        [],
        ["a DNS query longer than what was captured of it"],
    )


@pytest.mark.parametrize(
    ("ports", "protocols", "found"),
    [
        (None, {}, ["dns"]),
        ({53}, {}, ["dns"]),
        ({80}, {}, ["http"]),
        ({80}, {53: "dns"}, ["dns", "http"]),
        ({80}, {5000: "udp"}, ["udp", "http"]),
        ({5000}, {5000: "udp", 53: "udp"}, ["udp", "udp"]),
        (None, {53: "tcp"}, ["dns"]),
    ],
    ids=["all", "dns", "http", "dns is named", "udp is named", "both as udp", "tcp only of connections"],
)
def test_ports_that_are_read(ports: set[int] | None, protocols: dict[int, str], found: list[str]) -> None:
    web = Talk(at=5.0).open().say(0, get("/")).say(1, ok()).packets if ports and 80 in ports else []
    packets = [
        datagram(CLIENT, SERVER, ASK),
        datagram(CLIENT, ("10.0.0.2", 5000), b"x", 2.0),
        *web,
    ]
    exchanges, _ = extracted(packets, ports=ports, protocols=protocols)
    assert [each.protocol for each in exchanges] == found


@given(
    payloads=st.lists(st.tuples(st.booleans(), st.binary(max_size=60), st.integers(0, 40)), max_size=12),
    port=st.sampled_from([53, 5353, 5355, 5000]),
)
def test_random_datagrams_never_raise_and_are_all_told(
    payloads: list[tuple[bool, bytes, int]], port: int
) -> None:
    at, packets = 1.0, []
    for is_first, payload, wait in payloads:
        ends = (CLIENT, ("10.0.0.2", port)) if is_first else (("10.0.0.2", port), CLIENT)
        at += wait
        packets.append(datagram(*ends, payload, at))
    exchanges, unparsed = extracted(packets, protocols={5000: "udp"})
    assert sum(len(each.messages) for each in exchanges) + len(unparsed) == len(payloads)
