"""TLS connections with their secrets: whatever version and suite, the exchanges inside are whole."""

import ssl
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.capture import ACK, FIN, PSH, RST, Packet, Talk
from bench.tls import NO_ENCRYPT_THEN_MAC, TlsTalk, contexts
from tests.certificates import write_certificate
from tests.wire.reading import get, ok, post, read
from tests.wire.sealing import (
    APPLICATION,
    CHANGE,
    CLIENT,
    HANDSHAKE,
    RETRY,
    SERVER,
    Sealed,
    SealedOld,
    client_hello,
    extension,
    message,
    record,
    server_hello,
)

OLD = [
    ("ECDHE-ECDSA-AES128-GCM-SHA256", 0),
    ("ECDHE-ECDSA-AES256-GCM-SHA384", 0),
    ("ECDHE-ECDSA-AES128-CCM", 0),
    ("ECDHE-ECDSA-AES256-CCM", 0),
    ("ECDHE-ECDSA-AES128-CCM8", 0),
    ("ECDHE-ECDSA-AES256-CCM8", 0),
    ("ECDHE-ECDSA-CHACHA20-POLY1305", 0),
    *(
        (f"ECDHE-ECDSA-{name}", options)
        for name in ("AES128-SHA", "AES256-SHA", "AES128-SHA256", "AES256-SHA384")
        for options in (0, NO_ENCRYPT_THEN_MAC)
    ),
]
TLS_1_0, TLS_1_1 = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
TLS_1_2, TLS_1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
KINDS = [
    (TLS_1_3, "", 0),
    *((TLS_1_2, name, options) for name, options in OLD),
    *((version, "ECDHE-ECDSA-AES256-SHA", 0) for version in (TLS_1_0, TLS_1_1)),
    (TLS_1_0, "ECDHE-ECDSA-AES128-SHA", NO_ENCRYPT_THEN_MAC),
]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_certificate(tmp_path_factory.mktemp("tls") / "certificate.pem")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")
@pytest.mark.parametrize(
    ("version", "ciphers", "options"),
    KINDS,
    ids=[
        f"{version.name}-{name or 'default'}-{'mac first' if options else 'as usual'}"
        for version, name, options in KINDS
    ],
)
def test_exchanges_are_read_in_every_version_and_suite(
    version: ssl.TLSVersion, ciphers: str, options: int, certificate: Path, tmp_path: Path
) -> None:
    log = tmp_path / "keys"
    talk = TlsTalk(contexts(certificate, log, version, ciphers, options=options)).open()
    for number in range(3):
        talk.say(0, post(f"/{number}", b"q" * 20_000)).say(1, ok(b"%d" % number * 50_000))
    seen = read(talk.close().talk.packets, log.read_bytes())
    assert seen.pairs == [(b"/%d" % number, b"%d" % number * 50_000) for number in range(3)]
    assert all(len(each.request.body) == 20_000 for each in seen.exchanges)
    assert (seen.counts, seen.others, seen.other_bytes) == ((1, 0), {}, 0)


@pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3], ids=["TLS 1.2", "TLS 1.3"])
def test_resumed_session_is_read_as_the_first_one_was(
    version: ssl.TLSVersion, certificate: Path, tmp_path: Path
) -> None:
    log = tmp_path / "keys"
    both = contexts(certificate, log, version)
    first = TlsTalk(both).open()
    first.say(0, get("/first")).say(1, ok(b"1")).close()
    again = TlsTalk(
        both, Talk(("10.0.0.1", 40001), at=1_700_000_100.0).open(), session=first.sides[0].session
    )
    again.open().say(0, get("/again")).say(1, ok(b"2")).close()
    assert again.sides[0].session_reused
    seen = read(first.talk.packets + again.talk.packets, log.read_bytes())
    assert seen.pairs == [(b"/first", b"1"), (b"/again", b"2")]
    assert seen.counts == (2, 0)


@pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3], ids=["TLS 1.2", "TLS 1.3"])
def test_client_with_a_certificate_is_read(
    version: ssl.TLSVersion, certificate: Path, tmp_path: Path
) -> None:
    log = tmp_path / "keys"
    both = contexts(certificate, log, version)
    both[1].verify_mode = ssl.CERT_REQUIRED
    talk = TlsTalk(both).open().say(0, get("/mine")).say(1, ok(b"yours")).close()
    assert talk.sides[1].getpeercert()
    assert read(talk.talk.packets, log.read_bytes()).pairs == [(b"/mine", b"yours")]


@pytest.mark.parametrize("suite", [0x1301, 0x1302, 0x1303, 0x1304, 0x1305], ids=hex)
def test_every_suite_of_tls_1_3_is_read(suite: int) -> None:
    talk = Sealed(suite).open().say(CLIENT, get("/x")).say(SERVER, ok(b"y" * 40_000)).close()
    assert read(talk.talk.packets, talk.key_log()).pairs == [(b"/x", b"y" * 40_000)]


