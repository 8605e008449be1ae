"""Secrets of TLS connections that are wrong, missing or late: what cannot be read is told."""

import pytest

from bench.capture import FIN, PSH, RST, Packet, Talk
from shadow.wire.tls_keylog import KeyLog
from tests.wire.reading import Read, found, get, ok, opened, read
from tests.wire.sealing import (
    CLIENT,
    HANDSHAKE,
    SERVER,
    Sealed,
    client_hello,
    extension,
    record,
    server_hello,
)

COMPRESSED = server_hello(b"s" * 32, 0xC02F).replace(b"\xc0\x2f\0", b"\xc0\x2f\1")
WRONG = "TLS (wrong or incomplete keys)"


def talk(number: int = 0) -> Sealed:
    at = Talk(("10.0.0.1", 40_000 + number), ("10.0.0.2", 443), at=1_700_000_000.0 + number).open()
    made = Sealed(talk=at, name=b"%d" % number).open()
    return made.say(CLIENT, get(f"/{number}")).say(SERVER, ok(b"%d" % number)).close()


def payload_bytes(made: Sealed) -> int:
    return sum(made.talk.seq) - 1000 - 5000 - 4  # SYN and FIN count for one each


def test_connection_without_its_secrets_is_told_with_all_its_bytes() -> None:
    one, other = talk(0), talk(1)
    seen = read(one.talk.packets + other.talk.packets, other.key_log())
    assert seen.pairs == [(b"/1", b"1")]
    assert seen.others == {"TLS": 1}
    assert seen.counts == (1, 1)
    assert seen.other_bytes == payload_bytes(one)


def test_secrets_that_do_not_fit_are_told_and_nothing_is_read() -> None:
    one = talk()
    changed = one.key_log().replace(one.key_log().split()[2][:8], b"00000000", 1)
    lines = changed.splitlines()
    wrong = b"\n".join(b" ".join((*line.split()[:2], line.split()[2][::-1])) for line in lines)
    seen = read(one.talk.packets, wrong)
    assert (seen.exchanges, seen.unparsed, seen.others) == ([], [], {WRONG: 1})
    assert seen.counts == (0, 0)


@pytest.mark.parametrize("side", [CLIENT, SERVER])
def test_secrets_of_the_handshake_alone_are_incomplete(side: int) -> None:
    one = talk()
    seen = read(one.talk.packets, one.key_log("handshake"))
    assert (seen.exchanges, seen.others) == ([], {WRONG: 1})


def test_secrets_of_the_traffic_alone_that_do_not_fit_are_told() -> None:
    one = talk()
    log = one.key_log("traffic").replace(one.key_log("traffic").split()[2], b"ab" * 32)
    log = log.replace(one.key_log("traffic").split()[5], b"cd" * 32)
    seen = read(one.talk.packets, log)
    assert (seen.exchanges, seen.others) == ([], {WRONG: 1})


def test_handshake_that_is_broken_off_is_told_as_such() -> None:
    one = Sealed().hello().send(SERVER, record(21, b"\x02\x28"))
    one.talk.packet(SERVER, RST)
    seen = read(one.talk.packets, one.key_log())
    assert seen.others == {"TLS (handshake not completed)": 1}


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (server_hello(b"s" * 32, 0x0005), "TLS (cipher suite 0x0005 is not read)"),
        (server_hello(b"s" * 32, 0x1301), "TLS (cipher suite 0x1301 is not read)"),
        (server_hello(b"s" * 32, 0xC02F, version=b"\x03\x01"), "TLS (cipher suite 0xc02f is not read)"),
        (server_hello(b"s" * 32, 0x002F, version=b"\x03\x00"), "TLS (version 0x0300 is not read)"),
        (server_hello(b"s" * 32, 0x1301, extension(43, b"\x03\x05")), "TLS (version 0x0305 is not read)"),
        (
            server_hello(b"s" * 32, 0xC02F).replace(b"\xc0\x2f\0", b"\xc0\x2f\1"),
            "TLS (compression is not read)",
        ),
    ],
)
def test_what_the_hellos_agree_on_and_cannot_be_read_is_told(answer: bytes, told: str) -> None:
    one = Sealed().hello().send(SERVER, record(HANDSHAKE, answer)).say(CLIENT, b"x").say(SERVER, b"y")
    seen = read(one.talk.packets, one.key_log())
    assert seen.others == {told: 1}


class Growing:
    """A key log to which lines are added while it is read."""

    def __init__(self) -> None:
        self.coming = b""
        self.keys = KeyLog(self._look)
        self.look_count = 0

    def _look(self) -> None:
        self.look_count += 1
        self.keys.add(self.coming)
        self.coming = b""


def taken(log: Growing, one: Sealed, at: int) -> Read:
    """Reads `one`, whose secrets come before its packet `at`."""
    extraction, decryption = opened(log.keys)
    for number, (time, frame) in enumerate(one.talk.packets):
        if number == at:
            log.coming = one.key_log()
            extraction.tick(time)
        extraction.take(time, 1, frame)
    if at == len(one.talk.packets):
        log.coming = one.key_log()
        extraction.tick(one.talk.time + 1.0)
    assert len(extraction.found) == 1
    extraction.finish()
    return found(extraction, decryption)


