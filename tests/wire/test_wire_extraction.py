"""Frames in, exchanges out: whatever the network and the capture did to the connection."""

from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.capture import ACK, FIN, PSH, RST, SYN, Packet, Talk, ethernet, ip
from shadow.model import Exchange, Settled
from shadow.wire.delivery import Bounds
from shadow.wire.extraction import Extraction
from shadow.wire.http1 import Limits


def extracted(packets: list[Packet], **options: object) -> tuple[list[Exchange], list[str]]:
    """The exchanges, by index, and why others could not be parsed."""
    numbers = count()
    extraction = Extraction("pcap", lambda _: next(numbers), **options)  # type: ignore[arg-type]  # as it takes them
    for time, frame in packets:
        extraction.take(time, 1, frame)
    extraction.finish()
    exchanges = [each for each in extraction.found if isinstance(each, Exchange)]
    return sorted(exchanges, key=lambda each: each.index), [
        each.why for each in extraction.found if isinstance(each, Settled)
    ]


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: h\r\n\r\n".encode()


def post(path: str, body: bytes) -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def ok(body: bytes = b"") -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def pairs(exchanges: list[Exchange]) -> list[tuple[bytes, bytes | None]]:
    """Target and response body of each."""
    return [(each.request.target, each.response.body if each.response else None) for each in exchanges]


def simple(count_: int = 2, body: bytes = b"answer") -> Talk:
    talk = Talk().open()
    for number in range(count_):
        talk.say(0, get(f"/{number}")).say(1, ok(body + b"%d" % number))
    return talk


def test_exchange_says_where_and_when_it_was_seen() -> None:
    talk = Talk(("10.0.0.1", 40000), ("10.0.0.2", 8080), at=100.0).open()
    asked_at = talk.time
    talk.say(0, get("/x"))
    answered_at = talk.time
    talk.say(1, ok(b"y")).close()
    (exchange,), _ = extracted(talk.packets)
    assert exchange.tap == "pcap"
    assert exchange.live == "10.0.0.2:8080"
    assert exchange.session == "10.0.0.1:40000>10.0.0.2:8080#1"
    assert exchange.seen_at == asked_at
    assert exchange.latency_seconds == answered_at - asked_at


def test_last_exchange_before_the_end_of_the_capture_is_found() -> None:
    exchanges, unparsed = extracted(simple().packets)
    assert pairs(exchanges) == [(b"/0", b"answer0"), (b"/1", b"answer1")]
    assert not unparsed


def test_request_during_which_the_ack_number_moves_is_found() -> None:
    talk = Talk().open().say(0, get("/0"))
    body, text = b"x" * 3000, ok(b"y" * 5000)
    request = post("/1", body)
    talk.packet(0, PSH | ACK, request[:1000])
    for at in range(0, 3000, 1000):
        talk.packet(1, PSH | ACK, text[at : at + 1000])
        talk.packet(0, PSH | ACK, request[1000 + at : 2000 + at])
    talk.say(1, text[3000:]).say(1, ok(b"second"))
    exchanges, _ = extracted(talk.packets)
    assert pairs(exchanges) == [(b"/0", b"y" * 5000), (b"/1", b"second")]
    assert exchanges[1].request.body == body


def test_requests_pipelined_in_one_segment_are_found() -> None:
    talk = Talk().open().say(0, b"".join(get(f"/{n}") for n in range(4)), mss=60000)
    talk.say(1, b"".join(ok(b"%d" % n) for n in range(4)))
    exchanges, _ = extracted(talk.packets)
    assert pairs(exchanges) == [(b"/%d" % n, b"%d" % n) for n in range(4)]


def test_sequence_numbers_wrap_around() -> None:
    talk = Talk(isn=(0xFFFF_FFF0, 0xFFFF_FF00)).open()
    for number in range(3):
        talk.say(0, post(f"/{number}", b"p" * 5000)).say(1, ok(b"q" * 5000))
    exchanges, unparsed = extracted(talk.packets)
    assert [len(e.request.body) + len(e.response.body) for e in exchanges if e.response] == [10000] * 3
    assert not unparsed