def test_keys_are_updated_as_often_as_either_side_wishes() -> None:
    talk = Sealed().open()
    for number in range(4):
        talk.say(CLIENT, get(f"/{number}")).update(SERVER).say(SERVER, ok(b"%d" % number))
        if number % 2:
            talk.update(CLIENT).update(CLIENT)
    seen = read(talk.close().talk.packets, talk.key_log())
    assert seen.pairs == [(b"/%d" % number, b"%d" % number) for number in range(4)]


def test_padding_is_no_content() -> None:
    talk = Sealed().open().say(CLIENT, get("/x"), padding=300).say(SERVER, ok(b"a\0\0\x17"), padding=1)
    talk.say(SERVER, b"", padding=50)
    assert read(talk.close().talk.packets, talk.key_log()).pairs == [(b"/x", b"a\0\0\x17")]


def test_tickets_between_messages_change_nothing() -> None:
    talk = Sealed().open().say(CLIENT, get("/0"))
    talk.send(SERVER, talk.seal(SERVER, message(4, b"t" * 200), HANDSHAKE)).say(SERVER, ok(b"0"))
    talk.send(SERVER, talk.seal(SERVER, message(4, b"t" * 200), HANDSHAKE))
    talk.say(CLIENT, get("/1")).say(SERVER, ok(b"1"))
    assert read(talk.close().talk.packets, talk.key_log()).pairs == [(b"/0", b"0"), (b"/1", b"1")]


def test_refused_hello_is_followed_by_another() -> None:
    talk = Sealed().hello()
    version = extension(43, b"\x03\x04")
    talk.send(SERVER, record(HANDSHAKE, server_hello(RETRY, 0x1301, version)) + CHANGE)
    talk.send(CLIENT, CHANGE).hello(extension(51, b"k" * 1200))
    talk.answer().finish().say(CLIENT, get("/x")).say(SERVER, ok(b"y")).close()
    assert read(talk.talk.packets, talk.key_log()).pairs == [(b"/x", b"y")]


def early(*, is_taken: bool) -> Sealed:
    """A connection whose client asks before the handshake, and once more after it."""
    talk = Sealed().hello(extension(42)).enter("early", CLIENT)
    talk.send(CLIENT, CHANGE).say(CLIENT, get("/early")).answer(accepts_early=is_taken)
    if is_taken:
        talk.send(CLIENT, talk.seal(CLIENT, message(5), HANDSHAKE))
    talk.finish()
    if is_taken:
        talk.say(SERVER, ok(b"0"))
    return talk.say(CLIENT, get("/late")).say(SERVER, ok(b"1")).close()


def test_early_data_is_read_where_the_server_takes_it() -> None:
    talk = early(is_taken=True)
    seen = read(talk.talk.packets, talk.key_log())
    assert seen.pairs == [(b"/early", b"0"), (b"/late", b"1")]


def test_early_data_that_the_server_refuses_is_no_request() -> None:
    talk = early(is_taken=False)
    seen = read(talk.talk.packets, talk.key_log())
    assert seen.pairs == [(b"/late", b"1")]
    assert seen.other_bytes == len(get("/early"))


@pytest.mark.parametrize("is_taken", [True, False])
def test_early_data_without_its_secret_is_told_and_the_rest_is_read(is_taken: bool) -> None:
    talk = early(is_taken=is_taken)
    seen = read(talk.talk.packets, talk.key_log("handshake", "traffic"))
    assert (b"/late", b"1") in seen.pairs
    assert {answer for _, answer in seen.pairs} <= {b"1", None}
    assert seen.other_bytes > len(get("/early"))
    assert seen.unparsed == (["a response without its request"] if is_taken else [])


def test_traffic_secrets_alone_are_enough() -> None:
    talk = Sealed().open().say(CLIENT, get("/x")).say(SERVER, ok(b"y")).close()
    assert read(talk.talk.packets, talk.key_log("traffic")).pairs == [(b"/x", b"y")]


def test_another_handshake_inside_the_connection_is_followed() -> None:
    talk = SealedOld().open().say(CLIENT, get("/0")).say(SERVER, ok(b"0"))
    talk.open(b"two").say(CLIENT, get("/1")).say(SERVER, ok(b"1"))
    assert read(talk.talk.close().packets, talk.key_log).pairs == [(b"/0", b"0"), (b"/1", b"1")]