@pytest.mark.parametrize("at", range(18))
def test_secrets_may_come_at_any_time(at: int) -> None:
    one = talk()
    assert len(one.talk.packets) >= 17
    seen = taken(Growing(), one, min(at, len(one.talk.packets)))
    assert seen.pairs == [(b"/0", b"0")]
    assert seen.exchanges[0].seen_at < one.talk.time
    assert (seen.counts, seen.others) == ((1, 0), {})


def test_secrets_may_come_line_by_line() -> None:
    one, log = talk(), Growing()
    lines = one.key_log().splitlines(keepends=True)
    extraction, decryption = opened(log.keys)
    for number, (time, frame) in enumerate(one.talk.packets):
        if number >= 6 and lines:
            log.coming += lines.pop()
        extraction.take(time, 1, frame)
    extraction.finish()
    assert found(extraction, decryption).pairs == [(b"/0", b"0")]


def test_secrets_that_never_come_are_waited_for_within_bounds() -> None:
    one = Sealed().open().say(CLIENT, get("/0"))
    for _ in range(100):
        one.say(SERVER, b"x" * 16_000)
    extraction, decryption = opened(Growing().keys)
    for time, frame in one.talk.packets:
        extraction.take(time, 1, frame)
    assert extraction.remarks().others == {"TLS": 1}
    assert decryption.remarks().keyless == 1
    assert extraction.remarks().other_bytes == sum(one.talk.seq) - 6000 - 2


def test_connection_that_ended_is_waited_for_some_seconds() -> None:
    one = talk()
    extraction, decryption = opened(Growing().keys)
    for time, frame in one.talk.packets:
        extraction.take(time, 1, frame)
    extraction.tick(one.talk.time + 1.0)
    assert not extraction.remarks().others
    extraction.tick(one.talk.time + 60.0)
    assert extraction.remarks().others == {"TLS": 1}
    assert decryption.remarks().keyless == 1


def test_many_connections_that_wait_make_room_for_the_youngest() -> None:
    log = Growing()
    extraction, decryption = opened(log.keys)
    packets, secrets = list[Packet](), b""
    for number in range(400):
        at = Talk(("10.0.0.1", 1000 + number), ("10.0.0.2", 443), at=1_700_000_000.0 + number).open()
        made = Sealed(talk=at, name=b"%d" % number, mss=60_000).open()
        made.say(CLIENT, get(f"/{number}")).say(SERVER, ok(b"x" * 150_000))
        packets += made.talk.packets
        secrets += made.key_log()
    for time, frame in packets:
        extraction.take(time, 1, frame)
    dropped = extraction.remarks().others["TLS"]
    assert 100 < dropped < 300
    log.coming = secrets
    extraction.finish()
    seen = found(extraction, decryption)
    assert sorted(int(target[1:]) for target, _ in seen.pairs) == list(range(dropped, 400))


def test_secrets_are_used_although_both_hellos_are_seen_in_the_wrong_order() -> None:
    one = talk()
    packets = one.talk.packets
    hello = next(at for at, (_, frame) in enumerate(packets) if b"\x16\x03\x01" in frame)
    packets.insert(hello + 3, packets.pop(hello))
    assert read(packets, one.key_log()).pairs == [(b"/0", b"0")]


def test_nothing_is_said_inside_is_nothing_to_tell() -> None:
    one = Sealed().open().close()
    seen = read(one.talk.packets, one.key_log())
    assert (seen.exchanges, seen.others, seen.other_bytes, seen.counts) == ([], {}, 0, (1, 0))


def test_what_is_no_http_inside_is_told() -> None:
    one = Sealed().open().say(SERVER, b"220 mail\r\n").say(CLIENT, b"EHLO x\r\n").close()
    seen = read(one.talk.packets, one.key_log())
    assert seen.others == {"other": 1}


@pytest.mark.parametrize("is_joined", [False, True])
def test_bytes_after_the_close_of_tls_are_passed_over(is_joined: bool) -> None:
    one = Sealed().open().say(CLIENT, get("/0")).say(SERVER, b"HTTP/1.0 200 OK\r\n\r\nbody")
    close, after = one.seal(SERVER, b"\x01\x00", 21), one.seal(SERVER, b"more")
    for text in (close + after,) if is_joined else (close, after):
        one.send(SERVER, text)
    one.talk.packet(SERVER, FIN | PSH)
    seen = read(one.talk.packets, one.key_log())
    assert seen.pairs == [(b"/0", b"body")]
    assert seen.other_bytes == len(after)


def test_hello_of_many_segments_and_records_is_put_together() -> None:
    one = Sealed()
    hello = client_hello(one.random, extension(51, b"k" * 3000))
    for at in range(0, len(hello), 500):
        one.send(CLIENT, record(HANDSHAKE, hello[at : at + 500], b"\x03\x01"))
    one.answer().finish().say(CLIENT, get("/0")).say(SERVER, ok(b"0"))
    assert read(one.talk.packets, one.key_log()).pairs == [(b"/0", b"0")]