@given(data=st.data())
@settings(max_examples=60)
def test_reordered_and_repeated_segments_change_nothing(data: st.DataObject) -> None:
    talk = Talk(isn=(0xFFFF_FE00, 77)).open()
    for number in range(3):
        talk.say(0, post(f"/{number}", bytes(range(256)) * 3), mss=100).say(
            1, ok(b"%d" % number * 700), mss=90
        )
    expected, _ = extracted(talk.packets)
    packets = list(talk.packets)
    for _ in range(data.draw(st.integers(0, 12))):
        at = data.draw(st.integers(3, len(packets) - 1))
        to = min(len(packets), at + data.draw(st.integers(0, 6)))
        packets.insert(to, packets[at])
        if data.draw(st.booleans()) and to > at:
            del packets[at]
    exchanges, unparsed = extracted(packets)
    assert [(e.request, e.response) for e in exchanges] == [(e.request, e.response) for e in expected]
    assert not unparsed


def test_overlapping_retransmit_gives_only_its_new_bytes() -> None:
    talk = Talk().open()
    text, start = get("/long/path"), talk.seq[0]
    talk.packet(0, PSH | ACK, text[:10], seq=start)
    talk.packet(0, PSH | ACK, b"!!!!!" + text[5:20], seq=start)
    talk.packet(0, PSH | ACK, text[15:], seq=start + 15)
    talk.say(1, ok())
    assert pairs(extracted(talk.packets)[0]) == [(b"/long/path", b"")]


def test_keep_alive_probe_is_no_content() -> None:
    talk = simple(1)
    talk.packet(0, ACK, b"\0", seq=talk.seq[0] - 1)
    talk.say(0, get("/after")).say(1, ok())
    assert [e.request.target for e in extracted(talk.packets)[0]] == [b"/0", b"/after"]


def test_both_copies_of_each_loopback_frame_count_once() -> None:
    packets = [packet for packet in simple(3).close().packets for _ in range(2)]
    assert len(extracted(packets)[0]) == 3


def test_new_connection_on_the_same_ports_is_another_session() -> None:
    first, second = (
        simple(1),
        Talk(isn=(999_999, 42), at=1_700_000_010.0).open().say(0, get("/b")).say(1, ok()),
    )
    exchanges, _ = extracted(first.packets + second.packets)
    assert [e.request.target for e in exchanges] == [b"/0", b"/b"]
    assert exchanges[0].session != exchanges[1].session


@pytest.mark.parametrize("skip", [3, 4], ids=["no handshake", "and no request"])
def test_capture_that_begins_inside_a_connection_is_read_from_the_next_message(skip: int) -> None:
    exchanges, unparsed = extracted(simple(3).packets[skip:])
    assert [e.request.target for e in exchanges] == [b"/0", b"/1", b"/2"][skip - 3 :]
    assert len(unparsed) == skip - 3


def test_server_is_recognised_although_it_is_seen_first() -> None:
    talk = Talk(("10.0.0.9", 80), ("10.0.0.8", 50000))  # by position the "client" is the server here
    talk.say(0, ok(b"late")).say(1, get("/x")).say(0, ok(b"x"))
    exchanges, unparsed = extracted(talk.packets)
    assert pairs(exchanges) == [(b"/x", b"x")]
    assert exchanges[0].live == "10.0.0.9:80"
    assert unparsed == ["a response without its request"]