def test_answer_up_to_the_end_ends_with_the_close_of_tls() -> None:
    talk = Sealed().open().say(CLIENT, get("/x")).say(SERVER, b"HTTP/1.0 200 OK\r\n\r\nbody")
    talk.send(SERVER, talk.seal(SERVER, b"\x01\x00", 21))
    talk.talk.packet(SERVER, RST | ACK)
    (exchange,) = read(talk.talk.packets, talk.key_log()).exchanges
    assert exchange.response is not None
    assert (exchange.response.body, exchange.response.is_complete) == (b"body", True)


@pytest.mark.parametrize(("flags", "is_complete"), [(FIN, True), (RST, False)], ids=["FIN", "RST"])
def test_answer_up_to_the_end_ends_with_tcp_where_tls_is_not_closed(flags: int, is_complete: bool) -> None:
    talk = Sealed().open().say(CLIENT, get("/x")).say(SERVER, b"HTTP/1.0 200 OK\r\n\r\nbody")
    talk.talk.packet(SERVER, flags | ACK)
    (exchange,) = read(talk.talk.packets, talk.key_log()).exchanges
    assert exchange.response is not None
    assert (exchange.response.body, exchange.response.is_complete) == (b"body", is_complete)


def test_answer_whose_last_record_is_cut_is_not_complete() -> None:
    talk = Sealed().open().say(CLIENT, get("/x")).say(SERVER, b"HTTP/1.0 200 OK\r\n\r\nbody")
    talk.send(SERVER, talk.seal(SERVER, b"more")[:-3])
    talk.talk.packet(SERVER, FIN | ACK)
    (exchange,) = read(talk.talk.packets, talk.key_log()).exchanges
    assert exchange.response is not None
    assert (exchange.response.body, exchange.response.is_complete) == (b"body", False)


def test_exchange_says_where_and_when_it_was_seen() -> None:
    talk = Sealed(talk=Talk(("10.0.0.1", 40000), ("10.0.0.2", 8443), at=100.0).open()).open()
    asked_at = talk.talk.time
    talk.say(CLIENT, get("/x"))
    answered_at = talk.talk.time
    talk.say(SERVER, ok(b"y")).close()
    (exchange,) = read(talk.talk.packets, talk.key_log()).exchanges
    assert (exchange.live, exchange.session) == ("10.0.0.2:8443", "10.0.0.1:40000>10.0.0.2:8443#1")
    assert exchange.seen_at == asked_at
    assert exchange.latency_seconds == answered_at - asked_at


def test_connection_through_a_proxy_is_read_inside() -> None:
    talk = Talk().open().say(0, b"CONNECT h:443 HTTP/1.1\r\n\r\n").say(1, b"HTTP/1.1 200 Established\r\n\r\n")
    inside = Sealed(talk=talk).open().say(CLIENT, get("/x")).say(SERVER, ok(b"y")).close()
    assert read(talk.packets, inside.key_log()).pairs == [(b"h:443", b""), (b"/x", b"y")]


def test_connection_through_an_encrypted_proxy_is_read_inside() -> None:
    outer = Sealed(name=b"outer").open().say(CLIENT, b"CONNECT h:443 HTTP/1.1\r\n\r\n")
    outer.say(SERVER, b"HTTP/1.1 200 Established\r\n\r\n")
    inner = Sealed(name=b"inner").open().say(CLIENT, get("/x")).say(SERVER, ok(b"y" * 3000)).close()
    for side, text in said(inner.talk.packets):
        outer.say(side, text)
    seen = read(outer.close().talk.packets, outer.key_log() + inner.key_log())
    assert seen.pairs == [(b"h:443", b""), (b"/x", b"y" * 3000)]