@pytest.mark.parametrize(
    ("flags", "complete"), [pytest.param(FIN, True, id="FIN"), pytest.param(RST, False, id="RST")]
)
def test_body_up_to_the_end_is_complete_with_fin_and_cut_with_rst(flags: int, complete: bool) -> None:
    talk = Talk().open().say(0, get("/")).say(1, b"HTTP/1.0 200 OK\r\n\r\nbody")
    talk.packet(1, flags | ACK)
    (exchange,), _ = extracted(talk.packets)
    assert exchange.response is not None
    assert (exchange.response.body, exchange.response.is_complete) == (b"body", complete)


def test_half_closed_client_still_gets_its_answer() -> None:
    talk = Talk().open().say(0, get("/"))
    talk.packet(0, FIN | ACK)
    talk.say(1, ok(b"late"))
    assert pairs(extracted(talk.packets)[0]) == [(b"/", b"late")]


def test_request_without_an_answer_is_an_exchange_without_response() -> None:
    (exchange,), unparsed = extracted(Talk().open().say(0, get("/")).packets)
    assert (exchange.response, exchange.latency_seconds, unparsed) == (None, None, [])


def test_lost_response_segment_cuts_that_response_alone() -> None:
    talk = simple(1, b"x" * 4000).say(0, get("/1")).say(1, ok(b"whole"))
    lost = next(at for at, (_, frame) in enumerate(talk.packets) if len(frame) > 1500)
    del talk.packets[lost + 1]
    exchanges, unparsed = extracted(talk.packets)
    assert exchanges[0].response is not None
    assert not exchanges[0].response.is_complete
    assert pairs(exchanges)[1] == (b"/1", b"whole")
    assert not unparsed


def test_lost_response_head_leaves_the_next_pair_right() -> None:
    talk = simple(3)
    lost = next(at for at, (_, frame) in enumerate(talk.packets) if b"answer1" in frame)
    del talk.packets[lost]
    exchanges, unparsed = extracted(talk.packets)
    assert pairs(exchanges) == [(b"/0", b"answer0"), (b"/1", None), (b"/2", b"answer2")]
    assert not unparsed


def test_lost_request_is_unparsed_and_its_answer_given_to_nobody() -> None:
    talk = simple(3)
    lost = next(at for at, (_, frame) in enumerate(talk.packets) if b"GET /1" in frame)
    del talk.packets[lost]
    exchanges, unparsed = extracted(talk.packets)
    assert pairs(exchanges) == [(b"/0", b"answer0"), (b"/2", b"answer2")]
    assert unparsed == ["a response without its request"]


def test_request_with_a_lost_middle_is_unparsed_and_the_next_one_found() -> None:
    talk = (
        Talk()
        .open()
        .say(0, post("/bad", b"x" * 4000), mss=1000)
        .say(1, ok(b"a"))
        .say(0, get("/good"))
        .say(1, ok())
    )
    del talk.packets[5]
    exchanges, unparsed = extracted(talk.packets)
    assert pairs(exchanges) == [(b"/good", b"")]
    assert unparsed == ["bytes of the request were not captured"]


def test_pipelined_answers_after_a_gap_are_never_given_to_the_wrong_request() -> None:
    talk = Talk().open().say(0, b"".join(get(f"/{n}") for n in range(4)))
    for number in range(4):
        talk.say(1, ok(b"%d" % number))
    lost = next(at for at, (_, frame) in enumerate(talk.packets) if frame.endswith(b"\r\n\r\n1"))
    del talk.packets[lost]
    exchanges, _ = extracted(talk.packets)
    assert len(exchanges) == 4
    assert all(body in (None, target[1:]) for target, body in pairs(exchanges))


def test_response_captured_before_its_request_is_paired() -> None:
    talk = simple(2)
    packets = talk.packets
    asked = next(at for at, (_, frame) in enumerate(packets) if b"GET /1" in frame)
    answered = next(at for at, (_, frame) in enumerate(packets) if b"answer1" in frame)
    packets[asked], packets[answered] = packets[answered], packets[asked]
    assert pairs(extracted(packets)[0]) == [(b"/0", b"answer0"), (b"/1", b"answer1")]


def test_snapped_frames_cut_the_body_and_framing_goes_on() -> None:
    talk = simple(2, b"z" * 1000)
    packets = [(time, frame[:200]) for time, frame in talk.packets]
    exchanges, _ = extracted(packets)
    assert [e.request.target for e in exchanges] == [b"/0", b"/1"]
    assert [e.response is not None and e.response.is_complete for e in exchanges] == [False, False]


def test_upgrade_ends_http_at_the_exact_byte() -> None:
    request = b"GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"
    talk = (
        Talk()
        .open()
        .say(0, request)
        .say(1, b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n\x81\x02hi")
    )
    talk.say(0, b"\x81\x82aaaaGET / HTTP/1.1\r\n\r\n")
    exchanges, unparsed = extracted(talk.packets)
    assert [(e.request.target, e.response and e.response.status) for e in exchanges] == [(b"/ws", 101)]
    assert not unparsed


def test_refused_upgrade_goes_on_as_http() -> None:
    talk = (
        Talk()
        .open()
        .say(0, b"GET /a HTTP/1.1\r\nUpgrade: h2c\r\n\r\n" + get("/b"))
        .say(1, ok(b"a") + ok(b"b"))
    )
    assert pairs(extracted(talk.packets)[0]) == [(b"/a", b"a"), (b"/b", b"b")]


def test_http_inside_a_connect_tunnel_is_found() -> None:
    talk = Talk().open().say(0, b"CONNECT h:80 HTTP/1.1\r\n\r\n").say(1, b"HTTP/1.1 200 Established\r\n\r\n")
    talk.say(0, get("/inside")).say(1, ok(b"x"))
    assert pairs(extracted(talk.packets)[0]) == [(b"h:80", b""), (b"/inside", b"x")]


def test_early_answer_is_paired_with_the_request_still_being_sent() -> None:
    talk = Talk().open().say(0, post("/up", b"x" * 3000)[:1000])
    talk.say(1, b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
    talk.say(0, post("/up", b"x" * 3000)[1000:]).say(0, get("/next")).say(1, ok())
    exchanges, _ = extracted(talk.packets)
    assert [e.response and e.response.status for e in exchanges] == [413, 200]
    assert len(exchanges[0].request.body) == 3000


def test_proxy_protocol_header_is_read_over() -> None:
    talk = Talk().open().say(0, b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n" + get("/p")).say(1, ok())
    assert pairs(extracted(talk.packets)[0]) == [(b"/p", b"")]


def test_other_protocols_are_no_exchanges_and_not_unparsed() -> None:
    talk = Talk(("10.0.0.1", 1), ("10.0.0.2", 25)).open().say(1, b"220 mail\r\n").say(0, b"EHLO x\r\n")
    assert extracted(talk.packets) == ([], [])


def test_only_wanted_ports_are_read() -> None:
    other = Talk(server=("10.0.0.2", 9999)).open().say(0, get("/no")).say(1, ok())
    exchanges, _ = extracted(simple(1).packets + other.packets, ports={80})
    assert [e.request.target for e in exchanges] == [b"/0"]


def test_same_addresses_under_different_vlans_are_different_connections() -> None:
    one = Talk(tags=b"\x81\x00\x00\x05").open().say(0, get("/five")).say(1, ok(b"5"))
    two = Talk(tags=b"\x88\xa8\x00\x07\x81\x00\x00\x01").open().say(0, get("/seven")).say(1, ok(b"7"))
    packets = [packet for pair in zip(one.packets, two.packets, strict=True) for packet in pair]
    assert sorted(pairs(extracted(packets)[0])) == [(b"/five", b"5"), (b"/seven", b"7")]


def test_ipv6_connection_is_read() -> None:
    talk = Talk(("2001:db8::1", 40000), ("2001:db8::2", 80)).open().say(0, get("/six")).say(1, ok())
    (exchange,), _ = extracted(talk.packets)
    assert exchange.live == "[2001:db8::2]:80"


def test_fragmented_request_is_put_together() -> None:
    talk = Talk().open().say(0, get("/frag"))
    packets = [piece for time, frame in talk.packets for piece in _fragments(time, frame)]
    assert [e.request.target for e in extracted(packets)[0]] == [b"/frag"]


def test_hole_that_is_never_filled_does_not_stop_a_long_connection() -> None:
    talk = simple(2)
    lost = next(at for at, (_, frame) in enumerate(talk.packets) if b"answer0" in frame)
    del talk.packets[lost]
    for number in range(50):
        talk.time += 1.0
        talk.say(0, get(f"/more{number}")).say(1, ok(b"more"))
    numbers = count()
    extraction = Extraction("pcap", lambda _: next(numbers))
    for time, frame in talk.packets:
        extraction.take(time, 1, frame)
    assert len(extraction.found) == 52


def test_body_over_the_limit_is_cut_and_request_over_it_unparsed() -> None:
    talk = (
        Talk().open().say(0, get("/a")).say(1, ok(b"x" * 5000)).say(0, post("/b", b"x" * 5000)).say(1, ok())
    )
    exchanges, unparsed = extracted(talk.packets, limits=Limits(max_body_bytes=100))
    assert exchanges[0].response is not None
    assert (len(exchanges[0].response.body), exchanges[0].response.is_complete) == (100, False)
    assert unparsed == ["the request is longer than may be kept"]


def test_unfinished_bodies_stay_within_their_common_bound() -> None:
    packets = []
    for port in range(20):
        talk = Talk(("10.0.0.1", 1000 + port)).open().say(0, get("/")).say(1, ok(b"x" * 20_000)[:-1])
        packets += talk.packets
    exchanges, _ = extracted(packets, kept_bytes=50_000)
    kept = [len(e.response.body) for e in exchanges if e.response]
    assert len(kept) == 20
    assert sum(kept) <= 50_000 + 20 * 1448


def test_too_many_connections_forget_the_most_silent_ones() -> None:
    packets = []
    for port in range(100):
        talk = (
            Talk(("10.0.0.1", 1000 + port), at=1_700_000_000.0 + port)
            .open()
            .say(0, get(f"/{port}"))
            .say(1, ok())
        )
        packets += talk.packets
    exchanges, _ = extracted(packets, bounds=Bounds(flows=8))
    assert len(exchanges) == 100


def test_requests_alone_are_exchanges_without_responses_as_they_come() -> None:
    talk = Talk().open()
    for number in range(1500):
        talk.packet(0, PSH | ACK, get(f"/{number}"))
    exchanges, unparsed = extracted(talk.packets)
    assert len(exchanges) == 1500
    assert not unparsed


FLAGS = st.sampled_from([0, ACK, SYN, SYN | ACK, FIN | ACK, RST, PSH | ACK, 0xFF])
TEXTS = st.sampled_from(
    [
        b"",
        get("/x"),
        ok(b"body"),
        ok(b"b" * 50)[:30],
        post("/p", b"y" * 40)[:50],
        b"\0\1\2",
        b"HTTP/1.1 100 C\r\n\r\n",
    ]
) | st.binary(max_size=20)


@given(
    st.lists(st.tuples(st.integers(0, 1), FLAGS, TEXTS, st.integers(-60, 200), st.booleans()), max_size=40)
)
def test_no_packets_make_it_raise_and_none_counts_twice(
    steps: list[tuple[int, int, bytes, int, bool]],
) -> None:
    talk = Talk(isn=(0xFFFF_FFF8, 3))
    for side, flags, text, shift, due in steps:
        talk.packet(side, flags, text, seq=None if due else talk.seq[side] + shift)
    exchanges, _ = extracted(talk.packets)
    indexes = [each.index for each in exchanges]
    assert len(indexes) == len(set(indexes))


@given(
    st.binary(max_size=120), st.sampled_from([0, 1, 9, 12, 101, 105, 108, 113, 127, 228, 229, 239, 276, 999])
)
def test_no_frame_makes_it_raise(frame: bytes, link: int) -> None:
    extraction = Extraction("pcap", lambda _: 0)
    extraction.take(0.0, link, frame)
    extraction.take(0.0, link, ethernet(ip("1.2.3.4", "5.6.7.8", 47, frame)))
    extraction.finish()
    assert not extraction.found or frame


def _fragments(time: float, frame: bytes) -> list[Packet]:
    """The IPv4 packet in `frame` as two fragments, the second one first."""
    total = int.from_bytes(frame[16:18])
    payload = frame[34 : 14 + total]
    pieces = []
    for offset, piece, more in ((16, payload[16:], 0), (0, payload[:16], 0x2000)):
        length = (20 + len(piece)).to_bytes(2)
        head = frame[14:16] + length + frame[18:20] + (more | offset // 8).to_bytes(2) + frame[22:34]
        pieces.append((time, ethernet(head + piece)))
    return pieces


def _numbered(depth: int) -> Talk:
    """Twelve exchanges that tell their numbers, asked `depth` at a time."""
    talk = Talk(isn=(0xFFFF_F000, 12)).open()
    for first in range(0, 12, depth):
        numbers = range(first, min(first + depth, 12))
        talk.say(0, b"".join(post(f"/{n}", b"%d;" % n * (n * 7)) for n in numbers), mss=70)
        talk.say(1, b"".join(ok(b"%d;" % n * (200 + 50 * n)) for n in numbers), mss=400)
    return talk.close()


@given(
    depth=st.sampled_from([1, 1, 2, 4]),
    losses=st.sets(st.integers(3, 160), max_size=12),
    middle=st.booleans(),
)
@settings(max_examples=300)
def test_lost_packets_never_pair_a_request_with_the_answer_to_another(
    depth: int, losses: set[int], middle: bool
) -> None:
    packets = [packet for at, packet in enumerate(_numbered(depth).packets) if at not in losses]
    exchanges, _ = extracted(packets[20:] if middle else packets)
    for each in exchanges:
        number = each.request.target[1:]
        assert each.request.body == number + b";" + each.request.body[len(number) + 1 :] or number == b"0"
        assert set(each.request.body.split(b";")) <= {number, b""}
        if each.response is not None and each.response.body:
            assert each.response.body.split(b";")[0] in (number, number[: len(each.response.body)])


@given(lost=st.integers(3, 160))
def test_one_lost_packet_costs_at_most_the_exchange_it_was_part_of(lost: int) -> None:
    packets = [packet for at, packet in enumerate(_numbered(1).packets) if at != lost]
    exchanges, _ = extracted(packets)
    whole = [each for each in exchanges if each.response is not None and each.response.is_complete]
    assert len(whole) >= 11


def test_request_that_waited_for_a_lost_segment_keeps_its_place_in_the_order() -> None:
    slow, quick = Talk(at=100.0).open(), Talk(("10.0.0.7", 7), at=100.0035)
    text = post("/slow", b"x" * 100)
    start = slow.seq[0]
    late = slow.packet(0, PSH | ACK, get("/first"))
    slow.seq[0] = start
    slow.packets.pop()
    slow.packet(0, PSH | ACK, text, seq=start + len(get("/first")))
    quick.open().say(0, get("/quick")).say(1, ok())
    packets = [*slow.packets, *quick.packets, (101.0, late[1])]
    exchanges, _ = extracted(packets)
    assert [each.request.target for each in exchanges] == [b"/slow", b"/quick", b"/first"]
    assert [each.index for each in exchanges] == [0, 1, 2]
    assert [each.seen_at for each in exchanges] == sorted(each.seen_at for each in exchanges)


def test_parked_exchanges_are_bounded() -> None:
    stuck = Talk(at=100.0).open()
    stuck.packet(0, PSH | ACK, b"later", seq=stuck.seq[0] + 10)
    busy = Talk(("10.0.0.7", 7), at=100.1).open()
    for number in range(5000):
        busy.packet(0, PSH | ACK, get(f"/{number}"))
        busy.packet(1, PSH | ACK, ok())
    numbers = count()
    extraction = Extraction("pcap", lambda _: next(numbers))
    for time, frame in stuck.packets + busy.packets:
        extraction.take(time, 1, frame)
    assert len(extraction.found) >= 900


def test_silence_ends_waiting_as_a_later_frame_would() -> None:
    talk = simple(2)
    lost = next(at for at, (_, frame) in enumerate(talk.packets) if b"answer0" in frame)
    del talk.packets[lost]
    numbers = count()
    extraction = Extraction("pcap", lambda _: next(numbers))
    for time, frame in talk.packets:
        extraction.take(time, 1, frame)
    assert extraction.found == []
    extraction.tick(talk.time + 2)
    assert len(extraction.found) == 2
    extraction.take(talk.time, 1, talk.say(0, get("/last")).packets[-2][1])
    extraction.tick(talk.time + 10_000)
    assert len(extraction.found) == 3


@given(
    lost=st.sets(st.integers(0, 60), max_size=4),
    swaps=st.lists(st.integers(0, 60), max_size=6),
    batch=st.integers(1, 70),
    size=st.sampled_from([0, 10, 3000, 20_000]),
)
def test_frames_taken_many_at_a_time_give_what_they_give_one_by_one(
    lost: set[int], swaps: list[int], batch: int, size: int
) -> None:
    talks = [Talk(("10.0.0.1", 4000 + n), at=100.0 + n / 1e4) for n in range(3)]
    for talk in talks:
        talk.open()
        for n in range(3):
            talk.say(0, post(f"/{n}", b"q" * n * 900)).say(1, ok(b"a" * size))
        talk.close()
    packets = sorted(packet for talk in talks for packet in talk.packets)
    for at in swaps:
        if at + 1 < len(packets):
            packets[at], packets[at + 1] = packets[at + 1], packets[at]
    packets = [packet for at, packet in enumerate(packets) if at not in lost]
    one_by_one = extracted(packets)
    numbers = count()
    extraction = Extraction("pcap", lambda _: next(numbers))
    for at in range(0, len(packets), batch):
        extraction.take_all([(time, 1, frame) for time, frame in packets[at : at + batch]])
    extraction.finish()
    found = [each for each in extraction.found if isinstance(each, Exchange)]
    assert sorted(found, key=lambda each: each.index) == one_by_one[0]
    assert sorted(each.why for each in extraction.found if isinstance(each, Settled)) == sorted(one_by_one[1])


def test_many_losses_on_one_connection_hold_nothing_back_for_long() -> None:
    numbers = count()
    extraction = Extraction("sniff", lambda _: next(numbers))
    lossy, other = Talk(("10.0.0.1", 1), at=0.0).open(), Talk(("10.0.0.2", 2), at=0.0).open()
    frames = [*lossy.packets, *other.packets]
    for second in range(1, 60):
        lossy.time = other.time = float(second)
        for each in (lossy, other):
            each.packets.clear()
        lossy.say(0, get(f"/{second}")).say(1, ok(b"x" * 4000))
        other.say(0, get(f"/{second}")).say(1, ok())
        frames += [packet for at, packet in enumerate(lossy.packets) if at != 2] + other.packets
    for time, frame in sorted(frames, key=lambda packet: packet[0]):
        extraction.take(time, 1, frame)
        extraction.tick(time)
    extraction.tick(62.0)
    found = [each for each in extraction.found if isinstance(each, Exchange)]
    assert sum("10.0.0.2:2>" in each.session for each in found) == 59