def test_websocket_inside_is_a_conversation() -> None:
    asked = b"GET /ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\n"
    talk = Sealed().open().say(CLIENT, asked)
    talk.say(SERVER, b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n").say(SERVER, b"\x81\x02hi")
    seen = read(talk.say(CLIENT, b"\x81\x82aaaa\x18\x0e").close().talk.packets, talk.key_log())
    assert [each.protocol for each in seen.exchanges] == ["http", "websocket"]
    assert [message.body for message in seen.exchanges[1].messages] == [b"hi", b"yo"]


@pytest.mark.parametrize(
    "before",
    [
        pytest.param([(0, b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n")], id="PROXY"),
        pytest.param([(0, b"\0\0\0\x08\x04\xd2\x16\x2f"), (1, b"S")], id="database"),
        pytest.param([(1, b"220 mail\r\n"), (0, b"STARTTLS\r\n"), (1, b"220 go on\r\n")], id="STARTTLS"),
    ],
)
def test_words_before_tls_are_read_over(before: list[tuple[int, bytes]]) -> None:
    talk = Talk().open()
    for side, text in before:
        talk.say(side, text)
    sealed = Sealed(talk=talk).open().say(CLIENT, get("/x")).say(SERVER, ok(b"y")).close()
    assert read(talk.packets, sealed.key_log()).pairs == [(b"/x", b"y")]


def test_proxy_header_in_the_segment_of_the_hello_is_read_over() -> None:
    sealed = Sealed()
    sealed.send(
        CLIENT, b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n" + record(HANDSHAKE, client_hello(sealed.random))
    )
    sealed.answer().finish().say(CLIENT, get("/x")).say(SERVER, ok(b"y")).close()
    assert read(sealed.talk.packets, sealed.key_log()).pairs == [(b"/x", b"y")]


def test_connection_whose_first_packets_were_not_captured_is_read_from_its_hello() -> None:
    talk = conversation().close()
    assert len(read(talk.talk.packets[3:], talk.key_log()).exchanges) == 3


def conversation(count: int = 3, *, mss: int = 1448) -> Sealed:
    """Exchanges with numbers in them, in records of many sizes."""
    talk = Sealed(mss=mss).open()
    for number in range(count):
        talk.say(CLIENT, post(f"/{number}", b"%03d." % number * 300), size=700)
        talk.say(SERVER, ok(b"%03d," % number * 500), size=900)
    return talk


def said(packets: list[Packet]) -> list[tuple[int, bytes]]:
    """Who says what in the packets of a talk."""
    found = []
    for _, frame in packets:
        size = int.from_bytes(frame[16:18]) - 40
        if size:
            found.append((int(frame[26:30] != b"\x0a\0\0\x01"), frame[54 : 54 + size]))
    return found


@given(seed=st.integers(0, 2**32), most=st.integers(1, 4000))
@settings(max_examples=30, deadline=None)
def test_any_segmentation_gives_the_same_exchanges(seed: int, most: int) -> None:
    whole, rng = conversation(2), Random(seed)
    expected = read(whole.talk.packets, whole.key_log())
    talk, streams = Talk(server=("10.0.0.2", 443)).open(), said(whole.talk.packets)
    merged: list[tuple[int, bytes]] = []
    for side, text in streams:
        if merged and merged[-1][0] == side:
            merged[-1] = side, merged[-1][1] + text
        else:
            merged.append((side, text))
    for side, text in merged:
        at = 0
        while at < len(text):
            size = rng.randint(1, most)
            talk.packet(side, PSH | ACK, text[at : at + size])
            at += size
    seen = read(talk.packets, whole.key_log())
    assert seen.pairs == expected.pairs
    assert len(seen.pairs) == 2
    assert [each.request for each in seen.exchanges] == [each.request for each in expected.exchanges]


@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_reordered_and_repeated_segments_change_nothing(data: st.DataObject) -> None:
    talk = conversation(3, mss=400).close()
    expected = read(talk.talk.packets, talk.key_log())
    packets = list(talk.talk.packets)
    for _ in range(data.draw(st.integers(0, 12))):
        at = data.draw(st.integers(3, len(packets) - 1))
        to = min(len(packets), at + data.draw(st.integers(0, 6)))
        packets.insert(to, packets[at])
        if data.draw(st.booleans()) and to > at:
            del packets[at]
    seen = read(packets, talk.key_log())
    assert [(each.request, each.response) for each in seen.exchanges] == [
        (each.request, each.response) for each in expected.exchanges
    ]
    assert len(expected.exchanges) == 3
    assert not seen.unparsed


@given(
    parts=st.lists(
        st.tuples(
            st.integers(0, 1),
            st.sampled_from(
                [
                    record(HANDSHAKE, client_hello(b"r" * 32, extension(42))),
                    record(HANDSHAKE, server_hello(b"s" * 32, 0x1301, extension(43, b"\x03\x04"))),
                    record(HANDSHAKE, server_hello(b"s" * 32, 0xC02F)),
                    record(HANDSHAKE, server_hello(b"s" * 32, 0x2F, version=b"\x03\x01")),
                    record(APPLICATION, b"\0" * 40),
                    record(21, b"\x02\x28"),
                    CHANGE,
                ]
            )
            | st.binary(max_size=60),
            st.booleans(),
        ),
        max_size=30,
    )
)
@settings(deadline=None)
def test_nothing_that_is_said_makes_it_raise_or_invents_an_exchange(
    parts: list[tuple[int, bytes, bool]],
) -> None:
    talk = Talk(server=("10.0.0.2", 443)).open()
    talk.say(0, record(HANDSHAKE, client_hello(b"r" * 32)))
    for side, text, is_lost in parts:
        talk.packet(side, PSH | ACK, text)
        if is_lost:
            talk.packets.pop()
    random = (b"r" * 32).hex()
    labels = ["CLIENT_RANDOM", "CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_TRAFFIC_SECRET_0"]
    lines = "".join(f"{label} {random} {'ab' * (48 if 'RANDOM' in label else 32)}\n" for label in labels)
    seen = read(talk.packets, lines.encode())
    assert not seen.exchanges
